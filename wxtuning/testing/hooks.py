"""What the contract of stores has to be told of one, and the files that it puts there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from wxtuning.ports import Store
from wxtuning.status import DataRef

LINES = b'{"input": "a", "output": "b"}\n'
RUN, OTHER = "run-1", "run-2"


class Stop(Exception):
    """What a watch or a block raises here to end a transfer."""


class StoreHooks:
    """For a store's own tests to fill in.

    `secrets` are texts that the store was given and must show nobody; `large` is a size in bytes that the store sends
    in several pieces; `rounds` is how often two race.
    """

    secrets: tuple[str, ...] = ()
    large: int = 3_000_000
    rounds: int = 5

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """An empty store."""
        raise NotImplementedError("override the fixture `store`: it gives an empty store of yours")

    def overwrite(self, store: Store, ref: DataRef, content: bytes) -> None:
        """Put other content in the place of a file, as somebody else might."""
        raise NotImplementedError("override `overwrite`: it replaces a stored file's bytes behind the store's back")

    def corrupt(self, store: Store, ref: DataRef) -> None:
        """Change bytes of a stored file, but not its size."""
        self.overwrite(store, ref, b"?" * ref.size_bytes)

    def kept(self, store: Store) -> Sequence[str]:
        """The names of all that lies in the store: files, notes of owners, what is half sent; not a lock that stays."""
        raise NotImplementedError("override `kept`: it lists everything that lies where your store keeps its files")

    def abandon(self, store: Store, data: DataRef, name: str, owner: str) -> None:
        """Leave what the store leaves when its process is killed while it puts or writes a file."""
        raise NotImplementedError(
            "override `abandon`: it kills a process that uses your store, or leaves what that does"
        )


def file_in(folder: Path, content: bytes, name: str = "train") -> DataRef:
    """A file with this content, and what is known of it."""
    file = folder / name
    file.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return DataRef(uri=file.as_uri(), sha256=digest, rows=content.count(b"\n"), size_bytes=len(content))


def lines_of(size: int) -> bytes:
    """Lines that are all different, about so many bytes."""
    return b"".join(b'{"input": "%08d", "output": "b"}\n' % number for number in range(size // 36 + 1))


def got(store: Store, ref: DataRef, folder: Path) -> bytes:
    """The bytes that a store gives for a reference."""
    store.get(ref, folder / "back.jsonl")
    return (folder / "back.jsonl").read_bytes()


def stopping(done: int, size: int | None) -> None:
    """A watch that ends what it watches."""
    raise Stop
