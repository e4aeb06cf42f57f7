"""Rows to batches of input and output: what a mapping names is read and checked. Knows columns; cleans nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import TYPE_CHECKING

from wxtuning.records.columns import columns_of, filler
from wxtuning.records.record import Batch, Row
from wxtuning.records.report import Ledger
from wxtuning.records.turns import turn
from wxtuning.rows.columnar import has_long_row, items_of
from wxtuning.rows.policy import quoted, text_fault
from wxtuning.rows.verdict import Bad, Fault, Reject
from wxtuning.spec import Mapping as ColumnMapping

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1_024
"""Rows in a batch: enough that the work on columns outweighs the work on the batch, and few enough for the cache."""

MOST_CHARACTERS = 4 * 2**20
"""About so many characters of text stand in a batch of more than ROWS."""

Item = Row | Reject


def batches(items: Iterable[Item], mapping: ColumnMapping, ledger: Ledger, *, times: int = 1) -> Iterator[Batch]:
    """The rows that a mapping can read, in batches; the others are rejected in the ledger.

    Args:
        items, mapping, ledger: As for `convert`.
        times: A batch has up to so many times ROWS rows, fewer where they are long.

    Raises:
        ValueError: if the mapping's templates cannot be read.
    """
    read = _reader(mapping, ledger)
    coming = iter(items)
    while batch := _next(coming, times):
        yield read(batch, ledger.take(batch))


def table_batches(tables: Iterable[pa.RecordBatch], mapping: ColumnMapping, ledger: Ledger) -> Iterator[Batch]:
    """The same of record batches, the columns of which need not become rows where they are all clean texts."""
    names = columns_read(mapping)
    read = _reader(mapping, ledger)
    for table in tables:
        columns = [table.column(name).to_pylist() for name in names]
        if mapping.messages or has_long_row(table) or not all(map(_are_clean, columns)):
            items = told(items_of(table), ledger.read + 1)
            yield read(items, ledger.take(items))
        else:
            numbers = ledger.take(range(table.num_rows))
            yield Batch(list(numbers), *(_Filler(text, names)(columns) for text in templates(mapping)))


def told(items: Iterable[Mapping[str, object] | Bad], first: int) -> list[Item]:
    """Items of a reader, numbered from `first`, in which what is bad is a reject."""
    return [
        item.fault.at(number, item.line) if isinstance(item, Bad) else item for number, item in enumerate(items, first)
    ]


def _next(coming: Iterator[Item], times: int) -> list[Item]:
    batch: list[Item] = []
    for _ in range(times):
        more = list(islice(coming, ROWS))
        batch += more
        if len(more) < ROWS or len(batch) * _characters(more) > MOST_CHARACTERS:
            break
    return batch


def _characters(items: Sequence[Item]) -> int:
    """About how many characters of text a row has, by a few of them."""
    few = [item for item in items[:: max(1, len(items) // 8)] if isinstance(item, Mapping)]
    return sum(len(value) for item in few for value in item.values() if isinstance(value, str)) // max(1, len(few))


def read_items(items: list[Item], numbers: range, mapping: ColumnMapping, ledger: Ledger) -> Batch:
    """The rows of one batch that a mapping can read; `numbers` are those that the ledger gave them."""
    return _reader(mapping, ledger)(items, numbers)


def columns_read(mapping: ColumnMapping) -> tuple[str, ...]:
    """The columns that a mapping reads; see `convert` for what None in it means.

    Raises:
        ValueError: if the mapping's templates cannot be read.
    """
    if mapping.messages:
        return (mapping.messages,)
    return tuple(dict.fromkeys(chain.from_iterable(map(columns_of, templates(mapping)))))


def templates(mapping: ColumnMapping) -> tuple[str, str]:
    """What input and output are made of: a column's name, or a template over several."""
    return mapping.input or "input", mapping.output or "output"


