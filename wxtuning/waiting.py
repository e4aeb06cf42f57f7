"""How a thread waits for what others put into a queue, without becoming deaf. Knows nothing of what is put there."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import TypeVar

Value = TypeVar("Value")

LOOK_SECONDS = 0.1


def taken(queue: SimpleQueue[Value]) -> Value:
    """The next of a queue, however long it takes.

    Packages that put a signal handler of their own beside Python's (polars does) have the system begin an endless wait
    anew, so that Ctrl-C is noted and never noticed; a wait that ends from time to time notices it.
    """
    while True:
        try:
            return queue.get(timeout=LOOK_SECONDS)
        except Empty:
            continue
