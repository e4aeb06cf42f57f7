"""What goes wrong with a folder, in wxtuning's words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from wxtuning.errors import NotAuthorized, NotOffered, Unavailable, UploadIntegrityError

BACKEND = "folder"

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Say what an error of the system in this block was about.

    Raises:
        NotOffered, NotAuthorized, Unavailable: in its place.
    """
    try:
        yield
    except FileNotFoundError as cause:
        raise NotOffered(
            f"{what} is not there", backend=BACKEND, hint="It may have been released; put it again."
        ) from cause
    except OSError as cause:
        kind = NotAuthorized if cause.errno in _REFUSED else Unavailable
        raise kind(
            f"{what} cannot be used: {cause.strerror}", backend=BACKEND, hint="Check its disk and permissions."
        ) from cause


def other_bytes(uri: str, found: str, expected: str) -> UploadIntegrityError:
    """A file has another SHA-256 than it should."""
    return UploadIntegrityError(
        f"{uri} is not what was stored: its SHA-256 is {found}, expected {expected}",
        backend=BACKEND,
        hint="Somebody changed the file, or the disk is failing; delete it and put it again.",
    )


def taken(name: str, sha256: str, address: str) -> UploadIntegrityError:
    """Every name that a file may have is that of another."""
    return UploadIntegrityError(
        f"every name for {name!r} with SHA-256 {sha256} is taken by other content",
        backend=BACKEND,
        hint=f"Somebody changed the files in {address}; take another folder.",
    )
