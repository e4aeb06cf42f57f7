"""A process that is killed while it submits, or two that submit at once, leave one job: the rerun finds it."""

from __future__ import annotations

import os
import signal

import pytest

import wxtuning as wx
from tests.watsonx import children, jobs
from tests.watsonx.conftest import asked_of
from tests.watsonx.faults import Before, Then
from tests.watsonx.jobs import CREATE, LIST

KILLED = -signal.SIGKILL


@pytest.fixture
def key():
    return f"killed-{os.urandom(4).hex()}"


def child(wire, home, folder, key, point="never"):
    return children.started(children.submit, asked_of(wire), str(home), folder, key, point)


def check_one_job(wire, backend, folder, key, *, posts):
    """The rerun comes to the one job that there is."""
    job = backend.submit(jobs.request(folder), key)
    assert jobs.listed(wire.running, key) == [job.id]
    assert wire.asked[CREATE] == posts


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_kill_around_the_request_leaves_one_job(cpd_wire, backend_on_cpd, home, tmp_path, key, point):
    assert children.ended(child(cpd_wire, home, tmp_path, key, point)) == KILLED
    check_one_job(cpd_wire, backend_on_cpd, tmp_path, key, posts=1)


@pytest.mark.parametrize("operation", [LIST, CREATE])
@pytest.mark.parametrize("acted", [False, True])
def test_a_kill_while_the_service_works_leaves_one_job(cpd_wire, backend_on_cpd, home, tmp_path, key, operation, acted):
    running = []

    def kill():
        os.kill(running[0].pid, signal.SIGKILL)

    cpd_wire.breaks(operation, Then(happens=kill) if acted else Before(happens=kill))
    running.append(child(cpd_wire, home, tmp_path, key))
    assert children.ended(running[0]) == KILLED
    check_one_job(cpd_wire, backend_on_cpd, tmp_path, key, posts=1)


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_kill_while_a_failed_job_is_started_anew_leaves_one_new_job(
    cpd_wire, backend_on_cpd, home, tmp_path, key, point
):
    failed = backend_on_cpd.submit(jobs.request(tmp_path), key)
    jobs.ended(cpd_wire.running, failed.id)
    wx.submit_again(f"wxtuning.{key}", on=backend_on_cpd)
    assert children.ended(child(cpd_wire, home, tmp_path, key, point)) == KILLED
    again = backend_on_cpd.submit(jobs.request(tmp_path), key)
    assert jobs.listed(cpd_wire.running, key) == [again.id, failed.id]
    assert cpd_wire.asked[CREATE] == 2


def test_two_processes_that_submit_at_once_send_one_request(cpd_wire, home, tmp_path, key):
    barrier, answers = children.PROCESSES.Barrier(2), children.PROCESSES.Queue()
    work = children.submit_when_all_are_ready
    processes = [
        children.started(work, asked_of(cpd_wire), str(home), tmp_path, key, barrier, answers) for _ in range(2)
    ]
    found = {answers.get(timeout=60) for _ in processes}
    assert [children.ended(process) for process in processes] == [0, 0]
    assert found == {f"watsonx:{identity}" for identity in jobs.listed(cpd_wire.running, key)}
    assert (len(found), cpd_wire.asked[CREATE]) == (1, 1)
