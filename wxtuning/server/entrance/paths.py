"""Which route an address belongs to. Knows patterns such as `/ml/v4/trainings/{id}`; knows no handler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from wxtuning.server.routing import Route


@dataclass(frozen=True)
class Match:
    """A route, and what the parts of its pattern stand for in an address."""

    route: Route
    parts: dict[str, str]


class Table:
    """The routes, to be looked up by method and address.

    `{name}` stands for one segment, a last `{name:path}` for one or more, slashes that were encoded among them. The
    address is cut at its slashes first and decoded then; with a part that could leave a folder (`..`, NUL) it belongs
    to no route.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._patterns = [(route, route.path.strip("/").split("/")) for route in routes]

    def match(self, method: str, raw_path: str) -> Match | None:
        """The route for a method and an address as it was sent, or None."""
        segments = _segments(raw_path)
        if segments is None:
            return None
        for route, pattern in self._patterns:
            if route.method == method and (parts := _parts(pattern, segments)) is not None:
                return Match(route, parts)
        return None


def _segments(raw_path: str) -> list[str] | None:
    segments = [unquote(segment) for segment in raw_path.removeprefix("/").split("/")]
    return None if any(map(_is_unsafe, segments)) else segments


def _is_unsafe(segment: str) -> bool:
    return any(part in ("", ".", "..") for part in segment.split("/")) or "\\" in segment or "\0" in segment


def _parts(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    rest = len(pattern) - 1
    if pattern[-1].endswith(":path}"):
        segments = [*segments[:rest], *(["/".join(segments[rest:])] if segments[rest:] else [])]
    if len(pattern) != len(segments):
        return None
    named = {}
    for expected, given in zip(pattern, segments, strict=True):
        if expected.startswith("{") and ("/" not in given or expected.endswith(":path}")):
            named[expected.strip("{}").removesuffix(":path")] = given
        elif expected != given:
            return None
    return named
