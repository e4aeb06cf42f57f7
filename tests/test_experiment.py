"""The builder, the plan and the chain, with a backend in memory."""

from __future__ import annotations

import asyncio
import pickle
import random

import datasets
import numpy as np
import pandas as pd
import pytest

import wxtuning as wx
from wxtuning import runner, steps
from wxtuning.errors import LeakageError
from wxtuning.events import Progress
from wxtuning.ports import Limits, Range
from wxtuning.records import Record
from wxtuning.status import JobRef, JobState, JobStatus
from wxtuning.testing import FakeBackend, FakeClock


def good(kind, text):
    return text.rsplit(" ", 1)[-1] if kind != "base" else "no idea"


@pytest.fixture
def backend():
    return FakeBackend(answer=good)


@pytest.fixture
def experiment(rows, backend):
    return (
        wx.TuningExperiment("colours", task="classification")
        .load(rows)
        .clean()
        .to_jsonl(input="text", output="colour")
        .tune(num_epochs=2)
        .wait(every=0.001)
        .evaluate(holdout=0.25)
        .deploy("colours-v1")
        .on(backend)
    )


def problems_of(experiment):
    with pytest.raises(wx.PlanError) as caught:
        experiment.plan()
    return "\n".join(caught.value.problems)


def test_a_verb_returns_a_new_experiment_and_leaves_the_old_one_alone(experiment):
    other = experiment.tune(num_epochs=5)
    assert (experiment.spec.method.num_epochs, other.spec.method.num_epochs) == (2, 5)


def test_the_order_of_verbs_does_not_matter(rows, backend, experiment):
    turned = (
        wx.TuningExperiment("colours", task="classification")
        .deploy("colours-v1")
        .on(backend)
        .evaluate(holdout=0.25)
        .tune(num_epochs=2)
        .to_jsonl(input="text", output="colour")
        .clean()
        .load(rows)
    )
    assert turned.plan().digest == experiment.plan().digest


def test_the_way_of_waiting_does_not_change_the_run(experiment):
    assert experiment.wait(every=9).plan().key == experiment.plan().key


def test_another_evaluation_is_another_run_of_the_same_job(experiment):
    first, second = experiment.plan(), experiment.evaluate(holdout=0.25, instruction="Name the colour.").plan()
    assert first.key != second.key
    assert first.job_key == second.job_key


def test_every_kind_of_rows_gives_the_same_plan(rows, tmp_path, experiment):
    file = tmp_path / "rows.jsonl"
    pd.DataFrame(rows).to_json(file, orient="records", lines=True)
    sources = [file, pd.DataFrame(rows), datasets.Dataset.from_list(rows)]
    assert {experiment.load(source).plan().digest for source in sources} == {experiment.plan().digest}


def test_a_plan_reads_back_equal(experiment):
    plan = experiment.plan()
    assert wx.Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("text", ["", "{}", '{"spec": {"name": "", "method": {"method": "lora", "r": 0}}}'])
def test_what_is_no_plan_is_a_plan_error(text):
    with pytest.raises(wx.PlanError) as caught:
        wx.Plan.from_json(text)
    assert all(problem.startswith("Plan: ") for problem in caught.value.problems)


def test_a_notebook_shows_the_experiment_and_the_plan(experiment):
    assert "colours" in experiment._repr_html_()
    assert "optimiser steps" in experiment.plan()._repr_html_()


def test_all_problems_are_told_at_once(experiment):
    text = problems_of(experiment.load([{"text": "a", "colour": 7}, {"other": "b"}]).tune(num_epochs=99, batch_size=17))
    assert "num_epochs is 99; fake takes 1 to 50" in text
    assert "batch_size is 17; fake takes 1 to 16" in text
    assert "row 1, colour: expected text, found int 7" in text
    assert "row 2, text: no field 'text'; fields found: 'other'" in text


def test_problems_of_both_templates_and_of_all_that_needs_no_template_are_told_together(rows):
    asked = wx.TuningExperiment("colours", task="classification", labels=("red",)).on(FakeBackend())
    asked = asked.load(rows).tune(num_epochs=99, early_stopping_patience=2)
    text = problems_of(asked.to_jsonl(input="{text", output="{colour!r}", label_map={"green": "x"}))
    assert "input: '{text' is no template" in text
    assert "output: '{colour!r}' is no template" in text
    assert "num_epochs is 99" in text
    assert "early_stopping_patience needs validation rows" in text
    assert "two labels or more, found red" in text
    assert "label_map names labels that the data does not have: green" in text


