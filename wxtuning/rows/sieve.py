"""Lines that are surely good, told from all others by a few looks at whole blocks.

What passes has texts that begin and end with something to see, hold no character worth a warning, and a label that is
known. Everything else is for those who judge line by line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wxtuning.rows.arrays import Bytes, Flags, Places
from wxtuning.rows.lines import ROOM_BYTES, Block
from wxtuning.rows.marks import BACKSLASH, FIRST_BEYOND_ASCII, Marker, Marks
from wxtuning.rows.repeats import as_written, slices
from wxtuning.rows.screen import Screen, Screened, learnt


def _flags(*ranges: tuple[int, int]) -> Flags:
    found = np.zeros(256, np.bool_)
    for first, last in ranges:
        found[first : last + 1] = True
    return found


# Leading bytes of characters of two and three bytes, none of which is white space, invisible or drawn as nothing.
_TWO = _flags((0xC3, 0xCC), (0xCE, 0xD7))
_THREE = _flags((0xE4, 0xEC))
_ASCII = _flags((0x21, BACKSLASH - 1), (BACKSLASH + 1, 0x7E))
_SEEN_FIRST = _ASCII | _TWO | _THREE


@dataclass(frozen=True)
class Sifted:
    """The lines of a block, the texts of those that are surely good, and the screen that these have passed."""

    screen: Screen
    lines: Screened
    input: tuple[Places, Places]
    output: tuple[Places, Places]
    has_extra_fields: bool

    def begins(self) -> Places:
        """Where the lines begin that are surely good."""
        return self.lines.begins[self.lines.is_ordinary]

    def inputs(self) -> list[bytes]:
        return slices(self.lines.array, *self.input)

    def outputs(self) -> list[bytes]:
        return slices(self.lines.array, *self.output)


class Sieve:
    """Sifts block after block of a file.

    Args:
        input, output: The columns of the texts.
        labels: The only outputs allowed; empty allows any.
    """

    def __init__(self, input: str, output: str, labels: Sequence[str]) -> None:
        self._columns = (input, output)
        self._labels = frozenset(as_written([label]) for label in labels)
        self._screen: Screen | None = None

    def sift(self, block: Block, marks: Marks | None) -> Sifted | None:
        """Sift a block; None if its lines have no shape in common, so that all are to be judged one by one."""
        screen = self._screen or learnt(block, self._columns)
        if marks is None or screen is None:
            return None
        lines = screen.of(marks)
        self._screen = screen if lines.are_mostly_ordinary else None
        return self._sifted(screen, lines)

    def again(self, lines: Sequence[bytes], screen: Screen) -> Sifted:
        """Sift lines once more that have passed a screen."""
        text = b"".join(line + b"\n" for line in lines)
        marks = Marker().marks(Block(bytearray(text + bytes(ROOM_BYTES)), len(text), b"\n"))
        assert marks is not None
        return self._sifted(screen, screen.of(marks))

    def _sifted(self, screen: Screen, lines: Screened) -> Sifted:
        keys = screen.shape.keys
        fields = [keys.index(column) for column in self._columns]
        is_good = np.ones(len(lines.quotes), np.bool_)
        for field in set(fields):
            is_good &= _is_plain(lines.array, *lines.value(field))
        if self._labels:
            outputs = slices(lines.array, *lines.value(fields[1]))
            is_good &= np.fromiter(map(self._labels.__contains__, outputs), np.bool_, len(outputs))
        lines = lines.only(is_good)
        texts = [lines.value(field) for field in fields]
        return Sifted(screen, lines, texts[0], texts[1], has_extra_fields=not {*keys} <= {*self._columns})


def _is_plain(array: Bytes, begins: Places, ends: Places) -> Flags:
    """Whether the texts begin and end with a character that can be seen."""
    last = array[ends - 1]
    is_plain: Flags = (begins < ends) & _SEEN_FIRST[array[begins]]
    # An escape at the end may be a line end: what is escaped there is left to others.
    ends_plain = _ASCII[last] & (array[ends - 2] != BACKSLASH)
    is_beyond = last >= FIRST_BEYOND_ASCII
    if is_beyond.any():
        ends_plain |= is_beyond & (_TWO[array[ends - 2]] | _THREE[array[ends - 3]])
    is_plain &= ends_plain
    return is_plain
