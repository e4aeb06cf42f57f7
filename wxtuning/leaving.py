"""What happens when somebody leaves while a job runs elsewhere: it goes on, and how to come back is said."""

from __future__ import annotations

import signal
import sys
import threading
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def detaching(way_back: Callable[[], str]) -> Iterator[None]:
    """Leave on Ctrl-C, SIGTERM and SIGHUP: say how to come back on stderr, then end as the signal would.

    The signals are heard in the main thread, and only where nobody else has asked for them. Around async code a task
    that is canceled leaves too: so Ctrl-C and signals reach it.

    Args:
        way_back: What to say, asked for when it is needed.
    """
    with _heard():
        try:
            yield
        except (KeyboardInterrupt, Left, CancelledError):
            sys.stderr.write(f"\nwxtuning: {way_back()}\n")
            raise


class Left(SystemExit):
    """A signal asked this process to end; the exit code is that of a process that it killed."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


@contextmanager
def _heard() -> Iterator[None]:
    is_main = threading.current_thread() is threading.main_thread()
    free = [number for number in SIGNALS if is_main and signal.getsignal(number) is signal.SIG_DFL]
    for number in free:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in free:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise Left(number)
