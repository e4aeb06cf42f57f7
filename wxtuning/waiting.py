"""How a thread waits for others without becoming deaf: for what they put into a queue, for what many do at a time.

Knows nothing of what is put there or done.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from queue import Empty, SimpleQueue
from typing import TypeVar

Value = TypeVar("Value")
Result = TypeVar("Result")

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


def result_of(future: Future[Result]) -> Result:
    """What a future ends with, however long it takes; Ctrl-C is noticed as in `taken`."""
    while not wait([future], timeout=LOOK_SECONDS).done:
        continue
    return future.result()


def abreast(act: Callable[[Value], Result], values: Sequence[Value], *, most: int) -> tuple[Result, ...]:
    """What `act` returns for each of the values, in their order; done for up to `most` at a time, in threads.

    Raises:
        Exception: the first that `act` raises, at once. What was begun goes on by itself, as after Ctrl-C: nobody waits
            for it, not even the end of the process. No more is begun.
    """
    left = deque(enumerate(values))
    ended: SimpleQueue[tuple[int, Future[Result]]] = SimpleQueue()
    try:
        for _ in range(min(most, len(values))):
            threading.Thread(target=_work, args=(act, left, ended), name="wxtuning-abreast", daemon=True).start()
        found = (taken(ended) for _ in values)
        results = {number: end.result() for number, end in found}
    finally:
        left.clear()
    return tuple(results[number] for number in range(len(values)))


def _work(
    act: Callable[[Value], Result], left: deque[tuple[int, Value]], ended: SimpleQueue[tuple[int, Future[Result]]]
) -> None:
    while left:
        try:
            number, value = left.popleft()
        except IndexError:  # another thread was faster
            return
        end = _end_of(act, value)
        if end.exception():
            left.clear()  # here, in the thread that failed: it must not begin with the next
        ended.put((number, end))


def _end_of(act: Callable[[Value], Result], value: Value) -> Future[Result]:
    end: Future[Result] = Future()
    try:
        end.set_result(act(value))
    except BaseException as error:  # noqa: BLE001 - it is raised where the results are waited for
        end.set_exception(error)
    return end
