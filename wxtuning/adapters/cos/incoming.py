"""Bytes on their way into the bucket while they are made: nobody knows their name before the last one has come.

They are sent to a key of their owner's, `.incoming/<owner>/<name>`; at the end the server copies them to the key that
is named after them, and the first is removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from wxtuning.adapters.cos.connection import Connection, quietly
from wxtuning.adapters.cos.crew import Crew, Meter, threads
from wxtuning.adapters.cos.faults import Missing, Unsupported
from wxtuning.adapters.cos.parts import Part, digests_of
from wxtuning.adapters.cos.proof import Expected, expected_of, holds, prove
from wxtuning.adapters.cos.sending import PART_BYTES, WholePart
from wxtuning.adapters.cos.shelf import Shelf
from wxtuning.adapters.cos.tidying import clear, end_empty_uploads, tidying
from wxtuning.adapters.cos.upload import Upload, begun, begun_with, new, put_whole
from wxtuning.status import DataRef
from wxtuning.stored import INCOMING, plain
from wxtuning.waiting import result_of

SECONDS_TO_TIDY_UP = 60.0


class Incoming:
    """A file of the bucket while it is written.

    Args:
        connection: To the bucket.
        prefix: Of the store; empty, or with a slash at its end.
        name: The file's, for people.
        owner: Who needs it.
        workers: How many parts are sent at once.
        part_bytes: How large they are.
        meter: Counts what was sent.
        seconds: How long so many bytes may take.
    """

    def __init__(
        self,
        connection: Connection,
        prefix: str,
        name: str,
        owner: str,
        workers: int,
        part_bytes: int,
        meter: Meter,
        seconds: Callable[[int], float],
    ) -> None:
        self._connection = connection
        self._shelf = Shelf(connection, prefix, owner)
        self._name = plain(name)
        self._workers = workers
        self._part_bytes = part_bytes
        self._seconds = seconds
        self._meter = meter
        self._crew = Crew[Part](workers, part_bytes, meter, connection.stop)
        self._key = f"{prefix}{INCOMING}/{plain(owner)}/{name}"
        self._upload: Upload | None = None
        self._gone: Missing | None = None
        self._buffer: bytearray | None = None
        self._filled = 0
        self._parts = 0
        self._whole = hashlib.sha256()
        self._rows = 0
        self._size = 0

    def write(self, rest: memoryview) -> None:
        """Take the next bytes; waits while all buffers are full."""
        while len(rest):
            if self._filled == self._part_bytes:  # not before more comes: what fits into one part needs no parts
                self._hand_over()
            self._buffer = self._buffer or self._crew.buffer()
            count = min(len(rest), self._part_bytes - self._filled)
            self._buffer[self._filled : self._filled + count] = rest[:count]
            self._filled += count
            rest = rest[count:]

    def _hand_over(self) -> None:
        """Let a thread send what has been gathered."""
        buffer = self._counted()
        self._connection.allow(self._seconds(self._part_bytes * (self._workers + 1)))
        upload = self._opened(memoryview(buffer)[: self._filled])
        self._parts += 1
        self._crew.send(partial(self._sent, upload, self._parts), buffer, self._filled)
        self._buffer, self._filled = None, 0

    def _sent(self, upload: Upload, number: int, content: memoryview) -> Part:
        """Send a part; it is only counted where a faster writer has ended the upload, see `finish`."""
        try:
            if self._gone is None:
                return WholePart(upload, number, self._connection, self._crew)(content)
        except Missing as gone:
            if not self._shelf.holds_any(self._name):
                raise
            self._gone = gone
        self._crew.moved(len(content))
        return Part(number, len(content), etag="", md5=digests_of(content).md5, is_settled=False)

    def _counted(self) -> bytearray:
        buffer = self._buffer if self._buffer is not None else bytearray()
        self._whole.update(memoryview(buffer)[: self._filled])
        self._rows += buffer.count(b"\n", 0, self._filled)
        self._size += self._filled
        return buffer

    def _opened(self, first: memoryview) -> Upload:
        if self._upload is None:
            # One that begins with other bytes may be a living writer's; if it is nobody's it goes in the end.
            found = begun_with(self._connection, self._key, first)
            upload = found or new(self._connection, self._key, {PART_BYTES: str(self._part_bytes)})
            self._upload = replace(upload, earlier=self._earlier_size(), stride=self._part_bytes)
        return self._upload

    def _earlier_size(self) -> int:
        """The size of what was written here and then not copied, because the process was killed; 0 if nothing is."""
        try:
            return int(self._connection.ask("head_object", Key=self._key)["ContentLength"])
        except Missing:
            return 0

    # --- the end of the block ---------------------------------------------------------------------------------------

    def finish(self) -> DataRef:
        """Give what was written its name, once it is proven.

        A writer of the same owner and name that was faster has ended this one's upload; if both wrote the same bytes,
        they have their name by now.

        Raises:
            UploadIntegrityError: if it cannot be proven.
            Unavailable: if it is gone.
        """
        self._connection.allow(self._seconds(self._part_bytes * (self._workers + 1)))
        with self._crew as crew:
            stored = self._finish_small() if self._parts == 0 else self._finish_large(crew)
        self._meter.tell()
        with tidying(self._name):
            clear(self._connection, self._key)
        return stored

    def _finish_small(self) -> DataRef:
        buffer = self._counted()
        content = memoryview(buffer)[: self._filled]
        digests = digests_of(content)

        def place(key: str) -> None:
            put_whole(self._connection, key, content, {}, self._meter.moved_and_told)

        return self._placed(Expected(len(content), digests.sha256, digests.etag), place)

    def _finish_large(self, crew: Crew[Part]) -> DataRef:
        self._hand_over()
        parts = sorted(crew.results(), key=lambda part: part.number)
        self._connection.allow(self._seconds(self._size))
        sha256 = self._whole.hexdigest()

        def place(key: str) -> None:
            if self._gone:
                raise self._gone
            if self._upload:
                self._upload.complete(parts, sha256)
                self._upload = None
            self._copy(parts, key, sha256)

        return self._placed(expected_of(parts, sha256), place)

    def _placed(self, expected: Expected, place: Callable[[str], None]) -> DataRef:
        """Put it under the first name that is free, unless it is there."""
        address = f"{self._connection.place.address}/{self._key}"
        data = DataRef(uri=address, sha256=expected.sha256, rows=self._rows, size_bytes=expected.size)
        return self._shelf.keep(data, self._name, lambda key: holds(self._connection, key, expected), place)

    def _copy(self, parts: Sequence[Part], key: str, sha256: str) -> None:
        upload = begun(self._connection, key, {PART_BYTES: str(self._part_bytes)})
        try:
            copied = self._copied(upload, parts)
        except (Missing, Unsupported) as lack:
            with quietly():
                upload.abort()
            if isinstance(lack, Missing):
                raise
            source = {"Bucket": self._connection.place.bucket, "Key": self._key}
            self._connection.ask("copy_object", Key=key, CopySource=source)
            prove(self._connection, key, expected_of(parts, sha256))
            return
        upload.complete(copied, sha256)
        with tidying(key):
            end_empty_uploads(self._connection, key)

    def _copied(self, upload: Upload, parts: Sequence[Part]) -> list[Part]:
        def copy(part: Part) -> Part:
            self._connection.check()
            return upload.copy(part, self._key, (part.number - 1) * self._part_bytes)

        try:
            with threads(self._workers, self._connection.stop) as pool:
                return [result_of(copied) for copied in [pool.submit(copy, part) for part in parts]]
        finally:
            self._connection.go_on()

    def leave(self) -> None:
        """End it as a kill does, but for the threads: what is in the bucket stays there."""
        self._connection.end()
        self._crew.close()

    def give_up(self) -> None:
        """End it, and leave nothing behind."""
        self._connection.stop()
        self._crew.close()
        self._connection.go_on()
        self._connection.allow(min(SECONDS_TO_TIDY_UP, self._seconds(0)))
        with quietly():
            clear(self._connection, self._key)
        self._shelf.give_up()
