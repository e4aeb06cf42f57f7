"""What makes the fields of a row usable, whatever the row came from. Knows fields and labels; knows nothing of files.

A function here returns the first fault that it finds, or None. Who knows the row's number makes a `Reject` of it.
"""

from __future__ import annotations

import re
import reprlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from wxtuning.rows.verdict import Fault, Reject
from wxtuning.tables import shortened

LONGEST_QUOTE = 40
"""Characters of a value that a message quotes."""

MOST_NAMES = 8
"""Names of fields or labels that a message lists."""

TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that change the direction in which text is shown."""


def check(
    row: Mapping[str, object],
    columns: Sequence[str],
    *,
    number: int,
    labels: Sequence[str] = (),
    label: str | None = None,
) -> Reject | None:
    """The first thing that is wrong with the text fields of a row.

    Args:
        row: The row, as it came.
        columns: The columns that must hold text, each on its own; `text_fault` and `empty_fault` judge templates.
        number: The row's number, from 1; a `FileRow` also brings its line.
        labels: The only texts that the column `label` may hold; empty allows any.
        label: The column that holds the label; None takes the last of `columns`.
    """
    fault = fault_of(row, [(column,) for column in columns], labels=labels, label=label or columns[-1])
    return fault.at(number, getattr(row, "line", None)) if fault else None


def fault_of(
    row: Mapping[str, object], texts: Iterable[Sequence[str]], *, labels: Sequence[str] = (), label: str = ""
) -> Fault | None:
    """The first fault in texts that are each made of one or several columns; a text may not be empty as a whole."""
    for columns in texts:
        for column in columns:
            if fault := text_fault(row, column):
                return fault
        if fault := empty_fault(row, columns):
            return fault
    return label_fault(str(row[label]), labels, label) if labels else None


def text_fault(row: Mapping[str, object], column: str) -> Fault | None:
    """`missing_field`, `wrong_type`, `nul_char` or `lone_surrogate`: why a column holds no text that can be written."""
    if column not in row:
        return Fault(column, "missing_field", _missing(column, row))
    value = row[column]
    if not isinstance(value, str):
        message = f"expected text, found {type(value).__name__} {quoted(value)}; write it as a text if it is one"
        return Fault(column, "wrong_type", message)
    return character_fault(column, value)


def character_fault(field: str, text: str) -> Fault | None:
    """`nul_char` or `lone_surrogate`: a character that cannot be kept in a UTF-8 text file."""
    if "\0" in text:
        return Fault(field, "nul_char", f"a NUL character in {quoted(text)}; remove it")
    if not text.isascii() and (half := _half_pair(text)):
        message = f"half of a character pair, {half}, in {quoted(text)}; write the character whole or remove it"
        return Fault(field, "lone_surrogate", message)
    return None


def _half_pair(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        return text[cause.start].encode("unicode_escape").decode("ascii")
    return ""


def empty_fault(row: Mapping[str, object], columns: Sequence[str]) -> Fault | None:
    """`empty_field`, if all the columns hold nothing that can be seen."""
    texts = [str(row[column]) for column in columns]
    if not all(map(is_empty, texts)):
        return None
    found = "the text is empty" if not "".join(texts) else f"nothing to see in {quoted(''.join(texts))}"
    return Fault(columns[0], "empty_field", f"{found}; give it a text or remove the row")


def is_empty(text: str) -> bool:
    """Whether nothing of the text can be seen: white space of any kind, zero-width characters, fillers."""
    stripped = text.strip()
    return not stripped or (not _is_seen(stripped[0]) and not any(map(_is_seen, stripped)))


def _is_seen(character: str) -> bool:
    # Python does not know the newest emoji, and fonts have signs of their own.
    is_drawn = character.isprintable() or unicodedata.category(character) in ("Cn", "Co")
    return is_drawn and not character.isspace() and character not in _FILLERS


# Letters, marks and signs by their category that are drawn as nothing.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10))))


def label_fault(label: str, labels: Sequence[str], field: str) -> Fault | None:
    """`unknown_label`: the label is none of `labels`, exactly; a near miss is named."""
    if label in labels:
        return None
    near = nearest(label, labels)
    hint = f"did you mean {quoted(near)}?" if near else "correct it, or add it to the labels"
    return Fault(field, "unknown_label", f"{quoted(label)} is none of the labels {named(labels)}; {hint}")


def _missing(column: str, row: Mapping[str, object]) -> str:
    names = [str(name) for name in row]
    near = nearest(column, names)
    hint = f"the nearest is {quoted(near)}; " if near else ""
    return f"no field {quoted(column)}; {hint}fields found: {named(names)}"


def nearest(name: str, names: Sequence[str]) -> str:
    """The name that was probably meant: equal but for case, white space, invisible or look-alike characters, or close.

    Empty if none is near.
    """
    return _nearest(name, tuple(names))


# A misspelt name stands in every row of a file.
@lru_cache(maxsize=256)
def _nearest(name: str, names: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    plain = {_plain(known): known for known in reversed(names)}
    if _plain(name) in plain:
        return plain[_plain(name)]
    near = get_close_matches(_plain(name)[:200], list(plain), n=1, cutoff=0.6)
    return plain[near[0]] if near else ""


def _plain(name: str) -> str:
    """The name as an eye takes it: one width, one case, Latin for its look-alikes, nothing invisible, single blanks."""
    wide = unicodedata.normalize("NFKC", name).casefold().translate(_LOOK_ALIKES)
    seen = "".join(character for character in wide if _is_seen(character) or character.isspace())
    return " ".join(seen.split())


_LOOK_ALIKES = str.maketrans(
    "асԁеһіјӏмнорԛѕтцѵѡхузкαβεηικνορτυχγω",
    "acdehijlmhopqstuvwxy3kabenikvoptuxyw",
)


def quoted(value: object) -> str:
    """The start of a value as Python writes it, with invisible and direction-changing characters as escapes."""
    # A record may be a mebibyte long, and a value may be anything.
    text = repr(value[: LONGEST_QUOTE * 2]) if isinstance(value, str) else _represented(value)
    return shortened("".join(map(_escaped, text)), LONGEST_QUOTE)


def _represented(value: object) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to write integers of thousands of digits
        return f"a very long {type(value).__name__}"


def _escaped(character: str) -> str:
    if character == " " or _is_seen(character):
        return character
    return character.encode("unicode_escape").decode("ascii")


def named(names: Sequence[str]) -> str:
    """The names in a row, the first of many."""
    shown = ", ".join(map(quoted, names[:MOST_NAMES])) or "none"
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown
