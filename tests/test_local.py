"""The whole chain on this machine, with real tuning on the embedded model."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import wxtuning as wx
from wxtuning import engine, tiny
from wxtuning.cli import Init, MethodName, demonstration

pytestmark = pytest.mark.slow

DEMO = ["demo", "--json", "--init", "text"]


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    return tmp_path_factory.mktemp("shared-home")


@pytest.fixture
def run(shared_home, monkeypatch):
    monkeypatch.setenv("WXTUNING_HOME", str(shared_home))
    return demonstration(MethodName.PROMPT_TUNING, Init.RANDOM, 0).run()


def command(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "wxtuning", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_tuned_model_answers_what_the_base_does_not(run):
    assert run.scores["base"] <= 0.05
    assert run.scores["tuned"] >= 0.85


def test_the_loss_falls_step_by_step(run):
    losses = [metric.loss for metric in run.metrics if metric.loss is not None]
    assert len(losses) == run.plan.optimizer_steps == 80
    assert sum(losses[-10:]) / 10 < 0.2 * losses[0]


def test_the_validation_loss_is_measured_after_every_epoch(run):
    assert len([metric for metric in run.metrics if metric.validation_loss is not None]) == 8


def test_the_loss_is_a_data_frame_and_a_picture(run):
    assert list(run.loss.columns)[:3] == ["step", "epoch", "loss"]
    assert run.plot().read_bytes().startswith(b"\x89PNG")


def test_the_deployment_answers_one_many_and_in_pieces(run):
    texts = ["It broke on the first day. I want my money back.", "Lovely service, I would order again."]
    assert run.deployment.generate(texts) == ["unsatisfied", "satisfied"]
    assert run.deployment.generate(texts[0]) == "unsatisfied"
    assert "".join(run.deployment.stream(texts[1])).strip() == "satisfied"


def test_the_command_line_asks_the_deployment(run, shared_home):
    code, out, _ = command("ask", run.key, "It broke on the first day.", WXTUNING_HOME=str(shared_home))
    assert (code, out) == (0, "unsatisfied\n")


def test_a_deployment_read_back_from_disk_answers_identically(run):
    inputs = list(run.comparison.inputs[:20])
    again = wx.attach(run.key).result().deployment
    assert again.generate(inputs) == run.deployment.generate(inputs)


def test_a_damaged_adapter_is_refused(run):
    other = demonstration(MethodName.PROMPT_TUNING, Init.RANDOM, 0).deploy("damaged").run()
    file = wx.Local().folder(other.deployment.ref) / "adapter" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    with pytest.raises(wx.AdapterError, match="not the one that was deployed"):
        wx.attach(other.key).result().deployment.generate("hello")


def test_a_second_deployment_of_the_same_name_gets_a_number(run):
    before = sorted(
        json.loads(f.read_text())["name"] for f in wx.Local().folder(run.deployment.ref).parent.glob("*/*.json")
    )
    assert "demo" in before
    other = demonstration(MethodName.PROMPT_TUNING, Init.RANDOM, 0).evaluate(holdout=200).run()
    described = json.loads((wx.Local().folder(other.deployment.ref) / "deployment.json").read_text())
    assert described["name"] not in before
    assert re.fullmatch(r"demo \(\d+\)", described["name"])


def test_deleting_a_deployment_leaves_the_run(run):
    other = demonstration(MethodName.PROMPT_TUNING, Init.RANDOM, 0).deploy("gone").run()
    other.deployment.delete()
    with pytest.raises(wx.AdapterError, match="no deployment"):
        other.deployment.generate("hello")
    assert wx.attach(other.key).so_far.scores == run.scores


def test_the_command_line_lists_and_shows_runs(run, shared_home):
    code, out, _ = command("runs", WXTUNING_HOME=str(shared_home))
    assert code == 0
    assert run.key in out
    code, out, _ = command("show", run.key, "--json", WXTUNING_HOME=str(shared_home))
    assert json.loads(out)["scores"] == run.scores


def test_an_unknown_run_is_a_message_and_not_a_traceback(shared_home):
    code, out, err = command("show", "nothing", WXTUNING_HOME=str(shared_home))
    assert (code, out) == (1, "")
    assert "there is no run 'nothing'" in err
    assert "Traceback" not in err


def test_lora_tunes_too(shared_home):
    code, out, _ = command("demo", "--json", "--method", "lora", WXTUNING_HOME=str(shared_home))
    assert code == 0
    assert json.loads(out)["scores"]["tuned"] >= 0.85


def wait_for(condition, seconds=300.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def jobs(home):
    return list(Path(home).glob("jobs/*/status.json"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What `wxtuning demo --json` prints when it is run again after it and its worker were killed in the middle."""
    home = tmp_path_factory.mktemp("killed-home")
    demo = [sys.executable, "-m", "wxtuning", *DEMO]
    process = subprocess.Popen(
        demo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "WXTUNING_HOME": str(home)}
    )
    wait_for(lambda: any(engine.read_status(file.parent)["step"] > 5 for file in jobs(home)))
    folder = jobs(home)[0].parent
    worker = engine.read_status(folder)["pid"]
    process.send_signal(signal.SIGKILL)
    process.wait()
    if engine.is_alive(folder):
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: not engine.is_alive(folder))
    code, out, err = command(*DEMO, WXTUNING_HOME=str(home))
    assert code == 0, err
    return home, json.loads(out)


