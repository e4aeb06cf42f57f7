"""Lists in pages, as the service answers them. Knows `limit` and `start`; knows no kind of resource."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from wxtuning.server.errors import invalid
from wxtuning.server.routing import Call
from wxtuning.server.trainings.quotes import quoted

T = TypeVar("T")

LIMIT = 100
"""Entries of a page when the caller names no limit."""


def page(call: Call, path: str, found: Sequence[T], shown: Callable[[T], Any], *, most: int = 200) -> dict[str, Any]:
    """One page of a list.

    Args:
        call: Its query may hold `limit` (1 to `most`) and `start` (as in the address of the next page).
        path: The address of the list, without host and query.
        found: The whole list, in order.
        shown: How one entry is answered; called for this page's entries only.
        most: The greatest limit.

    Raises:
        Refused: if limit or start is out of range.
    """
    limit = _number(call, "limit", default=min(LIMIT, most), least=1, most=most)
    start = _number(call, "start", default=0, least=0, most=2**31)
    end = start + limit
    return {
        "total_count": len(found),
        "limit": limit,
        "first": {"href": _href(call, path, limit, 0)},
        **({"next": {"href": _href(call, path, limit, end)}} if end < len(found) else {}),
        "resources": [shown(one) for one in found[start:end]],
    }


def _number(call: Call, name: str, *, default: int, least: int, most: int) -> int:
    text = call.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise invalid(f"{name} is {quoted(text)}; expected a whole number from {least} to {most}", target=name)
    return int(text)


def _href(call: Call, path: str, limit: int, start: int) -> str:
    kept = [(name, value) for name, value in call.queries if name not in ("limit", "start")]
    place = [("start", str(start))] if start else []
    return f"{call.url}{path}?{urlencode([*kept, ('limit', str(limit)), *place])}"
