"""One multipart upload: begun or found again, filled part by part, put together, and proven. Knows no owners."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from wxtuning.adapters.cos.connection import Answer, Connection, quietly
from wxtuning.adapters.cos.faults import BACKEND, Missing, Unsupported
from wxtuning.adapters.cos.parts import MOST_PARTS, Body, Digests, Part, digests_of
from wxtuning.adapters.cos.proof import Expected, etag_in, expected_of, is_settled, is_there, prove
from wxtuning.errors import AdapterError

Moved = Callable[[int], None]


@dataclass(frozen=True)
class Upload:
    """An open upload under a key.

    `kept` are the parts that the server has already, as (size, ETag) by number. `earlier` is the size of an object that
    is there under the same key, cut into parts of `stride` bytes, and may hold the same bytes.
    """

    connection: Connection
    key: str
    id: str
    kept: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    earlier: int = 0
    stride: int = 0

    def send(self, number: int, content: memoryview, moved: Moved) -> Part:
        """Send a part, unless the server has it."""
        _check_number(number, self.key)
        digests = digests_of(content)
        part = Part(number, len(content), digests.etag, digests.md5)
        if self.kept.get(number) == (part.size, part.etag) or self._is_in_earlier(part):
            moved(len(content))
            return part
        return self._sent(number, content, digests, moved)

    def _is_in_earlier(self, part: Part) -> bool:
        begin = (part.number - 1) * self.stride
        if begin + part.size > self.earlier:
            return False
        try:
            return etag_in(self._copied(part, self.key, begin)) == part.etag
        except AdapterError:
            return False

    def _sent(self, number: int, content: memoryview, digests: Digests, moved: Moved) -> Part:
        answer = self.connection.ask(
            "upload_part",
            body=lambda: Body(content, digests.sha256, moved),
            Key=self.key,
            UploadId=self.id,
            PartNumber=number,
            ContentMD5=digests.content_md5,
        )
        settled = is_settled(answer, digests, f"part {number} of {self.key}")
        return Part(number, len(content), etag_in(answer), digests.md5, settled)

    def copy(self, part: Part, source: str, begin: int) -> Part:
        """Take a part from an object of the same bucket, where it begins at byte `begin`."""
        answer = self._copied(part, source, begin)
        settled = is_settled(answer, Digests(part.md5, ""), f"part {part.number} of {self.key}")
        return Part(part.number, part.size, etag_in(answer), part.md5, settled)

    def _copied(self, part: Part, source: str, begin: int) -> Answer:
        answer = self.connection.ask(
            "upload_part_copy",
            Key=self.key,
            UploadId=self.id,
            PartNumber=part.number,
            CopySource={"Bucket": self.connection.place.bucket, "Key": source},
            CopySourceRange=f"bytes={begin}-{begin + part.size - 1}",
        )
        return {**answer, **answer["CopyPartResult"]}

    def complete(self, parts: Sequence[Part], sha256: str) -> None:
        """Put the parts together, and prove the whole.

        Raises:
            UploadIntegrityError: if it is not what was sent; it is removed.
            Missing: if the upload is gone and the object is not there, or the object is gone.
        """
        ordered = sorted(parts, key=lambda part: part.number)
        expected = expected_of(ordered, sha256)
        self._put_together(ordered, expected)
        prove(self.connection, self.key, expected)

    def _put_together(self, parts: Sequence[Part], expected: Expected) -> None:
        def found() -> Answer | None:
            return {} if is_there(self.connection, self.key, expected) else None

        listed = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in parts]
        try:
            self.connection.ask(
                "complete_multipart_upload",
                unless=found,
                Key=self.key,
                UploadId=self.id,
                MultipartUpload={"Parts": listed},
            )
        except Missing:
            # The answer to an attempt that succeeded may have been lost, or somebody else was first.
            if found() is None:
                raise

    def abort(self) -> None:
        """Remove what was sent; nothing happens if it is gone.

        Raises:
            NotAuthorized, NotOffered, Unavailable: if it cannot be removed.
        """
        with suppress(Missing):
            self.connection.ask("abort_multipart_upload", Key=self.key, UploadId=self.id)


def _check_number(number: int, key: str) -> None:
    if number > MOST_PARTS:
        raise AdapterError(
            f"{key} would need more than {MOST_PARTS:,} parts, the most that an object storage takes",
            backend=BACKEND,
            hint="Give the store a larger part_bytes=, up to 5 GiB.",
        )


def begun(connection: Connection, key: str, metadata: Mapping[str, str]) -> Upload:
    """An upload under this key: the fullest of those that are open, else a new one. The other open ones are ended."""
    found = sorted((with_parts(upload) for upload in open_uploads(connection, key)), key=lambda each: len(each.kept))
    for upload in found[:-1]:
        with quietly():
            upload.abort()
    return found[-1] if found else new(connection, key, metadata)


def begun_with(connection: Connection, key: str, first: memoryview) -> Upload | None:
    """The fullest of the uploads that are open under this key and have these bytes as their first part, if any has."""
    part = (len(first), digests_of(first).etag)
    found = [upload for each in open_uploads(connection, key) if (upload := with_parts(each)).kept.get(1) == part]
    return max(found, key=lambda upload: len(upload.kept), default=None)


def new(connection: Connection, key: str, metadata: Mapping[str, str]) -> Upload:
    """A new upload."""
    answer = connection.ask("create_multipart_upload", Key=key, Metadata=dict(metadata), ContentType=CONTENT_TYPE)
    return Upload(connection, key, str(answer["UploadId"]))


CONTENT_TYPE = "application/jsonl"


def open_uploads(connection: Connection, key: str, *, below: bool = False) -> Iterator[Upload]:
    """The open uploads of a key; of everything below it, if asked."""
    marks = {"NextKeyMarker": "KeyMarker", "NextUploadIdMarker": "UploadIdMarker"}
    try:
        for page in connection.pages("list_multipart_uploads", marks, Prefix=key):
            for each in page.get("Uploads", ()):
                if below or each["Key"] == key:
                    yield Upload(connection, each["Key"], each["UploadId"])
    except Unsupported:  # then there is nothing to go on from
        return


def with_parts(upload: Upload) -> Upload:
    """The same upload, with the parts that the server has of it; none if it has just been ended."""
    marks = {"NextPartNumberMarker": "PartNumberMarker"}
    try:
        pages = upload.connection.pages("list_parts", marks, Key=upload.key, UploadId=upload.id)
        parts = [part for page in pages for part in page.get("Parts", ())]
    except (Missing, Unsupported):
        return upload
    return Upload(upload.connection, upload.key, upload.id, {part["PartNumber"]: _kept(part) for part in parts})


def _kept(part: Mapping[str, Any]) -> tuple[int, str]:
    return int(part["Size"]), etag_in(part)


def put_whole(connection: Connection, key: str, content: memoryview, metadata: Mapping[str, str], moved: Moved) -> None:
    """Store a small file in one request, and prove it.

    Raises:
        UploadIntegrityError: if what is stored is not what was sent; it is removed.
        Missing: if it is gone.
    """
    digests = digests_of(content)
    connection.ask(
        "put_object",
        body=lambda: Body(content, digests.sha256, moved),
        Key=key,
        ContentMD5=digests.content_md5,
        ContentType=CONTENT_TYPE,
        Metadata=dict(metadata),
    )
    prove(connection, key, Expected(len(content), digests.sha256, digests.etag))
