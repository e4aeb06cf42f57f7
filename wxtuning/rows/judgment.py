"""Every row of some files, judged: blocks of ordinary lines as a whole, everything else one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from wxtuning.rows import exact, jsonl
from wxtuning.rows.ahead import ahead, has_second_core
from wxtuning.rows.arrays import Places
from wxtuning.rows.files import DataFiles, Part
from wxtuning.rows.lines import Block
from wxtuning.rows.marks import marked
from wxtuning.rows.policy import fault_of
from wxtuning.rows.repeats import Suspects
from wxtuning.rows.screen import Screen
from wxtuning.rows.sieve import Sieve, Sifted
from wxtuning.rows.tally import Tally
from wxtuning.rows.verdict import Bad, Item, Reject, WarningCode


class Judgment:
    """Reads files once, and once more if rows may repeat others.

    Args:
        files: The files.
        input, output: The columns that each text is made of.
        labels: The only outputs allowed; empty takes outputs as labels and allows any, None takes them as texts.
    """

    def __init__(
        self, files: DataFiles, input: tuple[str, ...], output: tuple[str, ...], labels: Sequence[str] | None
    ) -> None:
        self.count = 0
        self.rejected: list[Reject] = []
        self._files = files
        self._texts = (input, output)
        self._labels = labels or ()
        self._good: list[tuple[Screen, NDArray[np.int32]] | None] = []
        self._tally = Tally(input, output, counts_labels=labels is not None)

    def read(self) -> None:
        """Judge every row."""
        for part in self._files.parts([*self._texts[0], *self._texts[1]]):
            if self._is_sifted(part):
                for block, sifted in self._sifted(part):
                    self._judge_block(block, sifted, part)
            else:
                for item in part.items:
                    self._judge(item, part)

    def warnings(self) -> dict[WarningCode, str]:
        """What is worth a warning, now that all rows are read."""
        suspects = self._tally.repeats.suspects()
        if len(suspects):
            self._read_again(suspects)
        return self._tally.warnings()

    def _is_sifted(self, part: Part) -> bool:
        return part.is_jsonl and all(len(columns) == 1 for columns in self._texts)

    def _sifted(self, part: Part) -> Iterator[tuple[Block, Sifted | None]]:
        (input,), (output,) = self._texts
        sieve = Sieve(input, output, self._labels)
        for block, marks in marked(_blocks(part)):
            yield block, sieve.sift(block, marks)

    def _judge_block(self, block: Block, sifted: Sifted | None, part: Part) -> None:
        self._good.append((sifted.screen, sifted.begins().astype(np.int32)) if sifted else None)
        if sifted is None:
            for item in exact.exact_rows(block):
                self._judge(item, part)
            return
        self._tally.add_ordinary(sifted)
        passed = 0
        for before, line, number, is_last in _others(block, sifted):
            self.count += before - passed
            passed = before
            self._judge(exact.item_of(line, number, is_last=is_last), part)
        self.count += len(sifted.lines.quotes) - passed

    def _judge(self, item: Item, part: Part) -> None:
        self.count += 1
        bad = item if isinstance(item, Bad) else self._fault_of(item)
        if bad:
            self.rejected.append(bad.fault.at(self.count, bad.line, self._files.named(part)))
        elif not isinstance(item, Bad):
            self._tally.add(item)

    def _fault_of(self, row: Item) -> Bad | None:
        assert not isinstance(row, Bad)
        fault = fault_of(row, self._texts, labels=self._labels, label=self._texts[1][0])
        return Bad(fault, getattr(row, "line", None)) if fault else None

    def _read_again(self, suspects: Suspects) -> None:
        good, sketches = iter(self._good), iter(self._tally.repeats.ordinary)
        for part in self._files.parts():
            if self._is_sifted(part):
                for block, known in zip(ahead(_blocks(part)), good, strict=False):
                    if known:
                        self._compare(block, *known, suspects.places_in(next(sketches)))

    def _compare(self, block: Block, screen: Screen, begins: NDArray[np.int32], rows: Places) -> None:
        """Add to the repeats those rows of a block's good ones that are suspected."""
        if not len(rows):
            return
        (input,), (output,) = self._texts
        end, text = block.closed(), block.buffer
        lines = [bytes(text[begin : text.find(b"\n", begin, end)]) for begin in begins[rows].tolist()]
        found = Sieve(input, output, self._labels).again(lines, screen)
        self._tally.repeats.add_again(found.inputs(), found.outputs())


def _blocks(part: Part) -> Iterator[Block]:
    assert part.blocks is not None
    return jsonl.laid_out(part.blocks.large() if has_second_core() else part.blocks, part.name)


def _others(block: Block, sifted: Sifted) -> Iterator[tuple[int, bytes, int, bool]]:
    """Of each line that is not surely good and not blank: the good lines before it, its text and its number.

    The last value tells whether the file ends right behind it.
    """
    lines = sifted.lines
    indices = np.flatnonzero(~lines.is_ordinary)
    if not len(indices):
        return
    before = np.cumsum(lines.is_ordinary)[indices]
    is_cut_off = block.is_last and block.ends_open
    for index, passed in zip(indices.tolist(), before.tolist(), strict=True):
        text = lines.array[lines.begins[index] : lines.ends[index]].tobytes().removesuffix(b"\n")
        if text.strip(exact.BLANK):
            yield passed, text, block.line + index, is_cut_off and index == len(lines.ends) - 1