def test_the_readable_column_is_checked_beside_an_unreadable_template(experiment):
    text = problems_of(experiment.to_jsonl(input="{text", output="color"))
    assert "input: '{text' is no template" in text
    assert "row 1, color: no field 'color'; the nearest is 'colour'; fields found: 'text', 'colour'" in text
    assert "… and 35 more rows like these" in text


def test_a_bad_template_is_told_where_there_are_no_rows():
    text = problems_of(wx.TuningExperiment("empty").to_jsonl(input="{").on(FakeBackend()))
    assert "is no template" in text
    assert ".load(" in text


def test_a_bad_template_is_told_beside_a_source_that_cannot_be_read(experiment, tmp_path):
    text = problems_of(experiment.load(tmp_path / "nothing.jsonl").to_jsonl(input="{"))
    assert "is no template" in text
    assert "nothing.jsonl" in text


def test_an_experiment_without_rows_says_how_to_give_some():
    assert ".load(" in problems_of(wx.TuningExperiment("empty").on(FakeBackend()))


def test_labels_outside_the_list_are_problems_with_their_rows(rows, experiment):
    wrong = [*rows, {"text": "one more", "colour": "Red"}]
    named = wx.TuningExperiment("colours", task="classification", labels=("red", "blue"))
    asked = named.load(wrong).to_jsonl(input="text", output="colour").on(FakeBackend())
    assert "row 41, output: 'Red' is none of the labels 'red', 'blue'; did you mean 'red'?" in problems_of(asked)


def test_too_few_rows_for_the_backend_is_a_problem(experiment):
    limits = Limits(
        fingerprint="x", parameters={"num_epochs": Range(low=1, high=9, default=1)}, min_rows=50, max_rows=60
    )
    assert "30 training rows; fake takes 50 to 60" in problems_of(experiment.on(FakeBackend(limits_of=limits)))


def test_a_classification_may_write_its_longest_label_and_one_token_more(experiment):
    assert experiment.plan().spec.method.max_output_tokens == 2


def test_other_tasks_have_the_token_limits_of_the_guide(rows):
    plan = wx.TuningExperiment("words").load(rows).to_jsonl(input="text", output="colour").on(FakeBackend()).plan()
    assert (plan.spec.method.max_input_tokens, plan.spec.method.max_output_tokens) == (256, 128)


def test_an_initialisation_text_is_written_from_task_and_labels(experiment):
    plan = experiment.tune(wx.PromptTuning(init="auto")).plan()
    assert plan.spec.method.init_text == "Classify the input as blue or red."


def test_a_label_missing_in_the_initialisation_text_is_a_warning(experiment):
    plan = experiment.tune(init_text="Say whether it is red.").plan()
    assert "the initialisation text does not name the label 'blue'" in plan.warnings


def test_held_out_rows_are_never_trained_on(experiment, home):
    run = experiment.run()
    train, test = ((run.folder / f"{part}.jsonl").read_text().splitlines() for part in ("train", "test"))
    assert (len(train), len(test)) == (30, 10)
    assert not set(train) & set(test)


def test_scoring_rows_that_were_trained_on_is_refused():
    row = Record(number=3, input="The SAME  words", output="x", label="x")
    with pytest.raises(LeakageError, match="rows 3"):
        steps.fence([row._replace(number=1, input="the same words")], [row])


def test_the_chain_tunes_scores_and_deploys(experiment, backend):
    run = experiment.run()
    assert run.scores == {"base": 0.0, "instruction": 0.0, "tuned": 1.0}
    assert run.deployment.generate("this is blue") == "blue"
    assert run.deployment.generate(["this is blue", "that is red"]) == ["blue", "red"]
    assert backend.calls["submit"] == backend.calls["deploy"] == 1


def test_the_comparison_has_intervals_and_a_paired_test(experiment):
    difference = experiment.run().comparison.differences[0]
    assert (difference.mean, difference.low, difference.high) == (1.0, 1.0, 1.0)
    assert difference.test.startswith("McNemar")
    assert difference.p_value == pytest.approx(2 / 2**10)


