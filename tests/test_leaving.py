"""Whoever leaves while a job runs is told how to come back, and the process ends as the signal asked."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest

import wxtuning as wx
from wxtuning.leaving import detaching
from wxtuning.testing import FakeBackend

NUMBERS = [signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def job(rows):
    experiment = wx.TuningExperiment("left").load(rows).to_jsonl(input="text", output="colour")
    return experiment.on(FakeBackend()).submit()


def stopped_by(number):
    def sleep(seconds):
        os.kill(os.getpid(), number)

    return sleep


def test_ctrl_c_says_how_to_come_back_and_goes_on_as_an_interruption(job, capsys):
    with pytest.raises(KeyboardInterrupt):
        job.result(sleep=stopped_by(signal.SIGINT))
    assert f"the job goes on. The same line continues, or wxtuning.attach({job.id!r})" in capsys.readouterr().err


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_to_end_says_how_to_come_back_and_ends_the_process(job, capsys, number):
    with pytest.raises(SystemExit) as caught:
        job.result(sleep=stopped_by(number))
    assert caught.value.code == 128 + number
    assert job.id in capsys.readouterr().err


def test_leaving_cancels_nothing_and_the_run_can_be_finished(job):
    backend = job.so_far._run.tuner
    with pytest.raises(KeyboardInterrupt):
        job.result(sleep=stopped_by(signal.SIGINT))
    assert backend.calls["cancel"] == 0
    assert job.result(sleep=lambda seconds: None).state == "completed"


@pytest.mark.parametrize("number", NUMBERS)
def test_signals_are_heard_only_while_a_run_is_waited_for(job, number):
    heard = []
    job.result(sleep=lambda seconds: heard.append(signal.getsignal(number)))
    assert heard[0] is not signal.SIG_DFL
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_program_that_listens_to_a_signal_itself_keeps_it():
    def own(number, frame):
        """Nothing."""

    before = signal.signal(signal.SIGTERM, own)
    try:
        with detaching(lambda: "left"):
            assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_run_in_another_thread_leaves_signals_alone(job):
    ended = []
    thread = threading.Thread(target=lambda: ended.append(job.result(sleep=lambda seconds: None).state))
    thread.start()
    thread.join(30)
    assert ended == ["completed"]


class Leaving(FakeBackend):
    """A signal reaches the process while it is asked for something."""

    def __init__(self, number, *, at):
        super().__init__()
        self.left_at, self.number = at, number

    def submit(self, request, key):
        self._signal("submit")
        return super().submit(request, key)

    def status(self, job, *, deadline=None):
        self._signal("status")
        return super().status(job, deadline=deadline)

    def _signal(self, call):
        if call == self.left_at:
            os.kill(os.getpid(), self.number)
            time.sleep(0.05)


def on(backend, rows):
    experiment = wx.TuningExperiment("left").load(rows).to_jsonl(input="text", output="colour")
    return experiment.wait(every=0.01).on(backend)


async def awaited(job):
    return await job


ASYNC = {
    "arun": lambda experiment: asyncio.run(experiment.arun()),
    "await": lambda experiment: asyncio.run(awaited(experiment.submit())),
    "agather": lambda experiment: asyncio.run(wx.agather(experiment)),
}


@pytest.mark.parametrize("number", [signal.SIGINT, *NUMBERS])
@pytest.mark.parametrize("way", ASYNC)
def test_async_code_that_is_left_says_how_to_come_back(rows, capsys, way, number):
    backend = Leaving(number, at="status")
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
        ASYNC[way](on(backend, rows))
    assert "left; the job" in capsys.readouterr().err
    assert backend.calls["cancel"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, *NUMBERS])
def test_a_submission_that_is_left_says_how_to_come_back(rows, capsys, number):
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
        on(Leaving(number, at="submit"), rows).submit()
    key = wx.runs()[0].key
    assert f"left before a job was accepted; the same line continues run {key}" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["arun", "agather"])
def test_async_code_is_left_at_once_while_a_submission_waits(rows, capsys, way):
    go_on = threading.Event()

    class Waiting(FakeBackend):
        def submit(self, request, key):
            os.kill(os.getpid(), signal.SIGINT)
            assert go_on.wait(20)
            return super().submit(request, key)

    with pytest.raises(KeyboardInterrupt):
        ASYNC[way](on(Waiting(), rows))
    assert not go_on.is_set() and "wxtuning: left" in capsys.readouterr().err
    go_on.set()


def test_a_task_that_is_canceled_says_how_to_come_back(job, capsys):
    async def canceled():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(awaited(job), 0.01)

    asyncio.run(canceled())
    assert job.id in capsys.readouterr().err
