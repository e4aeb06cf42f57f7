"""Contents of data sets."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, object]


def pairs(count: int, *, length: int = 0) -> list[Row]:
    """Rows whose texts do not compress."""
    drawn = random.Random(count)
    return [
        {"prompt": f"question {number} {drawn.randbytes(length).hex()}", "response": f"answer {number}"}
        for number in range(count)
    ]


def parquet(rows: Sequence[Row], *, group: int = 1_000) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), file, row_group_size=group)
    return file.getvalue()


def jsonl(rows: Iterable[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def csv(rows: Sequence[Row], delimiter: str = ",") -> bytes:
    lines = [delimiter.join(rows[0]), *(delimiter.join(map(str, row.values())) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def arrow(rows: Sequence[Row]) -> bytes:
    file = io.BytesIO()
    table = pa.Table.from_pylist(list(rows))
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


FORMATS = {
    "train.parquet": parquet,
    "train.jsonl": jsonl,
    "train.jsonl.gz": lambda rows: gzip.compress(jsonl(rows)),
    "train.json": lambda rows: json.dumps(list(rows)).encode(),
    "data/train.json": jsonl,
    "train.csv": csv,
    "train.tsv": lambda rows: csv(rows, "\t"),
    "train.arrow": arrow,
}


def card(text: str) -> bytes:
    """A data set's card with this front matter."""
    return f"---\n{text.strip()}\n---\n# A data set\n".encode()


TWO_SPLITS = card(
    """
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test-*
"""
)

TWO_CONFIGS = card(
    """
configs:
- config_name: plain
  data_files: plain/*.jsonl
- config_name: chatty
  data_files: chatty/*.jsonl
"""
)
