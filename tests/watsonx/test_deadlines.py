"""Who waits for so long is told so in time, however silent the service is, and on whatever way to the answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import wxtuning as wx
from tests.watsonx.conftest import asked_of
from tests.watsonx.faults import Changed, Held, Refusal, Silence
from tests.watsonx.jobs import LIST, SHOW
from tests.watsonx.test_watch import stored
from tests.watsonx.tuned import completed
from tests.watsonx.wire import ALWAYS
from wxtuning import runner, schedule, steps
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.deployments import READY_SECONDS
from wxtuning.errors import Unavailable, WaitTimeout
from wxtuning.retry import LAST_LOOK_SECONDS, Deadline, Patience
from wxtuning.spec import DeploymentSpec
from wxtuning.status import JobState

SHORT = wx.WaitPolicy(timeout_seconds=0.2)
SOON = 5.0
"""Seconds in which a busy machine ends what takes about one; the service itself is given thirty for an answer."""


@pytest.fixture
def waiting(cpd_wire, connected) -> Watsonx:
    """A backend that waits for real, as patiently as it does by itself; it has signed in."""
    backend = connected(cpd_wire, patience=Patience())
    _ = backend.service.container
    return backend


@contextmanager
def in_time() -> Iterator[None]:
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < SOON


def chain_of(backend, job, policy=SHORT):
    return steps.wait(backend, job, policy, poll_seconds=10.0, clock=time.monotonic)


def test_a_wait_ends_in_time_though_the_service_is_silent_and_says_how_to_come_back(cpd_wire, waiting):
    job = stored(cpd_wire.running)
    found = wx.attach(str(job), on=waiting)
    cpd_wire.breaks(SHOW, Silence(), times=ALWAYS)
    with in_time(), pytest.raises(WaitTimeout, match=r"still runs after 0.2 s\n.*attach\('watsonx:") as caught:
        found.wait(SHORT)
    assert "did not answer" in str(caught.value.__cause__)


@pytest.mark.parametrize("silent", ["*", "POST /icp4d-api/v1/authorize", "GET /v2/projects/{id}"])
def test_a_wait_whose_first_look_signs_in_ends_in_time(cpd_wire, connected, silent):
    job = stored(cpd_wire.running)
    backend = connected(cpd_wire, patience=Patience())
    cpd_wire.breaks(silent, Silence(), times=ALWAYS)
    with in_time(), pytest.raises(WaitTimeout):
        runner.drive(chain_of(backend, job))


def test_a_wait_in_which_the_token_has_to_be_renewed_ends_in_time(cpd_wire, waiting):
    job = stored(cpd_wire.running)
    cpd_wire.breaks(SHOW, Refusal(401), times=ALWAYS)
    cpd_wire.breaks("POST /icp4d-api/v1/authorize", Silence(), times=ALWAYS)
    with in_time(), pytest.raises(WaitTimeout):
        runner.drive(chain_of(waiting, job))


def test_a_job_that_ends_in_the_last_moment_is_no_timeout(cpd_wire, backend_on_cpd, clock):
    job = stored(cpd_wire.running)

    def ending(body):
        body["entity"]["status"]["state"] = "completed" if clock.now >= 300.0 else "running"
        return body

    cpd_wire.breaks(SHOW, Changed(ending), times=ALWAYS)
    chain = steps.wait(backend_on_cpd, job, wx.WaitPolicy(timeout_seconds=300), poll_seconds=10.0, clock=clock)
    assert runner.drive(chain, sleep=clock.sleep).state is JobState.COMPLETED
    assert clock.now == 300.0


def test_many_waits_end_in_time_and_ask_a_silent_service_little(cpd_wire, waiting):
    watched = [stored(cpd_wire.running) for _ in range(40)]
    cpd_wire.breaks("GET /ml/v4/trainings*", Silence(), times=ALWAYS)
    with in_time():
        ends = schedule.drive_all([chain_of(waiting, job) for job in watched])
    assert {type(end) for end in ends} == {WaitTimeout}
    assert cpd_wire.asked[SHOW] + cpd_wire.asked[LIST] <= 5


def test_a_wait_does_not_wait_for_the_look_of_another_that_has_more_time(cpd_wire, waiting):
    long, *others = [stored(cpd_wire.running, "completed") for _ in range(6)]
    held, left = Held(), list(others)
    cpd_wire.breaks("GET /ml/v4/trainings*", held, times=ALWAYS)

    def short(job):
        try:
            return (yield from chain_of(waiting, job))
        finally:
            left.remove(job)
            if not left:
                cpd_wire.faults.clear()
                held.free.set()

    with in_time():
        last, *ends = schedule.drive_all([chain_of(waiting, long, wx.WaitPolicy()), *map(short, others)])
    assert {type(end) for end in ends} == {WaitTimeout}
    assert last.state is JobState.COMPLETED
    assert held.ended == 0


def test_a_look_of_another_thread_is_not_waited_for_longer_than_there_is_time(cpd_wire, waiting, held):
    watched = [stored(cpd_wire.running) for _ in range(4)]
    for job in watched[:3]:
        waiting.status(job)
    begun = threading.Event()
    held.happens = begun.set
    cpd_wire.breaks(LIST, held)
    told = []
    other = threading.Thread(target=lambda: told.append(waiting.status(watched[3])))
    other.start()
    assert begun.wait(SOON)
    with in_time(), pytest.raises(Unavailable, match="another thread"):
        waiting.status(watched[0], deadline=Deadline(0.1))
    held.let_go()
    other.join(SOON)
    assert [status.state for status in told] == [JobState.RUNNING]


def test_a_look_that_is_given_up_is_no_outage_for_the_others(cpd_wire, waiting):
    watched = [stored(cpd_wire.running) for _ in range(4)]
    for job in watched[:3]:
        waiting.status(job)
    cpd_wire.breaks(LIST, Silence())
    with pytest.raises(Unavailable):
        waiting.status(watched[3], deadline=Deadline(0.1))
    assert waiting.status(watched[0]).state is JobState.RUNNING


def test_nothing_is_sent_for_who_waits_no_more(cpd_wire, waiting):
    job = stored(cpd_wire.running)
    with pytest.raises(Unavailable, match="was not asked"):
        waiting.status(job, deadline=Deadline(0.0))
    assert cpd_wire.asked[SHOW] == 0


def test_the_log_of_a_failed_job_is_not_waited_for_longer_than_for_the_job(cpd_wire, waiting):
    job = stored(cpd_wire.running, "failed", failure={"errors": [{"code": "oom", "message": "no room"}]})
    cpd_wire.breaks(SHOW, Silence(), first=2, times=ALWAYS)
    with in_time(), pytest.raises(wx.JobFailed, match=r"failed: oom: no room\n.*the log cannot be read"):
        runner.drive(chain_of(waiting, job))


def test_a_deployment_that_falls_silent_is_given_up_in_time(cpd_wire, connected, soft, clock, patience):
    asked = {**asked_of(cpd_wire), "patience": patience}
    backend, job = Watsonx(**asked), completed(cpd_wire.running, soft)
    ready = "GET /ml/v4/deployments/{id}"

    def initializing(shown):
        return {**shown, "entity": {**shown["entity"], "status": {"state": "initializing"}}}

    cpd_wire.breaks(ready, Silence(), where=lambda _: clock.now > READY_SECONDS - 2.0, times=ALWAYS)
    cpd_wire.breaks(ready, Changed(initializing), times=ALWAYS)
    with in_time(), pytest.raises(Unavailable, match="is not ready after 1800 s"):
        backend.deploy(job, DeploymentSpec(name="tone"), f"silent-{job.id[:8]}")
    assert clock.now <= READY_SECONDS + LAST_LOOK_SECONDS
    backend.service.close()
