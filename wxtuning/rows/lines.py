"""The lines of a text file in bounded memory: whole lines in blocks, line ends of any kind, no byte-order mark."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Protocol

from wxtuning.rows.jsontext import MOST_BYTES
from wxtuning.rows.verdict import FileError

BLOCK_BYTES = 512 * 1024
"""So much is read at once; what is read and made of it fits into a core's own cache."""

LARGE_BLOCK_BYTES = 4 * 1024 * 1024
"""The same where two threads share the work: to hand over a block costs more than a miss of the cache."""

BOM = b"\xef\xbb\xbf"
_LONGEST_END = b"\r\n"

_LONGEST_REST = MOST_BYTES + len(_LONGEST_END)
ROOM_BYTES = 16
"""Behind the lines of every block are so many bytes more, which mean nothing."""


class Stream(Protocol):
    """What can be read from: a file, or what comes out of a compressed one."""

    def read(self, size: int, /) -> bytes: ...


class Block:
    """Whole lines, each with its line end but for the last of a file.

    To be used before the block after the next is asked for.

    Args:
        buffer: Holds the lines at its beginning; the block after the next will overwrite it.
        size: Bytes of the lines.
        end: What ends a line.
        is_last: Whether the file ends here.
        is_cut: Whether this is the beginning of one line that is longer than any record.
    """

    __slots__ = ("_count", "_data", "buffer", "end", "is_cut", "is_last", "line", "size")

    def __init__(
        self, buffer: bytearray, size: int, end: bytes, *, is_last: bool = False, is_cut: bool = False
    ) -> None:
        self.buffer = buffer
        self.size = size
        self.end = end
        self.is_last = is_last
        self.is_cut = is_cut
        self.line = 1
        self._data: bytes | None = None
        self._count: int | None = 1 if is_cut else None

    @property
    def data(self) -> bytes:
        """The lines, copied at the first call."""
        if self._data is None:
            self._data = bytes(memoryview(self.buffer)[: self.size])
        return self._data

    @property
    def count(self) -> int:
        """How many lines end with it; counted unless somebody has done so and said it."""
        if self._count is None:
            self._count = self.data.count(self.end)
        return self._count

    @count.setter
    def count(self, count: int) -> None:
        self._count = count

    @property
    def ends_open(self) -> bool:
        """Whether the last line lacks its end."""
        return not self.buffer.endswith(self.end, 0, self.size)

    def closed(self) -> int:
        """How many bytes the lines have with the last one's end, which is written behind it if it lacks one."""
        if not self.ends_open:
            return self.size
        self.buffer[self.size : self.size + len(self.end)] = self.end
        return self.size + len(self.end)

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
        self._is_at_end = False
        # Two buffers for all: to ask the system for fresh memory takes longer than to read into it.
        self._buffer, self._other = _buffers(BLOCK_BYTES)
        self._most = BLOCK_BYTES
        self._filled = self._read_to(0)
        head = self.head
        _refuse_wide(head[:4], name)
        self.has_bom = head.startswith(BOM)
        if self.has_bom:
            self._filled = self._moved_to_front(len(BOM), self._filled)
        self.end = b"\r" if b"\n" not in head and b"\r" in head else b"\n"

    @property
    def head(self) -> bytes:
        """The beginning of the text, before it is read."""
        return bytes(memoryview(self._buffer)[: self._filled])

    def _read_to(self, start: int) -> int:
        """Fill the buffer from `start` on; where the text ends in it."""
        end, most = start, min(start, _LONGEST_REST) + self._most
        view = memoryview(self._buffer)
        while end < most and (count := self._read_into(view[end:most])):
            end += count
        self._is_at_end = end < most
        return end

    def _read_into(self, view: memoryview) -> int:
        if isinstance(self._stream, io.BufferedIOBase):
            return self._stream.readinto(view)
        part = self._stream.read(len(view))
        view[: len(part)] = part
        return len(part)

    def _moved_to_front(self, start: int, end: int) -> int:
        """Go on with the other buffer, which begins with what is between two places of this one; how much that is."""
        self._other[: end - start] = memoryview(self._buffer)[start:end]
        self._buffer, self._other = self._other, self._buffer
        return end - start

    def chunks(self) -> Iterator[bytes]:
        """The text in pieces that know nothing of lines."""
        while self._filled:
            yield self.head
            self._filled = self._read_to(0)

    def __iter__(self) -> Iterator[Block]:
        line = 1
        for block in self._blocks():
            block.line = line
            yield block
            line += block.count

    def large(self) -> Iterator[Block]:
        """The blocks in larger pieces; their lines have no numbers yet."""
        if not self._is_at_end:
            self._most = LARGE_BLOCK_BYTES
            small, (self._buffer, self._other) = self._buffer, _buffers(self._most)
            self._buffer[: self._filled] = memoryview(small)[: self._filled]
        return self._blocks()

    def _blocks(self) -> Iterator[Block]:
        searched = 0
        while self._filled:
            whole = self._filled if self._is_at_end else self._buffer.rfind(self.end, searched, self._filled) + 1
            rest = self._filled
            if whole:
                yield Block(self._buffer, whole, self.end, is_last=self._is_at_end)
                rest = self._moved_to_front(whole, self._filled)
            searched = rest
            if rest >= _LONGEST_REST:
                yield Block(self._buffer, rest, self.end, is_cut=True)
                searched, rest = 0, self._skipped_to_the_next_line()
            self._filled = rest if self._is_at_end else self._read_to(rest)

    def _skipped_to_the_next_line(self) -> int:
        """Read on to the end of the line; how much of the next line is in the buffer then."""
        while (filled := self._read_to(0)) and self._buffer.find(self.end, 0, filled) < 0:
            pass
        start = self._buffer.find(self.end, 0, filled) + 1 if filled else 0
        return self._moved_to_front(start, filled)


def _buffers(most: int) -> tuple[bytearray, bytearray]:
    size = _LONGEST_REST + most + len(_LONGEST_END) + ROOM_BYTES
    return bytearray(size), bytearray(size)


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
