"""Columns and templates over columns. Knows braces; knows no row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from string import Formatter

_TEMPLATES = "write column names in braces, for example '{title}: {body}'"


def columns_of(column: str) -> tuple[str, ...]:
    """The columns that a mapping reads: those named in `{braces}`, or the one column itself.

    Raises:
        ValueError: if the braces do not match, or ask for more than a plain column name.
    """
    if not _is_template(column):
        return (column,)
    fields = [field for field in _parsed(column) if field[1] is not None]
    names = [str(name) for _, name, form, conversion in fields if not form and conversion is None]
    # "{row.__class__}" or "{0[x]}" would let a template reach into objects; a template only names columns.
    if (
        not names
        or len(names) < len(fields)
        or not all(name.strip() and not set(".[]!:") & set(name) for name in names)
    ):
        raise ValueError(f"{column!r} is no template; {_TEMPLATES}")
    return tuple(dict.fromkeys(names))


def filler(column: str) -> Callable[[Sequence[str]], str]:
    """What makes a text of the values of `columns_of(column)`, in their order.

    A template whose columns are all blank gives an empty text: its own words alone are no input. Where only some are
    blank, the text is stripped, so that an empty last column leaves no separator behind.
    """
    if not _is_template(column):
        return lambda values: values[0]
    places = {name: place for place, name in enumerate(columns_of(column))}
    pieces = [(literal, None if name is None else places[name]) for literal, name, _, _ in Formatter().parse(column)]
    return lambda values: _filled(pieces, values)


def _filled(pieces: Sequence[tuple[str, int | None]], values: Sequence[str]) -> str:
    text = "".join(literal if place is None else literal + values[place] for literal, place in pieces)
    if all(map(str.strip, values)):
        return text
    return text.strip() if any(map(str.strip, values)) else ""


def _is_template(column: str) -> bool:
    return "{" in column or "}" in column


def _parsed(column: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(column))
    except ValueError as cause:
        raise ValueError(f"{column!r} is no template ({cause}); {_TEMPLATES}") from cause
