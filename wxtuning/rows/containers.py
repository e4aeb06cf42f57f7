"""What files are packed in: gzip, zip and tar, read as streams and never unpacked to disk.

A member's name and kind are judged before a byte of any member is read.
"""

from __future__ import annotations

import gzip
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from wxtuning.rows.verdict import FileError

MOST_RATIO = 200
"""Above `FREE_BYTES`, what unpacks to more than this many times its size is a bomb."""

FREE_BYTES = 64 * 1024 * 1024
MOST_TOTAL = 64 * 1024**3
MOST_MEMBERS = 10_000


class Guarded:
    """A stream that stops when it unpacks to too much, and tells damage in our words.

    Args:
        inner: The unpacked stream.
        packed: Bytes that it comes from.
        name: The file's name, for messages.
    """

    def __init__(self, inner: IO[bytes], packed: int, name: str) -> None:
        self._inner = inner
        self._most = max(FREE_BYTES, packed * MOST_RATIO)
        self._name = name
        self._count = 0

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; never more than a mebibyte at once, so that no reader is made to hold a bomb."""
        with as_file_errors(self._name):
            data = self._inner.read(min(size, 1024 * 1024) if size >= 0 else 1024 * 1024)
        self._count += len(data)
        if self._count > self._most:
            raise _unsafe(self._name, f"it unpacks to more than {MOST_RATIO} times its size")
        return data


def unzipped(file: BinaryIO, size: int, name: str) -> Guarded:
    """The stream inside a gzip file of `size` bytes."""
    return Guarded(cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb")), size, name)


@contextmanager
def as_file_errors(name: str) -> Iterator[None]:
    """Tell a damaged gzip, zip or tar file as a `FileError`."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as cause:
        message = f"{name} is no whole gzip file, it is damaged or was cut off: {cause}"
        raise FileError(message, code="invalid_gzip", hint="Get it again; `gzip -t FILE` tells.") from cause
    except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError, RuntimeError) as cause:
        raise _unsafe(name, f"it is damaged or of a kind that is not read: {cause}") from cause


def zip_members(path: Path, name: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and stream of each file in a zip archive, sorted by name.

    Raises:
        FileError: `unsafe_archive` before the first one, if any member is not a plain file inside the archive.
    """
    with as_file_errors(name), zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        _check_zip(members, path, name)
        for member in sorted(members, key=lambda member: member.filename):
            with archive.open(member) as stream:
                yield member.filename, cast(IO[bytes], Guarded(stream, member.compress_size, name))


def _check_zip(members: list[zipfile.ZipInfo], path: Path, name: str) -> None:
    _check_count(len(members), name)
    for member in members:
        _check_name(member.filename, name)
        mode = member.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise _unsafe(name, f"{member.filename!r} is a link or a device")
        if member.flag_bits & 1:
            raise _unsafe(name, f"{member.filename!r} is encrypted")
    total = sum(member.file_size for member in members)
    if total > min(MOST_TOTAL, max(FREE_BYTES, path.stat().st_size * MOST_RATIO)):
        raise _unsafe(name, f"it unpacks to {total:,} bytes, more than {MOST_RATIO} times its size")


def tar_members(path: Path, name: str, *, is_gzip: bool) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and stream of each file in a tar archive, in its order; errors are those of `zip_members`."""
    with _tar(path, name, is_gzip=is_gzip) as archive:
        for count, member in enumerate(archive, start=1):
            _check_count(count, name)
            _check_tar(member, name)
    with _tar(path, name, is_gzip=is_gzip) as archive:
        for member in archive:
            if member.isfile() and (stream := archive.extractfile(member)):
                yield member.name, stream


@contextmanager
def _tar(path: Path, name: str, *, is_gzip: bool) -> Iterator[tarfile.TarFile]:
    with as_file_errors(name), path.open("rb") as file:
        stream = unzipped(file, path.stat().st_size, name) if is_gzip else file
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as archive:
            yield archive


def _check_tar(member: tarfile.TarInfo, name: str) -> None:
    _check_name(member.name, name)
    if not (member.isfile() or member.isdir()):
        raise _unsafe(name, f"{member.name!r} is a link or a device")
    if member.issparse():
        raise _unsafe(name, f"{member.name!r} is a sparse file")


def _check_count(count: int, name: str) -> None:
    if count > MOST_MEMBERS:
        raise _unsafe(name, f"it has more than {MOST_MEMBERS:,} members")


def _check_name(member: str, name: str) -> None:
    parts = re.split(r"[/\\]", member)
    if not member or member[0] in "/\\" or ".." in parts or re.match(r"[A-Za-z]:", member) or "\0" in member:
        raise _unsafe(name, f"the member {member[:80]!r} points outside of it")


def _unsafe(name: str, reason: str) -> FileError:
    message = f"the archive {name} is refused, nothing of it was read: {reason}"
    return FileError(message, code="unsafe_archive", hint="Unpack it yourself if you trust it, and load the files.")
