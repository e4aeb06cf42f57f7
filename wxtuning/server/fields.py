"""Bodies read by a table: which fields a call has, and what each may be. Knows no call.

What a table does not have is refused, as is what the service has and this server has not: nothing that a caller asks
for is passed over in silence.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from wxtuning.server.errors import invalid, not_offered
from wxtuning.server.trainings.quotes import LONGEST, quoted


class Missing(Enum):
    """What a missing field means, where it means no value."""

    REFUSED = "refused"
    LEFT_OUT = "left out"


Read = Callable[[Any, str, str], Any]
"""Reads a value: of the value, its place in the body, and the call as a refusal names it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body.

    Args:
        read: Gives the value, or refuses it.
        default: The value of a missing field, or what is to be done about it.
    """

    read: Read
    default: Any = Missing.LEFT_OUT


Table = Mapping[str, Field]


def read(given: Mapping[str, Any], table: Table, *, call: str, place: str = "") -> dict[str, Any]:
    """The values of a body, those of missing fields among them.

    Args:
        call: What a refusal of an option that is not offered names, such as `POST /ml/v4/trainings`.
        place: What stands before the names in refusals, such as `online.`.

    Raises:
        Refused: for the first field that is unknown, not offered, of the wrong kind, or missing.
    """
    for name in given:
        if name not in table:
            message = f"{quoted(f'{place}{name}')} is no field of {call}; {nearest(name, table)}"
            raise invalid(message, target=f"{place}{name}"[:LONGEST])
    values = {name: field.read(given[name], f"{place}{name}", call) for name, field in table.items() if name in given}
    defaults = {name: field.default for name, field in table.items() if name not in given}
    for name, default in defaults.items():
        if default is Missing.REFUSED:
            raise invalid(f"{place}{name} is missing", target=f"{place}{name}")
    return {**{name: value for name, value in defaults.items() if value is not Missing.LEFT_OUT}, **values}


def nearest(name: str, known: Collection[str]) -> str:
    """What to write instead of an unknown name."""
    close = difflib.get_close_matches(name[:100], known, n=1)
    return f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(known)) or 'none'}"


def is_on(query: Mapping[str, str], name: str) -> bool:
    """Whether a switch in an address is on; off if it is not there.

    Raises:
        Refused: if it says neither true nor false.
    """
    value = query.get(name, "false").lower()
    if value not in ("true", "false"):
        raise invalid(f"{name} is {quoted(query[name])}; expected true or false", target=name)
    return value == "true"


def text(*, default: Any = Missing.REFUSED, least: int = 0, most: int = 1_000) -> Field:
    """A text of so many characters; one that must be there is not empty either. Nothing is ever cut."""
    shortest = max(least, 1) if default is Missing.REFUSED else least

    def check(value: Any, place: str, _call: str) -> str:
        if not isinstance(value, str) or not shortest <= len(value.strip() if shortest else value):
            raise invalid(f"{place} is {quoted(value)}; expected a text", target=place)
        if len(value) > most:
            raise invalid(f"{place} has {len(value):,} characters; expected at most {most:,}", target=place)
        return value

    return Field(check, default)


def texts() -> Field:
    """A list of texts, empty if it is missing."""

    def check(value: Any, place: str, _call: str) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise invalid(f"{place} is {quoted(value)}; expected a list of texts", target=place)
        return value

    return Field(check, ())


def flag(*, default: Any = Missing.LEFT_OUT) -> Field:
    """True or false."""

    def check(value: Any, place: str, _call: str) -> bool:
        if not isinstance(value, bool):
            raise invalid(f"{place} is {quoted(value)}; expected true or false", target=place)
        return value

    return Field(check, default)


def number(*, default: Any = Missing.LEFT_OUT, least: int = 0, most: int = 2**31) -> Field:
    """A whole number, also one that is written as a text."""

    def check(value: Any, place: str, _call: str) -> int:
        is_text = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12
        found = int(value) if is_text else value
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            expected = f"expected a whole number from {least} to {most}"
            raise invalid(f"{place} is {quoted(value)}; {expected}", target=place)
        return found

    return Field(check, default)


def one_of(*values: str, default: Any = Missing.LEFT_OUT) -> Field:
    """One of some words."""

    def check(value: Any, place: str, _call: str) -> str:
        if not isinstance(value, str) or value not in values:
            raise invalid(f"{place} is {quoted(value)}; expected {' or '.join(values)}", target=place)
        return value

    return Field(check, default)


def only(*values: str, default: Any = Missing.LEFT_OUT) -> Field:
    """One of some words, of which the service has more."""

    def check(value: Any, place: str, call: str) -> str:
        if not isinstance(value, str) or value not in values:
            raise not_offered(f"{call} of {place} {quoted(value)}; expected {' or '.join(values)}")
        return value

    return Field(check, default)


def part(table: Table | None = None, *, default: Any = Missing.LEFT_OUT) -> Field:
    """An object with the fields of a table; with any fields, if none is given."""

    def check(value: Any, place: str, call: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise invalid(f"{place} is {quoted(value)}; expected an object", target=place)
        return dict(value) if table is None else read(value, table, call=call, place=f"{place}.")

    return Field(check, default)


def anything(*, default: Any = Missing.LEFT_OUT) -> Field:
    """Whatever it is: somebody else looks at it."""
    return Field(lambda value, _place, _call: value, default)


def _refuse(_value: Any, place: str, call: str) -> Any:
    raise not_offered(f"{call} with {place}")


NOT_OFFERED = Field(_refuse)
"""What the service has and this server has not."""


def none_of(*names: str) -> Table:
    """Fields that are not offered."""
    return dict.fromkeys(names, NOT_OFFERED)


PLACED: Table = {"project_id": text(default=Missing.LEFT_OUT), "space_id": text(default=Missing.LEFT_OUT)}
"""What names the project or space in a body."""
DESCRIBED: Table = {
    "name": text(),
    "description": text(default="", most=10_000),
    "tags": texts(),
    "custom": part(),
}
"""What everything that is made may be given."""
