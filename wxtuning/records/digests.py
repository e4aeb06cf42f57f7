"""Which of very many rows were there before, in 24 bytes a row. Knows digests; forgets the texts.

A row is a duplicate if 128 bits of its digest (XXH3) are those of an earlier row: among a billion rows the chance that
any is taken for another is below 1 in 10**20. Inputs are remembered by 64 bits, which only a warning rests on.
"""

from __future__ import annotations

from itertools import compress

from wxtuning.records.hashes import SeenHashes
from wxtuning.records.record import Batch


class SeenDigests:
    """What `SeenTexts` tells, without holding a text."""

    def __init__(self) -> None:
        self._seen = SeenHashes()

    def new(self, batch: Batch) -> list[bool]:
        import numpy as np
        from xxhash import xxh3_64_intdigest, xxh3_128_digest

        inputs = list(map(str.encode, batch.inputs))
        # NUL stands in no text, so that no two pairs are written alike.
        joined = map(b"\0".join, zip(inputs, map(str.encode, batch.outputs), strict=True))
        words = np.frombuffer(b"".join(map(xxh3_128_digest, joined)), np.uint64).reshape(-1, 2)
        found: list[bool] = self._seen.new(words[:, 0].copy(), words[:, 1].copy()).tolist()
        fresh = inputs if all(found) else compress(inputs, found)
        self._seen.add_inputs(np.fromiter(map(xxh3_64_intdigest, fresh), np.uint64))
        return found

    @property
    def warning(self) -> str:
        count = self._seen.repeated_inputs()
        return f"{count} rows repeat the input of an earlier one with another output" if count else ""
