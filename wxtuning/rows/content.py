"""What identifies rows by their content alone, wherever they come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import sha256
from itertools import islice

BATCH_ROWS = 1_000


def fingerprint_of(rows: Iterable[object]) -> str:
    """`sha256:` and the hash of the rows: the same rows in the same order give the same, in any kind of container."""
    digest = sha256()
    coming = iter(rows)
    while batch := list(islice(coming, BATCH_ROWS)):
        digest.update(_lines(batch))
    return f"sha256:{digest.hexdigest()}"


def _lines(rows: Sequence[object]) -> bytes:
    from msgspec.json import Encoder

    encoder = Encoder(order="deterministic", enc_hook=_text)
    try:
        return encoder.encode_lines(rows)
    except _NO_JSON:
        return b"".join(map(partial(_line, encoder.encode), rows))


def _text(value: object) -> str:
    try:
        # Where an object lies in memory is another place in every process.
        return re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value))
    except (ValueError, RecursionError):  # Python does not write numbers of thousands of digits
        return type(value).__name__


# Keys that are no text, halves of character pairs, numbers too long, towers of brackets.
_NO_JSON = (TypeError, ValueError, OverflowError, RecursionError)


def _line(encode: Callable[[object], bytes], row: object) -> bytes:
    try:
        return encode(row) + b"\n"
    except _NO_JSON:
        return _text(row).encode("ascii", "backslashreplace") + b"\n"
