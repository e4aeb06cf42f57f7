"""Parts of a file: how large, what proves them, and how one is handed to the wire. Knows no server."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO

from wxtuning.errors import PlanError

MIB = 2**20
PIECE_BYTES = 128 * 1024
"""So much goes to the socket at once; more could not pass a slow link before a request counts as lost."""

SMALLEST_PART = 5 * MIB
LARGEST_PART = 5 * 2**30
MOST_PARTS = 10_000
LARGEST_FILE = 5 * 2**40


def part_size(size: int, wanted: int) -> int:
    """Bytes of each part but the last: `wanted`, or as many whole MiB as it takes to stay within 10,000 parts.

    Raises:
        PlanError: if an object storage cannot hold a file of this size.
    """
    if size > LARGEST_FILE:
        raise PlanError(
            [f"a file of {size:,} bytes cannot be stored: an object holds at most 5 TiB ({LARGEST_FILE:,} bytes)"],
            hint="Split the data, or take fewer rows with limit=.",
        )
    if size <= wanted * MOST_PARTS:
        return wanted
    return -(-size // (MOST_PARTS * MIB)) * MIB


@dataclass(frozen=True)
class Digests:
    """What identifies a part: its MD5 (what servers answer as ETag) and its SHA-256 (what a signature covers)."""

    md5: bytes
    sha256: str

    @property
    def etag(self) -> str:
        return self.md5.hex()

    @property
    def content_md5(self) -> str:
        """As the header Content-MD5 wants it."""
        return b64encode(self.md5).decode()


def digests_of(content: memoryview) -> Digests:
    """Both digests, in pieces, so that the second finds the bytes where the first has brought them."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    for begin in range(0, len(content), PIECE_BYTES):
        piece = content[begin : begin + PIECE_BYTES]
        md5.update(piece)
        sha256.update(piece)
    return Digests(md5.digest(), sha256.hexdigest())


@dataclass(frozen=True)
class Part:
    """A part as the server has it. `md5` is that of our bytes; `is_settled` if the server's ETag is that very MD5."""

    number: int
    size: int
    etag: str
    md5: bytes
    is_settled: bool = True


def fingerprint(file: BinaryIO, part_bytes: int, check: Callable[[], None]) -> tuple[str, str]:
    """The SHA-256 of a file from its beginning, and the ETag of its bytes when they were sent in parts of this size.

    `check` is called again and again; it ends this by raising.
    """
    whole, md5s, buffer, done = hashlib.sha256(), [], memoryview(bytearray(PIECE_BYTES)), 0
    file.seek(0)
    while count := file.readinto(buffer[: part_bytes - done % part_bytes]):  # type: ignore[attr-defined]
        check()
        if done % part_bytes == 0:
            md5s.append(hashlib.md5(usedforsecurity=False))
        whole.update(buffer[:count])
        md5s[-1].update(buffer[:count])
        done += count
    if len(md5s) > 1:
        return whole.hexdigest(), whole_etag([md5.digest() for md5 in md5s])
    single = md5s[0] if md5s else hashlib.md5(usedforsecurity=False)
    return whole.hexdigest(), single.hexdigest()


def whole_etag(md5s: Sequence[bytes]) -> str:
    """The ETag of an object that was put together of parts with these MD5s."""
    return f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"


class Body:
    """A part on its way out, read in pieces; `moved` is told of every piece, and may end it by raising."""

    def __init__(self, content: memoryview, sha256: str, moved: Callable[[int], None]) -> None:
        self.sha256 = sha256
        self._content = content
        self._moved = moved
        self._position = 0
        self._told = 0
        self.stopped_by: BaseException | None = None
        self.stopped_at: TracebackType | None = None

    def __len__(self) -> int:
        return len(self._content)

    def read(self, size: int = -1) -> memoryview:
        """The next piece, whatever was asked for; asking for it says that the one before is on the wire."""
        self._tell(self._position - self._told)
        piece = self._content[self._position : self._position + PIECE_BYTES]
        self._position += len(piece)
        return piece

    def take_back(self) -> None:
        """What was sent did not arrive."""
        self._tell(-self._told)

    def _tell(self, count: int) -> None:
        self._told += count
        try:
            self._moved(count)
        except BaseException as error:
            # The vendor's session turns whatever is raised here into an error of its own, and its frames hold requests.
            self.stopped_by, self.stopped_at = error, error.__traceback__
            raise
