"""Ordinary lines of JSON, told from all others a block at a time, without reading them one by one.

An ordinary line has the shape of one that was judged exactly: the same keys in the same order with the same signs
between them, and texts in which nothing needs a second look. Whatever is not ordinary is left to `jsontext`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wxtuning.rows.arrays import Bytes, Flags, Places
from wxtuning.rows.jsontext import MOST_BYTES, record_of
from wxtuning.rows.lines import BLOCK_BYTES, Block

QUOTE, BACKSLASH, LINE_FEED, FIRST_BEYOND_ASCII = 0x22, 0x5C, 0x0A, 0x80
QUOTES_A_FIELD = 4
MOST_FIELDS = 16

FIRST_PRINTED = 0x20

TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that change the direction in which text is shown."""

MOST_TRIES = 20
"""Lines in which a shape is looked for."""

LEAST_SHARE = 0.5
"""If fewer lines of a block than this are ordinary, the next block's shape is learnt anew."""

_IS_SIMPLE = np.zeros(256, np.bool_)
_IS_SIMPLE[np.frombuffer(b'"nrtbf', np.uint8)] = True
"""What follows the backslash in escapes that all writers of JSON write alike: equal texts are equal bytes."""


@dataclass(frozen=True)
class Shape:
    """The keys of a line, and all bytes around its values: `{"a": "`, then `", "b": "`, then `"}` and the line end."""

    keys: tuple[str, ...]
    around: tuple[bytes, ...]

    @classmethod
    def of(cls, line: bytes) -> Shape | None:
        """The shape of a line and its end; None if its values are not all texts, or something in it is escaped."""
        values = record_of(line)
        if not isinstance(values, dict) or not 0 < len(values) <= MOST_FIELDS:
            return None
        parts = line.split(b'"')
        is_of_texts = len(parts) == QUOTES_A_FIELD * len(values) + 1
        if not is_of_texts or not line.endswith(b"\n") or b"\\" in line or min(line.rstrip(b"\r\n")) < FIRST_PRINTED:
            return None
        opening = b'"'.join([*parts[:3], b""])
        inner = (b'"'.join([b"", *parts[at : at + 3], b""]) for at in range(4, len(parts) - 1, QUOTES_A_FIELD))
        return cls(tuple(values), (opening, *inner, b'"' + parts[-1]))


@dataclass(frozen=True)
class Screened:
    """The lines of a block: where each begins and ends, which are ordinary, and the quotes of these, a row for each."""

    array: Bytes
    begins: Places
    ends: Places
    is_ordinary: Flags
    quotes: Places

    @property
    def are_mostly_ordinary(self) -> bool:
        return bool(np.count_nonzero(self.is_ordinary) >= LEAST_SHARE * len(self.is_ordinary))

    def value(self, field: int) -> tuple[Places, Places]:
        """Where the value of a field begins and ends, in each ordinary line."""
        return self.quotes[:, QUOTES_A_FIELD * field + 2] + 1, self.quotes[:, QUOTES_A_FIELD * field + 3]

    def without(self, odd: Places) -> Screened:
        """The same, but a line with an odd place is not ordinary."""
        if not len(odd):
            return self
        is_odd = np.zeros(len(self.ends), np.bool_)
        is_odd[np.searchsorted(self.ends, odd, "right")] = True
        return self.only(~is_odd[self.is_ordinary])

    def only(self, kept: Flags) -> Screened:
        """The same, but of the ordinary lines only those that are flagged stay so."""
        if kept.all():
            return self
        is_ordinary = self.is_ordinary.copy()
        is_ordinary[is_ordinary] = kept
        return replace(self, is_ordinary=is_ordinary, quotes=self.quotes[kept])


