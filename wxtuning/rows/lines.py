"""The lines of a text file in bounded memory: whole lines in blocks, line ends of any kind, no byte-order mark."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Protocol

from wxtuning.rows.jsontext import MOST_BYTES
from wxtuning.rows.verdict import FileError

BLOCK_BYTES = 512 * 1024
"""So much is read at once; what is read and made of it fits into a core's own cache."""

BOM = b"\xef\xbb\xbf"
_LONGEST_END = b"\r\n"


class Stream(Protocol):
    """What can be read from: a file, or what comes out of a compressed one."""

    def read(self, size: int, /) -> bytes: ...


class Block:
    """Whole lines, each with its line end but for the last of a file; to be used before the next block is asked for.

    Args:
        buffer: Holds the lines at its beginning; the next block will overwrite it.
        size: Bytes of the lines.
        line: The physical number of the first.
        end: What ends a line.
        is_last: Whether the file ends here.
        is_cut: Whether this is the beginning of one line that is longer than any record.
    """

    __slots__ = ("_count", "_data", "buffer", "end", "is_cut", "is_last", "line", "size")

    def __init__(
        self, buffer: bytearray, size: int, line: int, end: bytes, *, is_last: bool = False, is_cut: bool = False
    ) -> None:
        self.buffer = buffer
        self.size = size
        self.line = line
        self.end = end
        self.is_last = is_last
        self.is_cut = is_cut
        self._data: bytes | None = None
        self._count: int | None = None

    @property
    def data(self) -> bytes:
        """The lines, copied at the first call."""
        if self._data is None:
            self._data = bytes(memoryview(self.buffer)[: self.size])
        return self._data

    @property
    def count(self) -> int:
        """How many line ends it has; counted unless somebody has done so and said it."""
        if self._count is None:
            self._count = self.data.count(self.end)
        return self._count

    @count.setter
    def count(self, count: int) -> None:
        self._count = count

    def lines(self) -> Iterator[tuple[int, bytes, bool]]:
        """Number and text of each line, without its line end, and whether the file ends right behind it."""
        lines = self.data.split(self.end)
        ends_open = bool(lines[-1])
        if not ends_open:
            lines.pop()
        for offset, line in enumerate(lines):
            yield self.line + offset, line, self.is_last and ends_open and offset == len(lines) - 1


class TextBlocks:
    """The blocks of a stream of UTF-8 text, once.

    Args:
        stream: Where the bytes come from.
        name: The file's name, for messages.

    Raises:
        FileError: if the text is no UTF-8 but UTF-16 or UTF-32.
    """

    def __init__(self, stream: Stream, name: str) -> None:
        self._stream = stream
        # One buffer for all: to ask the system for fresh memory takes longer than to read into it.
        self._buffer = bytearray(MOST_BYTES + len(_LONGEST_END) + BLOCK_BYTES)
        self._view = memoryview(self._buffer)
        self._filled = self._read_to(0)
        self._is_at_end = self._filled < BLOCK_BYTES
        head = self.head
        _refuse_wide(head[:4], name)
        self.has_bom = head.startswith(BOM)
        if self.has_bom:
            self._filled = self._moved_to_front(len(BOM), self._filled)
        self.end = b"\r" if b"\n" not in head and b"\r" in head else b"\n"

    @property
    def head(self) -> bytes:
        """The beginning of the text, before it is read."""
        return bytes(self._view[: self._filled])

    def _read_to(self, start: int) -> int:
        """Fill the buffer from `start` on; where the text ends in it."""
        end, most = start, start + BLOCK_BYTES
        while end < most and (count := self._read_into(self._view[end:most])):
            end += count
        return end

    def _read_into(self, view: memoryview) -> int:
        if isinstance(self._stream, io.BufferedIOBase):
            return self._stream.readinto(view)
        part = self._stream.read(len(view))
        view[: len(part)] = part
        return len(part)

    def _moved_to_front(self, start: int, end: int) -> int:
        self._view[: end - start] = bytes(self._view[start:end])
        return end - start

    def chunks(self) -> Iterator[bytes]:
        """The text in pieces that know nothing of lines."""
        while self._filled:
            yield self.head
            self._filled = self._read_to(0)

    def __iter__(self) -> Iterator[Block]:
        line = 1
        rest = 0
        while self._filled:
            whole = self._filled if self._is_at_end else self._buffer.rfind(self.end, rest, self._filled) + 1
            if whole:
                yield (block := Block(self._buffer, whole, line, self.end, is_last=self._is_at_end))
                line += block.count
            rest = self._moved_to_front(whole, self._filled)
            if rest > MOST_BYTES + len(_LONGEST_END) - 1:
                yield Block(self._buffer, rest, line, self.end, is_cut=True)
                rest = self._skipped_to_the_next_line()
                line += 1
            self._refill(rest)

    def _refill(self, rest: int) -> None:
        self._filled = rest if self._is_at_end else self._read_to(rest)
        self._is_at_end = self._is_at_end or self._filled < rest + BLOCK_BYTES

    def _skipped_to_the_next_line(self) -> int:
        """Read on to the end of the line; how much of the next line is in the buffer then."""
        while (filled := self._read_to(0)) and self.end not in self._view[:filled].tobytes():
            self._is_at_end = filled < BLOCK_BYTES
        start = self._buffer.find(self.end, 0, filled) + 1 if filled else 0
        self._is_at_end = filled < BLOCK_BYTES
        return self._moved_to_front(start, filled)


def _refuse_wide(head: bytes, name: str) -> None:
    """Wide encodings give themselves away by their byte-order mark, or by the zeros around the first ASCII letters."""
    zeros = tuple(byte == 0 for byte in head[:4])
    marks = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
    patterns = ((True, False, True, False), (False, True, False, True), (True, True, True, False))
    if head.startswith(marks) or zeros in (*patterns, (False, True, True, True)):
        raise FileError(
            f"{name} is no UTF-8; its first bytes {head[:4].hex(' ').upper()} are those of UTF-16 or UTF-32",
            code="invalid_encoding",
            hint="Save it as UTF-8, for example: iconv -f UTF-16 -t UTF-8 FILE > NEW_FILE",
        )
