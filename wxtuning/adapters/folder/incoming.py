"""A file on its way into a folder, hashed and counted as it is written. Knows no names."""

from __future__ import annotations

import hashlib

from wxtuning.folder import Draft
from wxtuning.ports import Watch
from wxtuning.status import DataRef


class Incoming:
    """Bytes that go into a draft, and what is known of them.

    Args:
        draft: Takes the bytes.
        size: How many will come; None where nobody knows.
        watch: Told of every bit of progress.
    """

    def __init__(self, draft: Draft, size: int | None, watch: Watch) -> None:
        self._draft = draft
        self._size = size
        self._watch = watch
        self._digest = hashlib.sha256()
        self._rows = 0
        self._written = 0

    def write(self, content: memoryview) -> None:
        """Take the next bytes."""
        self._digest.update(content)
        self._rows += bytes(content).count(b"\n")
        self._written += len(content)
        self._watch(self._written, self._size)
        self._draft.write(content)

    @property
    def data(self) -> DataRef:
        """What was written so far; nowhere yet."""
        return DataRef(uri="", sha256=self._digest.hexdigest(), rows=self._rows, size_bytes=self._written)
