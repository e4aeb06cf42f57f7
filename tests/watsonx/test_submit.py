"""A paid job is started once: the server lists one, and one request to create it was on the wire."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import wxtuning as wx
from tests.server import sdk_tuning
from tests.watsonx import jobs
from tests.watsonx.faults import HTML, LOGIN_PAGE, Dropped, Instead, Late, LostAnswer, Refusal, Silence, Then, Without
from tests.watsonx.jobs import CREATE, LIST
from tests.watsonx.tuned import amend
from tests.watsonx.wire import ALWAYS
from wxtuning.adapters.watsonx.faults import Refused
from wxtuning.cli import app
from wxtuning.events import Call
from wxtuning.folder import home_folder
from wxtuning.intents import Intents, Outcome
from wxtuning.journal import Journal
from wxtuning.retry import Patience
from wxtuning.schedule import drive_all

NUMBERS = itertools.count()

LOST = {
    "reset": LostAnswer("rst"),
    "ended": LostAnswer("fin"),
    "502": Instead(502),
    "504": Instead(504),
    "500": Instead(500),
    "401": Instead(401),
    "201 without an id": Instead(201, b"{}"),
    "201 with broken JSON": Instead(201, b'{"metadata": {"id":'),
    "a login page": Instead(200, LOGIN_PAGE, dict(HTML)),
}


@pytest.fixture
def key():
    """A key that no other test uses: the server keeps what they leave."""
    return f"demo-{next(NUMBERS)}-{id(object()):x}"


@pytest.fixture
def asked(tmp_path):
    return jobs.request(tmp_path)


def outcomes(tag):
    """What became of each attempt to create a job with a tag."""
    intents = Intents(Journal(home_folder() / "journal.db"))
    places = [found.place for found in intents.latest(tag) if found.place.startswith("/ml/")]
    return [attempt.outcome for place in places for attempt in intents.attempts(place, tag)]


def test_a_job_is_started_once_and_found_by_its_key(wire, backend, asked, key):
    job = backend.submit(asked, key)
    assert jobs.listed(wire.running, key) == [job.id]
    assert backend.find(key) == job
    assert backend.submit(asked, key) == job
    assert wire.asked[CREATE] == 1


def test_what_a_job_was_given_is_given_up_by_the_key_of_its_run(backend, asked, key, tmp_path):
    mine = replace(asked, train=jobs.data(tmp_path, 4), owner=f"run-{key}")
    backend.submit(mine, key)
    assert len(backend.release(f"run-{key}")) == 1
    assert backend.release(f"run-{key}") == ()


def test_a_job_carries_what_was_asked_for(wire, backend, asked, key):
    job = backend.submit(replace(asked, description="for the shop"), key)
    told = jobs.asked(wire.running, f"{jobs.TRAININGS}/{job.id}")["entity"]
    assert (told["name"], told["description"]) == ("comments", "for the shop")
    assert {f"wxtuning.{key}", "mine"} <= set(told["tags"])
    assert told["prompt_tuning"]["task_id"] == "classification"
    assert told["prompt_tuning"]["num_epochs"] == 1
    assert told["prompt_tuning"]["verbalizer"] == "Input: {{input}} Output:"


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_after_a_lost_answer_the_job_is_found_and_no_second_request_sent(wire, backend, asked, key, fault):
    wire.breaks(CREATE, fault)
    job = backend.submit(asked, key)
    assert jobs.listed(wire.running, key) == [job.id]
    assert wire.asked[CREATE] == 1
    assert outcomes(f"wxtuning.{key}") == [Outcome.MADE]


def test_after_a_silence_the_job_is_found(cpd_wire, clock, connected, asked, key):
    backend = connected(cpd_wire, patience=Patience(read_seconds=0.5, sleep=clock.sleep, clock=clock))
    cpd_wire.breaks(CREATE, Silence(acting=True))
    job = backend.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert cpd_wire.asked[CREATE] == 1


@pytest.mark.parametrize("lag", [0.4, 5.0, 60.0])
def test_a_list_that_lags_behind_is_waited_for(cpd_wire, clock, connected, asked, key, lag):
    backend = connected(cpd_wire)
    cpd_wire.breaks(CREATE, LostAnswer())
    cpd_wire.breaks(LIST, Late(hiding=lambda: clock.now < lag), times=ALWAYS)
    job = backend.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert (cpd_wire.asked[CREATE], clock.now >= lag) == (1, True)


def test_a_request_that_never_arrived_is_sent_again_after_the_settle_time(cpd_wire, clock, connected, asked, key):
    backend = connected(cpd_wire)
    cpd_wire.breaks(CREATE, Dropped("rst"))
    job = backend.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert (cpd_wire.asked[CREATE], clock.now >= 120.0) == (2, True)
    assert outcomes(f"wxtuning.{key}") == [Outcome.EMPTY, Outcome.MADE]


def submitting(backend, asked, key):
    """A chain that submits a job and returns it."""
    call = Call(step="submit", act=lambda: backend.submit(asked, key))
    yield call
    return call.result()


def test_while_one_job_settles_the_others_are_started(cpd_wire, connected, clock, asked, key):
    others_are_sent, waits = threading.Event(), itertools.count()

    def sleep(seconds):
        assert next(waits) < 1000
        if others_are_sent.wait(0.02):  # until then time stands still
            clock.sleep(seconds)

    cpd_wire.breaks(CREATE, Dropped())
    cpd_wire.breaks(CREATE, Then(happens=others_are_sent.set), first=2)
    backend = connected(cpd_wire, patience=Patience(sleep=sleep, clock=clock))
    found = drive_all([submitting(backend, asked, f"{key}-{number}") for number in range(3)])
    assert [jobs.listed(cpd_wire.running, f"{key}-{number}") for number in range(3)] == [[job.id] for job in found]
    sent = [request.body for request in cpd_wire.of(CREATE)]
    assert len(sent) == 4 and len(set(sent[:3])) == 3


def test_who_chose_to_be_asked_decides(cpd_wire, connected, asked, key):
    backend = connected(cpd_wire, on_unknown="ask")
    cpd_wire.breaks(CREATE, Dropped("rst"))
    with pytest.raises(wx.AmbiguousSubmitError, match=f"wxtuning.{key}"):
        backend.submit(asked, key)
    assert cpd_wire.asked[CREATE] == 1
    wx.submit_again(f"wxtuning.{key}")
    job = backend.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert cpd_wire.asked[CREATE] == 2


# --- a job that failed, or was cancelled ------------------------------------------------------------------------------


@pytest.fixture
def failed(cpd_wire, backend_on_cpd, asked, key):
    """A job that has failed."""
    job = backend_on_cpd.submit(asked, key)
    assert jobs.ended(cpd_wire.running, job.id)["state"] == "failed"
    return job


def test_a_failed_job_is_found_again_until_it_is_given_up_and_then_another_is_started(
    cpd_wire, backend_on_cpd, asked, key, failed
):
    assert backend_on_cpd.submit(asked, key) == failed
    wx.submit_again(f"wxtuning.{key}", on=backend_on_cpd)
    assert backend_on_cpd.find(key) is None
    again = backend_on_cpd.submit(asked, key)
    assert (backend_on_cpd.submit(asked, key), backend_on_cpd.find(key)) == (again, again)
    assert jobs.listed(cpd_wire.running, key) == [again.id, failed.id]
    assert outcomes(f"wxtuning.{key}") == [Outcome.GIVEN_UP, Outcome.MADE]
    assert cpd_wire.asked[CREATE] == 2


def test_a_job_may_fail_again_and_again(cpd_wire, backend_on_cpd, asked, key, failed):
    ids = [failed.id]
    for _ in range(2):
        wx.submit_again(f"wxtuning.{key}", on=backend_on_cpd)
        ids.append(backend_on_cpd.submit(asked, key).id)
        jobs.ended(cpd_wire.running, ids[-1])
    assert len(set(ids)) == 3
    assert cpd_wire.asked[CREATE] == 3


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_after_a_lost_answer_the_new_job_is_found_and_not_the_one_that_was_given_up(
    cpd_wire, backend_on_cpd, asked, key, failed, fault
):
    wx.submit_again(f"wxtuning.{key}", on=backend_on_cpd)
    cpd_wire.breaks(CREATE, fault)
    again = backend_on_cpd.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [again.id, failed.id]
    assert cpd_wire.asked[CREATE] == 2


@pytest.mark.parametrize("lost", [True, False])
def test_a_list_that_shows_only_the_job_that_was_given_up_is_waited_for(
    cpd_wire, clock, connected, asked, key, failed, lost
):
    backend = connected(cpd_wire)
    wx.submit_again(f"wxtuning.{key}", on=backend)
    cpd_wire.made.clear()
    cpd_wire.breaks(CREATE, LostAnswer() if lost else Then(happens=lambda: None))
    cpd_wire.breaks(LIST, Late(hiding=lambda: clock.now < 60.0), times=ALWAYS)
    again = backend.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [again.id, failed.id]
    assert (cpd_wire.asked[CREATE], clock.now >= 60.0) == (2, lost)


def test_a_lora_job_that_failed_is_started_anew(cpd_wire, backend_on_cpd, key, tmp_path):
    asked = jobs.request(tmp_path, lora=True, r=4)
    failed = backend_on_cpd.submit(asked, key)
    jobs.ended(cpd_wire.running, failed.id.removeprefix("fine_tunings/"), jobs.FINE_TUNINGS)
    wx.submit_again(f"wxtuning.{key}", on=backend_on_cpd)
    again = backend_on_cpd.submit(asked, key)
    ids = [f"fine_tunings/{one}" for one in jobs.listed(cpd_wire.running, key, jobs.FINE_TUNINGS)]
    assert ids == [again.id, failed.id]


@pytest.mark.parametrize("state", ["running", "completed"])
def test_a_job_that_runs_or_is_completed_is_not_started_a_second_time(
    cpd_wire, backend_on_cpd, asked, key, failed, state
):
    amend(cpd_wire.running, failed, status={"state": state})
    with pytest.raises(wx.WxTuningError, match=f"{failed} is {state}; only one that failed") as caught:
        wx.submit_again(f"wxtuning.{key}", on=backend_on_cpd)
    assert "goes on with it" in caught.value.hint
    assert backend_on_cpd.submit(asked, key) == failed
    assert cpd_wire.asked[CREATE] == 1


def test_a_run_whose_job_was_cancelled_by_accident_says_how_it_is_started_anew_and_goes_its_whole_way(
    cpd_wire, connected, monkeypatch, tmp_path
):
    backend = connected(cpd_wire)
    asked = wx.TuningExperiment(f"again-{tmp_path.name}", task="classification").load(sdk_tuning.rows(70))
    experiment = asked.tune(num_epochs=1, batch_size=16).deploy("tone").wait(every=0.1).on(backend)
    job = experiment.submit()
    job.cancel()
    jobs.ended(cpd_wire.running, job.id.removeprefix("watsonx:"))
    run = job.so_far.key
    with pytest.raises(wx.JobCanceled, match=rf"wxtuning.submit_again\('{run}'\)"):
        experiment.run()
    for name, value in environment(cpd_wire).items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(app, ["submit-again", run])
    assert told.exit_code == 0, told.output
    ended = experiment.run()
    assert (ended.key, ended.state) == (run, "completed")
    assert len(jobs.listed(cpd_wire.running, ended.plan.job_key)) == cpd_wire.asked[CREATE] == 2


def environment(wire):
    """Where the command line finds the service."""
    said = {"URL": wire.url, "APIKEY": wire.ready["api_key"], "USERNAME": wire.ready["username"]}
    said |= {"CA": wire.ready["ca"], "PROJECT_ID": wire.ready["project_id"]}
    return {f"WATSONX_{name}": str(value) for name, value in said.items()}


# --- a look-up that cannot be trusted ---------------------------------------------------------------------------------


def test_a_look_up_that_fails_stops_with_tag_and_time_and_the_two_ways_on(cpd_wire, backend_on_cpd, asked, key):
    cpd_wire.breaks(CREATE, LostAnswer())
    cpd_wire.breaks(LIST, Refusal(500), first=2, times=ALWAYS)
    with pytest.raises(wx.AmbiguousSubmitError, match=f"wxtuning.{key}") as caught:
        backend_on_cpd.submit(asked, key)
    assert caught.value.since.startswith("20")
    assert "adopt" in caught.value.hint and "submit_again" in caught.value.hint
    assert cpd_wire.asked[CREATE] == 1
    cpd_wire.faults.clear()
    assert jobs.listed(cpd_wire.running, key) == [backend_on_cpd.submit(asked, key).id]
    assert cpd_wire.asked[CREATE] == 1


def test_what_was_found_by_hand_is_adopted(cpd_wire, backend_on_cpd, asked, key):
    cpd_wire.breaks(CREATE, LostAnswer())
    cpd_wire.breaks(LIST, Refusal(500), first=2, times=ALWAYS)
    with pytest.raises(wx.AmbiguousSubmitError):
        backend_on_cpd.submit(asked, key)
    [identity] = jobs.listed(cpd_wire.running, key)
    wx.adopt(f"wxtuning.{key}", identity)
    assert backend_on_cpd.submit(asked, key).id == identity
    assert cpd_wire.asked[CREATE] == 1


def test_a_wrong_id_is_refused_when_it_is_adopted_and_the_right_one_taken(cpd_wire, backend_on_cpd, asked, key):
    cpd_wire.breaks(CREATE, LostAnswer())
    cpd_wire.breaks(LIST, Refusal(500), first=2, times=ALWAYS)
    with pytest.raises(wx.AmbiguousSubmitError):
        backend_on_cpd.submit(asked, key)
    [identity] = jobs.listed(cpd_wire.running, key)
    wx.adopt(f"wxtuning.{key}", f"{identity[:-1]}x")
    with pytest.raises(wx.AmbiguousSubmitError, match=f"{identity[:-1]}x was adopted"):
        backend_on_cpd.submit(asked, key)
    wx.adopt(f"wxtuning.{key}", identity)
    assert backend_on_cpd.submit(asked, key).id == identity
    assert cpd_wire.asked[CREATE] == 1


def test_a_filter_that_is_ignored_is_made_up_for(cpd_wire, backend_on_cpd, asked, key):
    backend_on_cpd.submit(asked, f"{key}-other")
    cpd_wire.breaks(CREATE, LostAnswer())
    cpd_wire.breaks(LIST, Without("tag.value"), times=ALWAYS)
    job = backend_on_cpd.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert cpd_wire.asked[CREATE] == 2


def test_a_filter_that_is_ignored_and_shows_nothing_of_ours_stops(cpd_wire, backend_on_cpd, asked, key):
    backend_on_cpd.submit(asked, f"{key}-other")
    cpd_wire.breaks(CREATE, Dropped("rst"))
    cpd_wire.breaks(LIST, Without("tag.value"), times=ALWAYS)
    with pytest.raises(wx.AmbiguousSubmitError, match="does not filter"):
        backend_on_cpd.submit(asked, key)
    assert cpd_wire.asked[CREATE] == 2


def test_two_jobs_with_our_tag_are_listed_and_neither_is_touched(
    cpd_wire, backend_on_cpd, connected, asked, key, tmp_path_factory, monkeypatch
):
    first = backend_on_cpd.submit(asked, key)
    on_another_machine(monkeypatch, tmp_path_factory)
    cpd_wire.breaks(LIST, Late(requests=1))
    with pytest.raises(wx.DuplicateJobsError) as caught:
        connected(cpd_wire).submit(asked, key)
    assert set(caught.value.found) == set(jobs.listed(cpd_wire.running, key))
    assert caught.value.found[0] == first.id
    assert not [operation for operation in cpd_wire.asked if operation.startswith("DELETE")]


def test_another_machine_finds_the_job_by_its_tag(wire, backend, connected, asked, key, tmp_path_factory, monkeypatch):
    first = backend.submit(asked, key)
    on_another_machine(monkeypatch, tmp_path_factory)
    other = connected(wire)
    assert other.submit(asked, key) == first
    assert wire.asked[CREATE] == 1


def on_another_machine(monkeypatch, folders):
    """From now on, another home."""
    monkeypatch.setenv("WXTUNING_HOME", str(folders.mktemp("elsewhere")))


def test_a_wrong_parameter_is_refused_by_name_and_nothing_is_recorded_as_created(wire, backend, key, tmp_path):
    with pytest.raises(Refused, match="num_epochs") as caught:
        backend.submit(jobs.request(tmp_path, num_epochs=1000), key)
    assert (caught.value.status, wire.asked[CREATE], jobs.listed(wire.running, key)) == (400, 1, [])
    assert outcomes(f"wxtuning.{key}") == [Outcome.REFUSED]


def test_too_many_requests_are_waited_for_and_a_new_attempt_is_recorded(cpd_wire, clock, connected, asked, key):
    backend = connected(cpd_wire)
    cpd_wire.breaks(CREATE, Refusal(429, headers={"Retry-After": "30"}))
    job = backend.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert (cpd_wire.asked[CREATE], clock.now >= 30.0) == (2, True)
    assert outcomes(f"wxtuning.{key}") == [Outcome.REFUSED, Outcome.MADE]
    look_ups = [r for r in cpd_wire.of(LIST) if r.query.get("tag.value") == f"wxtuning.{key}"]
    assert len(look_ups) >= 2


def test_a_quota_is_final(wire, backend, asked, key):
    wire.breaks(CREATE, Refusal(403))
    with pytest.raises(wx.AdapterError):
        backend.submit(asked, key)
    assert wire.asked[CREATE] == 1
    assert outcomes(f"wxtuning.{key}") == [Outcome.REFUSED]


@pytest.mark.parametrize("status", [404, 410])
def test_a_service_that_tunes_no_more_says_what_still_does(cpd_wire, backend_on_cpd, asked, key, status):
    cpd_wire.breaks(CREATE, Refusal(status))
    with pytest.raises(wx.NotOffered, match="on this machine"):
        backend_on_cpd.submit(asked, key)
    assert outcomes(f"wxtuning.{key}") == [Outcome.REFUSED]


@pytest.mark.parametrize("name", ["x" * 120, 'He said "größe" 🚀 \\ \'', "名前" * 60])
def test_a_long_or_odd_name_is_taken_in_full(wire, backend, asked, key, name):
    job = backend.submit(replace(asked, name=name), key)
    assert jobs.asked(wire.running, f"{jobs.TRAININGS}/{job.id}")["entity"]["name"] == name


def test_a_name_that_the_service_does_not_take_is_refused_and_never_cut(wire, backend, asked, key):
    with pytest.raises(Refused, match="name has"):
        backend.submit(replace(asked, name="x" * 5000), key)
    assert jobs.listed(wire.running, key) == []


def test_without_a_journal_no_request_to_create_leaves(cpd_wire, backend_on_cpd, asked, key, home):
    (home / "journal.db").mkdir()
    with pytest.raises(wx.JournalError):
        backend_on_cpd.submit(asked, key)
    assert not [operation for operation in cpd_wire.asked if operation.endswith(jobs.TRAININGS)]


def test_lora_is_started_where_it_is_offered(cpd_wire, backend_on_cpd, key, tmp_path):
    job = backend_on_cpd.submit(jobs.request(tmp_path, lora=True, r=4), key)
    told = jobs.asked(cpd_wire.running, f"{jobs.FINE_TUNINGS}/{job.id.removeprefix('fine_tunings/')}")["entity"]
    assert told["parameters"]["peft_parameters"]["rank"] == 4
    assert told["parameters"]["verbalizer"] == "Input: {{input}} Output: {{output}}"
    assert backend_on_cpd.find(key) == job


def test_lora_on_the_cloud_names_the_date_and_the_ways_on_and_sends_nothing(cloud_wire, connected, key, tmp_path):
    backend = connected(cloud_wire)
    with pytest.raises(wx.NotOffered, match="2026-09-10"):
        backend.submit(jobs.request(tmp_path, lora=True), key)
    assert not [operation for operation in cloud_wire.asked if "fine_tunings" in operation]


def test_what_the_service_has_no_word_for_is_refused_before_anything_is_uploaded(
    cpd_wire, backend_on_cpd, asked, key, tmp_path
):
    watched = replace(asked, validation=jobs.data(tmp_path, 3))
    stopped = jobs.request(tmp_path, early_stopping_patience=2)
    for request, word in ((watched, "validation"), (stopped, "early_stopping_patience=2")):
        with pytest.raises(wx.NotOffered, match=word):
            backend_on_cpd.submit(request, key)
    assert not [operation for operation in cpd_wire.asked if operation.startswith("POST /v2/assets")]
