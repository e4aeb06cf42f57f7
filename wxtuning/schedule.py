"""Many chains in turn, in one thread: while one pauses, the others advance. Knows nothing of what they do.

A call that may wait is made in a thread of its own, so that it holds up only the chain that makes it.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Generic, TypeVar, cast

from wxtuning.calls import Calls
from wxtuning.events import Call, Pause
from wxtuning.runner import Chain

Result = TypeVar("Result")

LOOK_SECONDS = 0.1
"""How often it is looked whether a call has ended."""


class Schedule(Generic[Result]):
    """Many chains in turn: each advances to its next pause or call, or to its end; an error ends its own chain only.

    Args:
        chains: What to advance.
        clock: Monotonic seconds.
    """

    def __init__(self, chains: Sequence[Chain[Result]], clock: Callable[[], float] = time.monotonic) -> None:
        self._chains = chains
        self._clock = clock
        self._due = [(0.0, number) for number in range(len(chains))]
        self._ended: dict[int, Result | Exception] = {}
        self._calls = Calls(clock)
        self._turn = threading.Lock()
        self._is_left = False

    @property
    def pause(self) -> float | None:
        """Seconds until it is worth while to advance again; None when all have ended."""
        if len(self._ended) == len(self._chains):
            return None
        due = max(0.0, self._due[0][0] - self._clock()) if self._due else LOOK_SECONDS
        return min(due, LOOK_SECONDS) if self._calls else due

    @property
    def results(self) -> list[Result | Exception]:
        """What the chains returned or raised, in their order, once all have ended."""
        return [self._ended[number] for number in range(len(self._chains))]

    def advance(self) -> None:
        """Advance the chain that is due, if one is, to its next pause or call."""
        with self._turn:
            self._advance()
        if self._is_left:
            self._leave()

    def _advance(self) -> None:
        for number in self._calls.ended():
            heapq.heappush(self._due, (self._clock(), number))
        if not self._due or self._due[0][0] > self._clock():
            return
        _, number = heapq.heappop(self._due)
        try:
            event = _to_wait(self._chains[number])
        except StopIteration as end:
            self._ended[number] = cast(Result, end.value)
        except Exception as error:  # noqa: BLE001  # it is told in the place of a result
            self._ended[number] = error
        else:
            self._wait(number, event)

    def _wait(self, number: int, event: Pause | Call) -> None:
        if isinstance(event, Call):
            self._calls.begin(number, event)
        else:
            heapq.heappush(self._due, (self._clock() + event.seconds, number))

    def rest(self, seconds: float, sleep: Callable[[float], object]) -> None:
        """Sleep; while calls are open, only until one has ended."""
        if self._calls:
            self._calls.wait(seconds)
        else:
            sleep(seconds)

    def close(self) -> None:
        """Leave the chains that have not ended, as if they were interrupted; calls that were begun go on by themselves.

        Nobody waits for them: as after a kill, the same line finds what they did.
        """
        self._is_left = True
        self._calls.close()
        self._leave()

    def _leave(self) -> None:
        # Whoever advances a chain in another thread leaves it when that is done: it cannot be closed meanwhile.
        if not self._turn.acquire(blocking=False):
            return
        try:
            for chain in self._chains:
                chain.close()
        finally:
            self._turn.release()


def _to_wait(chain: Chain[Result]) -> Pause | Call:
    while not isinstance(event := next(chain), Pause | Call):
        pass
    return event


def drive_all(
    chains: Sequence[Chain[Result]],
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> list[Result | Exception]:
    """Run many chains to their ends in this thread; what each returned or raised, in their order."""
    schedule = Schedule(chains, clock)
    with closing(schedule):
        while (pause := schedule.pause) is not None:
            if pause:
                schedule.rest(pause, sleep)
            schedule.advance()
    return schedule.results


async def adrive_all(chains: Sequence[Chain[Result]]) -> list[Result | Exception]:
    """`drive_all` without blocking the event loop: the chains advance in a worker thread, one after the other."""
    schedule = Schedule(chains)
    with closing(schedule):
        while (pause := schedule.pause) is not None:
            await asyncio.sleep(pause)
            await asyncio.to_thread(schedule.advance)
    return schedule.results
