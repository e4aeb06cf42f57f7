"""How long a transfer may take, and whether it is still wanted: all that waits looks here. Knows no server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from wxtuning.retry import Deadline, Patience

Value = TypeVar("Value")

SLICE_SECONDS = 0.25
"""Nothing waits longer without looking up: so soon does a transfer end that nobody wants any more."""


class Stopped(BaseException):
    """This transfer is not wanted any more. No failure, so that nothing tries again."""


class Limits:
    """The time of one transfer, for all its threads.

    Args:
        patience: How long to wait for a server.
        seconds: When it must all be over.
    """

    def __init__(self, patience: Patience, seconds: float) -> None:
        self.connect_seconds = patience.connect_seconds
        self.read_seconds = patience.read_seconds
        self._patience = patience
        self._stop = threading.Event()
        self._has_ended = False
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """Set the deadline anew, from now on."""
        self.deadline = Deadline(seconds, self._patience.clock)

    def stop(self) -> None:
        """Let every thread end, whatever it is doing."""
        self._stop.set()

    def go_on(self) -> None:
        """Take `stop` back, for what tidies up."""
        self._stop.clear()
        if self._has_ended:
            self._stop.set()

    def end(self) -> None:
        """Stop for good: nothing tidies up either."""
        self._has_ended = True
        self.stop()

    def check(self) -> None:
        """Make sure that the transfer is still wanted.

        Raises:
            Stopped: if it is not.
        """
        if self._stop.is_set():
            raise Stopped

    def rest(self, seconds: float) -> None:
        """Do nothing for so long.

        Raises:
            Stopped: as soon as the transfer is not wanted any more.
        """
        if self._patience.sleeps_for_real:
            self._stop.wait(seconds)
        else:
            self._patience.sleep(seconds)
        self.check()

    def within(self, seconds: float, act: Callable[[float], Value]) -> Value:
        """What `act` returns; it is called with the seconds that it may take, and again when these were not enough.

        Args:
            seconds: For all of it; less, if the deadline is nearer. Real ones, whatever the clock: a socket knows no
                other.
            act: Raises TimeoutError if it took that long.

        Raises:
            TimeoutError: if the time is over.
            Stopped: if the transfer is not wanted any more.
        """
        end = time.monotonic() + seconds
        while True:
            self.check()
            left = min(end - time.monotonic(), self.deadline.left)
            if left <= 0:
                raise TimeoutError(f"nothing came within {min(seconds, self.deadline.seconds):,g} seconds")
            try:
                return act(min(left, SLICE_SECONDS))
            except TimeoutError:
                continue
