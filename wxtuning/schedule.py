"""Many chains in turn, in one thread: while one pauses, the others advance. Knows nothing of what they do."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Generic, TypeVar, cast

from wxtuning.events import Pause
from wxtuning.runner import Chain

Result = TypeVar("Result")


class Schedule(Generic[Result]):
    """Many chains in turn: each advances to its next pause or to its end; an error ends its own chain only.

    Args:
        chains: What to advance.
        clock: Monotonic seconds.
    """

    def __init__(self, chains: Sequence[Chain[Result]], clock: Callable[[], float] = time.monotonic) -> None:
        self._chains = chains
        self._clock = clock
        self._due = [(0.0, number) for number in range(len(chains))]
        self._ended: dict[int, Result | Exception] = {}

    @property
    def pause(self) -> float | None:
        """Seconds until the next chain is due; None when all have ended."""
        return max(0.0, self._due[0][0] - self._clock()) if self._due else None

    @property
    def results(self) -> list[Result | Exception]:
        """What the chains returned or raised, in their order, once all have ended."""
        return [self._ended[number] for number in range(len(self._chains))]

    def advance(self) -> None:
        """Advance the chain that is due to its next pause."""
        _, number = heapq.heappop(self._due)
        try:
            pause = _to_pause(self._chains[number])
        except StopIteration as end:
            self._ended[number] = cast(Result, end.value)
        except Exception as error:  # noqa: BLE001  # it is told in the place of a result
            self._ended[number] = error
        else:
            heapq.heappush(self._due, (self._clock() + pause, number))

    def close(self) -> None:
        """Leave the chains that have not ended, as if they were interrupted."""
        for chain in self._chains:
            chain.close()


def _to_pause(chain: Chain[Result]) -> float:
    while not isinstance(event := next(chain), Pause):
        pass
    return event.seconds


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
                sleep(pause)
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
