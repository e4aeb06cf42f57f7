"""Where things lie on this machine, and how a file is written so that it is old or new, never half.

Knows names and locks; knows nothing of what the files hold.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from wxtuning.errors import RunLocked, WxTuningError


def home_folder(home: str | Path | None = None) -> Path:
    """The folder of all runs: `home`, else the environment's WXTUNING_HOME, else `~/.wxtuning`, made if missing.

    Raises:
        WxTuningError: if it cannot be made or written.
    """
    hint = "Name another folder." if home else _ELSEWHERE
    asked = Path(home or os.environ.get("WXTUNING_HOME") or _user_home() / ".wxtuning")
    try:
        folder = asked.expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError) as cause:
        raise WxTuningError(f"cannot make the folder {asked}: {cause}", hint=hint) from cause
    if not os.access(folder, os.W_OK):
        raise WxTuningError(f"the folder {folder} cannot be written", hint=hint)
    return folder


_ELSEWHERE = "Name another folder in the environment variable WXTUNING_HOME."


def _user_home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # no HOME and no entry for this user, as in some containers
        return Path(tempfile.gettempdir()) / f"wxtuning-{os.getuid()}"


def slug(name: str) -> str:
    """A file name made from a person's name for something: ASCII letters, digits and hyphens, 1 to 40 long."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", ascii_only)[:40].strip("-").lower() or "experiment"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` with `content` in one step; after a crash the file is the old or the new one.

    Raises:
        WxTuningError: if the disk is full or the folder cannot be written; the old file is untouched.
    """
    with replacing(path, needed=len(content)) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, *, needed: int = 0) -> Iterator[Draft]:
    """A file to write that takes the place of `path` when the block ends without an error, in one step.

    Args:
        path: The file to replace; its folder is made if missing.
        needed: Bytes that will be written, for the message where there is no room; 0 where nobody knows.

    Raises:
        WxTuningError: if the disk is full or the folder cannot be written; the old file is untouched.
    """
    with scratch(path.parent, path.name, needed=needed) as draft:
        yield draft
        draft.put_in_place(path)


@contextmanager
def scratch(folder: Path, name: str, *, needed: int = 0) -> Iterator[Draft]:
    """A new file in a folder, to write; when the block ends it is gone, unless it was put in place.

    Args:
        folder: Made if missing.
        name: What the file is for; part of its own name.
        needed: As for `replacing`.

    Raises:
        WxTuningError: if the disk is full or the folder cannot be written. Errors of the block come out as they are.
    """
    draft = Draft(folder, name, needed)
    try:
        yield draft
    finally:
        draft.discard()


class Draft:
    """A new file while it is written, under a name for the time being, `path`.

    Whatever goes wrong with it is told with the name that it is for. It is locked, so that `sweep` knows it is in use.

    Raises:
        WxTuningError: from every method but `discard`, if the disk is full or the folder cannot be written.
    """

    def __init__(self, folder: Path, name: str, needed: int = 0) -> None:
        self._meant = folder / name
        self._needed = needed
        with self._telling():
            folder.mkdir(parents=True, exist_ok=True)
            handle, made = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        self.path = Path(made)
        self._file = os.fdopen(handle, "wb")
        _is_ours(handle)

    def write(self, content: bytes | bytearray | memoryview, /) -> int:
        """Take the next bytes."""
        try:
            return self._file.write(content)
        except OSError as cause:
            raise _cannot_write(self._meant, self._needed, cause) from cause

    def to_disk(self) -> None:
        """Return when all that was written is on the disk."""
        with self._telling():
            self._file.flush()
            os.fsync(self._file.fileno())

    def put_in_place(self, path: Path) -> None:
        """Give the file its name for good, once its content is on the disk; what had the name before is gone."""
        self.to_disk()
        with self._telling():
            self.path.replace(path)
            _sync_folder(path.parent)

    def discard(self) -> None:
        """Let go of the file, and remove it unless it was put in place."""
        with suppress(OSError):  # what could not be written any more is not wanted any more
            self._file.close()
        with suppress(OSError):
            self.path.unlink()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as cause:
            raise _cannot_write(self._meant, self._needed, cause) from cause


def sweep(folder: Path) -> None:
    """Remove the drafts in a folder whose writers have died; nobody may begin one there in the meantime."""
    for draft in folder.glob(".*.*"):
        with suppress(OSError), draft.open("rb") as file:
            if _is_ours(file.fileno()):
                draft.unlink()


def _is_ours(handle: int) -> bool:
    """Whether a file could be locked for as long as it is open here; not where the disk knows no locks."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    # The new name is only durable once the folder itself is on disk.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_write(path: Path, size: int, cause: OSError) -> WxTuningError:
    if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return WxTuningError(
            f"no room to write {path}{f': {size:,} bytes needed' if size else ''} ({cause.strerror})",
            hint="Free some space, then run the same line again: it continues where it stopped.",
        )
    return WxTuningError(f"cannot write {path}: {cause.strerror}", hint="Check the folder's owner and permissions.")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process; the lock goes with the process, however it ends.

    Raises:
        RunLocked: if another process holds it, or this one does already.
        WxTuningError: if the folder cannot be made or written.
    """
    import fcntl

    with _lock_file(folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            file.seek(0)
            raise _locked_by(file.read().strip(), folder.name) from cause
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _locked_by(process: str, run: str) -> RunLocked:
    if process == str(os.getpid()):
        return RunLocked(
            f"run {run} is being worked on already, by this very process",
            hint="Ask for it once; experiments that say the same are the same run.",
        )
    return RunLocked(
        f"run {run} is being worked on by another process (id {process or 'unknown'})",
        hint="Wait for it to end, or end it; then run the same line again.",
    )


@contextmanager
def in_turn(lock: Path) -> Iterator[None]:
    """Hold a lock that is held only for moments, after those who came before; its folder is made if missing.

    Raises:
        OSError: if the file cannot be made, or the disk knows no locks.
    """
    import fcntl

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock_file(folder: Path) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / "run.lock").open("a+")
    except OSError as cause:
        raise WxTuningError(
            f"cannot work in {folder}: expected a folder that can be written, found: {cause.strerror}",
            hint=f"Put aside what is in its place. {_ELSEWHERE}",
        ) from cause
