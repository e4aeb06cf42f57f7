"""The two ways on from the command line, where nobody knows whether a job exists."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

import wxtuning as wx
from wxtuning.cli import app
from wxtuning.folder import home_folder
from wxtuning.intents import Intents, Outcome
from wxtuning.journal import Journal
from wxtuning.status import JobState, JobStatus

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


@pytest.fixture
def finished(rows):
    """A run that is done, whose job was adopted."""
    from wxtuning.testing import FakeBackend

    experiment = wx.TuningExperiment("doubt").load(rows).to_jsonl(input="text", output="colour").evaluate(holdout=0.25)
    run = experiment.deploy("colours").wait(every=0.01).on(FakeBackend()).run()
    intents = Intents(Journal(home_folder() / "journal.db"))
    for tag in (run.key, run.plan.job_key):
        intents.begin("a place", f"wxtuning.{tag}", Outcome.ADOPTED, "id-7")
    return run


def done(run):
    return {entry.step for entry in Journal(home_folder() / "journal.db").run(run.key).steps}


@pytest.mark.parametrize("again", [wx.submit_again, lambda tag: wx.adopt(tag, "id-8")])
def test_a_job_that_was_adopted_by_mistake_is_taken_back_with_all_that_was_done_with_it(finished, again):
    again(f"wxtuning.{finished.plan.job_key}")
    assert done(finished) == set()


def test_a_deployment_that_was_adopted_by_mistake_is_taken_back_and_the_job_stays(finished):
    wx.adopt(f"wxtuning.{finished.key}", "id-8")
    assert done(finished) == {"submit", "tune"}


def test_who_says_the_same_again_takes_nothing_back(finished):
    wx.adopt(f"wxtuning.{finished.plan.job_key}", "watsonx:id-7")
    assert done(finished) == {"submit", "tune", "evaluate", "deploy"}


def test_a_job_that_failed_where_each_key_has_one_job_is_told_what_helps_there(rows):
    from wxtuning.testing import FakeBackend

    backend = FakeBackend(statuses=[JobStatus(state=JobState.FAILED, word="failed")])
    experiment = wx.TuningExperiment("doubt").load(rows).to_jsonl(input="text", output="colour").on(backend)
    with pytest.raises(wx.JobFailed, match="change the experiment's name") as caught:
        experiment.run()
    assert "submit_again" not in caught.value.hint
    told = CliRunner().invoke(app, ["submit-again", experiment.plan().key])
    assert "under another name" in told.exception.hint


def test_what_is_made_for_no_run_is_named_by_its_key():
    intents = Intents(Journal(home_folder() / "journal.db"))
    intents.begin("projects", "wxtuning.project fresh")
    wx.adopt("project fresh", "id-7")
    assert intents.last("projects", "wxtuning.project fresh").id == "id-7"
