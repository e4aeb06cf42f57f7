"""The two ways on from the command line, where nobody knows whether a job exists."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

import wxtuning as wx
from wxtuning.cli import app
from wxtuning.folder import home_folder
from wxtuning.intents import Intents, Outcome
from wxtuning.journal import Journal

TAG = "wxtuning.demo-1"


@pytest.fixture
def intents():
    found = Intents(Journal(home_folder() / "journal.db"))
    found.begin("trainings", TAG)
    return found


@pytest.mark.parametrize("name", [TAG, "demo-1"])
def test_what_was_found_by_hand_is_adopted(intents, name):
    told = CliRunner().invoke(app, ["adopt", name, "id-7"])
    assert (told.exit_code, intents.last("trainings", TAG).id) == (0, "id-7")
    assert "run the experiment again" in told.output


def test_what_is_not_there_is_sent_again(intents):
    told = CliRunner().invoke(app, ["submit-again", TAG])
    assert (told.exit_code, intents.last("trainings", TAG).outcome) == (0, Outcome.GIVEN_UP)


def test_what_is_not_in_doubt_is_told(intents):
    told = CliRunner().invoke(app, ["adopt", "wxtuning.other", "id-7"])
    assert isinstance(told.exception, wx.WxTuningError)
    assert "wxtuning.other is in doubt" in str(told.exception)


def test_a_run_is_named_by_its_key_though_its_job_has_another(rows):
    from wxtuning.testing import FakeBackend

    experiment = wx.TuningExperiment("doubt").load(rows).to_jsonl(input="text", output="colour").on(FakeBackend())
    plan = experiment.submit().so_far.plan
    intents = Intents(Journal(home_folder() / "journal.db"))
    intents.begin("trainings", f"wxtuning.{plan.job_key}")
    wx.adopt(plan.key, "id-9")
    assert intents.last("trainings", f"wxtuning.{plan.job_key}").id == "id-9"
