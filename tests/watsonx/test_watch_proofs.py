"""A watched job outlives the outages of its service, the answers that are none, and whoever leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from contextlib import closing

import pytest

import wxtuning as wx
from tests.server import processes
from tests.watsonx import jobs, leavers, tuned
from tests.watsonx.conftest import asked_of
from tests.watsonx.faults import HTML, LOGIN_PAGE, Changed, Cut, Dropped, Endless, Refusal, Silence
from tests.watsonx.jobs import CREATE, LIST, SHOW
from tests.watsonx.test_watch import state, stored, waited
from tests.watsonx.wire import ALWAYS
from wxtuning import schedule, steps
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.retry import MOST_IN_WINDOW, Patience
from wxtuning.server.state import State
from wxtuning.spec import DeploymentSpec
from wxtuning.status import JobRef, JobState


@pytest.fixture
def key() -> str:
    return f"watched-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def done(cpd) -> JobRef:
    """A job that is completed, and asked for by itself."""
    return stored(cpd, "completed")


# --- P1, P2, P13: outages ---------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_and_back_after_ten_minutes_is_gone_on_with(tmp_path, clock, patience):
    down = processes.started(tmp_path / "home")
    job = stored(down)
    settings = asked_of(down, patience=patience)
    backend, back = Watsonx(**settings), []
    assert backend.status(job).state is JobState.RUNNING
    down.end(by=signal.SIGKILL)

    def sleep(seconds):
        clock.sleep(seconds)
        if clock.now >= 600.0 and not back:
            back.append(processes.started(tmp_path / "home", "--port", str(down.port)))
            tuned.amend(back[0], job, status={"state": "completed"})

    object.__setattr__(patience, "sleep", sleep)
    try:
        chain = steps.wait(backend, job, wx.WaitPolicy(), poll_seconds=10.0, clock=clock)
        assert wx.runner.drive(chain, sleep=sleep).state is JobState.COMPLETED
        assert 600.0 <= clock.now < 900.0
    finally:
        backend.service.close()
        for running in back:
            running.end()


def test_a_service_that_flaps_for_an_hour_costs_a_bounded_number_of_requests(cpd_wire, backend_on_cpd, clock):
    job = stored(cpd_wire.running)
    cpd_wire.breaks(SHOW, Dropped(), where=lambda request: clock.now % 3.0 < 1.0, times=ALWAYS)
    with pytest.raises(wx.WaitTimeout):
        waited(backend_on_cpd, job, clock, timeout_seconds=3600)
    assert clock.now < 3700.0
    assert cpd_wire.asked[SHOW] <= MOST_IN_WINDOW * 60
    assert backend_on_cpd.status(job).state is JobState.RUNNING


def test_a_poll_that_is_swallowed_is_asked_again_over_another_connection(cpd_wire, connected, clock, done):
    backend = connected(cpd_wire, patience=Patience(read_seconds=0.2, sleep=clock.sleep, clock=clock))
    cpd_wire.breaks(SHOW, Silence(), times=2)
    assert waited(backend, done, clock).state is JobState.COMPLETED
    assert len({request.port for request in cpd_wire.of(SHOW)}) == 3


# --- P5, P6: odd states -----------------------------------------------------------------------------------------------


def test_a_deployed_job_that_goes_back_to_running_is_not_deployed_again(cpd_wire, backend_on_cpd, soft, key, caplog):
    job = tuned.completed(cpd_wire.running, soft)
    assert backend_on_cpd.status(job).state is JobState.COMPLETED
    first = backend_on_cpd.deploy(job, DeploymentSpec(name="tone"), key)
    cpd_wire.breaks(SHOW, state("running"), times=ALWAYS)
    assert backend_on_cpd.status(job).state is JobState.RUNNING
    assert "went back from 'completed' to 'running'" in caplog.text
    assert backend_on_cpd.deploy(job, DeploymentSpec(name="tone"), key) == first
    assert cpd_wire.asked["POST /ml/v4/deployments"] == 1


def test_an_unknown_state_of_many_watched_jobs_is_told_once(cpd_wire, backend_on_cpd, caplog):
    def paused(page):
        for one in page["resources"]:
            one["entity"]["status"]["state"] = "paused_by_admin"
        return page

    watched = [stored(cpd_wire.running) for _ in range(8)]
    cpd_wire.breaks(LIST, Changed(paused), times=ALWAYS)
    cpd_wire.breaks(SHOW, state("paused_by_admin"), times=ALWAYS)
    assert {backend_on_cpd.status(job).state for job in watched * 2} == {JobState.RUNNING}
    assert caplog.text.count("paused_by_admin") == 1


# --- P7: a job that failed --------------------------------------------------------------------------------------------


def test_a_failed_job_shows_the_services_message_and_the_end_of_its_log(cpd_wire, backend_on_cpd, clock):
    job = stored(
        cpd_wire.running, "failed", failure={"trace": "abc", "errors": [{"code": "oom", "message": "no room"}]}
    )
    place = "projects/p/assets/wx_prompt_tune/run/training.log"
    log = "".join(f"step {number}\n" for number in range(5_000)).encode()

    def with_log(body):
        body["entity"]["results_reference"] = {"type": "container", "location": {"path": "x", "training_log": place}}
        return body

    cpd_wire.breaks(SHOW, Changed(with_log), times=ALWAYS)
    cpd_wire.breaks("GET /v2/asset_files/*", Refusal(200, log), times=ALWAYS)
    with pytest.raises(wx.JobFailed, match="failed: oom: no room") as caught:
        waited(backend_on_cpd, job, clock)
    lines = str(caught.value).splitlines()
    assert "  | step 4999" in lines and "  | step 4900" not in lines
    assert "abc" in caught.value.hint


# --- P8: answers that are none ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        Refusal(200, LOGIN_PAGE, dict(HTML)),
        Refusal(200, b""),
        Refusal(200, b'{"metadata": {"id":'),
        Refusal(200, b'["running"]'),
        Cut(5),
        Cut(0),
    ],
    ids=["a page", "nothing", "half", "a list", "cut", "cut at once"],
)
@pytest.mark.parametrize("watched", [1, 8])
def test_an_answer_that_is_none_is_asked_for_again(cpd_wire, backend_on_cpd, clock, caplog, act, watched):
    several = [stored(cpd_wire.running, "completed") for _ in range(watched)]
    cpd_wire.breaks("GET /ml/v4/trainings*", act, times=7)
    assert {waited(backend_on_cpd, job, clock).state for job in several} == {JobState.COMPLETED}
    assert caplog.text == ""


@pytest.mark.parametrize("answer", [b"{}", b'{"resources": null}', b'{"message": "log in first"}', b'{"entity": []}'])
def test_an_answer_that_tells_no_state_ends_no_wait(cpd_wire, backend_on_cpd, clock, done, answer):
    cpd_wire.breaks(SHOW, Refusal(200, answer), times=5)
    assert waited(backend_on_cpd, done, clock).state is JobState.COMPLETED


def test_an_answer_without_end_is_cut_off_at_the_size_cap_with_an_error_of_ours(cpd_wire, backend_on_cpd, clock, done):
    cpd_wire.breaks(SHOW, Endless(), times=ALWAYS)
    with pytest.raises(wx.AdapterError, match="answered more than 67,108,864 bytes"):
        waited(backend_on_cpd, done, clock)
    assert cpd_wire.asked[SHOW] == 1


# --- P10: leaving -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_who_leaves_is_told_the_id_and_the_job_goes_on(cpd_wire, backend_on_cpd, number, code, key):
    told = {**os.environ, leavers.SETTINGS: json.dumps(asked_of(cpd_wire)), leavers.NAME: key}
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)}  # nohup has it ignored
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.watsonx.leavers"],
        env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **heard,
    )  # fmt: skip
    with process:
        job = process.stdout.readline().strip()
        polls = cpd_wire.asked[SHOW]
        assert any(cpd_wire.asked[SHOW] > polls or cpd_wire.closing.wait(0.02) for _ in range(1500))
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, f"wxtuning.attach('{job}')" in said) == (code, True)
    found = wx.attach(job, on=backend_on_cpd)
    assert found.state in (JobState.QUEUED, JobState.RUNNING)
    assert (cpd_wire.asked[CREATE], cpd_wire.asked["DELETE /ml/v4/trainings/{id}"]) == (1, 0)
    found.cancel()


# --- P11: many waits --------------------------------------------------------------------------------------------------


def ending(clock, at):
    """All jobs of an answer are completed from a time on."""

    def change(body):
        for one in body.get("resources", [body]) if clock.now >= at else ():
            one["entity"]["status"]["state"] = "completed"
        return body

    return Changed(change)


def test_hundreds_of_waits_end_over_few_sockets_and_few_lists(cpd_wire, backend_on_cpd, clock):
    kept = State(cpd_wire.running.home / "server" / "server.db")
    like = kept.get("training", stored(cpd_wire.running).id)
    with kept.transaction() as transaction:
        made = [transaction.add("training", container=like.container, name="", body=like.body)[0] for _ in range(400)]
    cpd_wire.breaks("GET /ml/v4/trainings*", ending(clock, 60.0), times=ALWAYS)
    waits = [
        steps.wait(backend_on_cpd, JobRef("watsonx", one.id), wx.WaitPolicy(), poll_seconds=10.0, clock=clock)
        for one in made
    ]
    results = schedule.drive_all(waits, sleep=clock.sleep, clock=clock)
    assert {status.state for status in results} == {JobState.COMPLETED}
    assert cpd_wire.connections <= 64
    assert cpd_wire.asked[SHOW] <= 10
    assert cpd_wire.asked[LIST] <= 50, "three pages, looked at some ten times"
    with kept.transaction() as transaction:
        for one in made:
            transaction.remove(one)


# --- P16: after forty days --------------------------------------------------------------------------------------------


def test_after_forty_days_the_job_is_adopted_and_nothing_is_sent(
    cpd_wire, backend_on_cpd, connected, key, clock, tmp_path
):
    asked = jobs.request(tmp_path)
    job = backend_on_cpd.submit(asked, key)
    clock.now += 40 * 86400.0
    again = connected(cpd_wire)
    with closing(again.service):
        assert again.submit(asked, key) == job == again.find(key)
    assert cpd_wire.asked[CREATE] == 1


def test_a_lost_answer_of_forty_days_ago_is_looked_up_once_and_its_job_adopted(
    cpd_wire, backend_on_cpd, connected, key, clock, tmp_path
):
    asked = jobs.request(tmp_path)
    cpd_wire.breaks(CREATE, Dropped("fin"))
    cpd_wire.breaks(LIST, Refusal(500), first=2, times=ALWAYS)
    with pytest.raises(wx.AmbiguousSubmitError):
        backend_on_cpd.submit(asked, key)
    cpd_wire.heals()
    clock.now += 40 * 86400.0
    first = backend_on_cpd.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [first.id]
    assert cpd_wire.asked[CREATE] == 1


@pytest.fixture(autouse=True)
def _heard(caplog):
    caplog.set_level("WARNING", logger="wxtuning.watsonx")
