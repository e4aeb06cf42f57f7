"""Rows of Parquet and Arrow files, read in batches. Values keep their types; nothing of a file is executed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from wxtuning.rows.jsontext import MOST_BYTES, TOO_LONG
from wxtuning.rows.policy import named, nearest, quoted
from wxtuning.rows.verdict import Bad, FileError, Item

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 4096

MOST_ROWS_A_BYTE = 10_000
"""A file that claims to hold more rows than this for each of its bytes is not believed."""


def parquet_rows(file: BinaryIO, name: str, *, columns: Sequence[str] = ()) -> Iterator[Item]:
    """Every row of a Parquet file.

    Args:
        file: The file; it must be able to seek.
        name: Its name, for messages.
        columns: The columns that are needed, in any case; all are read.

    Raises:
        FileError: `invalid_parquet` for a damaged file, `missing_column` or `duplicate_column` for its columns.
    """
    with _as_file_errors(name, "Parquet"):  # a value may be one that Python has no type for
        for batch in parquet_batches(file, name, columns=columns, rows=BATCH_ROWS):
            yield from items_of(batch)


def arrow_rows(file: BinaryIO, name: str, *, columns: Sequence[str] = ()) -> Iterator[Item]:
    """Every row of an Arrow IPC file or stream; arguments and errors are those of `parquet_rows`."""
    with _as_file_errors(name, "Arrow"):  # a value may be one that Python has no type for
        for batch in arrow_batches(file, name, columns=columns, rows=BATCH_ROWS):
            yield from items_of(batch)


def parquet_batches(file: BinaryIO, name: str, *, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """The record batches of a Parquet file, of at most so many rows; see `parquet_rows`."""
    import pyarrow.parquet as pq

    with _as_file_errors(name, "Parquet"):
        table = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False, buffer_size=MOST_BYTES)
        _refuse_lies(table.metadata, file, name)
        _check_columns(table.schema_arrow.names, columns, name)
        for batch in table.iter_batches(rows, use_threads=False):
            batch.validate(full=True)
            yield batch


def arrow_batches(file: BinaryIO, name: str, *, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """The record batches of an Arrow IPC file or stream, of at most so many rows; see `parquet_rows`."""
    with _as_file_errors(name, "Arrow"):
        schema, batches = _opened(file)
        _check_columns(schema.names, columns, name)
        for batch in batches:
            for start in range(0, batch.num_rows, rows):
                part = batch.slice(start, rows)
                part.validate(full=True)
                yield part


def _opened(file: BinaryIO) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    from pyarrow import ipc

    is_stream = file.read(6) != b"ARROW1"
    file.seek(0)
    if is_stream:
        stream = ipc.open_stream(file)
        return stream.schema, iter(stream)
    reader = ipc.open_file(file)
    return reader.schema, map(reader.get_batch, range(reader.num_record_batches))


@contextmanager
def _as_file_errors(name: str, kind: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as cause:
        if isinstance(cause, FileError):
            raise
        reason = str(cause).partition("\n")[0][:200] or type(cause).__name__
        message = f"{name} is no readable {kind} file, it is damaged or was cut off: {reason}"
        raise FileError(message, code="invalid_parquet", hint="Get it again, or write it anew.") from cause


def _refuse_lies(metadata: Any, file: BinaryIO, name: str) -> None:
    """A footer may say anything; what it says decides how much memory is asked for."""
    size = file.seek(0, 2)
    chunks = [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]
    is_outside = any(not 0 <= chunk.total_compressed_size <= size for chunk in chunks)
    if is_outside or not 0 <= metadata.num_rows <= size * MOST_ROWS_A_BYTE:
        raise FileError(
            f"{name}: its footer speaks of {metadata.num_rows:,} rows, in parts larger than its {size:,} bytes",
            code="invalid_parquet",
            hint="Get it again, or write it anew.",
        )


def _check_columns(names: Sequence[str], columns: Sequence[str], name: str) -> None:
    if twice := [column for column in dict.fromkeys(names) if names.count(column) > 1]:
        message = f"{name} has the column {quoted(twice[0])} twice"
        raise FileError(message, code="duplicate_column", hint="Give each column a name of its own.")
    if missing := [column for column in columns if column not in names]:
        near = nearest(missing[0], names)
        raise FileError(
            f"{name}: no column {quoted(missing[0])}; columns found: {named(names)}",
            code="missing_column",
            hint=f"The nearest is {quoted(near)}; rename it or choose it." if near else "Choose one of them.",
        )


def items_of(batch: pa.RecordBatch) -> Iterator[Item]:
    """The rows of a record batch one by one; a row longer than the policy allows is a bad one."""
    names = batch.schema.names
    is_any_long = has_long_row(batch)
    for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
        is_long = is_any_long and _bytes(values) > MOST_BYTES
        yield Bad(TOO_LONG, None) if is_long else dict(zip(names, values, strict=True))


def _bytes(values: Sequence[object]) -> int:
    return sum(len(value.encode()) for value in values if isinstance(value, str))


def has_long_row(batch: pa.RecordBatch) -> bool:
    """Whether the texts of some row may be longer than the policy allows."""
    return _longest(batch) > MOST_BYTES


def _longest(batch: pa.RecordBatch) -> int:
    """No row of the batch has texts of more bytes than this."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = (pa.string(), pa.large_string())
    lengths = (pc.binary_length(column) for column in batch.columns if column.type in kinds)
    return sum(pc.max(length).as_py() or 0 for length in lengths)
