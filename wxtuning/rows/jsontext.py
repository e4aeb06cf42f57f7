"""One record of JSON text, judged exactly: the values that it holds, or the first thing that is wrong with it."""

from __future__ import annotations

import json
import math
import re

from wxtuning.rows.policy import character_fault, quoted
from wxtuning.rows.verdict import Fault, RowCode

MOST_BYTES = 1024 * 1024
"""The longest record."""

MOST_LEVELS = 64
"""The deepest nesting of objects and arrays."""

MOST_DIGITS = 4300
"""The longest number, in characters; Python reads no longer one."""

BLANKS = " \t\r\n"
"""What JSON calls white space."""

Values = dict[str, object]

TOO_LONG = Fault("", "record_too_long", f"longer than {MOST_BYTES:,} bytes; shorten the texts or split the record")
TOO_DEEP = Fault("", "nesting_too_deep", f"nested more than {MOST_LEVELS} levels deep; flatten it")
TRUNCATED = Fault("", "truncated", "the file ends in the middle of this record; it was cut off, so get it again")


def record_of(record: bytes, *, is_last: bool = False) -> Values | Fault:
    """The values of one record, which is the text of one JSON value.

    Args:
        record: The text as UTF-8.
        is_last: Whether the file ends right behind it, so that it may have been cut off.
    """
    if len(record) > MOST_BYTES:
        return TOO_LONG
    try:
        text = record.decode().strip(BLANKS)
    except UnicodeDecodeError as cause:
        is_cut = is_last and cause.reason == "unexpected end of data"
        return TRUNCATED if is_cut else _undecodable(record, cause)
    return TOO_DEEP if is_deep(text) else _parsed(text, is_last)


def is_deep(text: str) -> bool:
    """Whether objects and arrays are nested deeper than is read, whether they are ever closed or not."""
    if text.count("[") + text.count("{") <= MOST_LEVELS:
        return False
    level = 0
    for bracket in _NOT_BRACKETS.sub("", text):
        level += 1 if bracket in "[{" else -1
        if level > MOST_LEVELS:
            return True
    return False


_NOT_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[^\[\]{}"]+', re.DOTALL)


def _parsed(text: str, is_last: bool) -> Values | Fault:
    try:
        value = _STRICT.decode(text)
    except json.JSONDecodeError as cause:
        return _unreadable(text, cause, is_last)
    return _judged(value)


def _judged(value: object) -> Values | Fault:
    if not isinstance(value, dict):
        return Fault("", "not_an_object", f"expected an object in braces, found {_shown(value)}")
    if isinstance(value, _Repeated):
        return Fault(value.key, "duplicate_key", f"the key {quoted(value.key)} stands twice; keep one of them")
    for name, inner in value.items():
        if found := character_fault(name, name) or _fault_in(name, inner):
            return found
    return value


def _fault_in(field: str, value: object) -> Fault | None:
    if isinstance(value, str):
        return character_fault(field, value)
    if isinstance(value, _Unusable):
        return Fault(field, value.code, value.message)
    if isinstance(value, list):
        return next(filter(None, (_fault_in(field, item) for item in value)), None)
    if isinstance(value, _Repeated):
        return Fault(field, "duplicate_key", f"the key {quoted(value.key)} stands twice in it; keep one of them")
    if isinstance(value, dict):
        items = [part for pair in value.items() for part in pair]
        return next(filter(None, (_fault_in(field, item) for item in items)), None)
    return None


class _Unusable:
    """Stands for a value that JSON or this policy does not know."""

    def __init__(self, code: RowCode, message: str) -> None:
        self.code = code
        self.message = message

    def __repr__(self) -> str:
        return self.code


class _Repeated(dict[str, object]):
    """An object in which a key stands twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.key = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]


def _object(pairs: list[tuple[str, object]]) -> Values:
    values = dict(pairs)
    return values if len(values) == len(pairs) else _Repeated(pairs)


def _constant(name: str) -> _Unusable:
    return _Unusable("non_finite", f"{name} is no number of JSON; write null or leave the field out")


def _integer(digits: str) -> object:
    return int(digits) if len(digits) <= MOST_DIGITS else _long(digits)


def _float(digits: str) -> object:
    if len(digits) > MOST_DIGITS:
        return _long(digits)
    value = float(digits)
    return value if math.isfinite(value) else _Unusable("non_finite", f"the number {quoted(digits)} is too large")


def _long(digits: str) -> _Unusable:
    return _Unusable("number_too_long", f"a number of {len(digits):,} digits; at most {MOST_DIGITS:,} are read")


def _decoder(*, strict: bool) -> json.JSONDecoder:
    return json.JSONDecoder(
        strict=strict, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float
    )


_STRICT = _decoder(strict=True)
_LENIENT = _decoder(strict=False)
"""Reads control characters inside texts, to find out in which field they stand."""


def _unreadable(text: str, cause: json.JSONDecodeError, is_last: bool) -> Fault:
    if "\0" in text:
        return Fault(_field_at_fault(text), "nul_char", "a NUL character; remove it")
    if is_last and _is_beginning(text, cause):
        return TRUNCATED
    near = text[max(0, cause.pos - 10) : cause.pos + 20]
    return Fault("", "invalid_json", f"no JSON: {_REASONS.get(cause.msg, cause.msg)} at {quoted(near)}")


_REASONS = {
    "Extra data": "something follows the end of the record",
    "Expecting value": "a value was expected",
    "Expecting ',' delimiter": "a comma was expected",
    "Expecting ':' delimiter": "a colon was expected",
    "Expecting property name enclosed in double quotes": "a name in double quotes was expected",
    "Illegal trailing comma before end of object": "a comma stands before the end of the object",
    "Illegal trailing comma before end of array": "a comma stands before the end of the array",
    "Invalid control character at": "a control character stands unescaped in a text",
    "Unterminated string starting at": "a text is not closed",
}


def _is_beginning(text: str, cause: json.JSONDecodeError) -> bool:
    """Whether the text is what is left of JSON that was cut off."""
    rest = text[cause.pos :]
    is_cut_word = any(word.startswith(rest) for word in ("true", "false", "null", "NaN", "Infinity", "-Infinity"))
    is_cut_escape = "escape" in cause.msg and len(rest) < len("\\uXXXX")
    return is_cut_word or is_cut_escape or cause.msg.startswith("Unterminated string")


def _undecodable(record: bytes, cause: UnicodeDecodeError) -> Fault:
    field = _field_at_fault(record.decode(errors="surrogateescape").strip(BLANKS))
    bad = " ".join(f"{byte:02X}" for byte in record[cause.start : cause.start + 4])
    return Fault(field, "invalid_utf8", f"the bytes {bad} are no UTF-8; save the text as UTF-8")


def _field_at_fault(text: str) -> str:
    """The field that holds what the strict reader does not take; empty if it cannot be told."""
    try:
        found = "" if is_deep(text) else _judged(_LENIENT.decode(text))
    except json.JSONDecodeError:
        return ""
    return found.field if isinstance(found, Fault) else ""


def _shown(value: object) -> str:
    kinds = {str: "the text", bool: "the value", type(None): "null", list: "the array"}
    name = kinds.get(type(value), "the number")
    return name if value is None else f"{name} {quoted(value)}"
