"""The command line shows what this machine knows of a run whose backend cannot be asked."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import wxtuning as wx
from wxtuning.cli import app
from wxtuning.testing import FakeBackend


@pytest.fixture
def run(rows, monkeypatch):
    """A finished run of a service that the environment does not name."""
    for name in ("WATSONX_URL", "WATSONX_APIKEY", "WATSONX_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    experiment = wx.TuningExperiment("far away").load(rows).to_jsonl(input="text", output="colour")
    experiment = experiment.evaluate(holdout=0.25).deploy("colours").wait(every=0.001)
    return experiment.on(FakeBackend(name="watsonx")).run()


@pytest.mark.parametrize("name", ["key", "job"])
def test_a_run_is_shown_without_its_service(run, name):
    shown = CliRunner().invoke(app, ["show", str(getattr(run, name))])
    assert shown.exit_code == 0, shown.exception
    assert all(part in shown.output for part in (f"Plan {run.key}", "Loss by epoch", "base", "WATSONX_URL"))


def test_a_run_is_shown_as_json_without_its_service(run):
    shown = CliRunner().invoke(app, ["show", run.key, "--json"])
    told = json.loads(shown.output)
    assert (told["scores"], told["loss"], told["adapter_bytes"]) == (run.scores, [1.0, 0.3], None)


@pytest.mark.parametrize("asked", [["ask", "hello"], ["cancel"]])
def test_what_only_the_service_can_do_names_what_is_missing(run, asked):
    command, *more = asked
    said = CliRunner().invoke(app, [command, run.key, *more])
    assert isinstance(said.exception, wx.PlanError) and "WATSONX_URL" in str(said.exception)
