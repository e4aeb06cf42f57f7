"""Many watched jobs are asked for by one list, politely, and every one of them gets its own state."""

from __future__ import annotations

import threading
import tracemalloc
from dataclasses import dataclass, field

import pytest

import wxtuning as wx
from wxtuning import schedule, steps
from wxtuning.adapters.watsonx.board import PAGE, Board
from wxtuning.status import JobRef, JobState, JobStatus
from wxtuning.testing import FakeClock

RUNNING = JobStatus(state=JobState.RUNNING, word="running")
COMPLETED = JobStatus(state=JobState.COMPLETED, word="completed")
DOWN = wx.Unavailable("no answer", backend="watsonx", pause=20.0)


@dataclass
class Jobs:
    """A service with so many jobs, the newest first, which end when their time has come."""

    clock: FakeClock
    names: list[str]
    ends: float = 60.0
    pages: int = 0
    singles: int = 0
    lists: list[float] = field(default_factory=list)
    fault: wx.Unavailable | None = None

    def status(self, name):
        self.singles += 1
        return self._state()

    def listed(self):
        for number, name in enumerate(self.names):
            if number % PAGE == 0:
                if self.fault:
                    self.pages += 1
                    raise self.fault
                self.pages += 1
                self.lists.append(self.clock.now)
            yield name, self._state()

    def _state(self):
        return COMPLETED if self.clock.now >= self.ends else RUNNING


@pytest.fixture
def clock():
    return FakeClock()


def service(clock, count, **how):
    jobs = Jobs(clock, [f"job-{number}" for number in range(count)], **how)
    return jobs, Board(jobs.status, jobs.listed, clock)


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


class Watching:
    """A tuner over a board."""

    name = "watsonx"

    def __init__(self, board):
        self._board = board

    def status(self, job):
        return self._board.status(job.id)


def test_a_thousand_jobs_cost_at_most_ten_list_requests_a_round_and_all_end(clock):
    jobs, board = service(clock, 1000, ends=600.0)
    waits = [
        steps.wait(Watching(board), JobRef("watsonx", name), wx.WaitPolicy(), poll_seconds=10.0, clock=clock)
        for name in jobs.names
    ]
    results = schedule.drive_all(waits, sleep=clock.sleep, clock=clock)
    assert results == [COMPLETED] * 1000
    rounds = [sum(begin <= at < begin + 10.0 for at in jobs.lists) for begin in range(0, 600, 10)]
    assert max(rounds) <= 10
    assert jobs.singles <= 6


def test_p11_ten_thousand_waits_end_in_little_memory_and_one_thread(clock):
    jobs, board = service(clock, 10_000, ends=60.0)
    threads = threading.active_count()
    tracemalloc.start()
    waits = [
        steps.wait(Watching(board), JobRef("watsonx", name), wx.WaitPolicy(), poll_seconds=10.0, clock=clock)
        for name in jobs.names
    ]
    results = schedule.drive_all(waits, sleep=clock.sleep, clock=clock)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert results == [COMPLETED] * 10_000
    assert most < 200 * 10**6 and threading.active_count() <= threads


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
