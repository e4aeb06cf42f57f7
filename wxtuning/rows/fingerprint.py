"""What tells one state of a file from another: its size, its time and the hash of its content."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from wxtuning.errors import InputChangedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprint:
    """The content of one file: `size` in bytes, `mtime_ns` since the epoch, `sha256` in hexadecimal."""

    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """Read the whole file.

        Raises:
            InputChangedError: if it is written to meanwhile.
        """
        with path.open("rb") as file:
            before = Identity.of(os.fstat(file.fileno()))
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            before.check(Identity.of(os.fstat(file.fileno())), path)
        return cls(size=before.size, mtime_ns=before.mtime_ns, sha256=digest)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What the file system says of a file; it changes with every write, and with some things that are none."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Identity:
        return cls(
            device=found.st_dev,
            inode=found.st_ino,
            size=found.st_size,
            mtime_ns=found.st_mtime_ns,
            ctime_ns=found.st_ctime_ns,
        )

    def check(self, now: Identity, path: Path) -> None:
        """Raise `InputChangedError` if the file is not the one that this was taken of, or was written to since."""
        if now == self:
            return
        what = (
            f"it had {self.size:,} bytes and has {now.size:,}"
            if now.size != self.size
            else "another file has its name now"
            if (now.device, now.inode) != (self.device, self.inode)
            else "it was written to"
        )
        raise changed(path, what)


def changed(path: Path, what: str) -> InputChangedError:
    return InputChangedError(
        f"{path.name} changed while it was in use: {what}",
        hint="Let the program that writes it end, then start again; nothing was made of it.",
    )
