"""All that an error and the logs show to whoever looks everywhere; knows nothing of what must not be seen there."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from wxtuning.errors import WxTuningError

MOST_SHOWN = 20_000  # a part of a file is megabytes of text if shown, the head of a request is not
TESTS = Path(__file__).parent


def raised_by(work: Callable[[], object]) -> WxTuningError:
    with pytest.raises(WxTuningError) as failure:
        work()
    return failure.value


def places_of(error: BaseException) -> Iterator[str]:
    """An error, its causes and contexts with all they hold, and every local variable of every frame but the tests'."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__]
        yield f"{type(each).__name__}: {each} {each!r} {each.args} {vars(each)}"
        yield "".join(traceback.format_exception(each))
        for frame, line in traceback.walk_tb(each.__traceback__):
            if TESTS not in Path(frame.f_code.co_filename).parents:
                yield f"{frame.f_code.co_qualname}, line {line}: {_shown_of(frame.f_locals)}\n"


def _shown_of(variables: Mapping[str, object]) -> dict[str, str]:
    return {name: repr(value) for name, value in variables.items() if not _is_large(value)}


def _is_large(value: object) -> bool:
    return isinstance(value, bytes | bytearray | memoryview) and len(value) > MOST_SHOWN


@contextmanager
def every_logger() -> Iterator[list[str]]:
    """What every logger there is says in the block, at any level, down to the last value that a record holds."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{record.getMessage()} {record.__dict__!r}")
            if record.exc_info:
                said.append("".join(traceback.format_exception(*record.exc_info)))

    root, listener = logging.getLogger(), Listener(0)
    known = [each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    levels = [(logger, logger.level) for logger in (root, *known)]
    for logger, _ in levels:
        logger.setLevel(logging.DEBUG)
    root.addHandler(listener)
    try:
        yield said
    finally:
        root.removeHandler(listener)
        for logger, level in levels:
            logger.setLevel(level)
