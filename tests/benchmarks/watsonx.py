"""The chain over `wx.Watsonx` against a hand-written script of the SDK: `python -m tests.benchmarks.watsonx`.

The same work on the same `wxtuning serve` over TLS: upload 200 comments, tune a soft prompt for them on the embedded
model, deploy it, and ask the untuned model, the untuned model with an instruction and the tuned one for 20 comments
each. Both contestants work through a wire that counts requests. The script is the shortest that does it with the SDK's
own calls: it blocks in `run` and `create`, which look every five seconds, and asks for its lists of prompts at once.

Watching: 1,000 jobs that run, watched from one process for some rounds; requests a round, memory and threads.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from tests.benchmarks.contest import Figures, child, ratio, run, table, verdict
from tests.benchmarks.shapes import quick
from tests.server.processes import serving
from tests.watsonx.wire import Wire, wire_to

TRAIN, TEST, EPOCHS = 200, 20, 8
JOBS, LOOKS = 1_000, 5
MODULE = "tests.benchmarks.watsonx"


def halves() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    from wxtuning.tiny import demonstration_file

    lines = [json.loads(line) for line in demonstration_file().read_text().splitlines()][: TRAIN + TEST]
    rows = [{"input": line["comment"], "output": line["satisfaction"]} for line in lines]
    return rows[:TRAIN], rows[TRAIN:]


def ready_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "ready.json").read_text())
    os.environ.update(found["environment"])
    return found


def sdk_script(folder: Path) -> Figures:
    """What a person writes with the SDK."""
    ready = ready_of(folder)
    from ibm_watsonx_ai import Credentials
    from ibm_watsonx_ai.experiment import TuneExperiment
    from ibm_watsonx_ai.foundation_models import ModelInference
    from ibm_watsonx_ai.helpers import DataConnection

    from wxtuning.tiny import INSTRUCTION

    train, test = halves()
    file = folder / f"{uuid.uuid4().hex}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in train))
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        credentials = Credentials(
            url=ready["url"], username=ready["username"], api_key=ready["api_key"], verify=ready["ca"]
        )
        experiment = TuneExperiment(credentials, project_id=ready["project_id"])
        client = experiment.client
        asset = client.data_assets.get_id(client.data_assets.create("satisfaction", str(file)))
        tuner = experiment.prompt_tuner(
            name="satisfaction", task_id=experiment.Tasks.CLASSIFICATION, base_model="wxtuning/tiny",
            num_epochs=EPOCHS, learning_rate=0.1, batch_size=16, accumulate_steps=1,
            max_output_tokens=16, verbalizer="Input: {{input}} Output:", auto_update_model=True,
        )  # fmt: skip
        tuner.run(training_data_references=[DataConnection(data_asset_id=asset)], background_mode=False)
        names = client.deployments.ConfigurationMetaNames
        deployed = client.deployments.create(
            tuner.get_model_id(), meta_props={names.NAME: "satisfaction", names.ONLINE: {}}
        )
        tuned = ModelInference(deployment_id=client.deployments.get_id(deployed), api_client=client)
        base = ModelInference(model_id="wxtuning/tiny", api_client=client)
        how = {"decoding_method": "greedy", "max_new_tokens": 16}
        plain = [f"Input: {row['input']} Output:" for row in test]
        base.generate_text(prompt=plain, params=how)
        base.generate_text(prompt=[f"{INSTRUCTION} {prompt}" for prompt in plain], params=how)
        answers = tuned.generate_text(prompt=[row["input"] for row in test], params=how)
    seconds = time.perf_counter() - began
    right = sum(answer.strip() == row["output"] for answer, row in zip(answers, test, strict=True))
    return {"seconds": seconds, "accuracy": right / len(test)}


def adapter(folder: Path) -> Figures:
    """The same as one chain."""
    os.environ["WXTUNING_HOME"] = str(folder / uuid.uuid4().hex)
    import wxtuning as wx
    from wxtuning.tiny import INSTRUCTION

    ready_of(folder)
    train, test = halves()
    file = folder / f"{uuid.uuid4().hex}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in train))
    began = time.perf_counter()
    done = (
        # A name of its own: with the same one the job of the round before would be found and taken.
        wx.TuningExperiment(f"satisfaction-{uuid.uuid4().hex[:8]}", task="classification")
        .load(str(file))
        .to_jsonl(input="input", output="output")
        .tune(wx.PromptTuning(num_epochs=EPOCHS, learning_rate=0.1, batch_size=16, accumulate_steps=1))
        .on(wx.Watsonx.from_ready(folder / "ready.json"))
        .evaluate(test=test, instruction=INSTRUCTION)
        .deploy("satisfaction")
        .run(progress=False)
    )
    return {"seconds": time.perf_counter() - began, "accuracy": done.scores["tuned"]}


def watching(folder: Path) -> Figures:
    """1,000 jobs that run, waited for as `gather` does; ten seconds lie between two rounds of looks."""
    import wxtuning as wx
    from wxtuning import schedule, steps
    from wxtuning.retry import Deadline, Patience
    from wxtuning.status import JobRef, JobStatus
    from wxtuning.testing import FakeClock

    class Counting(wx.Watsonx):
        """Remembers in how many threads it was asked."""

        threads = 0

        def status(self, job: JobRef, *, deadline: Deadline | None = None) -> JobStatus:
            self.threads = max(self.threads, threading.active_count())
            return super().status(job, deadline=deadline)

    ready_of(folder)
    clock = FakeClock()
    backend = Counting.from_ready(folder / "ready.json", patience=Patience(clock=clock, sleep=clock.sleep))
    jobs = [JobRef("watsonx", line) for line in (folder / "jobs.txt").read_text().split()]
    policy = wx.WaitPolicy(every_seconds=10.0, timeout_seconds=10.0 * LOOKS - 5.0)
    waits = [steps.wait(backend, job, policy, poll_seconds=10.0, clock=clock) for job in jobs]
    ended = schedule.drive_all(waits, sleep=clock.sleep, clock=clock)
    running = all(isinstance(each, wx.WaitTimeout) for each in ended)
    return {"seconds": 0.0, "threads": float(backend.threads), "running": float(running)}


CONTESTANTS = {"SDK script": sdk_script, "wxtuning chain": adapter, "watching": watching}


def running_jobs(home: Path, project: str) -> list[str]:
    """Trainings that run as far as the server knows: copies of one that is done, put there by hand."""
    from wxtuning.server.state import State

    state = State(home / "server" / "server.db")
    container = f"project/{project}"
    finished = state.all("training", container)[0].body
    body = {**finished, "status": {"state": "running", "running_at": finished["status"]["completed_at"]}}
    made = (state.add("training", container=container, name=f"job {n}", body=body)[0] for n in range(JOBS))
    return [resource.id for resource in made]


def main() -> None:
    if child(CONTESTANTS):
        return
    with (
        tempfile.TemporaryDirectory() as name,
        serving(Path(name), "--platform", "cpd") as running,
        wire_to(running) as wire,
    ):
        folder = Path(name) / "bench"
        folder.mkdir()
        (folder / "ready.json").write_text(json.dumps(wire.ready))
        compare_chains(folder, wire)
        (folder / "jobs.txt").write_text("\n".join(running_jobs(running.home, running.project)))
        watch(folder, wire)


def compare_chains(folder: Path, wire: Wire) -> None:
    names = ("SDK script", "wxtuning chain")
    found: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(1 if quick() else 3):
        for name in names if number % 2 else reversed(names):
            wire.requests.clear()
            figures = run(MODULE, name, folder)
            found[name].append({**figures, "requests": float(len(wire.requests))})
            if "--show" in sys.argv:
                print(name, *sorted(wire.asked.items()), sep="\n  ")
    table(found, "SDK script", "seconds", ("seconds", "requests", "accuracy"))
    requests = ratio(found, "wxtuning chain", "SDK script", "requests")
    verdict("requests, against the SDK's script", requests, 1.1, at_most=True)
    verdict("wall time, against it", ratio(found, "wxtuning chain", "SDK script", "seconds"), 1.0, at_most=True)


def watch(folder: Path, wire: Wire) -> None:
    wire.requests.clear()
    figures = run(MODULE, "watching", folder)
    lists = wire.asked["GET /ml/v4/trainings"] + wire.asked["GET /ml/v1/fine_tunings"]
    print(f"watching {JOBS:,} jobs for {LOOKS} rounds: {dict(wire.asked)}")
    assert figures["running"]
    verdict("list requests a round", lists / LOOKS, 10, at_most=True)
    verdict("MiB in all", figures["rss_mib"], 100, at_most=True)
    verdict("threads besides the caller's", figures["threads"] - 1, 1, at_most=True)


if __name__ == "__main__":
    main()
