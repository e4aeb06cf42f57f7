"""A transfer as part of a chain: it tells its progress as events, and ends with the chain. Knows no store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from functools import partial
from queue import SimpleQueue
from typing import TypeVar, cast

from wxtuning.events import Call, Event, Progress
from wxtuning.ports import Watch
from wxtuning.waiting import taken

Result = TypeVar("Result")


class GivenUp(BaseException):
    """Ends a transfer that nobody waits for any more. No failure, so that nothing tries again."""


def watched(step: str, act: Callable[[Watch], Result], *, text: str = "") -> Generator[Event, None, Result]:
    """Do `act` with a watch, whose every word is an event of `step`; returns what `act` returns.

    It runs in a thread of its own, or in that of whoever takes the call, and nobody hears of progress then. Whoever
    closes the generator, or interrupts it, ends the transfer: at once if the store takes an `EndingWatch` for what it
    is, else at the next word.
    """
    told: SimpleQueue[Progress | None] = SimpleQueue()
    watch = _Watch(lambda done, size: told.put(Progress(step=step, done=done, total=size or 0, text=text)))
    call = Call(step=step, act=partial(act, watch), tells=True)

    def make() -> None:
        call.run()
        told.put(None)

    thread = threading.Thread(target=make, name=step)
    try:
        yield call
        if not call.is_made:
            thread.start()
            yield from iter(lambda: taken(told), None)
        return cast(Result, call.result())
    finally:
        watch.end()
        if thread.ident:
            thread.join()


class _Watch:
    """Passes on what a transfer tells, until nobody waits for it; see `EndingWatch`."""

    def __init__(self, tell: Watch) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._is_over = False
        self._ends: list[Callable[[], None]] = []

    def __call__(self, done: int, size: int | None) -> None:
        if self._is_over:
            raise GivenUp
        self._tell(done, size)

    def at_end(self, end: Callable[[], None]) -> None:
        with self._lock:
            self._ends.append(end)
            is_late = self._is_over
        if is_late:
            end()

    def end(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._is_over = True
            ends = tuple(self._ends)
        for end in ends:
            end()
