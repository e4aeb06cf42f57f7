"""`wxtuning serve` under load: `python -m tests.benchmarks.serving`.

Answers: 64 prompts over 8 deployments (a soft prompt each, of 10 and 20 vectors), 32 new tokens each, greedy. "one by
one" sends a request when the one before is answered, "at once" sends all 64; both to the same server over TLS and HTTP
with connections that are kept. Two bases: the embedded one in float32, where all texts must be the same, and the random
58M Llama, where bfloat16 (which a wide model gets on a CPU that has it) leaves many ties to rounding.

Polls: 200 requests a second for the state of a training job that runs, from 8 connections with a schedule of their own;
the time of a poll is measured from when it was due. A poll that is late because the caller's own thread is late counts.

Start: from the command to the file that says that the server answers, and whether torch is loaded then.
"""

from __future__ import annotations

import http.client
import json
import statistics
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.benchmarks.contest import verdict
from tests.benchmarks.shapes import make_model, quick
from tests.server.processes import Running, serving
from tests.server.rooms import dataset, opened
from wxtuning.tiny import MODEL_ID, model_folder

VERSION = "version=2026-01-01"
DEPLOYMENTS, PROMPTS, NEW = 8, 64, 32
RATE, SECONDS, CALLERS = 200, 10, 8
Asked = tuple[str, dict[str, Any]]


def soft_prompts(model: str, folder: Path) -> list[Path]:
    """Random soft prompts for a base; what they say does not matter, only that they differ."""
    from wxtuning.engine import TuneConfig
    from wxtuning.engine.adapter import save_adapter
    from wxtuning.engine.model import load_base
    from wxtuning.engine.prompt import new_prompt

    base = load_base(model, device="cpu")
    for seed in range(DEPLOYMENTS):
        config = TuneConfig(model=model, num_virtual_tokens=10 + 10 * (seed % 2), seed=seed)
        save_adapter(new_prompt(base, config), folder / f"soft-{seed}")
    return sorted(folder.glob("soft-*"))


def deploy(running: Running, model_id: str, adapter: Path) -> str:
    """A deployment of a model that is put into the server by hand."""
    from tests.server.models import deployed, put
    from wxtuning.server.state import State

    identity = put(running, adapter)
    state = State(running.home / "server" / "server.db")
    model = state.get("model", identity)
    assert model is not None
    state.change(model, {**model.body, "base_model_id": model_id})
    return str(deployed(running, identity)["metadata"]["id"])


def requests_to(deployments: list[str]) -> list[Asked]:
    parameters = {"max_new_tokens": NEW, "min_new_tokens": NEW}
    return [
        (
            f"/ml/v1/deployments/{deployments[number % len(deployments)]}/text/generation?{VERSION}",
            {"input": " ".join(f"w{7 + (number * 31 + place) % 900}" for place in range(20 + number % 40)),
             "parameters": parameters},
        )
        for number in range(PROMPTS)
    ]  # fmt: skip


def answers(running: Running, name: str, model_id: str, folder: Path, model: str) -> None:
    deployments = [deploy(running, model_id, adapter) for adapter in soft_prompts(model, folder)]
    asked = requests_to(deployments)
    with running.http() as client:

        def send(one: Asked) -> str:
            found = client.post(one[0], json=one[1])
            assert found.status_code == 200, found.text
            return str(found.json()["results"][0]["generated_text"])

        with ThreadPoolExecutor(PROMPTS) as callers:
            list(callers.map(send, asked))  # the first ones load the base and the adapters
            alone, together, ratios = [], [], []
            for number in range(1 if quick() else 3):
                ways = (lambda: [send(one) for one in asked], lambda: list(callers.map(send, asked)))
                (first, a), (second, b) = (timed(ways[place]) for place in ((0, 1), (1, 0))[number % 2])
                one_by_one, at_once = (first, second) if number % 2 == 0 else (second, first)
                same = sum(one == other for one, other in zip(a, b, strict=True))
                alone.append(one_by_one)
                together.append(at_once)
                ratios.append(one_by_one / at_once)
    both = f"one by one {statistics.median(alone):.2f} s, at once {statistics.median(together):.2f} s"
    print(f"{name}: {both}, {same} of {PROMPTS} answers the same")
    assert same == PROMPTS or model_id != MODEL_ID, "the answers differ"
    verdict(f"{PROMPTS} prompts over {DEPLOYMENTS} deployments at once, {name}", statistics.median(ratios), 3.0)


