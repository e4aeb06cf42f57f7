"""The vendors' progress bars and log lines, held back while they work for us, and given back as they were."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock, get_ident
from typing import Any

LIBRARIES = ("datasets", "huggingface_hub")

_lock = Lock()
_hushed = 0
_disabled_by_us = False


@contextmanager
def hushed() -> Iterator[None]:
    """Let `datasets` and `huggingface_hub` print nothing from this thread; nothing of it outlasts the call."""
    import huggingface_hub.utils.logging  # noqa: F401 # its log handler comes with it

    with ExitStack() as stack:
        for library in LIBRARIES:
            for handler in logging.getLogger(library).handlers:
                stack.enter_context(_filtered(handler))
        stack.enter_context(_without_bars())
        yield


@contextmanager
def _filtered(handler: logging.Handler) -> Iterator[None]:
    # A filter of this thread's own, and no level: a level set here and put back there would be lost between threads.
    thread = get_ident()

    def of_others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    handler.addFilter(of_others)
    try:
        yield
    finally:
        handler.removeFilter(of_others)


@contextmanager
def _without_bars() -> Iterator[None]:
    # There is one switch for the whole process, so the first to come turns it and the last to go turns it back.
    _turn_off()
    try:
        yield
    finally:
        _turn_back()


def _turn_off() -> None:
    global _hushed, _disabled_by_us
    with _lock:
        _hushed += 1
        if not _disabled_by_us and (datasets := _loaded()) and not datasets.are_progress_bars_disabled():
            datasets.disable_progress_bars()
            _disabled_by_us = True


def _turn_back() -> None:
    global _hushed, _disabled_by_us
    with _lock:
        _hushed -= 1
        if not _hushed and _disabled_by_us and (datasets := _loaded()):
            datasets.enable_progress_bars()
            _disabled_by_us = False


def _loaded() -> Any:
    """The package, if it is there to be hushed; loading it takes longer than most of what is done here."""
    # With the variable set, the switch is the user's: turning it does nothing and warns.
    return None if "HF_DATASETS_DISABLE_PROGRESS_BARS" in os.environ else sys.modules.get("datasets")
