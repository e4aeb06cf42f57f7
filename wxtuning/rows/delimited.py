"""Rows of CSV and TSV: the first record names the columns, and every cell is text as written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from wxtuning.rows.jsontext import MOST_BYTES, TOO_LONG
from wxtuning.rows.lines import TextBlocks
from wxtuning.rows.policy import character_fault, named, nearest, quoted
from wxtuning.rows.verdict import Bad, Fault, FileError, FileRow, Item

Record = tuple[int, bytes | None]
"""The line where a record starts, and its text; None if it is longer than any record may be."""


def rows(blocks: TextBlocks, name: str, *, delimiter: str, columns: Sequence[str] = ()) -> Iterator[Item]:
    """Every record behind the header, good or bad; a blank line is none.

    Args:
        blocks: The text.
        name: The file's name, for messages.
        delimiter: What stands between two cells.
        columns: Columns that the header must name.

    Raises:
        FileError: for a header that does not name each column once, and for a quote that is never closed.
    """
    records = _records(blocks, name, delimiter)
    first = next(records, None)
    if first is None:
        return
    header = _header(first, name, delimiter, columns)
    for line, text in records:
        found = _row(text, header, delimiter) if text is not None else TOO_LONG
        yield Bad(found, line) if isinstance(found, Fault) else FileRow(found, line)


def _header(record: Record, name: str, delimiter: str, columns: Sequence[str]) -> list[str]:
    names = _names(record, name, delimiter)
    if twice := [column for column in dict.fromkeys(names) if names.count(column) > 1]:
        raise FileError(
            f"{name} line {record[0]}: the header names the column {quoted(twice[0])} twice",
            code="duplicate_column",
            hint="Give each column a name of its own.",
        )
    if missing := [column for column in columns if column not in names]:
        raise _missing_column(missing[0], names, f"{name} line {record[0]}", delimiter)
    return names


def _names(record: Record, name: str, delimiter: str) -> list[str]:
    line, text = record
    try:
        cells = _cells((text or b"").decode(), delimiter)
    except UnicodeDecodeError as cause:
        message = f"{name} line {line}: the header is no UTF-8 ({cause.reason})"
        raise FileError(message, code="invalid_utf8", hint="Save the file as UTF-8.") from None
    if text is None or cells is None:
        raise FileError(f"{name} line {line}: the header cannot be read", code="invalid_csv", hint=_HEADER)
    return cells


_HEADER = "The first line names the columns, for example: input,output"


def _missing_column(column: str, names: Sequence[str], place: str, delimiter: str) -> FileError:
    near = nearest(column, names)
    other = next((sign for sign in ";\t|," if sign != delimiter and len(names) == 1 and sign in names[0]), "")
    hint = f"The nearest is {quoted(near)}; name the column so, or choose it." if near else _HEADER
    if other:
        hint = f"The cells are separated by {quoted(other)}; expected {quoted(delimiter)}."
    return FileError(
        f"{place}: no column {quoted(column)}; columns found: {named(names)}", code="missing_column", hint=hint
    )


def _row(text: bytes, header: list[str], delimiter: str) -> dict[str, object] | Fault:
    try:
        cells = _cells(text.decode(), delimiter)
    except UnicodeDecodeError as cause:
        return _undecodable(text, cause, header, delimiter)
    if cells is None:
        return Fault("", "invalid_csv", "text behind the closing quote of a cell; write quotes inside a cell twice")
    if len(cells) != len(header):
        message = f"{len(cells)} cells, where the header names {len(header)} columns; quote cells that hold separators"
        return Fault("", "wrong_column_count", message)
    if b"\0" in text:
        return next(filter(None, map(character_fault, header, cells)))
    return dict(zip(header, cells, strict=True))


def _undecodable(text: bytes, cause: UnicodeDecodeError, header: list[str], delimiter: str) -> Fault:
    cells = _cells(text.decode(errors="surrogateescape"), delimiter) or []
    at_fault = [column for column, cell in zip(header, cells, strict=False) if character_fault(column, cell)]
    bad = " ".join(f"{byte:02X}" for byte in text[cause.start : cause.start + 4])
    return Fault("".join(at_fault[:1]), "invalid_utf8", f"the bytes {bad} are no UTF-8; save the text as UTF-8")


_QUOTED = re.compile(r'"([^"]*+(?:""[^"]*+)*+)"')
_OPENED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')
_CLOSING = re.compile(rb'[^"]*+(?:""[^"]*+)*+"')


def _cells(text: str, delimiter: str) -> list[str] | None:
    """The cells of a record; None if something stands between a closing quote and the next separator."""
    if '"' not in text:
        return text.split(delimiter)
    cells = []
    at = 0
    while True:
        cell = _QUOTED.match(text, at)
        end = cell.end() if cell else _found(text, delimiter, at)
        if end < len(text) and text[end] != delimiter:
            return None
        cells.append(cell[1].replace('""', '"') if cell else text[at:end])
        if end == len(text):
            return cells
        at = end + 1


def _found(text: str, delimiter: str, at: int) -> int:
    end = text.find(delimiter, at)
    return end if end >= 0 else len(text)


def _records(blocks: TextBlocks, name: str, delimiter: str) -> Iterator[Record]:
    """Lines, joined where a quoted cell goes over several."""
    parts: list[bytes] = []
    size = start = 0
    is_open = False
    for number, line, is_cut in _lines(blocks):
        if not is_open and not line.strip(b" \r\n"):
            continue
        is_open = not is_cut and _is_open(line, delimiter.encode(), is_open=is_open)
        start = start or number
        size += len(line) + 1
        parts.append(line)
        if size > MOST_BYTES:
            parts.clear()
        if not is_open:
            yield start, blocks.end.join(parts).removesuffix(b"\r") if size <= MOST_BYTES else None
            parts, size, start = [], 0, 0
    if is_open:
        raise FileError(
            f"{name} line {start}: a quote opens a cell and is never closed",
            code="unclosed_quote",
            hint="Close the quote, or write a quote that belongs to the text twice, inside a quoted cell.",
        )


def _lines(blocks: TextBlocks) -> Iterator[tuple[int, bytes, bool]]:
    for block in blocks:
        for number, line, _ in block.lines():
            yield number, line, block.is_cut


def _is_open(line: bytes, delimiter: bytes, *, is_open: bool) -> bool:
    """Whether a quoted cell goes on behind the line; `is_open` if one comes from the line before."""
    if b'"' not in line:
        return is_open
    at = 0
    if is_open:
        closing = _CLOSING.match(line)
        if closing is None:
            return True
        at = line.find(delimiter, closing.end()) + 1 or -1
    while at >= 0:
        if line.startswith(b'"', at):
            cell = _OPENED.match(line, at)
            if cell is None:
                return True
            at = cell.end()
        at = line.find(delimiter, at) + 1 or -1
    return False
