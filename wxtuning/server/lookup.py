"""What a call is about: the resource that its address names, in the project or space that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wxtuning.server.errors import invalid, not_found
from wxtuning.server.routing import Call
from wxtuning.server.state import Resource
from wxtuning.server.trainings.quotes import quoted


def named(call: Call, kind: str, part: str = "id") -> Resource:
    """The resource of a kind whose id is a part of the address.

    Raises:
        Refused: if there is none in the call's project or space.
    """
    found = call.house.state.get(kind, call.path[part])
    if found is None or found.container != call.container:
        raise not_found(kind.replace("_", " "), call.path[part])
    return found


def text(body: Mapping[str, Any], name: str, *, default: str | None = None, most: int = 1_000) -> str:
    """A text of a body.

    Args:
        default: What it is if it is missing; None if it may not be.
        most: The greatest length in characters.

    Raises:
        Refused: if it is no text, empty though it is needed, or too long; nothing is ever cut.
    """
    value = body.get(name, default)
    if not isinstance(value, str) or (not value and default is None):
        raise invalid(f"{name} is {quoted(value)}; expected a text", target=name)
    if len(value) > most:
        raise invalid(f"{name} has {len(value):,} characters; expected at most {most:,}", target=name)
    return value
