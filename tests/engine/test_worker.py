"""The engine as a process: its status, its lock, its signals, its death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.conftest import ROWS, adapter_bytes, config_for, run_folder
from wxtuning.engine import EngineError, cancel, is_alive, read_metrics, read_status, start, tune
from wxtuning.engine.status import held, write_status
from wxtuning.engine.worker import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ready(llama, tmp_path):
    """A folder a worker can start on: six steps of work."""
    folder = run_folder(tmp_path / "run")
    (folder / "config.json").write_text(config_for(llama).to_json())
    return folder


@pytest.fixture
def long(llama, tmp_path):
    """A folder with more work than any test waits for."""
    folder = run_folder(tmp_path / "long")
    config = config_for(llama, num_epochs=100_000, checkpoint_every_steps=5)
    (folder / "config.json").write_text(config.to_json())
    return folder


def until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def has_made_a_checkpoint(folder):
    return (folder / "checkpoint" / "state.safetensors").exists()


def ended(folder):
    return read_status(folder)["state"] in ("completed", "failed", "canceled") and not is_alive(folder)


@pytest.fixture
def as_here(monkeypatch):
    """Run `main` in this process and put its signal handler back."""
    before = signal.getsignal(signal.SIGTERM)
    yield main
    signal.signal(signal.SIGTERM, before)


def test_a_started_worker_tunes_and_says_so(ready):
    pid = start(ready)
    assert pid > 0
    until(lambda: ended(ready))
    status = read_status(ready)
    assert (status["state"], status["stage"], status["step"], status["steps"]) == ("completed", "saving", 6, 6)
    assert status["pid"] == pid and status["started_at"] <= status["updated_at"]
    assert (ready / "adapter" / "adapter_model.safetensors").exists()
    assert "tuned in 6 steps" in (ready / "log.txt").read_text()
    assert "Traceback" not in (ready / "log.txt").read_text()


def test_a_completed_folder_is_left_as_it_is(ready, as_here):
    assert as_here([str(ready)]) == 0
    before = (ready / "status.json").read_bytes(), adapter_bytes(ready)
    assert as_here([str(ready)]) == 0
    assert ((ready / "status.json").read_bytes(), adapter_bytes(ready)) == before


@pytest.mark.slow
def test_a_killed_worker_goes_on_to_the_same_bytes(llama, tmp_path):
    config = config_for(llama, num_epochs=400, checkpoint_every_steps=7)
    whole, broken = run_folder(tmp_path / "whole"), run_folder(tmp_path / "broken")
    tune(config, whole)
    (broken / "config.json").write_text(config.to_json())
    for kill in range(2):
        pid = start(broken)
        step = 20 + 100 * kill
        until(lambda step=step: any(metric["step"] > step for metric in read_metrics(broken)))
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_alive(broken))
        status = read_status(broken)
        assert status["state"] == "failed" and status["code"] == "worker_died"
    start(broken)
    until(lambda: ended(broken))
    assert read_status(broken)["state"] == "completed"
    assert adapter_bytes(broken) == adapter_bytes(whole)
    assert [metric["step"] for metric in read_metrics(broken)] == list(range(1, 1201))
    assert [metric["loss"] for metric in read_metrics(broken)] == [metric["loss"] for metric in read_metrics(whole)]


def test_cancel_saves_a_checkpoint_and_a_canceled_folder_stays_canceled(long, as_here):
    pid = start(long)
    until(lambda: has_made_a_checkpoint(long))
    assert is_alive(long)
    assert start(long) == pid
    assert cancel(long)
    until(lambda: ended(long))
    status = read_status(long)
    assert status["state"] == "canceled" and status["step"] == len(read_metrics(long))
    assert as_here([str(long)]) == 0
    assert read_status(long)["state"] == "canceled"
    assert not cancel(long)


def test_a_second_worker_says_that_the_folder_is_taken(ready):
    with held(ready) as ours:
        assert ours and is_alive(ready)
        second = subprocess.run(
            [sys.executable, "-m", "wxtuning.engine.worker", str(ready)], capture_output=True, text=True, cwd=ROOT
        )
    assert second.returncode == 1
    assert "another worker has" in second.stdout
    assert not (ready / "status.json").exists()
    assert not is_alive(ready)


def test_a_request_before_the_worker_is_there_is_heeded(ready, as_here):
    assert not cancel(ready)
    assert as_here([str(ready)]) == 0
    assert read_status(ready)["state"] == "canceled"
    assert as_here([str(ready), "--resume"]) == 0
    assert read_status(ready)["state"] == "completed"


def test_a_failure_is_told_with_code_and_hint(ready, as_here):
    (ready / "train.jsonl").write_text("")
    assert as_here([str(ready)]) == 1
    status = read_status(ready)
    assert (status["state"], status["code"]) == ("failed", "no_rows")
    assert "no rows" in status["message"] and status["hint"]


def test_a_failed_folder_may_be_tried_again(ready, as_here):
    rows = (ready / "train.jsonl").read_text()
    (ready / "train.jsonl").write_text("")
    as_here([str(ready)])
    (ready / "train.jsonl").write_text(rows)
    assert as_here([str(ready)]) == 0
    assert read_status(ready)["state"] == "completed"


@pytest.mark.parametrize("content", ["{", "[]", '{"modle": "x"}', '{"model": "x", "num_epochs": 0}'])
def test_a_bad_config_is_a_failure_that_names_it(ready, as_here, content):
    (ready / "config.json").write_text(content)
    assert as_here([str(ready)]) == 1
    assert read_status(ready)["code"] == "bad_config"


def test_a_full_disk_is_told(ready, as_here, monkeypatch):
    import errno

    from wxtuning.engine import train

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "adapter_model.safetensors")

    monkeypatch.setattr(train, "save_adapter", full)
    assert as_here([str(ready)]) == 1
    status = read_status(ready)
    assert status["code"] == "disk_full" and "adapter_model.safetensors" in status["message"]


def test_a_folder_nobody_started_is_queued(tmp_path):
    assert read_status(tmp_path)["state"] == "queued"
    assert not is_alive(tmp_path)
    assert read_metrics(tmp_path) == []


def test_a_running_status_without_a_live_worker_is_a_death(tmp_path):
    write_status(tmp_path, {"state": "running", "step": 7})
    status = read_status(tmp_path)
    assert (status["state"], status["code"], status["step"]) == ("failed", "worker_died", 7)


def test_cancel_never_signals_a_process_that_does_not_hold_the_lock(tmp_path):
    innocent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (tmp_path / "worker.lock").write_text(str(innocent.pid))
        write_status(tmp_path, {"state": "running", "pid": innocent.pid})
        assert not cancel(tmp_path)
        assert innocent.poll() is None
    finally:
        innocent.communicate(b"\n")
    assert innocent.returncode == 0


def test_a_worker_gets_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("WATSONX_APIKEY", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HF_TOKEN", "needed")
    show = tmp_path / "show"
    show.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'import os,json; print(json.dumps(dict(os.environ)))'\n")
    show.chmod(0o700)
    start(tmp_path, str(show))
    until(lambda: (tmp_path / "log.txt").read_text().endswith("}\n"))
    seen = json.loads((tmp_path / "log.txt").read_text())
    assert seen["HF_TOKEN"] == "needed"
    assert "secret" not in seen.values()


def test_a_python_that_is_not_there_is_told(ready):
    with pytest.raises(EngineError, match="cannot start"):
        start(ready, "/nowhere/python")


def test_a_config_survives_its_json(llama):
    from wxtuning.engine import TuneConfig

    config = replace(config_for(llama, "lora"), target_modules=("q_proj",), init_text="ümlaut")
    assert TuneConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    "values",
    [
        {"num_epochs": 0},
        {"num_epochs": 1.5},
        {"seed": -1},
        {"learning_rate": float("nan")},
        {"learning_rate": 0},
        {"batch_size": True},
        {"method": "magic"},
        {"verbalizer": "no field"},
        {"verbalizer": "{{input}} {{input}}"},
        {"init_method": "text"},
        {"init_method": "text", "init_text": "  "},
        {"lora_dropout": 1.0},
        {"device": "tpu"},
        {"dtype": "int8"},
    ],
)
def test_values_out_of_range_are_refused_by_name(llama, values):
    from wxtuning.engine import TuneConfig

    with pytest.raises(EngineError, match=next(iter(values))) as caught:
        TuneConfig(model=llama, **values)
    assert caught.value.code == "bad_config"


def test_importing_the_engine_loads_no_torch():
    code = (
        "import sys, wxtuning.engine, wxtuning.engine.worker;"
        "print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert shown.stdout.strip() == "[]"


def test_prompt_tuning_needs_neither_peft_nor_the_trainer_nor_the_compiler(ready):
    code = (
        "import sys; from wxtuning.engine import worker; worker.main([sys.argv[1]]);"
        "print([m for m in ('peft', 'transformers.trainer', 'datasets') if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(ready)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert shown.stdout.splitlines()[-1] == "[]"


def test_rows_are_rendered_once_and_literally():
    from wxtuning.engine.template import render

    assert render("Input: {{input}} Output:", "a {{input}} {b}") == "Input: a {{input}} {b} Output:"
    assert render("{{input}} ", "x") == "x"
    assert len(ROWS) > 0