class Screen:
    """Tells the ordinary lines of blocks by the shape that they should have."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._quotes = QUOTES_A_FIELD * len(shape.keys)
        self._marks = self._quotes + len(b"\r\n" if shape.around[-1].endswith(b"\r\n") else b"\n")
        # To ask the system for fresh memory takes longer than to compare two bytes.
        self._bytes = np.empty(MOST_BYTES + BLOCK_BYTES + 16, np.uint8)

    def of(self, block: Block) -> Screened:
        """Screen a block whose lines end with line feeds; the last one may lack its end."""
        data, size = block.buffer, block.size
        if data[size - 1] != LINE_FEED:
            data = bytearray(block.data + b"\n")
            size = len(data)
        array = np.frombuffer(data, np.uint8, size)
        marks, beyond = self._marked(array)
        odd = np.empty(0, np.int64)
        if data.find(b"\\", 0, size) >= 0:
            marks, odd = _unescaped(array, marks, self.places_of(array, BACKSLASH))
        found = self._all_alike(array, marks) or self._line_by_line(array, marks)
        block.count = len(found.begins)
        if len(beyond):
            found = found.without(_odd_beyond_ascii(found, beyond))
        return found.without(odd).only(found.ends[found.is_ordinary] - found.begins[found.is_ordinary] <= MOST_BYTES)

    def _marked(self, array: Bytes) -> tuple[Places, Places]:
        """The places of quotes and control characters, line ends among them, and those of bytes beyond ASCII."""
        # With that bit turned, the quote follows right behind the control characters; as signed numbers, the bytes
        # beyond ASCII are below all: one comparison finds them all.
        turned = np.bitwise_xor(array, 2, out=self._bytes[: len(array)])
        found = np.flatnonzero(np.less_equal(turned.view(np.int8), QUOTE ^ 2, out=turned.view(np.bool_)))
        is_beyond = array[found] >= FIRST_BEYOND_ASCII
        return (found[~is_beyond], found[is_beyond]) if is_beyond.any() else (found, found[:0])

    def places_of(self, array: Bytes, byte: int) -> Places:
        """Where a byte stands."""
        return np.flatnonzero(np.equal(array, byte, out=self._bytes[: len(array)].view(np.bool_)))

    def _all_alike(self, array: Bytes, marks: Places) -> Screened | None:
        """The lines, if every one has the shape."""
        if not len(marks) or len(marks) % self._marks:
            return None
        rows = marks.reshape(-1, self._marks)
        ends = rows[:, -1] + 1
        begins = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        quotes = rows[:, : self._quotes]
        if not self._has_shape(array, begins, ends, quotes).all():
            return None
        return Screened(array, begins, ends, np.ones(len(rows), np.bool_), quotes)

    def _line_by_line(self, array: Bytes, marks: Places) -> Screened:
        ends = marks[array[marks] == LINE_FEED] + 1
        begins = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        counts = np.diff(np.searchsorted(marks, np.append(begins, len(array))))
        is_ordinary = counts == self._marks
        quotes = marks[np.repeat(is_ordinary, counts)].reshape(-1, self._marks)[:, : self._quotes]
        fits = self._has_shape(array, begins[is_ordinary], ends[is_ordinary], quotes)
        is_ordinary[is_ordinary] = fits
        return Screened(array, begins, ends, is_ordinary, quotes[fits])

    def _has_shape(self, array: Bytes, begins: Places, ends: Places, quotes: Places) -> Flags:
        """Whether all that is around the values is as it should be, and nothing else is there."""
        closing = quotes[:, 3::QUOTES_A_FIELD]
        fits: Flags = ends - closing[:, -1] == len(self.shape.around[-1])
        fits &= _stands_at(array, begins, self.shape.around[0])
        for field, around in enumerate(self.shape.around[1:]):
            fits &= _stands_at(array, closing[:, field], around)
        return fits


def learnt(block: Block, columns: Collection[str] = ()) -> Screen | None:
    """A screen for the shape of one of a block's first lines, which must have the columns; None if none has a shape."""
    if block.end != b"\n":
        return None
    shapes = (Shape.of(line + b"\n") for line in block.data.split(b"\n", MOST_TRIES)[:-1])
    return next((Screen(shape) for shape in shapes if shape and {*columns} <= {*shape.keys}), None)


def _stands_at(array: Bytes, places: Places, sign: bytes) -> Flags:
    last = len(array) - len(sign)
    if last < 0:
        return np.zeros(len(places), np.bool_)
    windows: NDArray[np.bytes_] = np.ndarray((last + 1,), f"S{len(sign)}", array.data, strides=(1,))
    is_there: Flags = windows[np.minimum(places, last)] == sign
    return is_there & (places <= last)


def _odd_beyond_ascii(found: Screened, beyond: Places) -> Places:
    """The beginnings of lines that are no UTF-8, or hold a character that changes the direction of text."""
    lines = np.flatnonzero(np.bincount(np.searchsorted(found.ends, beyond, "right")))
    places = zip(found.begins[lines].tolist(), found.ends[lines].tolist(), strict=True)
    odd = [begin for begin, end in places if not _is_calm(found.array.data[begin:end])]
    return np.array(odd, np.int64)


def _is_calm(line: memoryview) -> bool:
    try:
        text = str(line, "utf-8")
    except UnicodeDecodeError:
        return False
    # What is printable turns nothing, and is found out ten times as fast.
    return text.rstrip().isprintable() or not TURNING.search(text)


def _unescaped(array: Bytes, marks: Places, backslashes: Places) -> tuple[Places, Places]:
    """The marks that no backslash precedes, and the places of backslashes that need a second look."""
    escaped = array[np.minimum(backslashes + 1, len(array) - 1)]
    kept = np.ones(len(marks), np.bool_)
    kept[np.searchsorted(marks, backslashes[escaped == QUOTE] + 1)] = False
    return marks[kept], backslashes[~_IS_SIMPLE[escaped]]
