"""Until when whoever asks waits for the answer. Knows no requests.

A look at a job may sign in first, through the SDK, and look up its project: neither takes a deadline as an argument.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.errors import Unavailable
from wxtuning.retry import Deadline

_until: ContextVar[Deadline | None] = ContextVar("until", default=None)


@contextmanager
def until(deadline: Deadline | None) -> Iterator[None]:
    """In this block and thread nothing is waited for after this moment, nor after that of a block around it."""
    asked = [each for each in (_until.get(), deadline) if each]
    token = _until.set(min(asked, key=lambda each: each.left, default=None))
    try:
        yield
    finally:
        _until.reset(token)


def left(seconds: float) -> float:
    """So many seconds, or those that are left if they are fewer; negative when the time is over."""
    deadline = _until.get()
    return min(seconds, deadline.left) if deadline else seconds


def is_over() -> bool:
    """Whether nobody waits any more."""
    return left(1.0) <= 0


@contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """A lock that others may hold as long as the service is silent.

    Raises:
        Unavailable: if it is not free in time.
    """
    deadline = _until.get()
    if not lock.acquire(timeout=-1 if deadline is None else max(deadline.left, 0.0)):
        raise Unavailable(
            "another thread of this process still waits for the service's answer", backend=BACKEND, hint="Ask again."
        )
    try:
        yield
    finally:
        lock.release()
