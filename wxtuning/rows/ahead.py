"""One step ahead: the next of some things is made in a thread of its own while one of them is worked on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")


def has_second_core() -> bool:
    """Whether this process may work on two things at once."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) > 1


def ahead(things: Iterator[Thing]) -> Iterator[Thing]:
    """The same things; while one is worked on, the next is made, and no other, if there is a core for it.

    It pays where making them lets go of Python's lock, as numpy, pyarrow and zlib do.
    """
    if not has_second_core():
        yield from things
        return
    with ThreadPoolExecutor(1, "ahead") as maker:
        coming = maker.submit(next, things, None)
        while (thing := coming.result()) is not None:
            coming = maker.submit(next, things, None)
            yield thing
