"""A folder as a store: a disk that the backend reads too, or the place for runs that need no other."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from stat import S_ISREG

from wxtuning.adapters.folder.faults import BACKEND, other_bytes, taken, telling
from wxtuning.adapters.folder.incoming import Incoming
from wxtuning.adapters.folder.notes import Notes
from wxtuning.errors import DataError, NotAuthorized, NotOffered, PlanError
from wxtuning.folder import Draft, replacing, scratch, sha256_of, sweep
from wxtuning.ports import Watch, unwatched
from wxtuning.status import DataRef
from wxtuning.staying import Staying
from wxtuning.stored import CHECK, INCOMING, check_same, file_names, file_of, file_of_address, opened, plain, referred
from wxtuning.writing import Writer

PIECE_BYTES = 2**20

_STAYING = (
    "nothing can be removed from the folder {folder}: the files of every run stay, with their notes in .owners/, and "
    "release() removes nothing. Have its permissions changed, or name a folder of your own."
)


@dataclass(frozen=True)
class LocalStore:
    """Keeps files in a folder, for example on a disk that a cluster shares.

    Args:
        folder: Where, as a path or a `file:` address; made when the first file is put. A relative one is below the
            folder where the program is now.

    Raises:
        PlanError: if that is no folder's name.
    """

    folder: str | Path
    name: str = field(default=BACKEND, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", _named(self.folder).expanduser().absolute())

    def describe(self) -> str:
        """The folder's `file:` address."""
        return self._root.as_uri()

    def check(self) -> tuple[str, ...]:
        """Make sure that the folder, or the first one above it that is there, can be written; see `Store`.

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
        return () if found != self._root or self._lets_go() else (_STAYING.format(folder=found),)

    def _lets_go(self) -> bool:
        """Whether something can be removed from the folder; asked with a folder that is made in it.

        Raises:
            NotAuthorized: if nothing can be renamed below it either, so that no file can get its name.
        """
        probe = self._root / CHECK
        with telling(self._root.as_uri()):
            probe.mkdir(exist_ok=True)
            try:
                probe.rmdir()
            except PermissionError:
                made = Path(tempfile.mkdtemp(dir=probe))
                made.rename(probe / f"{made.name}-renamed").rmdir()
                return False
            except OSError:  # another check has removed it, or is at work in it: nobody forbids it
                return True
        return True

    def put(self, data: DataRef, name: str, *, owner: str, watch: Watch = unwatched) -> DataRef:
        """Copy a file into the folder; see `Store`."""
        with self._draft(name, owner, referred(data).size_bytes) as draft:
            if known := self._known(data, name, owner):
                watch(data.size_bytes, data.size_bytes)
                return known
            incoming = Incoming(draft, data.size_bytes, watch)
            with opened(data) as content:
                while piece := content.read(PIECE_BYTES):
                    incoming.write(memoryview(piece))
            check_same(incoming.data, data)
            return self._adopted(draft, data, name, owner)

    @contextmanager
    def writing(self, name: str, *, owner: str, watch: Watch = unwatched) -> Iterator[Writer]:
        """Store bytes as they are made; see `Store`."""
        with self._draft(name, owner) as draft:
            incoming = Incoming(draft, None, watch)
            writer = Writer(incoming.write, self.name)
            with writer.open(lambda: self._adopted(draft, incoming.data, name, owner)):
                yield writer

    def get(self, ref: DataRef, to: str | Path) -> None:
        """Fetch a file; see `Store`."""
        file = self._own(ref)
        with telling(ref.uri), file.open("rb") as content, replacing(Path(to), needed=ref.size_bytes) as out:
            digest = hashlib.sha256()
            while piece := content.read(PIECE_BYTES):
                digest.update(piece)
                out.write(piece)
            if (found := digest.hexdigest()) != ref.sha256:
                raise other_bytes(ref.uri, found, ref.sha256)

    def exists(self, ref: DataRef) -> bool:
        """Whether a file of this name and size is there."""
        return _size_of(self._own(ref)) == ref.size_bytes

    def delete(self, ref: DataRef) -> None:
        """Remove a file, whoever owns it; nothing happens if it is gone."""
        file = self._own(ref)
        if self._root.is_dir():
            with self._notes.alone():
                file.unlink(missing_ok=True)
                for owner in self._notes.owners(file.name):
                    self._notes.remove(owner, file.name)

    def list(self, owner: str) -> tuple[DataRef, ...]:
        """The files that this owner needs, by name."""
        return tuple(ref for ref in self._notes.files(owner) if self.exists(ref))

    def release(self, owner: str) -> tuple[DataRef, ...]:
        """Give up an owner's files; see `Store`."""
        plain(owner)
        if not self._root.is_dir():
            return ()
        staying, removed = Staying(owner), []
        with self._notes.alone():
            self._sweep(owner)
            for ref in self._notes.files(owner):
                file = self._own(ref)
                with staying.noting(file.name), telling(ref.uri):
                    if self._released(file, ref, owner):
                        removed.append(ref)
        staying.tell()
        return tuple(removed)

    # --- files and their names --------------------------------------------------------------------------------------

    def _released(self, file: Path, ref: DataRef, owner: str) -> bool:
        """Whether the file went, because nobody else needs it. The note goes last: it finds what is left."""
        is_removed = self._notes.owners(file.name) == {owner} and self.exists(ref)
        if is_removed:
            file.unlink(missing_ok=True)
        self._notes.remove(owner, file.name)
        return is_removed

    def _known(self, data: DataRef, name: str, owner: str) -> DataRef | None:
        """The file, if it is there."""
        for file in self._places(name, data.sha256):
            if not file.exists():
                return None
            if found := self._kept(file, data, owner):
                return found
        return None

    def _adopted(self, draft: Draft, data: DataRef, name: str, owner: str) -> DataRef:
        """Give a written file the first name that is free, once it was read back."""
        draft.to_disk()
        if (found := sha256_of(draft.path)) != data.sha256:
            raise other_bytes(data.uri or name, found, data.sha256)
        for file in self._places(name, data.sha256):
            if kept := self._kept(file, data, owner, draft):
                return kept
        raise taken(name, data.sha256, self.describe())

    def _kept(self, file: Path, data: DataRef, owner: str, draft: Draft | None = None) -> DataRef | None:
        """The file under this name, if its content is right, or the draft was given the name; noted beforehand."""
        is_new = self._notes.add(owner, file.name, data)
        if draft and _size_of(file) is None:
            draft.put_in_place(file)
        elif not _holds(file, data):
            if is_new:
                with self._notes.alone():
                    self._notes.remove(owner, file.name)
            return None
        return replace(data, uri=file.as_uri())

    def _places(self, name: str, sha256: str) -> tuple[Path, ...]:
        return tuple(self._root / file for file in file_names(name, sha256))

    @contextmanager
    def _draft(self, name: str, owner: str, size: int = 0) -> Iterator[Draft]:
        folder = self._root / INCOMING / plain(owner)
        with ExitStack() as stack:
            with self._notes.alone():
                self._sweep(owner)
                draft = stack.enter_context(scratch(folder, plain(name), needed=size))
            yield draft

    def _sweep(self, owner: str) -> None:
        """Remove what an owner that died left half written; for who is alone."""
        folder = self._root / INCOMING / owner
        sweep(folder)
        with suppress(OSError):  # it stays as long as something is written in it
            folder.rmdir()

    @property
    def _root(self) -> Path:
        return Path(self.folder)

    @property
    def _notes(self) -> Notes:
        return Notes(self._root)

    def _own(self, ref: DataRef) -> Path:
        file = file_of(referred(ref))
        if file.parent != self._root:
            raise NotOffered(
                f"{ref.uri} is not in this store", backend=self.name, hint=f"Expected a file in {self.describe()}."
            )
        return file


