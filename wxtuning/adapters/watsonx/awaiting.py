"""What the service is still at work on, asked for again and again. Knows pauses; knows no kind of thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.adapters.watsonx.until import until
from wxtuning.errors import Unavailable
from wxtuning.retry import LONGEST_OBEYED_SECONDS, Deadline, Patience

Value = TypeVar("Value")

LONGEST_PAUSE_SECONDS = 15.0


def awaited(seconds: float, look: Callable[[], Value | None], what: str, patience: Patience) -> Value:
    """What `look` finds, asked again and again with growing pauses, also while nobody answers.

    Args:
        seconds: For how long; a silent service makes it a second more.
        look: What is there; None or False while it is not.
        what: What is said of it when the time is over, as the beginning of a sentence.
        patience: Whose time.

    Raises:
        Unavailable: if it is not there in time.
    """
    pause, deadline = 1.0, Deadline(seconds, patience.clock)
    while True:
        found, outage = _looked(look, deadline)
        if found:
            return found
        if deadline.left <= 0:
            raise Unavailable(
                f"{what} after {seconds:g} s", backend=BACKEND, hint="Run the same line again: it goes on waiting."
            ) from outage
        asked = min(outage.pause, LONGEST_OBEYED_SECONDS) if outage else 0.0
        patience.sleep(min(max(pause, asked), max(deadline.left, 0.0)))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _looked(look: Callable[[], Value | None], deadline: Deadline) -> tuple[Value | None, Unavailable | None]:
    """What `look` finds; or nothing, and that the service does not answer now."""
    try:
        with until(deadline.for_a_look()):
            return look(), None
    except Unavailable as outage:
        return None, outage