def test_a_chain_killed_in_the_middle_finishes_as_the_same_run(killed, monkeypatch):
    home, told = killed
    assert len(told["loss"]) == 80
    assert len(jobs(home)) == 1
    monkeypatch.setenv("WXTUNING_HOME", str(home))
    assert [run.key for run in wx.runs()] == [told["run"]]


def test_the_demo_prints_one_json_object_and_a_prompt_that_begins_with_words_learns(killed):
    _, told = killed
    assert set(told) == {"scores", "loss", "examples", "held_out", "adapter_bytes", "seconds", "run"}
    assert told["examples"] == 150
    assert told["held_out"] == 200
    assert told["scores"]["tuned"] >= 0.85


@pytest.mark.parametrize("cancel", [lambda job: job.cancel(), lambda job: command("cancel", job.id)])
def test_a_cancelled_job_ends_as_cancelled(cancel):
    job = demonstration(MethodName.PROMPT_TUNING, Init.RANDOM, 9).tune(num_epochs=500).submit()
    cancel(job)
    with pytest.raises(wx.JobCanceled):
        job.result()


def test_a_folder_without_a_model_is_a_problem_of_the_plan(tmp_path, rows):
    asked = wx.TuningExperiment("x").load(rows).to_jsonl(input="text", output="colour")
    with pytest.raises(wx.PlanError, match=r"no config.json"):
        asked.tune(wx.PromptTuning(str(tmp_path))).plan()
    with pytest.raises(wx.PlanError, match="there is no model folder"):
        asked.tune(wx.PromptTuning("/nowhere/at/all")).plan()


def test_a_generation_has_rouge_exact_match_and_perplexity():
    run = (
        wx.TuningExperiment("orders")
        .load(tiny.demonstration_file(), limit=40)
        .to_jsonl(input="{comment}", output="satisfaction")
        .tune(num_epochs=1)
        .evaluate(holdout=10)
        .run()
    )
    assert set(run.comparison.column("tuned").scores) == {"rouge_l", "exact_match", "perplexity"}


def test_a_loss_that_does_not_fall_is_a_warning_in_the_report():
    idle = demonstration(MethodName.PROMPT_TUNING, Init.TEXT, 0).load(tiny.demonstration_file(), limit=80)
    run = idle.tune(num_epochs=2, learning_rate=1e-6).evaluate(holdout=10).run()
    assert "nothing was learned" in str(run.report)


def test_a_demo_that_was_finished_before_says_so(run, shared_home):
    code, out, _ = command("demo", WXTUNING_HOME=str(shared_home))
    assert code == 0
    assert "finished before, nothing was repeated" in out


def test_leaving_with_ctrl_c_lets_the_job_go_on_and_says_how_to_come_back(home):
    demo = [sys.executable, "-m", "wxtuning", *DEMO]
    process = subprocess.Popen(demo, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any(engine.is_alive(file.parent) for file in jobs(home)))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "the job goes on" in err
    assert "Traceback" not in err
    folder = jobs(home)[0].parent
    left_at = engine.read_status(folder)["step"]
    wait_for(lambda: engine.read_status(folder)["step"] > left_at)
    engine.cancel(folder)
    wait_for(lambda: not engine.is_alive(folder))


@pytest.mark.parametrize("arguments", [["demo", "--seed", "-1"], ["demo", "--method", "nonsense"], ["nothing"]])
def test_a_wrong_option_is_a_message_and_not_a_traceback(arguments):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