def test_a_model_that_learned_nothing_is_named(experiment):
    silent = experiment.on(FakeBackend(answer=lambda kind, text: "no idea"))
    assert any("nothing was learned" in warning for warning in silent.run().comparison.warnings)


def test_a_finished_run_is_not_repeated(experiment, backend):
    first = experiment.run()
    asked = backend.calls.copy()
    assert experiment.run().key == first.key
    assert backend.calls == asked


def test_answers_come_back_in_the_users_own_labels(rows, backend):
    mapped = (
        wx.TuningExperiment("mapped", task="classification")
        .load([{**row, "colour": {"red": "warm", "blue": "cold"}[row["colour"]]} for row in rows])
        .to_jsonl(input="text", output="colour", label_map={"warm": "red", "cold": "blue"})
        .wait(every=0.001)
        .evaluate(holdout=10)
        .deploy("mapped")
        .on(backend)
    )
    run = mapped.run()
    assert run.scores["tuned"] == 1.0
    assert run.deployment.generate("one that is red") == "warm"
    assert set(run.comparison.references) == {"warm", "cold"}


def test_a_chain_of_ones_own_verbs_goes_on(experiment):
    assert experiment.pipe(lambda e, epochs: e.tune(num_epochs=epochs), 7).spec.method.num_epochs == 7


def test_an_event_loop_is_not_blocked(experiment):
    async def both():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        run = await experiment.arun()
        ticking.cancel()
        return run, ticks

    run, ticks = asyncio.run(both())
    assert run.scores["tuned"] == 1.0
    assert ticks > 1


def test_a_submitted_job_is_found_again_by_its_id_and_finished(experiment, backend):
    job = experiment.submit()
    assert backend.calls["submit"] == 1
    found = wx.attach(job.id, on=backend)
    assert found.id == job.id
    assert found.result().scores["tuned"] == 1.0
    assert backend.calls["submit"] == 1


def test_a_job_can_be_awaited(experiment):
    async def finish():
        return await experiment.submit()

    assert asyncio.run(finish()).scores["tuned"] == 1.0


def test_an_unknown_run_names_the_newest(experiment):
    key = experiment.run().key
    with pytest.raises(wx.WxTuningError, match=key):
        wx.attach("fake:nothing")


RUNNING = JobStatus(state=JobState.RUNNING, word="running")
COMPLETED = JobStatus(state=JobState.COMPLETED, word="completed")
DOWN = wx.Unavailable("no answer", backend="fake")


def _raised(error):
    raise error


def watched(backend, policy=None, clock=None, rng=lambda: 1.0):
    clock, policy = clock or FakeClock(), policy or wx.WaitPolicy()
    chain = steps.wait(backend, JobRef("fake", "job"), policy, poll_seconds=10.0, clock=clock, rng=rng)
    return clock, lambda: runner.drive(chain, sleep=clock.sleep)


def test_pauses_between_two_looks_grow_up_to_what_the_backend_advises():
    clock, finish = watched(FakeBackend(statuses=[*[RUNNING] * 9, COMPLETED]))
    assert finish().state is JobState.COMPLETED
    assert clock.pauses == [1.0, 1.5, 2.25, 3.375, 5.0625, 7.59375, 10.0, 10.0, 10.0]


def test_progress_is_of_the_steps_of_the_plan_until_the_backend_tells_its_own(experiment, backend):
    told = JobStatus(state=JobState.RUNNING, word="running", step=3, steps=40)
    backend.statuses, heard = [RUNNING, RUNNING, told, COMPLETED], []
    experiment.run(listen=heard.append)
    totals = [event.total for event in heard if isinstance(event, Progress) and event.step == "tune"]
    assert totals[0] == experiment.plan().optimizer_steps > 0 and totals[-1] == 40


def test_pauses_are_as_long_as_the_user_says():
    clock, finish = watched(FakeBackend(statuses=[RUNNING, RUNNING, COMPLETED]), wx.WaitPolicy(every_seconds=7))
    finish()
    assert clock.pauses == [7.0, 7.0]