def _named(folder: object) -> Path:
    """The folder that a path or an address names."""
    scheme, is_address, _ = str(folder).partition("://")
    if isinstance(folder, str) and folder.startswith("file:"):
        return _addressed(folder)
    if isinstance(folder, str) and is_address:
        # What follows may hold a key.
        raise PlanError([f"a LocalStore was given {scheme}://… as its folder; {_A_FOLDER}"], hint=_OTHER_STORES)
    if not folder or not isinstance(folder, str | os.PathLike):
        shown = "'', which is no folder" if folder == "" else f"a folder of type {type(folder).__name__}"
        raise PlanError([f"a LocalStore was given {shown}; {_A_FOLDER}"])
    return Path(folder)


def _addressed(address: str) -> Path:
    try:
        return file_of_address(address)
    except DataError as cause:
        raise PlanError([f"{cause.args[0]}; {_A_FOLDER}"]) from cause


_A_FOLDER = "expected a path, or an address such as file:///folder"
_OTHER_STORES = "A bucket is a wx.COS(...), or .upload() takes its address."


def _size_of(file: Path) -> int | None:
    """The bytes of a file; None if there is none, -1 if it is something else."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_size if S_ISREG(found.st_mode) else -1


def _holds(file: Path, data: DataRef) -> bool:
    return _size_of(file) == data.size_bytes and sha256_of(file) == data.sha256
