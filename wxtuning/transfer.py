"""A transfer in a thread of its own, so that its progress becomes events as it comes. Knows no store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from wxtuning.events import Event, Progress
from wxtuning.ports import Watch

Result = TypeVar("Result")


class GivenUp(BaseException):
    """Ends a transfer that nobody waits for any more. No failure, so that nothing tries again."""


def watched(step: str, act: Callable[[Watch], Result], *, text: str = "") -> Generator[Event, None, Result]:
    """Do `act` with a watch, whose every word is an event of `step`; returns what `act` returns.

    Whoever closes the generator, or interrupts it, ends the transfer at its next word.
    """
    told: SimpleQueue[Progress | None] = SimpleQueue()
    is_over = threading.Event()

    def watch(done: int, size: int | None) -> None:
        if is_over.is_set():
            raise GivenUp
        told.put(Progress(step=step, done=done, total=size or 0, text=text))

    with ThreadPoolExecutor(1, thread_name_prefix=step) as thread:
        try:
            result = thread.submit(act, watch)
            result.add_done_callback(lambda _: told.put(None))
            yield from iter(told.get, None)
            return result.result()
        finally:
            is_over.set()
