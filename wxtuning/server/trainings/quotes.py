"""Values of callers in messages: short, on one line, and nothing a terminal would obey."""

from __future__ import annotations

import reprlib

LONGEST = 120
"""Characters of a value that a message quotes."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = LONGEST


def quoted(value: object) -> str:
    """A value as Python writes it, its start if it is long."""
    text = repr(value[:LONGEST]) if isinstance(value, str) else _SHORT.repr(value)
    is_cut = (isinstance(value, str) and len(value) > LONGEST) or len(text) > 2 * LONGEST
    return f"{text[: 2 * LONGEST]}…" if is_cut else text


def inert(text: str, *, most: int) -> str:
    """A text for people, its start if it is longer than `most` characters; what a terminal would obey is escaped."""
    shown = text if len(text) <= most else f"{text[:most]}…"
    return "".join(mark if mark.isprintable() or mark == "\n" else repr(mark)[1:-1] for mark in shown)
