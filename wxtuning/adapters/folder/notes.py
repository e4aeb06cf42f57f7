"""Who needs which file of a folder: small notes in it, and the lock that keeps them true. Knows no content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wxtuning.adapters.folder.faults import telling
from wxtuning.folder import in_turn, write_atomically
from wxtuning.status import DataRef
from wxtuning.stored import OWNERS, note, noted, plain

LOCK = ".lock"


@dataclass(frozen=True)
class Notes:
    """The notes of a store: `.owners/<owner>/<file>` in its folder.

    Whoever writes one, or removes a file that none speaks of, does so alone: so no file goes while it gets its note.
    """

    root: Path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Do something to the folder while nobody else does; made if missing.

        Raises:
            NotAuthorized, NotOffered, Unavailable: if the folder cannot be used, or its disk knows no locks.
        """
        with telling(self.root.as_uri()), in_turn(self.root / LOCK):
            yield

    def add(self, owner: str, file: str, data: DataRef) -> bool:
        """Note that an owner needs a file; whether that was not known."""
        with self.alone():
            kept = self._place(owner, file)
            is_new = not kept.exists()
            write_atomically(kept, note(data))
            return is_new

    def remove(self, owner: str, file: str) -> None:
        """For who is alone."""
        kept = self._place(owner, file)
        kept.unlink(missing_ok=True)
        with suppress(OSError):  # the folder stays as long as there is more in it
            kept.parent.rmdir()

    def files(self, owner: str) -> Iterator[DataRef]:
        """What an owner's notes speak of, by name, whether the file is there or not."""
        for kept in sorted(self._place(owner, "").glob("*.jsonl")):
            with suppress(FileNotFoundError):  # it went between the list and now
                if data := noted(kept.read_bytes(), f"{self.root.as_uri().rstrip('/')}/", kept.name):
                    yield data

    def owners(self, file: str) -> set[str]:
        """Who needs a file."""
        return {kept.parent.name for kept in self.root.glob(f"{OWNERS}/*/{file}")}

    def _place(self, owner: str, file: str) -> Path:
        return self.root / OWNERS / plain(owner) / file
