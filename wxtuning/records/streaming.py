"""Rows of any number to a file of training lines, without holding them. Knows batches and digests; splits nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wxtuning.errors import PlanError
from wxtuning.folder import replacing
from wxtuning.records import bulk
from wxtuning.records.cleaning import flag_personal
from wxtuning.records.conversion import cleaned
from wxtuning.records.digests import SeenDigests
from wxtuning.records.reading import Item, batches, columns_read, table_batches
from wxtuning.records.record import Batch
from wxtuning.records.report import DataReport, Ledger
from wxtuning.records.writing import Pieces
from wxtuning.rows.ahead import ahead
from wxtuning.rows.files import DataFiles
from wxtuning.rows.tables import tables
from wxtuning.spec import Cleaning
from wxtuning.spec import Mapping as ColumnMapping

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import SupportsWrite

LISTED = 100_000
"""So many row numbers of each step, and so many rejected rows, are listed; the others are counted."""


TOGETHER = 32
"""So many batches are one: each call of numpy and polars costs as much as a few hundred rows."""


TABLE_ROWS = 2_048
"""Rows that become texts of Python at once: so few that they stay in the processor's caches."""


class Reader(Protocol):
    """Where rows come from: dicts, and a Reject for each row that could not be read."""

    def rows(self) -> Iterable[Item]:
        """The rows from the first on."""
        ...


def convert_file(
    reader: Reader, mapping: ColumnMapping, cleaning: Cleaning, to: str | Path, labels: Sequence[str] = ()
) -> DataReport:
    """Map, clean and check rows on their way into a JSON Lines file; memory grows by 24 bytes a row.

    The lines are those that `jsonl(convert(...).records)` gives. The file is replaced in one step when all is written.

    Args:
        reader, mapping, cleaning, labels: As for `convert_into`.
        to: The file to write.

    Returns:
        The report on all rows, as `convert_into` gives it.

    Raises:
        PlanError, ValueError: as `convert_into` does.
        WxTuningError: if the file cannot be written.
    """
    _check(cleaning)
    with replacing(Path(to)) as file:
        return convert_into(reader, mapping, cleaning, Pieces(file), labels)


def convert_into(
    reader: Reader, mapping: ColumnMapping, cleaning: Cleaning, out: SupportsWrite[bytes], labels: Sequence[str] = ()
) -> DataReport:
    """Map, clean and check rows on their way to wherever bytes can be written; see `convert_file`.

    Args:
        reader: Where the rows come from.
        mapping: Which columns become input and output.
        cleaning: Which steps are done; to drop conflicts and near duplicates takes all rows at once.
        out: Takes the bytes: a binary file, or what `store.writing(...)` gives.
        labels: The only outputs allowed; empty allows any.

    Returns:
        The report on all rows. It lists the first 100,000 rows of a step by number and counts the others.

    Raises:
        PlanError: if the cleaning asks for what needs all rows in memory.
        ValueError: if the mapping's templates cannot be read.
    """
    _check(cleaning)
    ledger = Ledger(listed=LISTED)
    convert = _convert_columns if bulk.is_possible() else _convert_rows
    kept = convert(reader, mapping, cleaning, labels, ledger, out)
    if cleaning.near_duplicates == "auto":
        ledger.warnings.append("near duplicates were not looked for: the rows were not held in memory")
    return ledger.report(kept)


def _convert_columns(
    reader: Reader,
    mapping: ColumnMapping,
    cleaning: Cleaning,
    labels: Sequence[str],
    ledger: Ledger,
    file: SupportsWrite[bytes],
) -> int:
    conversion = bulk.Conversion(mapping, cleaning, labels, ledger)
    if bulk.is_plain(mapping) and (coming := _tables(reader, mapping, rows=bulk.TABLE_ROWS)):
        return conversion.of_tables(coming, file)
    return conversion.of_batches(_batches(reader, mapping, ledger), file)


def _convert_rows(
    reader: Reader,
    mapping: ColumnMapping,
    cleaning: Cleaning,
    labels: Sequence[str],
    ledger: Ledger,
    file: SupportsWrite[bytes],
) -> int:
    seen, kept = SeenDigests(), 0
    for batch in cleaned(_batches(reader, mapping, ledger), cleaning, labels, seen, ledger):
        if cleaning.flag_personal:
            flag_personal(batch, ledger)
        file.write(batch.lines(mapping.label_map))
        kept += len(batch)
    if seen.warning:
        ledger.warnings.append(seen.warning)
    return kept


def _batches(reader: Reader, mapping: ColumnMapping, ledger: Ledger) -> Iterator[Batch]:
    if coming := _tables(reader, mapping, rows=TABLE_ROWS):
        return table_batches(ahead(coming), mapping, ledger)
    rows = reader.rows(columns_read(mapping)) if isinstance(reader, DataFiles) else reader.rows()
    return batches(rows, mapping, ledger, times=TOGETHER)


def _tables(reader: Reader, mapping: ColumnMapping, *, rows: int) -> Iterator[pa.RecordBatch] | None:
    """The record batches of Parquet and Arrow files; None for all else."""
    return tables(reader, columns_read(mapping), rows=rows) if isinstance(reader, DataFiles) else None


def _check(cleaning: Cleaning) -> None:
    problems = []
    if cleaning.conflicts == "drop":
        problems.append("conflicts='drop' needs all rows in memory; take 'keep', or convert in memory")
    if cleaning.near_duplicates in ("warn", "drop"):
        problems.append(
            f"near_duplicates={cleaning.near_duplicates!r} needs all rows in memory; take 'keep', or convert in memory"
        )
    if problems:
        raise PlanError(problems)
