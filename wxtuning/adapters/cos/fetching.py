"""The bytes of an object, read piece by piece; after a break it goes on from where it was. Knows no files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from wxtuning.adapters.cos.connection import Answer, Connection
from wxtuning.adapters.cos.faults import BACKEND
from wxtuning.errors import UploadIntegrityError

PIECE_BYTES = 256 * 1024


def pieces(connection: Connection, key: str, size: int) -> Iterator[bytes]:
    """Yield the bytes of an object.

    Raises:
        UploadIntegrityError: if the object has another size.
        Missing: if there is no such object.
    """
    reading = _Reading(connection, key, size)
    try:
        while piece := connection.repeatedly(reading.next_piece, connection.request("get_object", key)):
            yield piece
    finally:
        reading.close()


class _Reading:
    """An object while it is read; `done` bytes of it have been."""

    def __init__(self, connection: Connection, key: str, size: int) -> None:
        self._connection = connection
        self._key = key
        self._size = size
        self._done = 0
        self._body: Any = None

    def next_piece(self) -> bytes:
        """The next bytes; none at the end. After an error the next call begins where this one did."""
        try:
            piece = self._read()
        except BaseException:
            self.close()
            raise
        self._done += len(piece)
        return piece

    def _read(self) -> bytes:
        self._connection.check()
        if self._body is None:
            self._body = self._opened()
        piece: bytes = self._body.read(PIECE_BYTES)
        if not piece and self._done < self._size:
            raise ConnectionError(f"the content ended after {self._done:,} of {self._size:,} bytes")
        return piece

    def _opened(self) -> Any:
        rest = {"Range": f"bytes={self._done}-"} if self._done else {}
        answer = self._connection.once("get_object", Key=self._key, **rest)
        body, begin = answer["Body"], _begin(answer)
        self._check_size(answer, begin)
        if begin == 0:  # a server that knows no ranges begins anew
            _skip(body, self._done)
        return body

    def _check_size(self, answer: Answer, begin: int) -> None:
        found = begin + int(answer["ContentLength"])
        if found != self._size:
            answer["Body"].close()
            raise UploadIntegrityError(
                f"{self._key} in bucket {self._connection.place.bucket!r} is not what was stored: "
                f"it has {found:,} bytes, expected {self._size:,}",
                backend=BACKEND,
                hint="Somebody replaced it; put the file again.",
            )

    def close(self) -> None:
        if self._body is not None:
            with suppress(OSError):
                self._body.close()
            self._body = None


def _begin(answer: Answer) -> int:
    """The first byte that an answer holds."""
    unit_and_range = str(answer.get("ContentRange", ""))
    return int(unit_and_range.removeprefix("bytes ").partition("-")[0]) if unit_and_range else 0


def _skip(body: Any, count: int) -> None:
    while count > 0 and (piece := body.read(min(count, PIECE_BYTES))):
        count -= len(piece)
