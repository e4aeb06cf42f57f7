"""Which of very many pairs were there before, by two 64-bit words each. Knows numbers; knows no text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words64 = NDArray[np.uint64]

PARTS = 16
"""Hashes are kept in so many parts by their first bits, so that little memory is held twice where runs are merged."""


class SeenHashes:
    """Which pairs of input and output were there before, and how many inputs were, in 24 bytes a row."""

    def __init__(self) -> None:
        self._pairs = [_Runs() for _ in range(PARTS)]
        self._inputs: list[list[Words64]] = [[] for _ in range(PARTS)]

    def new(self, first: Words64, second: Words64) -> NDArray[np.bool_]:
        """Add the hashes of pairs, two words each; for each whether it was new."""
        import numpy as np

        order = np.argsort(first, kind="stable")
        one, two = first[order], second[order]
        known = np.zeros(len(one), bool)
        known[1:] = (one[1:] == one[:-1]) & (two[1:] == two[:-1])
        for part, places in _by_part(one):
            known[places] |= self._pairs[part].have(one[places], two[places])
            is_new = ~known[places]
            self._pairs[part].add(one[places][is_new], two[places][is_new])
        found = np.empty(len(known), bool)
        found[order] = ~known
        return found

    def add_inputs(self, hashes: Words64) -> None:
        """Remember the inputs of new pairs."""
        import numpy as np

        ordered = np.sort(hashes)
        for part, places in _by_part(ordered):
            self._inputs[part].append(ordered[places].copy())

    def repeated_inputs(self) -> int:
        """How many new pairs began with the input of an earlier one."""
        import numpy as np

        count = 0
        for hashes in self._inputs:
            together = np.sort(np.concatenate(hashes)) if hashes else np.empty(0)
            count += int((together[1:] == together[:-1]).sum())
        return count


def _by_part(ordered: Words64) -> Iterator[tuple[int, slice]]:
    """Where the hashes of each part stand among sorted ones."""
    import numpy as np

    ends = np.searchsorted(ordered, np.arange(1, PARTS, dtype=np.uint64) * np.uint64(2**64 // PARTS)).tolist()
    places = map(slice, [0, *ends], [*ends, len(ordered)])
    return ((part, place) for part, place in enumerate(places) if place.start < place.stop)


class _Runs:
    """Hashes of two words, sorted by the first, in a few runs, each at least twice as long as the next."""

    def __init__(self) -> None:
        self._runs: list[tuple[Words64, Words64]] = []

    def have(self, one: Words64, two: Words64) -> NDArray[np.bool_]:
        import numpy as np

        known = np.zeros(len(one), bool)
        for first, second in self._runs:
            # Of two hashes whose first words agree only the first is found; then a row stays, and none is lost.
            places = np.searchsorted(first, one).clip(max=len(first) - 1)
            known |= (first[places] == one) & (second[places] == two)
        return known

    def add(self, one: Words64, two: Words64) -> None:
        import numpy as np

        if not len(one):
            return
        while self._runs and len(self._runs[-1][0]) < 2 * len(one):
            first, second = self._runs.pop()
            one, two = np.concatenate([first, one]), np.concatenate([second, two])
            order = np.argsort(one, kind="stable")
            one, two = one[order], two[order]
        self._runs.append((one, two))
