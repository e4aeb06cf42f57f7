"""Models that the Hugging Face Hub did not give a moment ago: told again at once instead of asking it again.

Knows what was not given and when; loads nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wxtuning.engine import EngineError

SECONDS = 60.0
"""How long the Hub is not asked again for the same model; asking it while it is down takes half a minute."""


class Failures:
    """Safe for several threads.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, EngineError]] = {}

    @contextmanager
    def remembered(self, model: str) -> Iterator[None]:
        """Load a model inside the block, which is not entered if the Hub failed to give it within SECONDS.

        Raises:
            EngineError: as then, or as the block does; `io_error` if the Hub cannot be reached.
        """
        self._tell(model)
        try:
            yield
        except EngineError as cause:
            causes = _of_the_hub(cause)
            if not causes:
                raise
            failure = _outage(model) if _is_outage(causes) else cause
            self._known[model] = self._clock(), failure
            raise failure from cause.__cause__
        self._known.pop(model, None)

    def _tell(self, model: str) -> None:
        at, known = self._known.get(model, (0.0, None))
        if known and self._clock() - at < SECONDS:
            raise EngineError(str(known), code=known.code, hint=known.hint)


def _of_the_hub(failure: EngineError) -> set[str]:
    """The names of the Hub's own exceptions behind a failure."""
    found, cause = set(), failure.__cause__
    while cause is not None:
        if type(cause).__module__.startswith("huggingface_hub"):
            found.add(type(cause).__name__)
        cause = cause.__cause__
    return found


def _is_outage(causes: set[str]) -> bool:
    return "LocalEntryNotFoundError" in causes and "OfflineModeIsEnabled" not in causes


def _outage(model: str) -> EngineError:
    return EngineError(
        f"the Hugging Face Hub cannot be reached and has not given {model} before",
        code="io_error",
        hint="check the network and ask again in a minute, or start the server with --model NAME=FOLDER",
    )
