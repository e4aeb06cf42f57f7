"""Who needs which file: small notes beside the files. Knows keys; knows nothing of what files hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wxtuning.adapters.cos.connection import Connection
from wxtuning.adapters.cos.faults import Missing
from wxtuning.adapters.cos.parts import digests_of
from wxtuning.adapters.cos.upload import open_uploads
from wxtuning.status import DataRef
from wxtuning.stored import INCOMING, OWNERS, note, noted, plain


@dataclass(frozen=True)
class Owners:
    """The notes of a store: `.owners/<owner>/<file>` below its prefix.

    Args:
        connection: To the bucket.
        prefix: Of the store; empty, or with a slash at its end.
    """

    connection: Connection
    prefix: str

    def add(self, owner: str, file: str, data: DataRef) -> bool:
        """Note that an owner needs a file, unless that is known; whether it was not."""
        key, content = self._key(owner, file), note(data)
        try:
            if self._read(key) == content:
                return False
        except Missing:
            pass
        digest = digests_of(memoryview(content)).content_md5
        self.connection.ask("put_object", Key=key, Body=content, ContentMD5=digest, ContentType="application/json")
        return True

    def remove(self, owner: str, file: str) -> None:
        self.connection.ask("delete_object", Key=self._key(owner, file))

    def files(self, owner: str) -> Iterator[DataRef]:
        """What an owner's notes speak of, by name, whether the file is there or not."""
        folder = self._key(owner, "")
        for key in self.keys(folder):
            if data := self._noted(key, key.removeprefix(folder)):
                yield data

    def _noted(self, key: str, file: str) -> DataRef | None:
        try:
            return noted(self._read(key), f"{self.connection.place.address}/{self.prefix}{file}")
        except Missing:  # it went between the list and now
            return None

    def all(self) -> list[tuple[str, str]]:
        """Every owner and file that a note speaks of; lists all notes of the store."""
        root = f"{self.prefix}{OWNERS}/"
        notes = (key.removeprefix(root).partition("/") for key in self.keys(root))
        return [(owner, file) for owner, _, file in notes]

    def keys(self, folder: str) -> list[str]:
        """All keys that begin so, in order."""
        pages = self.connection.pages(
            "list_objects_v2", {"NextContinuationToken": "ContinuationToken"}, Prefix=folder, MaxKeys=1000
        )
        return sorted(each["Key"] for page in pages for each in page.get("Contents", ()))

    def clear_incoming(self, owner: str) -> None:
        """Remove what an owner's interrupted writing left behind."""
        folder = f"{self.prefix}{INCOMING}/{plain(owner)}/"
        for upload in list(open_uploads(self.connection, folder, below=True)):
            upload.abort()
        for key in self.keys(folder):
            self.connection.ask("delete_object", Key=key)

    def _key(self, owner: str, file: str) -> str:
        return f"{self.prefix}{OWNERS}/{plain(owner)}/{file}"

    def _read(self, key: str) -> bytes:
        return self.connection.repeatedly(lambda: self._content(key), self.connection.request("get_object", key))

    def _content(self, key: str) -> bytes:
        body = self.connection.once("get_object", Key=key)["Body"]
        try:
            return bytes(body.read())
        finally:
            body.close()
