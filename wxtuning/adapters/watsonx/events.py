"""Server-sent events out of bytes. Knows that format; knows no service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.errors import Unavailable

MOST_BYTES = 2**20
"""The longest event."""


@dataclass(frozen=True)
class Event:
    name: str
    data: dict[str, Any]


def events(pieces: Iterable[bytes], host: str) -> Iterator[Event]:
    """The events of an answer, whose data are JSON objects.

    Raises:
        Unavailable: if that is something else, or too long.
    """
    name, data = "message", ""
    for line in _lines(pieces, host):
        key, _, value = line.partition(":")
        if key == "event":
            name = value.strip()
        elif key == "data":
            data += value.removeprefix(" ")
        elif not line and data:
            yield Event(name, _object(data, host))
            name, data = "message", ""
    if data:
        yield Event(name, _object(data, host))


def _lines(pieces: Iterable[bytes], host: str) -> Iterator[str]:
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        if len(left) > MOST_BYTES:
            raise _unreadable(host, f"an event of more than {MOST_BYTES:,} bytes")
        yield from (line.rstrip(b"\r").decode("utf-8", "replace") for line in whole)
    if left:
        yield left.decode("utf-8", "replace")


def _object(data: str, host: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _unreadable(host, "an event that is no JSON object")
    return found


def _unreadable(host: str, what: str) -> Unavailable:
    return Unavailable(f"{host} streamed {what}", backend=BACKEND, hint="Ask again later.")
