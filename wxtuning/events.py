"""What a running chain tells its driver. A chain yields events and never sleeps, prints or draws."""

from __future__ import annotations

from dataclasses import dataclass


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


Event = Pause | StepStarted | StepFinished | Progress
