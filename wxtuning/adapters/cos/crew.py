"""Threads that send, buffers for what they send, and progress told in the caller's own thread. Knows no server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, TypeVar

from wxtuning.ports import Watch
from wxtuning.waiting import taken

Result = TypeVar("Result")


class Meter:
    """Counts bytes from any thread; tells the watch of them in the thread that calls `tell`."""

    def __init__(self, watch: Watch, size: int | None) -> None:
        self._watch = watch
        self._size = size
        self._lock = threading.Lock()
        self._done = 0
        self._told = -1

    def moved(self, count: int) -> None:
        """So many more bytes are done; fewer, if they have to be sent again."""
        with self._lock:
            self._done += count

    def begin_again(self) -> None:
        """Nothing is done yet, after all."""
        with self._lock:
            self._done = 0

    def tell(self) -> None:
        """Say how far it is, unless that has been said."""
        if self._done > self._told:
            self._told = self._done
            self._watch(self._done, self._size)

    def moved_and_told(self, count: int) -> None:
        """Both, for what is sent by the caller's own thread."""
        self.moved(count)
        self.tell()


class Crew(Generic[Result]):
    """Sends several parts at once, each from a buffer that is used again; there is one more buffer than threads.

    Args:
        workers: How many threads.
        buffer_bytes: How large a buffer is.
        meter: Told in the thread that uses the crew, whenever that waits.
        stop: Lets the threads end, whatever they are doing.
    """

    def __init__(self, workers: int, buffer_bytes: int, meter: Meter, stop: Callable[[], None]) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="wxtuning-cos")
        self._buffer_bytes = buffer_bytes
        self._unmade = workers + 1
        self._free: list[bytearray] = []
        self._meter = meter
        self._stop = stop
        self._events: SimpleQueue[tuple[Future[Result], bytearray] | None] = SimpleQueue()
        self._working = 0
        self._results: list[Result] = []

    def __enter__(self) -> Crew[Result]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind:
            self._stop()
        self.close()

    def close(self) -> None:
        """Wait for the threads to end; they do so soon once they were stopped."""
        self._pool.shutdown(cancel_futures=True)

    def buffer(self) -> bytearray:
        """A buffer to fill; waits until one is free, and raises what went wrong in the meantime."""
        while not (self._free or self._unmade):
            self._next_event()
        if self._free:
            return self._free.pop()
        self._unmade -= 1
        return bytearray(self._buffer_bytes)

    def send(self, task: Callable[[memoryview], Result], buffer: bytearray, size: int) -> None:
        """Let a thread do it with the first `size` bytes of a buffer, which then is free again."""
        self._working += 1
        future = self._pool.submit(task, memoryview(buffer)[:size])
        future.add_done_callback(lambda done: self._done(done, buffer))

    def moved(self, count: int) -> None:
        """Count bytes that a thread has sent."""
        self._meter.moved(count)
        self._events.put(None)

    def results(self) -> list[Result]:
        """Wait for all; what came out, in the order in which it was done."""
        while self._working:
            self._next_event()
        self._meter.tell()
        return self._results

    def _done(self, done: Future[Result], buffer: bytearray) -> None:
        self._events.put((done, buffer))
        if not done.cancelled() and done.exception():
            self._stop()  # here, in the thread that failed: it must not begin with the next part

    def _next_event(self) -> None:
        event = taken(self._events)
        self._meter.tell()
        if event:
            done, buffer = event
            self._working -= 1
            self._free.append(buffer)
            self._results.append(done.result())


@contextmanager
def threads(count: int, stop: Callable[[], None]) -> Iterator[ThreadPoolExecutor]:
    """So many threads for the block; if it fails, `stop` lets them end."""
    with ThreadPoolExecutor(count, thread_name_prefix="wxtuning-cos") as pool:
        try:
            yield pool
        except BaseException:
            stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
