"""Calls of many chains in a few threads: begun, ended, given up. Knows nothing of what they do."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from math import inf

from wxtuning.events import Call

MOST_CALLS = 32
"""At the same time; more wait for their turn."""
LOOK_SECONDS = 0.1
"""How often it is looked at most whether a call is to be given up."""
IDLE_SECONDS = 1.0
"""For so long a thread without a call waits for one; to start one for each costs more than most calls."""


class Calls:
    """Calls of chains, one at a time for each chain, in threads that do not keep the process from ending.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._fewer = threading.Condition(self._lock)
        self._lanes: dict[Hashable, deque[tuple[int, Call]]] = {}
        self._ready: deque[Hashable] = deque()
        self._open: dict[int, tuple[Call, float]] = {}
        self._ended: deque[int] = deque()
        self._next_late = inf
        self._threads = self._busy = 0
        self._is_closed = False

    def __bool__(self) -> bool:
        """Whether any was begun and is not known to have ended."""
        return bool(self._open)

    def begin(self, number: int, call: Call) -> None:
        """Make a call of the chain with this number as soon as there is a thread for it, and its lane is free."""
        lane = object() if call.lane is None else call.lane
        until = inf if call.seconds is None else self._clock() + call.seconds
        with self._lock:
            self._open[number] = call, until
            self._next_late = min(self._next_late, until)
            if lane in self._lanes:
                self._lanes[lane].append((number, call))
                return
            self._lanes[lane] = deque([(number, call)])
            self._ready.append(lane)
            is_new = len(self._ready) > self._threads - self._busy and self._threads < MOST_CALLS
            self._threads += is_new
            self._more.notify()
        if is_new:
            threading.Thread(target=self._work, name="wxtuning-call", daemon=True).start()

    def ended(self) -> tuple[int, ...]:
        """The chains whose calls have ended, or were given up, since this was asked last."""
        if not self._ended and self._clock() < self._next_late:
            return ()
        with self._lock:
            self._give_up_late()
            found = tuple(self._ended)
            self._ended.clear()
            for number in found:
                del self._open[number]
        return found

    def wait(self, seconds: float) -> None:
        """Until one has ended, or this time is over."""
        with self._lock:
            self._fewer.wait_for(lambda: self._ended, seconds)

    def close(self) -> None:
        """Begin no more."""
        with self._lock:
            self._is_closed = True
            self._ready.clear()
            for waiting in self._lanes.values():
                waiting.clear()
            self._more.notify_all()

    def _give_up_late(self) -> None:
        now = self._clock()
        if now < self._next_late:
            return
        waited_for = [(number, call, until) for number, (call, until) in self._open.items() if not call.is_made]
        for number, call, until in waited_for:
            if until <= now:
                call.give_up()
                self._ended.append(number)
        self._next_late = max(now + LOOK_SECONDS, min((until for *_, until in waited_for if until > now), default=inf))

    def _work(self) -> None:
        while taken := self._taken():
            lane, number, call = taken
            if not call.is_made:
                call.run()
            self._end(lane, number, call)

    def _taken(self) -> tuple[Hashable, int, Call] | None:
        with self._lock:
            self._more.wait_for(lambda: self._ready or self._is_closed, IDLE_SECONDS)
            if self._ready:
                self._busy += 1
                lane = self._ready.popleft()
                return lane, *self._lanes[lane].popleft()
            self._threads -= 1
            return None

    def _end(self, lane: Hashable, number: int, call: Call) -> None:
        with self._lock:
            self._busy -= 1
            if number in self._open and self._open[number][0] is call:  # else it was given up
                self._ended.append(number)
                self._fewer.notify_all()
            if self._lanes[lane]:
                self._ready.append(lane)
            else:
                del self._lanes[lane]
