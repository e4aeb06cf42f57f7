"""Rows that were there before, and inputs with more than one output. Knows texts and digests; knows no column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from wxtuning.records import twins
from wxtuning.records.record import Batch


class Seen(Protocol):
    """Remembers the rows of batches."""

    def new(self, batch: Batch) -> list[bool]:
        """For each row whether its input and output were not there before."""
        ...

    @property
    def warning(self) -> str:
        """What to say about inputs that came with more than one output; empty if none did."""
        ...


class SeenTexts:
    """Remembers the texts themselves, as rows in memory are there anyway."""

    def __init__(self) -> None:
        self._output_of: dict[str, str] = {}
        self._others: dict[str, set[str]] = {}

    def new(self, batch: Batch) -> list[bool]:
        known, others = self._output_of, self._others
        found = []
        for text, answer in zip(batch.inputs, batch.outputs, strict=True):
            if text not in known:
                known[text] = answer
                found.append(True)
            elif known[text] == answer or answer in others.get(text, ()):
                found.append(False)
            else:
                others.setdefault(text, set()).add(answer)
                found.append(True)
        return found

    @property
    def warning(self) -> str:
        return f"{len(self._others)} inputs stand in the data with different outputs" if self._others else ""

    @property
    def conflicting(self) -> frozenset[str]:
        """The inputs that came with more than one output."""
        return frozenset(self._others)


def near_duplicates(inputs: Sequence[str], outputs: Sequence[str], threshold: float) -> list[int]:
    """The places of the rows whose input and output are nearly those of an earlier row that is not such a copy itself.

    A group of twins may be a chain whose ends are not alike; so each row is compared with the rows kept of its group.
    """
    kept: dict[int, list[int]] = {}
    copies = []
    for place, group in enumerate(twins.groups(inputs, threshold)):
        earlier = kept.setdefault(group, [])
        if any(_is_copy(inputs, outputs, place, other, threshold) for other in earlier[:MOST_COMPARED]):
            copies.append(place)
        else:
            earlier.append(place)
    return copies


MOST_COMPARED = 100
"""So many rows of a group a row is compared with; it keeps the time linear where thousands are loosely alike."""


def _is_copy(inputs: Sequence[str], outputs: Sequence[str], one: int, other: int, threshold: float) -> bool:
    # Outputs first: most of them are labels, and differ or are the same at one look.
    pairs = ((outputs[one], outputs[other]), (inputs[one], inputs[other]))
    return all(a == b or twins.likeness(a, b) >= threshold for a, b in pairs)
