"""Where the signs of JSON stand in blocks of text. Knows nothing of lines, keys and values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wxtuning.rows.ahead import ahead
from wxtuning.rows.arrays import Bytes, Flags, Places
from wxtuning.rows.lines import ROOM_BYTES, Block

QUOTE, BACKSLASH, LINE_FEED, FIRST_BEYOND_ASCII = 0x22, 0x5C, 0x0A, 0x80

_IS_SIMPLE = np.zeros(256, np.bool_)
_IS_SIMPLE[np.frombuffer(b'"nrtbf', np.uint8)] = True
"""What follows the backslash in escapes that all writers of JSON write alike: equal texts are equal bytes."""

SAMPLE_BYTES = 4096
MANY = 1 / 8
"""With so large a share of bytes beyond ASCII, all of a text is read as UTF-8 faster than what is around them."""

_NOWHERE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands where in a block.

    Args:
        array: The lines, each with its line feed, and `ROOM_BYTES` more.
        places: Quotes that are not escaped, and control characters, line feeds among them.
        beyond: Bytes beyond ASCII; None where there are so many that they were not told one by one.
        odd: Backslashes that need a second look.
    """

    array: Bytes
    places: Places
    beyond: Places | None
    odd: Places


class Marker:
    """Marks block after block."""

    def __init__(self) -> None:
        # To ask the system for fresh memory takes longer than to compare two bytes.
        self._scratch = np.empty((2, 0), np.uint8)

    def marks(self, block: Block) -> Marks | None:
        """The marks of a block; None if its lines do not end with line feeds, or if it is the beginning of one."""
        found = self.found(block)
        return None if found is None else _told_apart(block, found)

    def found(self, block: Block) -> Places | None:
        """The places of quotes, control characters and backslashes, and of bytes beyond ASCII unless there are many.

        None as for `marks`.
        """
        if block.end != b"\n" or block.is_cut:
            return None
        array = np.frombuffer(block.buffer, np.uint8, block.closed())
        return np.flatnonzero(self._flags(array, has_backslashes=block.buffer.find(b"\\", 0, len(array)) >= 0))

    def _flags(self, array: Bytes, *, has_backslashes: bool) -> Flags:
        if self._scratch.shape[1] < len(array):
            self._scratch = np.empty((2, len(array)), np.uint8)
        turned, other = self._scratch[:, : len(array)]
        # With that bit turned, the quote follows right behind the control characters; as signed numbers, the bytes
        # beyond ASCII are below all: one comparison finds them all.
        np.bitwise_xor(array, 2, out=turned)
        numbers = turned if _has_many_beyond(array) else turned.view(np.int8)
        found: Flags = np.less_equal(numbers, QUOTE ^ 2, out=turned.view(np.bool_))
        if has_backslashes:
            found |= np.equal(array, BACKSLASH, out=other.view(np.bool_))
        return found


def _has_many_beyond(array: Bytes) -> bool:
    sample = array[:SAMPLE_BYTES]
    return bool(np.count_nonzero(sample >= FIRST_BEYOND_ASCII) > MANY * len(sample))


def marked(blocks: Iterator[Block]) -> Iterator[tuple[Block, Marks | None]]:
    """Each block, its lines numbered, with its marks; it is read and searched while the one before is worked on."""
    line = 1
    for block, found in ahead(_searched(blocks)):
        block.line = line
        yield block, None if found is None else _told_apart(block, found)
        line += block.count


def _searched(blocks: Iterator[Block]) -> Iterator[tuple[Block, Places | None]]:
    marker = Marker()
    for block in blocks:
        yield block, marker.found(block)


def _told_apart(block: Block, found: Places) -> Marks:
    array = np.frombuffer(block.buffer, np.uint8, block.closed() + ROOM_BYTES)
    signs = array[found]
    block.count = int(np.count_nonzero(signs == LINE_FEED))
    is_mark = signs < BACKSLASH
    has_many = _has_many_beyond(array[:-ROOM_BYTES])
    if is_mark.all():
        return Marks(array, found, None if has_many else _NOWHERE, _NOWHERE)
    beyond = None if has_many else found[signs >= FIRST_BEYOND_ASCII]
    escapes = np.flatnonzero(signs == BACKSLASH)
    escaped = array[found[escapes] + 1]
    is_mark[escapes[escaped == QUOTE] + 1] = False
    return Marks(array, found[is_mark], beyond, found[escapes[~_IS_SIMPLE[escaped]]])
