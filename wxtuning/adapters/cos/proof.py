"""Whether the bucket holds our bytes. By the ETag where it is an MD5, else by reading them back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wxtuning.adapters.cos.connection import Answer, Connection, quietly
from wxtuning.adapters.cos.faults import BACKEND, Missing
from wxtuning.adapters.cos.fetching import pieces
from wxtuning.adapters.cos.parts import Digests, Part, whole_etag
from wxtuning.errors import Unavailable, UploadIntegrityError

_MD5 = re.compile(r"[0-9a-f]{32}(-[0-9]+)?")
_ENCRYPTED = ("SSEKMSKeyId", "SSECustomerAlgorithm", "SSECustomerKeyMD5", "IBMSSEKPEnabled", "IBMSSEKPCrkId")


@dataclass(frozen=True)
class Expected:
    """What an object should be. `etag` is empty where the server's parts had none that could be compared."""

    size: int
    sha256: str
    etag: str = ""


def expected_of(parts: Sequence[Part], sha256: str) -> Expected:
    """What the object is when these parts have been put together."""
    settled = all(part.is_settled for part in parts)
    etag = whole_etag([part.md5 for part in parts]) if settled else ""
    return Expected(sum(part.size for part in parts), sha256, etag)


def etag_in(answer: Mapping[str, Any]) -> str:
    """The ETag that a server answered, without its quotation marks."""
    return str(answer.get("ETag", "")).strip('"').lower()


def is_settled(answer: Mapping[str, Any], digests: Digests, what: str) -> bool:
    """Whether the ETag of a part proves it; False if the ETag is no MD5.

    Raises:
        UploadIntegrityError: if it is the MD5 of other bytes.
    """
    verdict = _verdict(answer, digests.etag)
    if verdict is False:
        raise UploadIntegrityError(
            f"{what} was stored as other bytes: its ETag is {etag_in(answer)}, expected {digests.etag}",
            backend=BACKEND,
            hint=_DO_NOT_TRUST,
        )
    return bool(verdict)


_REMOVED = "Somebody removed it right after it was written; put it again."
_DO_NOT_TRUST = "Nothing was kept. Run the same line again; if it happens again, do not trust this store."


def _verdict(answer: Mapping[str, Any], expected: str) -> bool | None:
    """Whether an ETag is that of our bytes; None if it does not tell."""
    found = etag_in(answer)
    encrypted = any(answer.get(field) for field in _ENCRYPTED)
    if encrypted or "kms" in str(answer.get("ServerSideEncryption", "")) or not _MD5.fullmatch(found) or not expected:
        return None
    if found == expected:
        return True
    # Another number of parts, or none, is another way to hash the same bytes.
    return False if found.partition("-")[2] == expected.partition("-")[2] else None


def holds(connection: Connection, key: str, expected: Expected) -> bool | None:
    """Whether an object is what is expected, read back if there is no other way; None if there is none.

    Raises:
        NotAuthorized, NotOffered, Unavailable: if that cannot be found out.
    """
    found = looked_at(connection, key)
    return is_right(connection, key, found, expected) if found else None


def looked_at(connection: Connection, key: str) -> Answer | None:
    """What the server says of an object; None if there is none."""
    try:
        return connection.ask("head_object", Key=key)
    except Missing:
        return None


def is_right(connection: Connection, key: str, found: Answer, expected: Expected) -> bool:
    """Whether an object that was looked at is what is expected, read back if there is no other way.

    Raises:
        Missing: if it is gone by now.
        NotAuthorized, NotOffered, Unavailable: if that cannot be found out.
    """
    if int(found["ContentLength"]) != expected.size:
        return False
    verdict = _verdict(found, expected.etag)
    return verdict if verdict is not None else _read_back(connection, key, expected.size) == expected.sha256


def is_there(connection: Connection, key: str, expected: Expected) -> bool:
    """Whether an object is there and right, asked once; False also if nobody says."""
    try:
        found = connection.ask("head_object", Key=key, attempts=1)
    except (Missing, Unavailable):
        return False
    return int(found.get("ContentLength", -1)) == expected.size


def prove(connection: Connection, key: str, expected: Expected) -> None:
    """Make sure that an object that was just written is what was sent; it is removed if not.

    Raises:
        UploadIntegrityError: if it is not.
        Missing: if it is gone.
    """
    found = looked_at(connection, key)
    if found is None:
        raise Missing(f"{key} in bucket {connection.place.bucket!r} is gone", backend=BACKEND, hint=_REMOVED)
    if is_right(connection, key, found, expected):
        return
    with quietly():
        connection.ask("delete_object", Key=key)
    raise UploadIntegrityError(
        f"{key} in bucket {connection.place.bucket!r} is not what was sent: "
        f"expected {expected.size:,} bytes with SHA-256 {expected.sha256}",
        backend=BACKEND,
        hint=_DO_NOT_TRUST,
    )


def _read_back(connection: Connection, key: str, size: int) -> str:
    """The SHA-256 of an object's bytes."""
    digest = hashlib.sha256()
    for piece in pieces(connection, key, size):
        digest.update(piece)
    return digest.hexdigest()
