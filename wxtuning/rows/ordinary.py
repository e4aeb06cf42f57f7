"""The values of ordinary lines, which need no more than a fast parser; all other lines are judged exactly."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from wxtuning.rows.exact import BLANK, item_of
from wxtuning.rows.lines import Block
from wxtuning.rows.marks import Marker
from wxtuning.rows.screen import Screen, Screened, learnt
from wxtuning.rows.verdict import FileRow, Item


class OrdinaryRows:
    """Reads block after block of a file."""

    def __init__(self) -> None:
        self._screen: Screen | None = None
        self._marker = Marker()
        # What passed the screen has no key twice, the one fault that this parser does not see.
        self._decode = msgspec.json.Decoder(dict[str, object]).decode

    def of(self, block: Block) -> Iterator[Item] | None:
        """The rows of a block; None if its lines have no shape in common, so that all are to be judged one by one."""
        screen = self._screen or learnt(block)
        marks = self._marker.marks(block)
        if marks is None or screen is None:
            return None
        lines = screen.of(marks)
        self._screen = screen if lines.are_mostly_ordinary else None
        return self._rows(block, lines)

    def _rows(self, block: Block, lines: Screened) -> Iterator[Item]:
        whole = lines.array.tobytes()
        ends_open = block.is_last and block.ends_open
        last = block.line + len(lines.ends) - 1
        places = zip(lines.begins.tolist(), lines.ends.tolist(), lines.is_ordinary.tolist(), strict=True)
        for number, (begin, end, is_ordinary) in enumerate(places, start=block.line):
            line = whole[begin:end]
            if is_ordinary:
                yield FileRow(self._decode(line), number)
            elif line.strip(BLANK):
                yield item_of(line.removesuffix(b"\n"), number, is_last=ends_open and number == last)
