"""Which of very many rows were there before, in 24 bytes a row. Knows digests; forgets the texts.

A row is a duplicate if 128 bits of its digest (XXH3) are those of an earlier row: among a billion rows the chance that
any is taken for another is below 1 in 10**20. Inputs are remembered by 64 bits, which only a warning rests on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from typing import TYPE_CHECKING

from wxtuning.records.record import Batch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words64 = NDArray[np.uint64]

PARTS = 8
"""Digests are kept in so many parts by their first bits, so that little memory is held twice where parts are merged."""

PENDING = 1 << 16
"""Digests that wait to be sorted in."""


class SeenDigests:
    """What `SeenTexts` tells, without holding a text."""

    def __init__(self) -> None:
        self._pairs = _DigestSet(words=2)
        self._inputs = _DigestSet(words=1)
        self._repeated_inputs = 0

    def new(self, batch: Batch) -> list[bool]:
        from xxhash import xxh3_64_digest, xxh3_128_digest

        inputs = list(map(str.encode, batch.inputs))
        # NUL stands in no text, so that no two pairs are written alike.
        joined = map(b"\0".join, zip(inputs, map(str.encode, batch.outputs), strict=True))
        found = self._pairs.added(list(map(xxh3_128_digest, joined)))
        fresh = inputs if all(found) else list(compress(inputs, found))
        self._repeated_inputs += self._inputs.added(list(map(xxh3_64_digest, fresh))).count(False)
        return found

    @property
    def warning(self) -> str:
        count = self._repeated_inputs
        return f"{count} rows repeat the input of an earlier one with another output" if count else ""


class _DigestSet:
    """A set of digests of one or two 64-bit words: the newest in a Python set, the others in sorted arrays."""

    def __init__(self, words: int) -> None:
        self._words = words
        self._pending: set[bytes] = set()
        self._parts = [_Sorted() for _ in range(PARTS)]

    def added(self, digests: list[bytes]) -> list[bool]:
        """Add digests; for each whether it was new."""
        known = self._known(digests)
        pending = self._pending
        found = []
        for digest, is_known in zip(digests, known, strict=True):
            is_new = not is_known and digest not in pending
            if is_new:
                pending.add(digest)
            found.append(is_new)
        if len(pending) > PENDING:
            self._sort_in()
        return found

    def _known(self, digests: list[bytes]) -> list[bool]:
        import numpy as np

        words = self._read(digests)
        known = np.zeros(len(digests), bool)
        for places, part in self._by_part(words):
            known[places] = part.has(words[places])
        return known.tolist()

    def _sort_in(self) -> None:
        words = self._read(list(self._pending))
        for places, part in self._by_part(words):
            part.add(words[places])
        self._pending.clear()

    def _read(self, digests: list[bytes]) -> Words64:
        import numpy as np

        return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64).reshape(-1, self._words)

    def _by_part(self, words: Words64) -> Iterator[tuple[NDArray[np.int64], _Sorted]]:
        import numpy as np

        # In their order, so that the search for one begins in memory near the one before.
        order = np.argsort(words[:, 0])
        part_of = (words[order, 0] >> np.uint64(64 - PARTS.bit_length() + 1)).astype(np.int64)
        ends = np.searchsorted(part_of, np.arange(PARTS + 1))
        for number, part in enumerate(self._parts):
            if ends[number] < ends[number + 1]:
                yield order[ends[number] : ends[number + 1]], part


class _Sorted:
    """Digests in a few runs, sorted by their first words, each at least twice as long as the next."""

    def __init__(self) -> None:
        self._runs: list[tuple[Words64, ...]] = []

    def has(self, digests: Words64) -> NDArray[np.bool_]:
        import numpy as np

        known = np.zeros(len(digests), bool)
        for run in self._runs:
            places = np.searchsorted(run[0], digests[:, 0])
            places[places == len(run[0])] = 0
            # Of two digests that begin alike only the first is found; then a row stays, and none is lost.
            known |= np.logical_and.reduce([word[places] == digests[:, n] for n, word in enumerate(run)])
        return known

    def add(self, digests: Words64) -> None:
        import numpy as np

        # One array for each word: searching needs the first words side by side.
        run = tuple(np.ascontiguousarray(word) for word in digests.T)
        while self._runs and len(self._runs[-1][0]) < 2 * len(run[0]):
            run = tuple(map(np.concatenate, zip(self._runs.pop(), run, strict=True)))
        order = np.argsort(run[0], kind="stable")
        self._runs.append(tuple(word[order] for word in run))
