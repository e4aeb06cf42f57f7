"""The moment when what must be sent once leaves, for whoever has to write that down first. Knows no requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_before: ContextVar[Callable[[], object] | None] = ContextVar("before", default=None)


@contextmanager
def before_it_leaves(act: Callable[[], object]) -> Iterator[None]:
    """In this block and thread, `act` is called right before a byte leaves of what must be sent once, each time.

    If it raises, nothing leaves.
    """
    token = _before.set(act)
    try:
        yield
    finally:
        _before.reset(token)


def leaves() -> None:
    """Now it does."""
    if act := _before.get():
        act()