def test_an_unavailable_backend_is_asked_less_and_less_often():
    clock, finish = watched(FakeBackend(statuses=[*[DOWN] * 7, COMPLETED]))
    finish()
    assert clock.pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_an_outage_of_ten_minutes_is_waited_for():
    clock = FakeClock()
    backend = FakeBackend()
    backend.status = lambda job, deadline: _raised(DOWN) if clock.now < 600 else COMPLETED
    _, finish = watched(backend, clock=clock)
    assert finish().state is JobState.COMPLETED
    assert len(clock.pauses) < 20


@pytest.mark.parametrize(("asked", "waited"), [(30.0, 30.0), (1e9, 60.0), (0.0, 2.0), (-1.0, 2.0)])
def test_a_backend_that_asks_for_a_pause_gets_it_up_to_a_minute(asked, waited):
    busy = wx.Unavailable("busy", backend="fake", pause=asked)
    clock, finish = watched(FakeBackend(statuses=[busy, COMPLETED]))
    finish()
    assert clock.pauses == [waited]


def test_flapping_for_an_hour_ends_and_its_requests_are_bounded():
    clock, backend = FakeClock(), FakeBackend()
    asked = []

    def status(job, deadline):
        asked.append(clock.now)
        if clock.now % 3 < 1:
            raise DOWN
        return COMPLETED if clock.now > 3600 else RUNNING

    backend.status = status
    _, finish = watched(backend, clock=clock, rng=random.Random(0).random)
    finish()
    assert len(asked) < 3600 / 10 * 2


def test_a_clock_of_the_wall_that_jumps_changes_nothing(monkeypatch):
    clock, finish = watched(FakeBackend(statuses=[RUNNING, RUNNING, COMPLETED]), wx.WaitPolicy(timeout_seconds=60))
    days = iter([0.0, 86400.0, -86400.0])
    monkeypatch.setattr("time.time", lambda: next(days, 0.0))
    assert finish().state is JobState.COMPLETED
    assert clock.now == 2.5


def test_a_run_that_begins_in_an_outage_waits_for_its_end(experiment, backend):
    backend.statuses = [DOWN, COMPLETED]
    assert runner.drive(experiment.submit().finishing(), sleep=FakeClock().sleep).scores["tuned"] == 1.0


def test_waiting_ends_at_its_deadline_and_says_how_to_come_back():
    running = JobStatus(state=JobState.RUNNING, word="running")
    clock, finish = watched(FakeBackend(statuses=[running]), wx.WaitPolicy(timeout_seconds=25))
    with pytest.raises(wx.WaitTimeout, match=r"wxtuning.attach\('fake:job'\)"):
        finish()
    assert clock.now == 25


def test_a_failed_job_shows_its_last_log_lines():
    failed = JobStatus(state=JobState.FAILED, word="failed", message="the loss is NaN", hint="lower learning_rate")
    _, finish = watched(FakeBackend(statuses=[failed]))
    with pytest.raises(wx.JobFailed, match="the loss is NaN") as caught:
        finish()
    assert "last line" in str(caught.value)
    assert caught.value.hint.startswith("lower learning_rate\n")
    assert "change the experiment's name" in caught.value.hint


def test_a_failure_that_the_log_only_repeats_is_told_once(monkeypatch):
    failed = JobStatus(state=JobState.FAILED, word="failed", message="oom: no memory", hint="The trace is 7.")
    backend = FakeBackend(statuses=[failed])
    monkeypatch.setattr(backend, "logs", lambda job, deadline: "oom: no memory\nThe trace is 7.")
    _, finish = watched(backend)
    with pytest.raises(wx.JobFailed) as caught:
        finish()
    assert [str(caught.value).count(part) for part in ("oom: no memory", "The trace is 7.", "  | ")] == [1, 1, 0]


def test_a_log_that_cannot_be_had_does_not_hide_why_a_job_failed(monkeypatch):
    backend = FakeBackend(statuses=[JobStatus(state=JobState.FAILED, word="failed", message="the loss is NaN")])
    monkeypatch.setattr(backend, "logs", _raising(wx.Unavailable("no answer", backend="fake")))
    _, finish = watched(backend)
    with pytest.raises(wx.JobFailed, match=r"the loss is NaN\n.*the log cannot be read: no answer"):
        finish()


def _raising(error):
    def raising(*_, **__):
        raise error

    return raising


