"""How many calls are worked on at a time, and the threads they are worked on in. Knows no requests and no answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from wxtuning.server.errors import busy

T = TypeVar("T")


class Places:
    """A number of places, each with a thread.

    Args:
        most: How many there are.
        what: What the calls in them are, in the plural, for the message and the names of the threads.
    """

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._threads = ThreadPoolExecutor(most, thread_name_prefix=what)
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place as long as the block runs; only on the event loop.

        Raises:
            Refused: if none is free.
        """
        if self._taken >= self._most:
            raise busy(self._most, self._what)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def run(self, function: Callable[..., T], *values: object) -> T:
        """What a function returns; it runs in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *values)

    def begin(self, function: Callable[[], object]) -> None:
        """Let a function run in one of the threads; nobody waits for it."""
        self._threads.submit(function)

    def close(self) -> None:
        """Start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
