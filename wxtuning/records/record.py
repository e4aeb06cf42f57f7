"""What rows become: training lines, and the batches in which rows travel there. Knows no column of the data."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import compress, repeat
from typing import NamedTuple

Row = Mapping[str, object]

PIECE = 512
"""Rows that are written at once."""


# A tuple, not a dataclass: a million of them are made in a fraction of the time.
class Record(NamedTuple):
    """One training line: `number` is the 1-based row it came from, `label` the output in the data's own words."""

    number: int
    input: str
    output: str
    label: str

    @property
    def line(self) -> str:
        return jsonl([self]).decode().removesuffix("\n")

    @property
    def fence(self) -> str:
        """Equal for inputs that differ only in case and white space: such rows stay on one side of every split."""
        return hashlib.sha256(folded(self.input).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows as columns; what stands at one place of the lists is one row."""

    numbers: list[int]
    inputs: list[str]
    outputs: list[str]

    def __len__(self) -> int:
        return len(self.numbers)

    def only(self, wanted: Sequence[bool]) -> Batch:
        """The rows at whose place `wanted` is true."""
        return Batch(
            list(compress(self.numbers, wanted)),
            list(compress(self.inputs, wanted)),
            list(compress(self.outputs, wanted)),
        )

    def lines(self, words: Mapping[str, str]) -> bytes:
        """The rows as JSON Lines, each output written as its word."""
        return _lines(self.inputs, _worded(self.outputs, words))

    def records(self, words: Mapping[str, str]) -> Iterator[Record]:
        """The rows as records, each output written as its word."""
        fields = zip(self.numbers, self.inputs, _worded(self.outputs, words), self.outputs, strict=True)
        # What Record(*fields) does, without a call of Python code for each row.
        return map(tuple.__new__, repeat(Record), fields)


def _worded(outputs: list[str], words: Mapping[str, str]) -> list[str]:
    return [words.get(output, output) for output in outputs] if words else outputs


def folded(text: str) -> str:
    """The text without its case, and with one space wherever it has white space."""
    return " ".join(text.casefold().split())


def jsonl(records: Sequence[Record]) -> bytes:
    """The records as JSON Lines with the keys `input` and `output`: UTF-8, no byte-order mark, a newline after each."""
    return _lines([record[1] for record in records], [record[2] for record in records])


def _lines(inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    import msgspec

    encode, line = msgspec.json.Encoder().encode_lines, _line()
    # In small pieces, which stay in the processor's cache.
    pieces = (slice(start, start + PIECE) for start in range(0, len(inputs), PIECE))
    return b"".join([encode(list(map(line, inputs[piece], outputs[piece]))) for piece in pieces])


@cache
def _line() -> type[object]:
    import msgspec

    return msgspec.defstruct("Line", [("input", str), ("output", str)], gc=False)


def label_counts(records: Sequence[Record]) -> dict[str, int]:
    """How many records carry each label, the most frequent first."""
    return dict(Counter(record.label for record in records).most_common())
