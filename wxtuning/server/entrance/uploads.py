"""A file on its way in: raw bytes, or the field `file` of a multipart form, written as they come. Knows no request."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from wxtuning.server.errors import Refused, invalid
from wxtuning.server.private import create

FIELD = "file"
"""The one field of a form that is kept."""

MOST_PARTS = 20
"""Parts of a form."""

MOST_HEADER_BYTES = 8 * 1024
"""All headers of one part."""


class Upload:
    """Writes to a file that only its owner can read. Used as `with upload: upload.write(piece)`.

    Args:
        path: The file to make.
        content_type: The request's header, which says whether this is a form.
    """

    def __init__(self, path: Path, content_type: str) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._parts = _Parts(content_type) if content_type.lower().startswith("multipart/") else None

    def __enter__(self) -> Self:
        self._file = create(self.path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._file is not None
        self._file.close()

    def write(self, piece: bytes) -> None:
        """Keep what a piece of the body brings.

        Raises:
            Refused: if the form cannot be read, or there is no room for the file.
        """
        assert self._file is not None
        try:
            self._file.write(self._parts.feed(piece) if self._parts else piece)
        except OSError as cause:
            message = f"the file cannot be kept: {cause.strerror}; free some space on the server's disk"
            raise Refused(507, "insufficient_storage", message) from cause

    def finished(self) -> Path:
        """The file, which is whole.

        Raises:
            Refused: if the form had no such field, or was cut off.
        """
        if self._parts and not self._parts.is_whole:
            raise invalid(f"the multipart form has no whole field {FIELD!r}; send the file in it")
        return self.path

    def drop(self) -> None:
        """Remove the file, if it was made."""
        self.path.unlink(missing_ok=True)


class _Parts:
    """Takes the bytes of one field out of a multipart form."""

    def __init__(self, content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not boundary:
            raise invalid("the multipart form names no boundary")
        self._found = bytearray()
        self._header = bytearray()
        self._value = bytearray()
        self._name = b""
        self._count = 0
        self._header_bytes = 0
        self._seen = False
        self.is_whole = False
        self._parser = MultipartParser(boundary, self._callbacks())  # type: ignore[arg-type]

    def feed(self, piece: bytes) -> bytes:
        try:
            self._parser.write(piece)
        except FormParserError as cause:
            raise invalid(f"the multipart form cannot be read: {cause}") from None
        found, self._found = bytes(self._found), bytearray()
        return found

    def _callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._keep(self._header, data[start:end]),
            "on_header_value": lambda data, start, end: self._keep(self._value, data[start:end]),
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._name = b""
        self._header_bytes = 0
        self._count += 1
        if self._count > MOST_PARTS:
            raise invalid(f"the multipart form has more than {MOST_PARTS} parts; send the file alone")

    def _keep(self, where: bytearray, piece: bytes) -> None:
        self._header_bytes += len(piece)
        if self._header_bytes > MOST_HEADER_BYTES:
            raise invalid(f"a part of the form has headers longer than {MOST_HEADER_BYTES:,} bytes; shorten them")
        where.extend(piece)

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._name = parse_options_header(bytes(self._value))[1].get(b"name", b"")
            if self._name == FIELD.encode():
                if self._seen:
                    raise invalid(f"the multipart form has the field {FIELD!r} twice; send one file")
                self._seen = True
        self._header.clear()
        self._value.clear()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == FIELD.encode():
            self._found.extend(data[start:end])

    def _end(self) -> None:
        self.is_whole = self._seen
