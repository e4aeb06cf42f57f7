"""The rows of pinned files, from copies on this machine or straight from the Hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO

from wxtuning.adapters.hub.listing import Pinned, copy_of, fetched
from wxtuning.rows import columnar, containers, delimited, jsonarray, jsonl
from wxtuning.rows.columns import check_columns, only
from wxtuning.rows.jsontext import MOST_BYTES, TOO_LONG
from wxtuning.rows.lines import TextBlocks
from wxtuning.rows.policy import named
from wxtuning.rows.verdict import Bad, FileError, Item, Reject

Row = Mapping[str, object] | Reject
Columns = Sequence[str] | None

BATCH_ROWS = 1_000
SMALL_PIECE = 256 * 1024
LARGE_PIECE = 8 * 1024 * 1024


def batches(source: Pinned, columns: Columns, *, streaming: bool, few: int | None) -> Iterator[list[Row]]:
    """The rows of all files in their order, some at a time; `few` is about how many will be taken, if that is known."""
    files = _streamed(source, columns, few) if streaming else _copied(source)
    rows = only(_numbered(files, is_one=len(source.files) == 1), columns, source.dataset)
    size = min(BATCH_ROWS, few or BATCH_ROWS)
    if not (batch := list(islice(rows, size))):
        message = f"the split {source.split!r} of {source.dataset} holds no rows"
        raise FileError(message, code="empty_dataset", hint="Choose another split or revision.")
    while batch:
        yield batch
        batch = list(islice(rows, size))


def _numbered(files: Iterator[tuple[str, Iterator[Item]]], *, is_one: bool) -> Iterator[Row]:
    items = ((file, item) for file, items in files for item in items)
    for number, (file, item) in enumerate(items, start=1):
        yield item.fault.at(number, item.line, "" if is_one else file) if isinstance(item, Bad) else item


def _copied(source: Pinned) -> Iterator[tuple[str, Iterator[Item]]]:
    # Each is fetched when the one before it has been read, so that a limit may leave the last ones where they are.
    return ((file, _of_copy(source, file)) for file in source.files)


def _of_copy(source: Pinned, file: str) -> Iterator[Item]:
    copy = fetched(source.dataset, source.commit, file)
    with copy.open("rb") as opened:
        if _is_parquet(file):
            yield from columnar.parquet_rows(opened, file)
        else:
            yield from _others(opened, copy.stat().st_size, file)


def _streamed(source: Pinned, columns: Columns, few: int | None) -> Iterator[tuple[str, Iterator[Item]]]:
    for file in source.files:
        # What somebody has fetched before needs no Hub.
        is_here = copy_of(source.dataset, source.commit, file)
        yield file, _of_copy(source, file) if is_here else _of_stream(source, file, columns, few)


def _of_stream(source: Pinned, file: str, columns: Columns, few: int | None) -> Iterator[Item]:
    from huggingface_hub import HfFileSystem

    # A reader that jumps about, or takes little, asks for exactly what it needs; else the next piece is read ahead.
    is_exact = few or _is_parquet(file) or _is_arrow(file)
    ahead = {"cache_type": "none"} if is_exact else {"cache_type": "readahead", "block_size": LARGE_PIECE}
    with HfFileSystem().open(f"datasets/{source.dataset}@{source.commit}/{file}", "rb", **ahead) as opened:
        yield from _parquet(opened, file, columns, few) if _is_parquet(file) else _others(opened, opened.size, file)


def _is_parquet(file: str) -> bool:
    return file.lower().endswith(".parquet")


def _is_arrow(file: str) -> bool:
    return file.lower().endswith(".arrow")


def _others(opened: BinaryIO, size: int, file: str) -> Iterator[Item]:
    if _is_arrow(file):
        return columnar.arrow_rows(opened, file)
    name = file.lower().removesuffix(".gz")
    blocks = TextBlocks(containers.unzipped(opened, size, file) if name != file.lower() else opened, file)
    if name.endswith((".csv", ".tsv")):
        return delimited.rows(blocks, file, delimiter="," if name.endswith(".csv") else "\t")
    # On the Hub a .json file is as often one of JSON Lines, which whoever reads it cannot rename.
    is_array = name.endswith(".json") and blocks.head.lstrip().startswith(b"[")
    return jsonarray.rows(blocks, file) if is_array else jsonl.rows(blocks, file)


def _parquet(opened: Any, file: str, columns: Columns, few: int | None) -> Iterator[Item]:
    from pyarrow.parquet import ParquetFile

    # Whole row groups come in the fewest requests; with few rows wanted, each column comes in small pieces instead.
    pieces = {"pre_buffer": False, "buffer_size": SMALL_PIECE} if few else {"pre_buffer": True}
    with _damage_told(file):
        parquet = ParquetFile(opened, **pieces)
        _check(file, columns or (), parquet.schema_arrow.names)
        for batch in parquet.iter_batches(min(BATCH_ROWS, few or BATCH_ROWS), columns=columns and list(columns)):
            batch.validate(full=True)
            yield from map(_short_enough, batch.to_pylist())


def _check(file: str, columns: Sequence[str], there: Sequence[str]) -> None:
    if twice := sorted({name for name in there if there.count(name) > 1}):
        raise FileError(
            f"{file} has several columns named {named(twice)}",
            code="duplicate_column",
            hint="Take another revision or configuration, in which each has a name of its own.",
        )
    check_columns(file, columns, there)


@contextmanager
def _damage_told(file: str) -> Iterator[None]:
    from pyarrow import ArrowInvalid

    try:
        yield
    except (ArrowInvalid, UnicodeDecodeError, OSError) as cause:
        # Arrow tells damage by an OSError that no operating system has numbered; the others are the Hub's.
        if isinstance(cause, OSError) and type(cause) is not OSError:
            raise
        raise FileError(
            f"{file} is no readable Parquet file: {cause}", code="invalid_parquet", hint="Ask its owner to mend it."
        ) from cause


def _short_enough(row: dict[str, object]) -> Item:
    size = sum(len(value.encode()) for value in row.values() if isinstance(value, str))
    return Bad(TOO_LONG, None) if size > MOST_BYTES else row
