"""Whoever leaves while a job runs is told how to come back, and the process ends as the signal asked."""

from __future__ import annotations

import os
import signal
import threading

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