def timed(way: Any) -> tuple[float, list[str]]:
    began = time.perf_counter()
    found = way()
    return time.perf_counter() - began, found


def training(running: Running) -> str:
    """A job that runs for as long as the polls last."""
    rows = [{"input": f"the order {number} was late again", "output": "unsatisfied"} for number in range(2000)]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    asset = dataset(opened(running.home / "server"), f"project/{running.project}", content)
    body = {
        "name": "polled", "project_id": running.project, "tags": ["prompt_tuning"], "auto_update_model": False,
        "prompt_tuning": {"base_model": {"model_id": "wxtuning/tiny"}, "task_id": "classification", "num_epochs": 50},
        "training_data_references": [
            {"type": "data_asset", "location": {"href": f"/v2/assets/{asset}", "id": asset}},
        ],
        "results_reference": {"type": "fs", "location": {"path": f"/projects/{running.project}/assets/wx_prompt_tune"}},
    }  # fmt: skip
    with running.http() as client:
        made = client.post(f"/ml/v4/trainings?{VERSION}", json=body)
        assert made.status_code == 201, made.text
        identity = str(made.json()["metadata"]["id"])
        while state(running, client, identity) != "running":
            time.sleep(0.1)
    return identity


def state(running: Running, client: Any, identity: str) -> str:
    where = f"/ml/v4/trainings/{identity}?{VERSION}&project_id={running.project}"
    return str(client.get(where).json()["entity"]["status"]["state"])


def polls(running: Running) -> None:
    identity = training(running)
    path = f"/ml/v4/trainings/{identity}?{VERSION}&project_id={running.project}"
    headers = {"Authorization": f"Bearer {running.token}"}
    began = time.perf_counter() + 0.5
    due = [began + number / RATE for number in range(RATE * (3 if quick() else SECONDS))]
    with ThreadPoolExecutor(CALLERS) as callers:
        parts = callers.map(lambda caller: polled(running, path, headers, due[caller::CALLERS]), range(CALLERS))
        late = sorted(second for part in parts for second in part)
    seconds = time.perf_counter() - began
    with running.http() as client:
        after = state(running, client, identity)
        client.delete(f"{path}&hard_delete=true")
    middle, worst = late[len(late) // 2] * 1000, late[int(len(late) * 0.99)] * 1000
    print(f"polls: median {middle:.1f} ms, 99th percentile {worst:.1f} ms, the job was {after} after them")
    verdict("status polls a second while a job runs", len(late) / seconds, RATE * 0.98)


def polled(running: Running, path: str, headers: dict[str, str], due: list[float]) -> list[float]:
    """How long after it was due each poll was answered."""
    connection = http.client.HTTPSConnection("127.0.0.1", running.port, context=running.tls, timeout=30)
    found = []
    for moment in due:
        time.sleep(max(0.0, moment - time.perf_counter()))
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status == 200 and body["entity"]["status"]["state"], body
        found.append(time.perf_counter() - moment)
    connection.close()
    return found


def start(folder: Path) -> None:
    found, loaded = [], set()
    for number in range(1 if quick() else 5):
        began = time.perf_counter()
        with serving(folder / f"start-{number}") as running:
            found.append(time.perf_counter() - began)
            maps = Path(f"/proc/{running.process.pid}/maps")
            loaded.add("libtorch" in maps.read_text() if maps.exists() else None)
    print(f"start: {[round(seconds, 2) for seconds in found]} s, torch loaded: {loaded}")
    verdict("seconds to start", statistics.median(found), 3.0, at_most=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start(folder)
        model = str(make_model("58M", folder / "model"))
        with served(folder / f"home-{uuid.uuid4()}", f"random/58M={model}") as running:
            for base, model_id, path in (
                ("the embedded model", MODEL_ID, str(model_folder())), ("58M", "random/58M", model),
            ):  # fmt: skip
                (folder / base).mkdir()
                answers(running, base, model_id, folder / base, path)
            polls(running)


def served(home: Path, model: str) -> AbstractContextManager[Running]:
    return serving(home, "--model", model)


if __name__ == "__main__":
    main()