def test_a_curve_that_cannot_be_read_does_not_stop_a_run_that_is_paid(experiment, backend, monkeypatch):
    monkeypatch.setattr(backend, "metrics", _raising(wx.AdapterError("the metrics cannot be read", backend="fake")))
    heard = []
    run = experiment.run(listen=heard.append)
    assert run.scores["tuned"] == 1.0 and run.deployment.generate("this is blue") == "blue"
    assert "the metrics cannot be read" in [getattr(event, "text", "") for event in heard]
    assert "the metrics cannot be read" in str(run.report)
    with pytest.raises(wx.AdapterError):
        _ = run.metrics


def test_what_is_made_for_the_job_belongs_to_the_run(experiment, backend):
    run = experiment.run()
    assert backend.jobs[run.plan.job_key].owner == run.key


def test_a_deployment_that_was_removed_is_made_again(experiment, backend):
    run = experiment.run()
    run.deployment.delete()
    again = experiment.run()
    assert backend.find_deployment(run.key) == again.deployment.ref
    assert (backend.calls["submit"], backend.calls["deploy"]) == (1, 2)


def test_a_deployment_that_cannot_be_looked_for_is_believed_in(experiment, backend, monkeypatch):
    first = experiment.run()
    monkeypatch.setattr(backend, "is_deployed", _raising(wx.Unavailable("no answer", backend="fake")))
    assert experiment.run().deployment.ref == first.deployment.ref
    assert backend.calls["deploy"] == 1


def test_a_cancelled_job_says_so():
    _, finish = watched(FakeBackend(statuses=[JobStatus(state=JobState.CANCELED, word="canceled")]))
    with pytest.raises(wx.JobCanceled):
        finish()


def test_an_interrupted_job_goes_on_under_its_own_key(experiment, backend):
    dead = JobStatus(state=JobState.FAILED, word="failed", message="killed", interrupted=True)
    backend.statuses = [JobStatus(state=JobState.RUNNING, word="running"), dead, dead]
    with pytest.raises(wx.JobFailed, match="goes on from its last checkpoint"):
        experiment.run()
    backend.statuses = [dead, JobStatus(state=JobState.COMPLETED, word="completed")]
    backend.calls.clear()
    assert experiment.run().scores["tuned"] == 1.0
    assert backend.calls["submit"] == 1
    assert len(backend.jobs) == 1


def test_a_plan_survives_a_pickle(experiment):
    plan = experiment.plan()
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_what_cannot_be_loaded_is_named(experiment):
    assert "cannot load rows from int; expected a JSON Lines file" in problems_of(experiment.load(3))


def test_a_broken_line_is_named_with_its_file_and_number(tmp_path, experiment):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "a", "colour": "red"}\n{"text": \n')
    assert "row 2 (line 2): no JSON" in problems_of(experiment.load(file))


@pytest.mark.parametrize(
    "verb",
    [
        lambda experiment: experiment.load([], limit=-3),
        lambda experiment: experiment.evaluate(0.1),
        lambda experiment: experiment.tune("some/model"),
        lambda experiment: experiment.clean(True),
        lambda experiment: wx.TuningExperiment("any", tags="abc"),
        lambda experiment: wx.TuningExperiment("any", labels="abc"),
        lambda experiment: wx.TuningExperiment("any", labels=None),
        lambda experiment: experiment.deploy("name", tags="abc"),
    ],
)
def test_a_verb_given_a_value_it_cannot_use_says_what_it_expects(verb):
    with pytest.raises(wx.PlanError, match=r"found .*, expected "):
        verb(wx.TuningExperiment("any"))


def test_labels_and_tags_may_be_in_any_list():
    for kind in (list, tuple, pd.Series, np.array, iter):
        experiment = wx.TuningExperiment("any", labels=kind(["a", "b"]), tags=kind(["c"])).deploy("d", tags=kind(["e"]))
        assert (experiment.spec.labels, experiment.spec.tags) == (("a", "b"), ("c",))
        assert experiment.spec.deployment.tags == ("e",)


def test_runs_of_another_version_are_left_out_by_name(home):
    from wxtuning.job import foreign_runs
    from wxtuning.journal import Journal

    Journal(home / "journal.db").begin("old-1", "old", '{"from": "another version"}')
    assert wx.runs() == ()
    assert foreign_runs() == ("old-1",)
    with pytest.raises(wx.JournalError, match="another version"):
        wx.attach("old-1")
