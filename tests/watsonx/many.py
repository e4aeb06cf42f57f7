"""Many jobs of a service in memory, and waits for all of them in a process of its own, whose memory is told."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import wxtuning as wx
from wxtuning import schedule, steps
from wxtuning.adapters.watsonx.board import PAGE, Board
from wxtuning.status import JobRef, JobState, JobStatus
from wxtuning.testing import FakeClock

RUNNING = JobStatus(state=JobState.RUNNING, word="running")
COMPLETED = JobStatus(state=JobState.COMPLETED, word="completed")


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


def service(clock, count, **how):
    """A service with so many jobs, and the board over it."""
    jobs = Jobs(clock, [f"job-{number}" for number in range(count)], **how)
    return jobs, Board(jobs.status, jobs.listed, clock)


@dataclass
class Watching:
    """A tuner over a board, which remembers how many threads there were when it was asked."""

    board: Board
    threads: int = 0
    name: str = "watsonx"

    def status(self, job, *, deadline=None):
        self.threads = max(self.threads, threading.active_count())
        return self.board.status(job.id)


def waited(tuner, jobs, clock):
    """What waits for all the jobs end with."""
    waits = [
        steps.wait(tuner, JobRef("watsonx", name), wx.WaitPolicy(), poll_seconds=10.0, clock=clock)
        for name in jobs.names
    ]
    return schedule.drive_all(waits, sleep=clock.sleep, clock=clock)


def megabytes():
    """The most memory that this process has had."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(told["VmHWM"].split()[0]) / 1000


if __name__ == "__main__":
    clock = FakeClock()
    jobs, board = service(clock, int(sys.argv[1]))
    tuner = Watching(board)
    completed = waited(tuner, jobs, clock).count(COMPLETED)
    asked = {"pages": jobs.pages, "singles": jobs.singles, "threads": tuner.threads}
    print(json.dumps({"completed": completed, "megabytes": megabytes(), **asked}))
