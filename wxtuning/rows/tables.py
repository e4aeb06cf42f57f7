"""Parquet and Arrow files as record batches, for those who work on columns. As strict as the reader of single rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wxtuning.rows import columnar
from wxtuning.rows.files import HEAD_BYTES, DataFiles, format_of

if TYPE_CHECKING:
    import pyarrow as pa


def tables(files: DataFiles, columns: Sequence[str], *, rows: int) -> Iterator[pa.RecordBatch] | None:
    """The batches of all files, of at most so many rows, or None if one of them is no plain Parquet or Arrow file.

    Raises:
        FileError: while it is read, for a file that cannot be used as a whole.
        InputChangedError: if a file changes while it is read, or has changed since it was read before.
    """
    kinds = [_kind(path) for path in files.paths]
    if not all(kind in ("parquet", "arrow") for kind in kinds):
        return None
    return _batches(files, columns, rows)


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        return format_of(path.name, file.read(HEAD_BYTES))


def _batches(files: DataFiles, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    for path in files.paths:
        with files.unchanged(path), path.open("rb") as file:
            read = columnar.parquet_batches if _kind(path) == "parquet" else columnar.arrow_batches
            yield from read(file, path.name, columns=columns, rows=rows)
