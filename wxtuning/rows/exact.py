"""Lines of JSON judged one by one, each exactly. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from wxtuning.rows.jsontext import TOO_LONG, record_of
from wxtuning.rows.lines import Block
from wxtuning.rows.verdict import Bad, Fault, FileRow, Item

BLANK = b" \t\r\n"


def exact_rows(block: Block) -> Iterator[Item]:
    """The rows of whole lines, each judged exactly."""
    if block.is_cut:
        yield Bad(TOO_LONG, block.line)
        return
    for number, line, is_last in block.lines():
        if line.strip(BLANK):
            yield item_of(line, number, is_last=is_last)


def item_of(line: bytes, number: int, *, is_last: bool = False) -> Item:
    """The row of one line that is not blank."""
    found = record_of(line, is_last=is_last)
    return Bad(found, number) if isinstance(found, Fault) else FileRow(found, number)
