"""When a request is sent again, after how long, and when no more. The one layer that does; knows no vendor."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tenacity import RetryCallState

Value = TypeVar("Value")
Passing = Callable[[BaseException], float | None]
"""Says of an error whether it may pass: the seconds that the server asks to wait (0.0 if it does not say), or None."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 20.0
LONGEST_OBEYED_SECONDS = 60.0
"""A server's Retry-After counts up to here."""

WINDOW_SECONDS = 60.0
MOST_IN_WINDOW = 30
LOOK_SECONDS = 0.25
"""How often who waits for the end of an outage looks whether somebody was answered."""
LAST_LOOK_SECONDS = 1.0
"""What the last look of a wait may take, whose time is over then."""


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that an answer asks to wait, up to `LONGEST_OBEYED_SECONDS`; 0.0 if it does not say, or not sensibly.

    Args:
        headers: Their names in small letters.
    """
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return min(max(seconds, 0.0), LONGEST_OBEYED_SECONDS) if math.isfinite(seconds) else 0.0


def _seconds_until(date: str) -> float:
    try:
        found = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError):
        return 0.0
    return (found.replace(tzinfo=found.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def jitter() -> float:
    """A number between 0 and 1."""
    return random.random()


class Budget:
    """Bounds the requests of an outage: at most 30 in a minute, of all threads together, until one is answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: deque[float] = deque()

    def pause(self, now: float) -> float:
        """Seconds to wait before the next request; 0.0 counts it as sent now."""
        with self._lock:
            while self._sent and self._sent[0] <= now - WINDOW_SECONDS:
                self._sent.popleft()
            if len(self._sent) >= MOST_IN_WINDOW:
                return self._sent[0] + WINDOW_SECONDS - now
            self._sent.append(now)
            return 0.0

    def answered(self) -> None:
        """Somebody answered: the outage, if it was one, is over."""
        with self._lock:
            self._sent.clear()


_of_this_process = Budget()


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for a server, and how often to ask again.

    Args:
        connect_seconds: For a connection.
        read_seconds: Without a byte moving in either direction, before a request counts as lost.
        attempts: Requests for one thing, the first included; 1 or more.
        total_seconds: For everything together; None: what the caller of a transfer says.
        sleep, clock, rng: Time and chance, for tests. A clock of your own has a budget of its own.
    """

    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    attempts: int = 6
    total_seconds: float | None = None
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic
    rng: Callable[[], float] = jitter
    budget: Budget = field(default_factory=Budget, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.clock is time.monotonic:
            object.__setattr__(self, "budget", _of_this_process)

    @property
    def sleeps_for_real(self) -> bool:
        return self.sleep is time.sleep

    def __reduce__(self) -> tuple[object, ...]:
        return _patience, (self.connect_seconds, self.read_seconds, self.attempts, self.total_seconds)


def _patience(connect: float, read: float, attempts: int, total: float | None) -> Patience:
    return Patience(connect_seconds=connect, read_seconds=read, attempts=attempts, total_seconds=total)


class Deadline:
    """The moment when something must be over, on a clock."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; negative afterwards."""
        return self._end - self._clock()

    def for_a_look(self) -> Deadline:
        """The same moment; for a look that begins shortly before it, or then, one that lets it be answered."""
        return Deadline(max(self.left, LAST_LOOK_SECONDS), self._clock)


def patiently(
    call: Callable[[], Value],
    *,
    passing: Passing,
    deadline: Deadline,
    patience: Patience,
    sleep: Callable[[float], object] | None = None,
) -> Value:
    """Call, and call again while the error may pass, after a random pause that grows; then the last error is raised.

    Args:
        call: Sends one request.
        passing: Which errors may pass, and after how long.
        deadline: No pause reaches beyond it.
        patience: How often, and whose time.
        sleep: What to sleep with instead of `patience.sleep`.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    rest = sleep or patience.sleep
    retrying = Retrying(
        sleep=lambda seconds: _nothing(rest(seconds)),
        wait=_Pause(passing, patience.rng),
        stop=lambda state: stop_after_attempt(patience.attempts)(state) or state.upcoming_sleep >= deadline.left,
        retry=retry_if_exception(lambda error: passing(error) is not None),
        reraise=True,
    )
    return retrying(lambda: _counted(call, passing, patience, deadline, rest))


def _nothing(_: object) -> None:
    """What tenacity wants of a sleep."""


def _counted(
    call: Callable[[], Value],
    passing: Passing,
    patience: Patience,
    deadline: Deadline,
    sleep: Callable[[float], object],
) -> Value:
    while deadline.left > 0 and (pause := patience.budget.pause(patience.clock())):
        sleep(min(pause, LOOK_SECONDS, deadline.left))
    try:
        value = call()
    except Exception as error:
        if passing(error) is None:
            patience.budget.answered()
        raise
    patience.budget.answered()
    return value


class _Pause:
    """Full jitter: anything up to a bound that doubles each time. Where the server asks to wait, that long instead."""

    def __init__(self, passing: Passing, rng: Callable[[], float]) -> None:
        self._passing = passing
        self._rng = rng

    def __call__(self, state: RetryCallState) -> float:
        if asked := self._passing(error) if state.outcome and (error := state.outcome.exception()) else None:
            return min(asked, LONGEST_OBEYED_SECONDS)
        return self._rng() * min(FIRST_PAUSE_SECONDS * 2.0 ** (state.attempt_number - 1), LONGEST_PAUSE_SECONDS)
