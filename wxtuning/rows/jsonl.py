"""Rows of JSON Lines: one object a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wxtuning.rows.exact import BLANK, exact_rows
from wxtuning.rows.jsontext import TRUNCATED, record_of
from wxtuning.rows.lines import Block, TextBlocks
from wxtuning.rows.verdict import FileError, Item


def rows(blocks: TextBlocks, name: str) -> Iterator[Item]:
    """Every row of the file, good or bad; a blank line is none.

    Raises:
        FileError: `not_jsonl` for JSON that is laid out over several lines.
    """
    from wxtuning.rows.ordinary import OrdinaryRows  # brings msgspec, which no experiment needs before its first row

    reader = OrdinaryRows()
    for block in laid_out(blocks, name):
        yield from reader.of(block) or exact_rows(block)


def laid_out(blocks: Iterable[Block], name: str) -> Iterator[Block]:
    """The blocks, if the first lines are not those of JSON that is laid out in another way."""
    is_first = True
    for block in blocks:
        if is_first and block.data.strip(BLANK):
            _refuse_other_layouts(block, name)
            is_first = False
        yield block


def _refuse_other_layouts(block: Block, name: str) -> None:
    """Raise `not_jsonl` if the first lines are those of an array, or of objects that go over several lines."""
    lines = [line.strip(BLANK) for _, line, _ in block.lines() if line.strip(BLANK)]
    first, following = lines[0], lines[1:2]
    if first.startswith(b"[") and (block.is_cut or _goes_on(first) or (_holds_objects(first) and not following)):
        raise FileError(
            f"{name} holds a JSON array, where JSON Lines have one object on each line",
            code="not_jsonl",
            hint="Name it .json, or write each object on a line of its own, without brackets and commas around it.",
        )
    if first.startswith(b"{") and following and not following[0].startswith(b"{") and _goes_on(first):
        raise FileError(
            f"{name}: the first object goes over several lines, where JSON Lines have one object on each line",
            code="not_jsonl",
            hint="Write each object on one line, for example: jq -c . FILE > NEW_FILE",
        )


def _goes_on(line: bytes) -> bool:
    return record_of(line, is_last=True) == TRUNCATED or (line.startswith(b"[{") and line.endswith(b","))


def _holds_objects(line: bytes) -> bool:
    return line[1:].lstrip(BLANK).startswith(b"{") and line.endswith(b"]")
