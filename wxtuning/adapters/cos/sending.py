"""A file of this machine on its way into the bucket. Knows names and parts; knows no credentials."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO

from wxtuning.adapters.cos.connection import Answer, Connection, quietly
from wxtuning.adapters.cos.crew import Crew, Meter
from wxtuning.adapters.cos.parts import LARGEST_PART, PIECE_BYTES, SMALLEST_PART, Part, fingerprint, part_size
from wxtuning.adapters.cos.proof import Expected, etag_in, is_right, looked_at
from wxtuning.adapters.cos.shelf import Shelf
from wxtuning.adapters.cos.tidying import clear, end_empty_uploads, tidying
from wxtuning.adapters.cos.upload import Upload, begun, put_whole
from wxtuning.errors import InputChangedError, UploadIntegrityError
from wxtuning.status import DataRef
from wxtuning.stored import INCOMING, check_same

PART_BYTES = "part-bytes"
"""The object's metadata that tells how its parts were cut, so that its ETag can be made from the file again."""


@dataclass(frozen=True)
class Sending:
    """One file to store.

    Args:
        connection: To the bucket.
        prefix: Of the store; empty, or with a slash at its end.
        owner: Who needs the file.
        workers: How many parts are sent at once.
        part_bytes: How large a part should be.
        meter: Counts what was sent.
    """

    connection: Connection
    prefix: str
    owner: str
    workers: int
    part_bytes: int
    meter: Meter

    def stored(self, file: BinaryIO, data: DataRef, name: str) -> DataRef:
        """Store what `file` holds, unless it is there.

        Raises:
            InputChangedError: if that is not what `data` says; nothing is stored.
            UploadIntegrityError: if the stored bytes are not those, and cannot be made so.
        """
        shelf = Shelf(self.connection, self.prefix, self.owner)
        try:
            stored = shelf.keep(data, name, partial(self._holds, file, data), partial(self._transfer, file, data))
        except (InputChangedError, UploadIntegrityError):
            self.connection.go_on()
            shelf.give_up()
            raise
        with tidying(name):  # what this owner wrote under this name when it was killed
            clear(self.connection, f"{self.prefix}{INCOMING}/{self.owner}/{name}")
        return stored

    def _holds(self, file: BinaryIO, data: DataRef, key: str) -> bool | None:
        """Whether the object under this key holds the file's bytes; None if there is no object."""
        found = looked_at(self.connection, key)
        if found is None or int(found["ContentLength"]) != data.size_bytes:
            return None if found is None else False
        sha256, etag = fingerprint(file, _part_bytes(found) or max(1, data.size_bytes), self.connection.check)
        check_same(replace(data, sha256=sha256, size_bytes=file.tell()), data)
        if "-" in etag and etag != etag_in(found):
            etag = ""  # how it was cut is only what somebody noted; where that explains nothing, the bytes tell
        holds = is_right(self.connection, key, found, Expected(data.size_bytes, sha256, etag))
        if holds:
            self.meter.moved_and_told(data.size_bytes)
        return holds

    def _transfer(self, file: BinaryIO, data: DataRef, key: str) -> None:
        self.meter.begin_again()
        file.seek(0)
        size = part_size(data.size_bytes, self.part_bytes)
        if data.size_bytes <= size:
            self._send_whole(file, data, key)
        else:
            self._send_parts(file, data, key, size)
        with tidying(key):
            end_empty_uploads(self.connection, key)

    def _send_whole(self, file: BinaryIO, data: DataRef, key: str) -> None:
        content = file.read(data.size_bytes + 1)
        check_same(replace(data, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content)), data)
        put_whole(self.connection, key, memoryview(content), {}, self._moved_here)
        self.meter.tell()

    def _moved_here(self, count: int) -> None:
        self.connection.check()
        self.meter.moved_and_told(count)

    def _send_parts(self, file: BinaryIO, data: DataRef, key: str, size: int) -> None:
        upload = begun(self.connection, key, {PART_BYTES: str(size)})
        try:
            parts = self._sent_parts(file, data, upload, size)
            upload.complete(parts, data.sha256)
        except (InputChangedError, UploadIntegrityError):
            self.connection.go_on()
            with quietly():
                upload.abort()
            raise

    def _sent_parts(self, file: BinaryIO, data: DataRef, upload: Upload, size: int) -> list[Part]:
        whole = hashlib.sha256()
        with Crew[Part](self.workers, size, self.meter, self.connection.stop) as crew:
            for number in range(1, -(-data.size_bytes // size) + 1):
                buffer = crew.buffer()
                count = _filled(file, buffer, whole.update)
                crew.send(WholePart(upload, number, self.connection, crew), buffer, count)
            parts = crew.results()
        # The size at the end: what shrinks or grows while it is sent is not at rest, whatever was read of it.
        check_same(replace(data, sha256=whole.hexdigest(), size_bytes=os.fstat(file.fileno()).st_size), data)
        return parts


@dataclass(frozen=True)
class WholePart:
    """What a thread does with one part."""

    upload: Upload
    number: int
    connection: Connection
    crew: Crew[Part]

    def __call__(self, content: memoryview) -> Part:
        return self.upload.send(self.number, content, self._moved)

    def _moved(self, count: int) -> None:
        self.connection.check()
        self.crew.moved(count)


def _filled(file: Any, buffer: bytearray, hashed: Callable[[memoryview], object]) -> int:
    """Fill a buffer, and hash what comes while it is near; returns how much came."""
    view, filled = memoryview(buffer), 0
    while filled < len(buffer) and (count := file.readinto(view[filled : filled + PIECE_BYTES])):
        hashed(view[filled : filled + count])
        filled += count
    return filled


def _part_bytes(found: Answer) -> int | None:
    """How an object was cut, if it says so in a way that can be true."""
    told = str(found.get("Metadata", {}).get(PART_BYTES, ""))
    size = int(told) if re.fullmatch("[0-9]{1,12}", told) else 0
    return size if SMALLEST_PART <= size <= LARGEST_PART else None
