"""Rows of a JSON array: one object an element, found without holding the array as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wxtuning.rows.exact import BLANK
from wxtuning.rows.jsontext import MOST_BYTES, MOST_LEVELS, TOO_LONG, record_of
from wxtuning.rows.lines import TextBlocks
from wxtuning.rows.verdict import Bad, Fault, FileCode, FileError, FileRow, Item

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
"""A whole text, or a bracket or comma outside of texts; a quote alone opens a text that the next chunk goes on with."""

_REST_OF_TEXT = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def rows(blocks: TextBlocks, name: str) -> Iterator[Item]:
    """Every element of the array, good or bad.

    Raises:
        FileError: if the file holds no array, or its JSON is broken, so that nobody can tell where an element ends.
    """
    if blocks.head.strip(BLANK):
        _refuse_other_values(blocks.head.strip(BLANK), name)
    for text, line in _Elements(blocks, name).found():
        found = record_of(text) if text is not None else TOO_LONG
        if isinstance(found, Fault) and found.code == "invalid_json":
            raise _broken(name, line, found.message)
        yield Bad(found, line) if isinstance(found, Fault) else FileRow(found, line)


def _refuse_other_values(head: bytes, name: str) -> None:
    if head.startswith(b"["):
        return
    first, _, following = head.partition(b"\n")
    if head.startswith(b"{") and following.lstrip(BLANK).startswith(b"{") and isinstance(record_of(first), dict):
        raise FileError(
            f"{name} holds JSON Lines, one object a line, where .json means one array",
            code="not_an_array",
            hint="Name it .jsonl.",
        )
    if head.startswith(b"{") or isinstance(record_of(head), dict) or _is_value(head):
        raise FileError(
            f"{name} holds no array but {head[:20].decode(errors='replace')!r}…; expected a list of objects",
            code="not_an_array",
            hint="If the rows are a list in one of its fields, take that out, for example: jq .rows FILE > NEW_FILE",
        )
    raise _broken(name, 1, f"no JSON: it begins with {head[:20].decode(errors='replace')!r}")


def _is_value(head: bytes) -> bool:
    found = record_of(head)
    return isinstance(found, Fault) and found.code == "not_an_object"


def _broken(name: str, line: int, message: str, code: FileCode = "invalid_json") -> FileError:
    return FileError(f"{name} line {line}: {message}", code=code, hint=_REPAIR)


_REPAIR = "Write it anew with a JSON library; in JSON Lines (.jsonl, one object a line) a broken row costs no other."


class _Elements:
    """The text of each element and the line where it starts; None for the text of one that is too long."""

    def __init__(self, blocks: TextBlocks, name: str) -> None:
        self._blocks = blocks
        self._name = name
        self._level = 0
        self._is_in_text = False
        self._is_closed = False
        self._is_after_comma = False
        self._line = 1
        self._forget()

    def _forget(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._start = 0

    def found(self) -> Iterator[tuple[bytes | None, int]]:
        for chunk in _between_escapes(self._blocks.chunks()):
            yield from self._in(chunk)
        if self._level:
            raise self._unfinished()

    def _in(self, chunk: bytes) -> Iterator[tuple[bytes | None, int]]:
        begin = 0
        for at, token in self._tokens(chunk):
            if self._moved(token):
                if token == b"[":
                    self._line += chunk[:at].count(self._blocks.end)
                else:
                    self._add(chunk[begin:at])
                    yield from self._taken(token)
                begin = at + 1
        self._add(chunk[begin:])

    def _tokens(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Place and sign of what stands outside of texts."""
        rest = _REST_OF_TEXT.match(chunk) if self._is_in_text else None
        if self._is_in_text and rest is None:
            return
        self._is_in_text = False
        for token in _TOKEN.finditer(chunk, rest.end() if rest else 0):
            if token[0] == b'"':
                self._is_in_text = True
                return
            if len(token[0]) == 1:
                yield token.start(), token[0]

    def _moved(self, token: bytes) -> bool:
        """Follow the nesting; whether the token is one of the array's own."""
        if self._is_closed:
            raise _broken(self._name, self._line, "something follows the end of the array")
        if token in b"[{":
            self._level += 1
            return self._level == 1
        self._level -= token in b"]}"
        return self._level == 0 or (self._level == 1 and token == b",")

    def _add(self, piece: bytes) -> None:
        if not self._start:
            text = piece.lstrip(BLANK)
            self._line += piece[: len(piece) - len(text)].count(self._blocks.end)
            self._start = self._line if text else 0
            piece = text
        if self._is_closed and piece:
            raise _broken(self._name, self._line, "something follows the end of the array")
        self._line += piece.count(self._blocks.end)
        self._size += len(piece)
        self._parts = [*self._parts, piece] if self._size <= MOST_BYTES + len(BLANK) else []

    def _taken(self, token: bytes) -> Iterator[tuple[bytes | None, int]]:
        text = b"".join(self._parts).rstrip(BLANK) if self._size == sum(map(len, self._parts)) else None
        is_end_of_empty = token == b"]" and not self._is_after_comma and not self._start
        if not is_end_of_empty and (not self._start or token == b"}"):
            raise _broken(self._name, self._line, f"no JSON: an element was expected before {token.decode()!r}")
        if self._start:
            yield text, self._start
        self._is_after_comma = token == b","
        self._is_closed = token == b"]"
        self._forget()

    def _unfinished(self) -> FileError:
        if self._level > MOST_LEVELS:
            message = f"nested more than {MOST_LEVELS} levels deep and never closed"
            return _broken(self._name, self._line, message, "nesting_too_deep")
        return _broken(self._name, self._line, "the file ends before the array does; it was cut off", "truncated")


def _between_escapes(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, cut anew so that none ends between a backslash and what it escapes."""
    rest = b""
    for chunk in chunks:
        whole = rest + chunk
        is_cut = (len(whole) - len(whole.rstrip(b"\\"))) % 2
        rest = whole[-1:] if is_cut else b""
        yield whole[:-1] if is_cut else whole
    if rest:
        yield rest
