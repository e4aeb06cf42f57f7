"""Rows with only some of their columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from wxtuning.rows.policy import named, nearest, quoted
from wxtuning.rows.verdict import FileError, FileRow, Reject

Item = Mapping[str, object] | Reject

LOOK_AHEAD = 100
"""A column that so many rows lack is not there: more likely is a wrong name than rows that are all rejected for it."""


def only(items: Iterable[Item], columns: Sequence[str] | None, name: str) -> Iterator[Item]:
    """The rows with these columns alone; None leaves them as they are. A column that a row lacks stays missing.

    Raises:
        FileError: if none of the first rows has one of the columns; `name` says what they are rows of.
    """
    rest = iter(items)
    if columns is None:
        return rest
    first = list(islice(rest, LOOK_AHEAD))
    rows = [item for item in first if not isinstance(item, Reject)]
    if rows:
        check_columns(name, columns, list(dict.fromkeys(column for row in rows for column in row)))
    return (_narrowed(item, columns) for item in chain(first, rest))


def _narrowed(item: Item, columns: Sequence[str]) -> Item:
    if isinstance(item, Reject):
        return item
    values = {column: item[column] for column in columns if column in item}
    return FileRow(values, item.line) if isinstance(item, FileRow) else values


def check_columns(name: str, asked: Sequence[str], there: Sequence[str]) -> None:
    """Make sure that the columns asked for are there.

    Raises:
        FileError: if one is not; lists those that are.
    """
    missing = [column for column in asked if column not in there]
    if missing:
        near = nearest(missing[0], there)
        meant = f"; did you mean {quoted(near)}?" if near else ""
        raise FileError(
            f"{name} has no column {named(missing)}{meant}",
            code="missing_column",
            hint=f"Columns found: {named(there)}.",
        )