def rejects(rows: Iterable[Item], columns: Sequence[str]) -> tuple[Reject, ...]:
    """What is wrong with single columns or templates, where the mapping that they belong to cannot be read."""
    names = list(dict.fromkeys(chain.from_iterable(map(columns_of, columns))))
    return tuple(chain.from_iterable(_faults(number, row, names) for number, row in enumerate(rows, start=1)))


Reader = Callable[[list[Item], range], Batch]


def _reader(mapping: ColumnMapping, ledger: Ledger) -> Reader:
    return _turns_of(mapping.messages, ledger) if mapping.messages else _texts_of(mapping, ledger)


def _texts_of(mapping: ColumnMapping, ledger: Ledger) -> Reader:
    names = columns_read(mapping)
    fill = [_Filler(template, names) for template in templates(mapping)]

    def read(items: list[Item], numbers: range) -> Batch:
        kept = list(numbers)
        columns = _columns(items, names)
        if columns is None:
            kept = _accepted(items, numbers, names, ledger)
            columns = _columns([items[number - numbers.start] for number in kept], names) or []
        if not kept:
            return Batch([], [], [])
        return Batch(kept, fill[0](columns), fill[1](columns))

    return read


class _Filler:
    """Fills one template from the columns of a batch."""

    def __init__(self, template: str, names: Sequence[str]) -> None:
        self._places = [names.index(name) for name in columns_of(template)]
        self._fill = None if template in names and len(self._places) == 1 else filler(template)

    def __call__(self, columns: Sequence[list[str]]) -> list[str]:
        if self._fill is None:
            return columns[self._places[0]]
        return list(map(self._fill, zip(*(columns[place] for place in self._places), strict=True)))


def _columns(items: Sequence[Item], names: Sequence[str]) -> list[list[str]] | None:
    """The named columns, if every item is a row whose values are clean texts; else None, and each must be looked at."""
    try:
        columns = [list(map(itemgetter(name), items)) for name in names]  # type: ignore[arg-type]
    except (KeyError, TypeError, IndexError):
        return None
    return columns if all(map(_are_clean, columns)) else None


def _are_clean(values: list[str]) -> bool:
    if set(map(type, values)) - {str} or any(map(str.__contains__, values, repeat("\0"))):
        return False
    return _is_encodable("".join([value for value in values if not value.isascii()]))


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _accepted(items: Sequence[Item], numbers: range, names: Sequence[str], ledger: Ledger) -> list[int]:
    """The numbers of the items that are good rows; the others are rejected."""
    kept = []
    for number, item in zip(numbers, items, strict=True):
        if found := _faults(number, item, names):
            ledger.rejects(found)
        else:
            kept.append(number)
    return kept


def _faults(number: int, item: Item, names: Sequence[str]) -> list[Reject]:
    if isinstance(item, Reject):
        return [replace(item, number=number)]
    if not isinstance(item, Mapping):
        found = f"expected a row with named columns, found {type(item).__name__} {quoted(item)}"
        return [Reject(number=number, field="", code="not_an_object", message=found)]
    line = getattr(item, "line", None)
    return [fault.at(number, line) for name in names if (fault := text_fault(item, name))]


def _turns_of(column: str, ledger: Ledger) -> Reader:
    def read(items: list[Item], numbers: range) -> Batch:
        batch = Batch([], [], [])
        for number, item in zip(numbers, items, strict=True):
            _add_turn(batch, number, item, column, ledger)
        return batch

    return read


def _add_turn(batch: Batch, number: int, item: Item, column: str, ledger: Ledger) -> None:
    if isinstance(item, Reject) or not isinstance(item, Mapping) or column not in item:
        ledger.rejects(_faults(number, item, [column]))
        return
    found = turn(item[column], column)
    if isinstance(found, Fault):
        ledger.fault(number, found)
        return
    if found.left_out:
        ledger.change("messages after the last answer left out", [number])
    batch.numbers.append(number)
    batch.inputs.append(found.input)
    batch.outputs.append(found.output)
