"""What a running chain tells its driver. A chain yields events and never sleeps, prints or draws."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do for `seconds`; whoever drives the chain waits, in whatever way suits it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class StepStarted:
    step: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished:
    """`fresh` is False when the journal knew the step as done, so that nothing was done now."""

    step: str
    text: str = ""
    fresh: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """`done` of `total` units of the step (0 while unknown); `text` is a short remark, such as the loss."""

    step: str
    done: int
    total: int
    text: str = ""


@dataclass(kw_only=True, slots=True)
class Call:
    """What the step does next may wait for long: whoever drives several chains may `run` it in a thread meanwhile.

    If nobody does, the chain makes the call itself. One that `tells` its progress does so only then. Of those that name
    the same `lane`, one is made at a time. Whoever leaves it to a thread waits for it up to `seconds` and then gives it
    up; None: as long as it takes.
    """

    step: str
    act: Callable[[], Any] = field(repr=False)
    tells: bool = False
    lane: Hashable = None
    seconds: float | None = None
    _end: Callable[[], Any] | None = field(default=None, init=False, repr=False)

    @property
    def is_made(self) -> bool:
        """Whether somebody has run it, or given it up."""
        return self._end is not None

    def run(self) -> None:
        """Make the call; what it returns or raises is kept for the chain."""
        try:
            found = self.act()
        except BaseException as error:  # noqa: BLE001  # it is raised where the chain goes on
            self._end = self._end or _raising(error)
        else:
            self._end = self._end or (lambda: found)

    def give_up(self) -> None:
        """Wait for it no longer: it ends in TimeoutError, whatever becomes of it."""
        self._end = self._end or _raising(TimeoutError(f"no answer in {self.seconds or 0.0:.3g} s"))

    def result(self) -> Any:
        """What the call returned or raised, or does now."""
        return self._end() if self._end else self.act()


def _raising(error: BaseException) -> Callable[[], object]:
    def end() -> object:
        raise error

    return end


Event = Pause | StepStarted | StepFinished | Progress | Call
