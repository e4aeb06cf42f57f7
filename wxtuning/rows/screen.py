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
from wxtuning.rows.lines import ROOM_BYTES, Block
from wxtuning.rows.marks import LINE_FEED, Marks

QUOTES_A_FIELD = 4
MOST_FIELDS = 16

SPACE = FIRST_PRINTED = 0x20

TURNING_BYTES = re.compile(b"\xe2(?:\x80[\xaa-\xae]|\x81[\xa6-\xa9])")
"""Characters that change the direction in which text is shown, in UTF-8; see `policy.TURNING`."""

MOST_TRIES = 20
"""Lines in which a shape is looked for."""

LEAST_SHARE = 0.5
"""If fewer lines of a block than this are ordinary, the next block's shape is learnt anew."""


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

    def of(self, marks: Marks) -> Screened:
        """Screen a block by its marks."""
        found = self._all_alike(marks) or self._line_by_line(marks)
        if not _is_calm(_beyond_ascii(marks)):
            found = found.without(_odd_beyond_ascii(found, marks.beyond))
        found = found.without(marks.odd)
        return found.without(found.begins[found.ends - found.begins > MOST_BYTES])

    def _all_alike(self, marks: Marks) -> Screened | None:
        """The lines, if every one has the shape."""
        array, places = marks.array, marks.places
        if not len(places) or len(places) % self._marks:
            return None
        rows = places.reshape(-1, self._marks)
        ends = rows[:, -1] + 1
        begins = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        quotes = rows[:, : self._quotes]
        if not self._has_shape(array, begins, ends, quotes).all():
            return None
        return Screened(array, begins, ends, np.ones(len(rows), np.bool_), quotes)

    def _line_by_line(self, marks: Marks) -> Screened:
        array, places = marks.array, marks.places
        ends = places[array[places] == LINE_FEED] + 1
        begins = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        counts = np.diff(np.searchsorted(places, np.append(begins, ends[-1])))
        is_ordinary = counts == self._marks
        quotes = places[np.repeat(is_ordinary, counts)].reshape(-1, self._marks)[:, : self._quotes]
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


def _beyond_ascii(marks: Marks) -> memoryview:
    """The characters beyond ASCII, with a space wherever there are others between them; all text if they are many."""
    places = marks.beyond
    if places is None:
        return marks.array[:-ROOM_BYTES].data
    if not len(places):
        return memoryview(b"")
    steps = np.minimum(np.diff(places, prepend=places[0]), 2)
    gathered = np.full(int(steps.sum()) + 1, SPACE, np.uint8)
    gathered[np.cumsum(steps)] = marks.array[places]
    return gathered.data


def _odd_beyond_ascii(found: Screened, beyond: Places | None) -> Places:
    """The beginnings of lines that are no UTF-8, or hold a character that changes the direction of text."""
    lines = slice(None) if beyond is None else np.flatnonzero(np.bincount(np.searchsorted(found.ends, beyond, "right")))
    places = zip(found.begins[lines].tolist(), found.ends[lines].tolist(), strict=True)
    odd = [begin for begin, end in places if not _is_calm(found.array.data[begin:end])]
    return np.array(odd, np.int64)


def _is_calm(text: memoryview) -> bool:
    """Whether this is UTF-8 in which no character changes the direction of text."""
    try:
        str(text, "utf-8")
    except UnicodeDecodeError:
        return False
    return not TURNING_BYTES.search(text)
