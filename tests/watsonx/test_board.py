"""Many watched jobs are asked for by one list, politely, and every one of them gets its own state."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

import wxtuning as wx
from tests.watsonx import many
from tests.watsonx.many import COMPLETED, RUNNING, Watching, service, waited
from wxtuning.testing import FakeClock

DOWN = wx.Unavailable("no answer", backend="watsonx", pause=20.0)


@pytest.fixture
def clock():
    return FakeClock()


def test_a_few_jobs_are_asked_for_one_by_one(clock):
    jobs, board = service(clock, 3)
    for name in jobs.names * 4:
        board.status(name)
    assert (jobs.singles, jobs.pages) == (12, 0)


def test_several_jobs_are_told_from_one_list(clock):
    jobs, board = service(clock, 100)
    states = [board.status(name) for name in jobs.names]
    assert (jobs.pages, jobs.singles) == (1, 3)
    assert states == [RUNNING] * 100


def test_a_list_is_asked_for_again_when_it_is_old(clock):
    jobs, board = service(clock, 100, ends=120.0)
    for _ in range(3):
        states = {board.status(name) for name in jobs.names}
        clock.now += 60.0
    assert jobs.pages == 3
    assert states == {COMPLETED}


def test_a_list_is_read_no_further_than_to_the_jobs_that_are_watched(clock):
    jobs, board = service(clock, 5000)
    for name in jobs.names[:300]:
        board.status(name)
    assert jobs.pages == 2


def test_a_job_that_is_not_listed_is_asked_for_by_itself(clock):
    jobs, board = service(clock, 5000)
    for name in jobs.names[:10]:
        board.status(name)
    before = jobs.singles
    assert board.status("somebody else's") is RUNNING
    assert (jobs.singles, jobs.pages) == (before + 1, 10)


def test_an_outage_is_told_to_all_and_met_once(clock):
    jobs, board = service(clock, 100, fault=DOWN)
    for name in jobs.names[:3]:
        board.status(name)
    for name in jobs.names[3:]:
        with pytest.raises(wx.Unavailable, match="no answer") as caught:
            board.status(name)
        assert caught.value.pause == 20.0
    assert jobs.pages == 1
    jobs.fault = None
    clock.now += 20.0
    assert board.status("job-9") is RUNNING


def test_jobs_that_nobody_asks_for_any_more_are_not_watched(clock):
    jobs, board = service(clock, 100)
    for name in jobs.names:
        board.status(name)
    clock.now += 3600.0
    board.status("job-0")
    jobs.ends = 1e9
    before = jobs.pages
    clock.now += 10.0
    board.status("job-0")
    assert jobs.pages == before


def test_a_thousand_jobs_cost_at_most_ten_list_requests_a_round_and_all_end(clock):
    jobs, board = service(clock, 1000, ends=600.0)
    assert waited(Watching(board), jobs, clock) == [COMPLETED] * 1000
    rounds = [sum(begin <= at < begin + 10.0 for at in jobs.lists) for begin in range(0, 600, 10)]
    assert max(rounds) <= 10
    assert jobs.singles <= 6


def test_p11_ten_thousand_waits_end_in_little_memory_and_one_thread_more():
    alone = [sys.executable, "-m", many.__name__, "10000"]
    told = json.loads(subprocess.run(alone, capture_output=True, check=True, timeout=120).stdout)
    assert (told["completed"], told["threads"]) == (10_000, 2), "the caller's and one"
    assert told["megabytes"] < 200
    assert told["pages"] <= 100 and told["singles"] <= 6


def test_many_threads_share_one_list(clock):
    jobs, board = service(clock, 200)
    told = []
    threads = [threading.Thread(target=lambda name=name: told.append(board.status(name))) for name in jobs.names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert told == [RUNNING] * 200
    assert jobs.pages == 1
