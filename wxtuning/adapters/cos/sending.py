"""A file of this machine on its way into the bucket. Knows names and parts; knows no credentials."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from wxtuning.adapters.cos.connection import Connection, quietly
from wxtuning.adapters.cos.crew import Crew, Meter
from wxtuning.adapters.cos.faults import BACKEND, Missing
from wxtuning.adapters.cos.owners import Owners
from wxtuning.adapters.cos.parts import PIECE_BYTES, Part, part_size, whole_etag
from wxtuning.adapters.cos.proof import Expected, holds
from wxtuning.adapters.cos.upload import Upload, begun, fingerprint, open_uploads, put_whole
from wxtuning.errors import InputChangedError, Unavailable, UploadIntegrityError
from wxtuning.status import DataRef
from wxtuning.stored import check_same, file_names

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
        for _ in range(_BEGINNINGS):
            try:
                return self._stored(file, data, name)
            except Missing as error:
                # Another process has ended the upload, or finished it; what is there now decides.
                gone = error
        raise Unavailable(
            f"the upload of {data.uri} was ended {_BEGINNINGS} times by somebody else",
            backend=BACKEND,
            hint="Make sure that no other program cleans up this bucket's uploads, and run the same line again.",
        ) from gone

    def _stored(self, file: BinaryIO, data: DataRef, name: str) -> DataRef:
        self.connection.go_on()
        for file_name in file_names(name, data.sha256):
            key = self.prefix + file_name
            match self._found(file, data, key):
                case True:
                    self._note(file_name, data)
                    self.meter.moved_and_told(data.size_bytes)
                    return self._reference(data, key)
                case None:
                    self._send(file, data, file_name)
                    return self._reference(data, key)
        raise taken(name, data.sha256, self.connection)

    def _reference(self, data: DataRef, key: str) -> DataRef:
        return replace(data, uri=f"{self.connection.place.address}/{key}")

    def _note(self, file_name: str, data: DataRef) -> bool:
        return Owners(self.connection, self.prefix).add(self.owner, file_name, data)

    def _found(self, file: BinaryIO, data: DataRef, key: str) -> bool | None:
        """Whether the object under this key holds the file's bytes; None if there is no object."""
        try:
            found = self.connection.ask("head_object", Key=key)
        except Missing:
            return None
        if int(found["ContentLength"]) != data.size_bytes:
            return False
        size = int(found.get("Metadata", {}).get(PART_BYTES) or part_size(data.size_bytes, self.part_bytes))
        return holds(self.connection, key, self._expected(file, data, size))

    def _expected(self, file: BinaryIO, data: DataRef, size: int) -> Expected:
        sha256, md5s = fingerprint(self._pieces(file, size))
        check_same(replace(data, sha256=sha256, size_bytes=file.tell()), data)
        single = md5s[0].hex() if len(md5s) == 1 else hashlib.md5(b"", usedforsecurity=False).hexdigest()
        return Expected(data.size_bytes, sha256, whole_etag(md5s) if len(md5s) > 1 else single)

    def _pieces(self, file: BinaryIO, size: int) -> Iterator[memoryview]:
        file.seek(0)
        buffer = bytearray(size)
        while count := file.readinto(buffer):  # type: ignore[attr-defined]
            self.connection.check()
            yield memoryview(buffer)[:count]

    def _send(self, file: BinaryIO, data: DataRef, file_name: str) -> None:
        is_new = self._note(file_name, data)
        try:
            self._transfer(file, data, self.prefix + file_name)
        except (InputChangedError, UploadIntegrityError):
            with quietly():
                if is_new:
                    Owners(self.connection, self.prefix).remove(self.owner, file_name)
            raise

    def _transfer(self, file: BinaryIO, data: DataRef, key: str) -> None:
        file.seek(0)
        size = part_size(data.size_bytes, self.part_bytes)
        if data.size_bytes <= size:
            self._send_whole(file, data, key)
        else:
            self._send_parts(file, data, key, size)

    def _send_whole(self, file: BinaryIO, data: DataRef, key: str) -> None:
        content = file.read(data.size_bytes + 1)
        check_same(replace(data, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content)), data)
        put_whole(self.connection, key, memoryview(content), {}, self._moved_here)
        self.meter.tell()
        for upload in open_uploads(self.connection, key):
            upload.abort()

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
            upload.abort()
            raise
        for other in open_uploads(self.connection, key):
            other.abort()

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


_BEGINNINGS = 3


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


def taken(name: str, sha256: str, connection: Connection) -> UploadIntegrityError:
    """Every name that a file may have is that of another."""
    return UploadIntegrityError(
        f"every name for {name!r} with SHA-256 {sha256} is taken by other content in {connection.place.bucket!r}",
        backend=BACKEND,
        hint="Somebody changed the files there; take another prefix=.",
    )
