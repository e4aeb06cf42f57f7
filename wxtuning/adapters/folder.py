"""A folder as a store: a disk that the backend reads too, or the place for runs that need no other."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from wxtuning.errors import NotAuthorized, NotOffered, UploadIntegrityError
from wxtuning.folder import put_in_place, replacing, scratch, sha256_of, to_disk, write_atomically
from wxtuning.ports import Watch, unwatched
from wxtuning.status import DataRef
from wxtuning.stored import INCOMING, OWNERS, check_same, file_names, file_of, note, noted, opened, plain

PIECE_BYTES = 2**20


@dataclass(frozen=True)
class LocalStore:
    """Keeps files in a folder, for example on a disk that a cluster shares.

    Args:
        folder: Where; made when the first file is put.
    """

    folder: str | Path
    name: str = field(default="folder", init=False, repr=False)

    @property
    def _root(self) -> Path:
        return Path(self.folder).expanduser().absolute()

    def describe(self) -> str:
        """The folder's `file:` address."""
        return self._root.as_uri()

    def check(self) -> None:
        """Make sure that the folder, or the first one above it that is there, can be written.

        Raises:
            NotOffered: if something else is in its place.
            NotAuthorized: if it cannot be written.
        """
        found = next(folder for folder in (self._root, *self._root.parents) if folder.exists())
        if not found.is_dir():
            raise NotOffered(
                f"{self._root} cannot keep files: {found} is no folder", backend=self.name, hint="Name another folder."
            )
        if not os.access(found, os.W_OK | os.X_OK):
            raise NotAuthorized(
                f"the folder {found} cannot be written", backend=self.name, hint="Check its owner and permissions."
            )

    def put(self, data: DataRef, name: str, *, owner: str, watch: Watch = unwatched) -> DataRef:
        """Copy a file into the folder; see `Store`."""
        if known := next((file for file in self._places(name, data.sha256) if _holds(file, data)), None):
            return self._noted(known, data, owner)
        with opened(data) as content, self.writing(name, owner=owner, watch=watch, expected=data) as incoming:
            while piece := content.read(PIECE_BYTES):
                incoming.write(piece)
        return replace(incoming.data, rows=data.rows)

    @contextmanager
    def writing(
        self, name: str, *, owner: str, watch: Watch = unwatched, expected: DataRef | None = None
    ) -> Iterator[Incoming]:
        """Store bytes as they are made; see `Store`. What is `expected` must come, or nothing is stored."""
        plain(name)
        size = expected.size_bytes if expected else None
        with scratch(self._root / INCOMING / plain(owner), name, needed=size or 0) as (file, temporary):
            incoming = Incoming(file, size, watch)
            yield incoming
            to_disk(file)
            if expected:
                check_same(incoming.data, expected)
            incoming.data = self._adopted(temporary, incoming.data, name, owner)

    def get(self, ref: DataRef, to: str | Path) -> None:
        file = self._own(ref)
        if not file.is_file():
            raise NotOffered(
                f"{ref.uri} is not there", backend=self.name, hint="It may have been released; put it again."
            )
        with replacing(Path(to), needed=ref.size_bytes) as out, file.open("rb") as content:
            digest = hashlib.sha256()
            while piece := content.read(PIECE_BYTES):
                digest.update(piece)
                out.write(piece)
            if (found := digest.hexdigest()) != ref.sha256:
                raise self._other_bytes(ref.uri, found, ref.sha256)

    def exists(self, ref: DataRef) -> bool:
        file = self._own(ref)
        return file.is_file() and file.stat().st_size == ref.size_bytes

    def delete(self, ref: DataRef) -> None:
        file = self._own(ref)
        file.unlink(missing_ok=True)
        for owner_note in self._root.glob(f"{OWNERS}/*/{file.name}"):
            owner_note.unlink(missing_ok=True)

    def list(self, owner: str) -> tuple[DataRef, ...]:
        notes = self._notes(owner)
        found = (noted(each.read_bytes(), (self._root / each.name).as_uri()) for each in notes)
        return tuple(ref for ref in found if ref and self.exists(ref))

    def release(self, owner: str) -> tuple[DataRef, ...]:
        owned = self.list(owner)
        for folder in (INCOMING, OWNERS):
            shutil.rmtree(self._root / folder / plain(owner), ignore_errors=True)
        unneeded = tuple(ref for ref in owned if not self._is_needed(file_of(ref)))
        for ref in unneeded:
            self.delete(ref)
        return unneeded

    def _places(self, name: str, sha256: str) -> tuple[Path, ...]:
        return tuple(self._root / file for file in file_names(name, sha256))

    def _notes(self, owner: str) -> Sequence[Path]:
        return sorted((self._root / OWNERS / plain(owner)).glob("*.jsonl"))

    def _noted(self, file: Path, data: DataRef, owner: str) -> DataRef:
        write_atomically(self._root / OWNERS / plain(owner) / file.name, note(data))
        return replace(data, uri=file.as_uri())

    def _is_needed(self, file: Path) -> bool:
        return any(self._root.glob(f"{OWNERS}/*/{file.name}"))

    def _own(self, ref: DataRef) -> Path:
        file = file_of(ref)
        if file.parent != self._root:
            raise NotOffered(
                f"{ref.uri} is not in this store", backend=self.name, hint=f"Expected a file in {self.describe()}."
            )
        return file

    def _adopted(self, temporary: Path, data: DataRef, name: str, owner: str) -> DataRef:
        """Give a written file its name, once it was read back."""
        if (found := sha256_of(temporary)) != data.sha256:
            raise self._other_bytes(data.uri, found, data.sha256)
        for file in self._places(name, data.sha256):
            if _holds(file, data):
                return self._noted(file, data, owner)
            if not file.exists():
                stored = self._noted(file, data, owner)
                put_in_place(temporary, file)
                return stored
        raise UploadIntegrityError(
            f"every name for {name!r} with SHA-256 {data.sha256} is taken by other content", backend=self.name,
            hint=f"Somebody changed the files in {self.describe()}; take another folder.",
        )  # fmt: skip

    def _other_bytes(self, uri: str, found: str, expected: str) -> UploadIntegrityError:
        return UploadIntegrityError(
            f"{uri} is not what was stored: its SHA-256 is {found}, expected {expected}", backend=self.name,
            hint="Somebody changed the file, or the disk is failing; delete it and put it again.",
        )  # fmt: skip


class Incoming:
    """A file on its way into the folder, hashed and counted as it is written."""

    def __init__(self, file: BinaryIO, size: int | None, watch: Watch) -> None:
        self._file = file
        self._size = size
        self._watch = watch
        self._digest = hashlib.sha256()
        self._rows = 0
        self._written = 0
        self._stored: DataRef | None = None

    def write(self, content: bytes | bytearray | memoryview, /) -> int:
        """Take the next bytes."""
        self._digest.update(content)
        self._rows += bytes(content).count(b"\n")
        self._written += len(content)
        self._watch(self._written, self._size)
        return self._file.write(content)

    @property
    def data(self) -> DataRef:
        """What was written so far; once the block has ended, what was stored."""
        return self._stored or DataRef(
            uri="", sha256=self._digest.hexdigest(), rows=self._rows, size_bytes=self._written
        )

    @data.setter
    def data(self, stored: DataRef) -> None:
        self._stored = stored


def _holds(file: Path, data: DataRef) -> bool:
    return file.is_file() and file.stat().st_size == data.size_bytes and sha256_of(file) == data.sha256
