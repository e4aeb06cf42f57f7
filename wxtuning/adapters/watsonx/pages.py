"""Pages of a list: how long they are, how many there may be, and what is in one. Knows no connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PAGE = 200
"""Entries of one answer, the most that the service gives."""
MOST_PAGES = 1_000


def entries_of(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]] | None:
    """The entries of a page; None if that is no page, which must not pass for an empty one."""
    match answer.get(name, ""):
        case None:
            return []
        case [*found] if all(isinstance(one, dict) for one in found):
            return found
    return None
