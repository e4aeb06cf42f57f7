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
from typing import BinaryIO, TextIO

from wxtuning.errors import RunLocked, WxTuningError


def home_folder(home: str | Path | None = None) -> Path:
    """The folder of all runs: `home`, else the environment's WXTUNING_HOME, else `~/.wxtuning`, made if missing.

    Raises:
        WxTuningError: if it cannot be made or written.
    """
    asked = Path(home or os.environ.get("WXTUNING_HOME") or _user_home() / ".wxtuning")
    try:
        folder = asked.expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError) as cause:
        raise WxTuningError(f"cannot make the folder {asked}: {cause}", hint=_ELSEWHERE) from cause
    if not os.access(folder, os.W_OK):
        raise WxTuningError(f"the folder {folder} cannot be written", hint=_ELSEWHERE)
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
def replacing(path: Path, *, needed: int = 0) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends without an error, in one step.

    Args:
        path: The file to replace; its folder is made if missing.
        needed: Bytes that will be written, for the message where there is no room; 0 where nobody knows.

    Raises:
        WxTuningError: if the disk is full or the folder cannot be written; the old file is untouched.
    """
    with scratch(path.parent, path.name, needed=needed) as (file, temporary):
        yield file
        to_disk(file)
        put_in_place(temporary, path)


@contextmanager
def scratch(folder: Path, name: str, *, needed: int = 0) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file in a folder, to write, and its path; when the block ends it is gone, unless it was put in place.

    Args:
        folder: Made if missing.
        name: What the file is for; part of its own name.
        needed: As for `replacing`.

    Raises:
        WxTuningError: if the disk is full or the folder cannot be written.
    """
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        temporary = Path(made)
        with os.fdopen(handle, "wb") as file:
            yield file, temporary
    except OSError as cause:
        raise _cannot_write(folder / name, needed, cause) from cause
    finally:
        if temporary:
            with suppress(OSError):
                temporary.unlink()


def to_disk(file: BinaryIO) -> None:
    """Return when all that was written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def put_in_place(temporary: Path, path: Path) -> None:
    """Give a file, whose content is on the disk, its name for good; what had the name before is gone."""
    temporary.replace(path)
    _sync_folder(path.parent)


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
        RunLocked: if another process holds it.
        WxTuningError: if the folder cannot be made or written.
    """
    import fcntl

    with _lock_file(folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            file.seek(0)
            raise RunLocked(
                f"run {folder.name} is being worked on by another process (id {file.read().strip() or 'unknown'})",
                hint="Wait for it to end, or end it; then run the same line again.",
            ) from cause
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
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
