"""What `store.writing` gives, the same for every store. Knows when a block ends; knows nothing of where bytes go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wxtuning.errors import AdapterError
from wxtuning.status import DataRef


class Writer:
    """Takes bytes as long as its block runs, and knows what was stored once it has ended.

    Args:
        take: Gets the bytes, in one piece.
        backend: The store's name, for errors.
    """

    def __init__(self, take: Callable[[memoryview], object], backend: str) -> None:
        self._take: Callable[[memoryview], object] | None = take
        self._backend = backend
        self._stored: DataRef | None = None

    def write(self, content: bytes | bytearray | memoryview, /) -> int:
        """Take the next bytes; returns how many.

        Raises:
            TypeError: for anything else.
            AdapterError: after the block has ended.
        """
        piece = _bytes_of(content)
        if self._take is None:
            raise AdapterError(
                f"the block of this writing has ended; {piece.nbytes:,} more bytes are stored nowhere",
                backend=self._backend,
                hint="Write inside the block, or begin another one.",
            )
        self._take(piece)
        return piece.nbytes

    @property
    def data(self) -> DataRef:
        """What was stored.

        Raises:
            AdapterError: before the block has ended, and if it ended with an error.
        """
        if self._stored is None:
            raise AdapterError(
                "what is being written is not stored before the block has ended without an error",
                backend=self._backend,
                hint="Ask for data after the block.",
            )
        return self._stored

    @contextmanager
    def open(self, finish: Callable[[], DataRef]) -> Iterator[Writer]:
        """Take bytes for a block; `finish` then stores them, unless the block ended with an error."""
        try:
            yield self
        finally:
            self._take = None
        self._stored = finish()


def _bytes_of(content: bytes | bytearray | memoryview) -> memoryview:
    try:
        return memoryview(content).cast("B")
    except TypeError:
        raise TypeError(
            f"write takes bytes, a bytearray or a memoryview in one piece, found {type(content).__name__}; "
            "text becomes bytes by .encode()"
        ) from None
