"""A clock that moves only when somebody sleeps on it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class FakeClock:
    """`clock()` are the seconds so far, `clock.sleep(s)` passes them at once; `pauses` remembers each."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
