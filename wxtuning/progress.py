"""Events as progress bars, in a terminal and in a notebook. Knows events only."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from wxtuning.events import Event, Progress, StepFinished


def is_watched() -> bool:
    """Whether somebody looks: standard error is a terminal, or this is a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class ProgressBar:
    """A listener that draws one bar for each step that takes long."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._step = ""

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._advance(event)
        elif isinstance(event, StepFinished):
            self._close()

    def _advance(self, event: Progress) -> None:
        if self._bar is None or self._step != event.step:
            self._close()
            self._bar, self._step = _bar(event), event.step
        self._bar.total = event.total or None
        self._bar.set_postfix_str(event.text, refresh=False)
        self._bar.update(event.done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def import_tqdm() -> Any:
    """`tqdm` for where we are. Without ipywidgets its notebook form warns on import, then shows text by itself."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm


def _bar(event: Progress) -> Any:
    unit = _UNITS.get(event.step, "")
    return import_tqdm()(
        total=event.total or None, desc=event.step, unit=unit, unit_scale=unit == "B", unit_divisor=1024, leave=False
    )


_UNITS = {"tune": "step", "upload": "B"}
