"""Many chains in turn, in one thread: while one pauses, the others advance. Knows nothing of what they do.

A call that may wait is made in a thread of its own, so that it holds up only the chain that makes it.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import closing
from typing import Generic, TypeVar, cast

from wxtuning.events import Call, Pause
from wxtuning.runner import Chain

Result = TypeVar("Result")

MOST_CALLS = 32
"""At the same time; more wait for their turn."""
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
        self._calls = _Calls()
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


class _Calls:
    """Calls of chains in threads, which do not keep the process from ending."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._lanes: dict[Hashable, deque[tuple[int, Call]]] = {}
        self._ready: deque[Hashable] = deque()
        self._ended: deque[int] = deque()
        self._threads = 0
        self._open = 0

    def __bool__(self) -> bool:
        """Whether any was begun and is not known to have ended."""
        return self._open > 0

    def begin(self, number: int, call: Call) -> None:
        """Make a call of the chain with this number as soon as there is a thread for it, and its lane is free."""
        lane = object() if call.lane is None else call.lane
        with self._lock:
            self._open += 1
            if lane in self._lanes:
                self._lanes[lane].append((number, call))
                return
            self._lanes[lane] = deque([(number, call)])
            self._ready.append(lane)
            is_room = self._threads < MOST_CALLS
            self._threads += is_room
        if is_room:
            threading.Thread(target=self._work, name="wxtuning-call", daemon=True).start()

    def ended(self) -> tuple[int, ...]:
        """The chains whose calls have ended since this was asked last."""
        with self._lock:
            found = tuple(self._ended)
            self._ended.clear()
            self._open -= len(found)
        return found

    def wait(self, seconds: float) -> None:
        """Until one has ended, or this time is over."""
        with self._lock:
            self._lock.wait_for(lambda: self._ended, seconds)

    def close(self) -> None:
        """Begin no more."""
        with self._lock:
            self._ready.clear()
            for waiting in self._lanes.values():
                waiting.clear()

    def _work(self) -> None:
        while taken := self._taken():
            lane, number, call = taken
            call.run()
            self._end(lane, number)

    def _taken(self) -> tuple[Hashable, int, Call] | None:
        with self._lock:
            if self._ready:
                lane = self._ready.popleft()
                return lane, *self._lanes[lane].popleft()
            self._threads -= 1
            return None

    def _end(self, lane: Hashable, number: int) -> None:
        with self._lock:
            self._ended.append(number)
            self._lock.notify_all()
            if self._lanes[lane]:
                self._ready.append(lane)
            else:
                del self._lanes[lane]


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
