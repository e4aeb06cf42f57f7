"""Many calls at a time: their order, their number, and who waits for whom when one fails."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from wxtuning.waiting import abreast

HELD_SECONDS = 5.0
"""For so long hangs what nobody lets go of."""


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set in the end, so that nothing hangs longer than its test."""
    found = threading.Event()
    yield found
    found.set()


def test_results_come_in_the_order_of_the_values_whichever_is_done_first() -> None:
    last = threading.Event()

    def act(value: int) -> int:
        if value == 0:
            assert last.wait(HELD_SECONDS)
        if value == 3:
            last.set()
        return -value

    assert abreast(act, range(4), most=2) == (0, -1, -2, -3)


def test_ten_thousand_values_take_no_more_threads_than_are_allowed() -> None:
    at_work: set[int] = set()
    most = 0

    def act(value: int) -> int:
        nonlocal most
        at_work.add(threading.get_ident())
        most = max(most, threading.active_count())
        return value

    before = threading.active_count()
    assert abreast(act, range(10_000), most=8) == tuple(range(10_000))
    assert len(at_work) <= 8
    assert most <= before + 8


def test_no_values_take_no_thread() -> None:
    assert abreast(threading.get_ident, (), most=8) == ()  # type: ignore[arg-type]


def test_the_first_failure_is_raised_at_once_and_nothing_more_is_begun(over: threading.Event) -> None:
    begun, ended = [], []

    def act(value: int) -> None:
        begun.append(value)
        if value == 1:
            raise LookupError("one")
        over.wait(HELD_SECONDS)
        ended.append(value)

    with pytest.raises(LookupError, match="one"):
        abreast(act, range(1_000), most=4)
    assert ended == []
    over.set()
    assert len(begun) <= 4


def test_the_end_of_the_process_waits_for_no_call() -> None:
    assert all(abreast(lambda _: threading.current_thread().daemon, range(4), most=2))


def test_ctrl_c_is_noticed_while_all_calls_hang(over: threading.Event) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def act(value: int) -> None:
        if value == 1:
            signal.pthread_kill(main, signal.SIGINT)
        over.wait(HELD_SECONDS)

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        abreast(act, range(8), most=2)
    assert time.monotonic() - begin < HELD_SECONDS
