"""When requests are repeated, and when they wait for each other: time and chance are the test's own."""

from __future__ import annotations

import threading

from wxtuning.retry import LAST_LOOK_SECONDS, LOOK_SECONDS, MOST_IN_WINDOW, Deadline, Patience, patiently
from wxtuning.testing import FakeClock

SECONDS = 30.0
"""Longer than any test: what waits this long hangs."""


def test_who_comes_after_many_that_are_under_way_waits_until_one_of_them_is_answered():
    clock, pauses = FakeClock(), []
    all_are_under_way, is_answered = threading.Barrier(MOST_IN_WINDOW + 1), threading.Event()

    def under_way():
        all_are_under_way.wait(SECONDS)
        is_answered.wait(SECONDS)

    def sleep(seconds):
        pauses.append(seconds)
        is_answered.set()
        for thread in threads:
            thread.join(SECONDS)

    patience = Patience(clock=clock, sleep=sleep)

    def asked(call):
        patiently(call, passing=lambda error: None, deadline=Deadline(SECONDS, clock), patience=patience)

    threads = [threading.Thread(target=asked, args=[under_way]) for _ in range(MOST_IN_WINDOW)]
    for thread in threads:
        thread.start()
    all_are_under_way.wait(SECONDS)
    asked(lambda: None)
    assert pauses == [LOOK_SECONDS]


def test_who_waits_no_more_takes_nothing_of_the_budget():
    clock = FakeClock()
    patience = Patience(clock=clock, sleep=clock.sleep)
    for _ in range(MOST_IN_WINDOW + 1):
        patiently(lambda: None, passing=lambda error: 0.0, deadline=Deadline(0.0, clock), patience=patience)
    assert patience.budget.pause(clock()) == 0.0


def test_a_look_has_what_is_left_of_a_wait_and_the_last_one_a_second():
    clock = FakeClock()
    deadline = Deadline(10.0, clock)
    assert deadline.for_a_look().left == 10.0
    clock.sleep(9.5)
    assert deadline.for_a_look().left == LAST_LOOK_SECONDS
    clock.sleep(10.0)
    assert deadline.for_a_look().left == LAST_LOOK_SECONDS
