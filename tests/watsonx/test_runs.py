"""Runs that a service remembers are listed, attached and read back, whoever started them and however odd they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import wxtuning as wx
from tests.watsonx import jobs, tuned
from tests.watsonx.conftest import asked_of
from tests.watsonx.test_data_assets import uploaded
from tests.watsonx.wire import Wire
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.asked import body_of
from wxtuning.adapters.watsonx.assets import Assets
from wxtuning.adapters.watsonx.runs import found_run
from wxtuning.adapters.watsonx.trainings import FINE_TUNINGS, TRAININGS
from wxtuning.cli import app
from wxtuning.found import FoundRun
from wxtuning.ports import TuningRequest
from wxtuning.status import JobState

BASE = {"base_model": {"model_id": "wxtuning/tiny"}, "task_id": "classification"}
PEFT = {"type": "lora", "rank": 4}


def prompt(**told: Any) -> FoundRun:
    """What is read of a prompt tuning with these parameters."""
    return read(TRAININGS, prompt_tuning={**BASE, **told})


def fine(**told: Any) -> FoundRun:
    """What is read of a fine tuning with these parameters."""
    return read(FINE_TUNINGS, parameters={**BASE, "verbalizer": "Input: {{input}} Output: {{output}}", **told})


def read(path: str, **entity: Any) -> FoundRun:
    return found_run(path, {"metadata": {"id": "7"}, "entity": {"status": {"state": "completed"}, **entity}})


@pytest.fixture
def ready(cpd_wire: Wire, tmp_path: Path) -> Path:
    file = tmp_path / "ready.json"
    file.write_text(json.dumps(cpd_wire.ready))
    return file


@pytest.fixture
def kept(backend_on_cpd: Watsonx, tmp_path: Path) -> str:
    """A data asset with the rows of a run."""
    assets = Assets(backend_on_cpd.service, backend_on_cpd.settings)
    return assets.put(jobs.data(tmp_path, 60), "comments", f"kept-{tmp_path.name}")


def on_asset(asset: str) -> list[dict[str, Any]]:
    return [{"type": "data_asset", "location": {"href": f"/v2/assets/{asset}", "id": asset}}]


# --- LoRA -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def lora_job(cpd_wire: Wire) -> wx.JobRef:
    return tuned.job(cpd_wire.running, "fine_tuning", parameters={**BASE, "peft_parameters": PEFT})


def test_a_lora_job_is_listed_under_the_id_that_attaches_it(home, backend_on_cpd, lora_job):
    assert lora_job in [run.job for run in wx.runs(backend_on_cpd)]
    found = wx.attach(str(lora_job), on=backend_on_cpd)
    assert found.id == str(lora_job) and found.state is JobState.COMPLETED


def test_a_lora_job_is_found_by_the_bare_id_of_the_service_too(backend_on_cpd, lora_job):
    assert backend_on_cpd.run(lora_job.id.removeprefix("fine_tunings/")).job == lora_job


def test_a_run_is_found_by_the_id_that_is_shown(cpd_wire, backend_on_cpd, lora_job):
    prompt_job = tuned.job(cpd_wire.running, "training")
    assert [backend_on_cpd.run(str(job)).job for job in (prompt_job, lora_job)] == [prompt_job, lora_job]
    assert wx.attach(prompt_job.id, on=backend_on_cpd).id == str(prompt_job)


def test_a_lora_job_that_nobody_knows_is_lost(backend_on_cpd):
    with pytest.raises(wx.JobLost, match="fine_tunings/nothing"):
        backend_on_cpd.run("fine_tunings/nothing")


def test_full_fine_tuning_is_no_lora():
    found = fine(num_epochs=3)
    assert found.method is None
    with pytest.raises(wx.PlanError, match="LoRA"):
        found.spec  # noqa: B018
    assert fine(peft_parameters={"type": "none"}).method is None
    assert fine(peft_parameters=PEFT).method == wx.LoRA("wxtuning/tiny", r=4, verbalizer="Input: {{input}} Output: ")


@pytest.mark.parametrize("longest", [16, 266, 384, 4096])
def test_a_lora_that_is_read_back_asks_for_the_rows_it_had(longest, tmp_path):
    again = fine(peft_parameters=PEFT, max_seq_length=longest).method
    train = jobs.data(tmp_path, 2)
    request = TuningRequest(name="again", method=again, train=train, task="classification")
    body = body_of(request, "tag", dict, {})
    assert body["parameters"]["max_seq_length"] == longest


# --- odd runs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"verbalizer": "Input: {{ input }}"}, "verbalizer"),
        ({"num_virtual_tokens": 0}, "num_virtual_tokens"),
        ({"base_model": None}, "base model"),
    ],
)
def test_a_run_that_cannot_be_asked_again_says_why(told, why):
    found = prompt(**told)
    assert found.method is None and why in found.reason
    with pytest.raises(wx.PlanError, match=why):
        found.spec  # noqa: B018


def test_an_odd_run_does_not_hide_the_others(cpd_wire, backend_on_cpd):
    good = tuned.job(cpd_wire.running, "training")
    odd = tuned.job(cpd_wire.running, "training", prompt_tuning={**BASE, "num_virtual_tokens": 0})
    listed = {run.job: run.method for run in wx.runs(backend_on_cpd)}
    assert listed[odd] is None and listed[good] is not None


# --- without a backend ------------------------------------------------------------------------------------------------


def test_a_job_of_somebody_else_is_attached_at_the_service_of_the_environment(home, cpd_wire, monkeypatch):
    job = tuned.job(cpd_wire.running, "training")
    told = asked_of(cpd_wire)
    names = {"url": "URL", "project": "PROJECT_ID", "api_key": "APIKEY", "username": "USERNAME", "ca": "CA"}
    for name, variable in names.items():
        monkeypatch.setenv(f"WATSONX_{variable}", told[name])
    assert wx.attach(str(job)).state is JobState.COMPLETED
    shown = CliRunner().invoke(app, ["show", str(job)])
    assert isinstance(shown.exception, wx.WxTuningError) and "wxtuning rescue" in str(shown.exception)
    listed = CliRunner().invoke(app, ["runs", "--project", told["project"]])
    assert str(job) in listed.output


# --- the command line -------------------------------------------------------------------------------------------------


def test_the_ids_of_a_list_stand_in_one_line(ready, lora_job):
    listed = CliRunner().invoke(app, ["runs", "--ready-file", str(ready)])
    assert str(lora_job) in listed.output


def rescued(job: wx.JobRef, ready: Path, out: Path, *more: str) -> Any:
    return CliRunner().invoke(app, ["rescue", str(job), "--ready-file", str(ready), "--out", str(out), *more])


@pytest.mark.parametrize("own", ["experiment.yaml", "comments.jsonl"])
def test_a_rescue_replaces_no_file_unless_it_is_told_to(own, cpd_wire, ready, kept, tmp_path):
    job = tuned.job(cpd_wire.running, "training", training_data_references=on_asset(kept))
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / own).write_text("mine")
    refused = rescued(job, ready, folder / "experiment.yaml")
    assert isinstance(refused.exception, wx.WxTuningError) and own in str(refused.exception)
    assert "--force" in str(refused.exception)
    assert [(file.name, file.read_text()) for file in folder.iterdir()] == [(own, "mine")]

    assert rescued(job, ready, folder / "experiment.yaml", "--force").exit_code == 0
    assert rescued(job, ready, folder / "experiment.yaml").exit_code == 0, "the same files are no others"
    assert wx.TuningExperiment.from_yaml(folder / "experiment.yaml").plan().train.rows == 60


@pytest.mark.parametrize(
    ("name", "ending", "written"),
    [
        ("mine.json", ".json", lambda rows: json.dumps(rows)),
        ("mine.csv", ".csv", lambda rows: "input,output\n" + "".join(f'"{r["input"]}",{r["output"]}\n' for r in rows)),
        ("mine", ".jsonl", lambda rows: "".join(f"{json.dumps(row)}\n" for row in rows)),
    ],
)
def test_what_is_rescued_can_be_planned_whatever_the_rows_were_written_in(
    name, ending, written, cpd_wire, backend_on_cpd, ready, tmp_path
):
    rows = [{"input": f"thing {number}", "output": "yes" if number % 2 else "no"} for number in range(60)]
    asset = uploaded(backend_on_cpd.service, name, written(rows).encode())
    job = tuned.job(cpd_wire.running, "training", training_data_references=on_asset(asset))
    out = tmp_path / "here" / "experiment.yaml"
    assert rescued(job, ready, out).exit_code == 0
    assert (out.parent / f"comments{ending}").is_file()
    assert wx.TuningExperiment.from_yaml(out).plan().train.rows == 60


def test_a_rescue_whose_rows_are_gone_keeps_what_is_known(cpd_wire, ready, tmp_path):
    job = tuned.job(cpd_wire.running, "training", training_data_references=on_asset("gone"))
    out = tmp_path / "here" / "experiment.yaml"
    done = rescued(job, ready, out)
    assert done.exit_code == 0, done.output
    assert "write `source: FILE.jsonl` into" in " ".join(done.output.split())
    assert "asset:gone" in done.output and "rows could not be fetched" in out.read_text()
    assert [file.name for file in out.parent.iterdir()] == [out.name]
