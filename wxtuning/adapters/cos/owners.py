"""Who needs which file, and who is giving one up: small notes beside the files. Knows nothing of what files hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wxtuning.adapters.cos.connection import Connection
from wxtuning.adapters.cos.faults import Missing
from wxtuning.adapters.cos.parts import digests_of
from wxtuning.adapters.cos.tidying import keys
from wxtuning.adapters.cos.upload import open_uploads
from wxtuning.status import DataRef
from wxtuning.stored import INCOMING, OWNERS, RELEASING, note, noted, plain


@dataclass(frozen=True)
class Owners:
    """The notes of a store, below its prefix: `.owners/<owner>/<file>`, and `.releasing/<file>/<owner>`.

    Args:
        connection: To the bucket.
        prefix: Of the store; empty, or with a slash at its end.
    """

    connection: Connection
    prefix: str

    # --- who needs a file -------------------------------------------------------------------------------------------

    def add(self, owner: str, file: str, data: DataRef) -> bool:
        """Note that an owner needs a file, unless that is known; whether it was not."""
        key, content = self._needing(owner, file), note(data)
        try:
            if self._read(key) == content:
                return False
        except Missing:
            pass
        self._write(key, content)
        return True

    def remove(self, owner: str, file: str) -> None:
        self.connection.ask("delete_object", Key=self._needing(owner, file))

    def need(self, owner: str, name: str) -> bool:
        """Whether a note says that an owner needs a file of this name."""
        return bool(keys(self.connection, self._needing(owner, f"{name}-")))

    def files(self, owner: str) -> Iterator[DataRef]:
        """What an owner's notes speak of, by name, whether the file is there or not."""
        folder = self._needing(owner, "")
        for key in keys(self.connection, folder):
            if data := self._noted(key, key.removeprefix(folder)):
                yield data

    def are_of(self, file: str) -> tuple[str, ...]:
        """Who needs a file; lists all notes of the store."""
        root = f"{self.prefix}{OWNERS}/"
        notes = (key.removeprefix(root).split("/") for key in keys(self.connection, root))
        return tuple(each[0] for each in notes if each[1:] == [file])

    # --- who is giving one up ---------------------------------------------------------------------------------------

    def begin_release(self, owner: str, file: str, data: DataRef) -> None:
        """Turn the note that an owner needs a file into one that it is giving it up."""
        key = self._releasing(owner, file)
        self.connection.ask("delete_object", Key=key)  # who may not remove anything must not announce it either
        self._write(key, note(data))
        self.remove(owner, file)

    def end_release(self, owner: str, file: str) -> None:
        """Remove the note that an owner is giving a file up."""
        self.connection.ask("delete_object", Key=self._releasing(owner, file))

    def is_released(self, file: str, besides: str) -> bool:
        """Whether an owner, other than that one, is giving a file up."""
        folder = self._releasing("", file)
        return any(key != folder + besides for key in keys(self.connection, folder))

    def unfinished(self, owner: str) -> Iterator[DataRef]:
        """The files that an owner was giving up when it was interrupted."""
        root = f"{self.prefix}{RELEASING}/"
        for key in keys(self.connection, root):
            file, _, who = key.removeprefix(root).partition("/")
            if who == owner and (data := self._noted(key, file)):
                yield data

    # --- what is written --------------------------------------------------------------------------------------------

    def clear_incoming(self, owner: str) -> None:
        """Remove what an owner's interrupted writing left behind."""
        folder = f"{self.prefix}{INCOMING}/{plain(owner)}/"
        for upload in list(open_uploads(self.connection, folder, below=True)):
            upload.abort()
        for key in keys(self.connection, folder):
            self.connection.ask("delete_object", Key=key)

    def _needing(self, owner: str, file: str) -> str:
        return f"{self.prefix}{OWNERS}/{plain(owner)}/{file}"

    def _releasing(self, owner: str, file: str) -> str:
        return f"{self.prefix}{RELEASING}/{file}/{owner}"

    def _noted(self, key: str, file: str) -> DataRef | None:
        try:
            return noted(self._read(key), f"{self.connection.place.address}/{self.prefix}", file)
        except Missing:  # it went between the list and now
            return None

    def _write(self, key: str, content: bytes) -> None:
        digest = digests_of(memoryview(content)).content_md5
        self.connection.ask("put_object", Key=key, Body=content, ContentMD5=digest, ContentType="application/json")

    def _read(self, key: str) -> bytes:
        return self.connection.repeatedly(lambda: self._content(key), self.connection.request("get_object", key))

    def _content(self, key: str) -> bytes:
        body = self.connection.once("get_object", Key=key)["Body"]
        try:
            return bytes(body.read())
        finally:
            body.close()
