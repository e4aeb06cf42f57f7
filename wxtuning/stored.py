"""How stores name what they keep: files by their content, owners by notes. Knows names; knows no store."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlparse

from wxtuning.errors import DataError, InputChangedError, PlanError
from wxtuning.status import DataRef

OWNERS = ".owners"
"""The folder of the notes that say who needs which file: `.owners/<owner>/<file>`."""

INCOMING = ".incoming"
"""The folder of what is written before its content is known: `.incoming/<owner>/<name>`."""

RELEASING = ".releasing"
"""The folder of the notes that say who is giving up which file: `.releasing/<file>/<owner>`."""

CHECK = ".wxtuning-check"
"""What a store asks about to learn its rights; nothing is kept under this name."""

DIGITS = (16, 32, 64)
"""So many digits of a file's SHA-256 are in its name; more only where fewer are taken by other content."""

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_FILE = re.compile(r"(?P<name>.+)-(?P<digits>[0-9a-f]+)\.jsonl")


def file_names(name: str, sha256: str) -> tuple[str, ...]:
    """The names that a file with this content may have, to be tried in this order.

    Raises:
        PlanError: if `name` is not plain.
    """
    return tuple(f"{plain(name)}-{sha256[:digits]}.jsonl" for digits in DIGITS)


def plain(word: str) -> str:
    """The word, which can be part of an address as it is.

    Raises:
        PlanError: if it cannot.
    """
    if not _PLAIN.fullmatch(word):
        raise PlanError(
            [f"{word!r} cannot be part of a file's name in a store; expected 1 to 128 letters, digits, '-', '_' or '.'"]
        )
    return word


def referred(value: object) -> DataRef:
    """The reference that a store was given.

    Raises:
        PlanError: if it is something else, such as the file's name.
    """
    if isinstance(value, DataRef):
        return value
    raise PlanError(
        [f"a store was asked about a {type(value).__name__}; expected a DataRef, which says what the file holds"],
        hint="steps.reference(file) makes one of a file of this machine; put, writing and list give those of a store.",
    )


def file_of(data: DataRef) -> Path:
    """The file of this machine that a `file:` address names.

    Raises:
        DataError: if it names none.
    """
    return file_of_address(data.uri)


def file_of_address(uri: str) -> Path:
    """The path behind a `file:` address.

    Raises:
        DataError: if it is none of this machine.
    """
    found = urlparse(uri)
    if found.scheme != "file" or found.netloc not in ("", "localhost") or not found.path:
        raise DataError(f"{uri!r} is no file of this machine", hint="Expected an address such as file:///folder/file.")
    return Path(unquote(found.path))


def opened(data: DataRef) -> BinaryIO:
    """The file of this machine that a `file:` address names, open for reading.

    Raises:
        DataError: if there is none, or it cannot be read.
    """
    try:
        return file_of(data).open("rb")
    except OSError as cause:
        raise DataError(
            f"{data.uri} cannot be read: {cause.strerror}", hint="Run the same line again; it is made anew."
        ) from cause


def check_same(found: DataRef, expected: DataRef) -> None:
    """Make sure that the bytes that were read of a file are those that it had when it was checked.

    Raises:
        InputChangedError: if they are not.
    """
    if (found.sha256, found.size_bytes) != (expected.sha256, expected.size_bytes):
        raise InputChangedError(
            f"{expected.uri} is no longer what was checked: {found.size_bytes:,} bytes with SHA-256 {found.sha256}, "
            f"expected {expected.size_bytes:,} with {expected.sha256}",
            hint="Nothing was stored. Run the same line again once the file is at rest.",
        )


def note(data: DataRef) -> bytes:
    """What a note holds of the file that it names."""
    return json.dumps({"sha256": data.sha256, "rows": data.rows, "size_bytes": data.size_bytes}).encode()


def noted(content: bytes, address: str, file: str) -> DataRef | None:
    """What a note says of a file below this address (with a slash at its end); None if it is no note of ours."""
    try:
        found = json.loads(content)
        data = DataRef(
            uri=address + file,
            sha256=str(found["sha256"]),
            rows=int(found["rows"]),
            size_bytes=int(found["size_bytes"]),
        )
    except (ValueError, TypeError, KeyError):
        return None
    return data if _is_named_after(data.sha256, file) else None


def _is_named_after(sha256: str, file: str) -> bool:
    found = _FILE.fullmatch(file)
    return bool(found and _PLAIN.fullmatch(found["name"]) and sha256.startswith(found["digits"]))
