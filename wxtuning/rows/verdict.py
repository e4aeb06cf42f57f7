"""What the row policy says: why a row or a file cannot be used, by codes that programs can rely on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from wxtuning.errors import DataError
from wxtuning.tables import Table, inert

RowCode = Literal[
    "invalid_json", "truncated", "not_an_object", "missing_field", "wrong_type", "empty_field", "non_finite",
    "number_too_long", "duplicate_key", "nesting_too_deep", "record_too_long", "nul_char", "lone_surrogate",
    "invalid_utf8", "unknown_label", "wrong_column_count", "invalid_csv",
]  # fmt: skip

FileCode = Literal[
    "empty_dataset", "invalid_json", "not_jsonl", "not_an_array", "not_an_object", "invalid_encoding", "invalid_utf8",
    "unclosed_quote", "invalid_csv", "missing_column", "duplicate_column", "wrong_column_count", "truncated",
    "nesting_too_deep", "invalid_parquet", "unsafe_archive", "unsupported_format", "invalid_gzip", "not_found",
    "not_a_file",
]  # fmt: skip

WarningCode = Literal[
    "bom", "bidi_control", "extra_field", "duplicate_row", "conflicting_rows", "surrounding_whitespace",
    "single_class", "class_imbalance",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """A row that cannot be used, and why: `code` is for programs, `message` for people.

    `number` counts the data's rows from 1; `line` is the physical line of the file where the row starts, None for rows
    that come from no text file; `file` is its name where several files are one data set.
    """

    number: int
    field: str
    code: RowCode
    message: str
    line: int | None = None
    file: str = ""

    def __str__(self) -> str:
        field = f", {self.field}" if self.field else ""
        return f"row {self.number}{field}: {self.message}"


class FileRow(dict[str, object]):
    """A row of a file, with the physical line where it starts."""

    __slots__ = ("line",)

    def __init__(self, values: dict[str, object], line: int) -> None:
        super().__init__(values)
        self.line = line


class Fault(NamedTuple):
    """What is wrong with a row: the field, empty if it is the row as a whole, the code and the message for people."""

    field: str
    code: RowCode
    message: str

    def at(self, number: int, line: int | None = None, file: str = "") -> Reject:
        """The rejected row: `number` from 1, `line` the physical line where it starts, `file` its name."""
        return Reject(number=number, field=self.field, code=self.code, message=self.message, line=line, file=file)


class Bad(NamedTuple):
    """A row that its reader could not read, before the rows are numbered."""

    fault: Fault
    line: int | None


Item = Mapping[str, object] | Bad
"""What a reader of one format yields for every row."""


class FileError(DataError):
    """A file that cannot be used as a whole; `code` is for programs."""

    def __init__(self, message: str, *, code: FileCode, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


MOST_SHOWN = 5
"""Rejected rows that are quoted to people; the rest are counted."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the row policy says of a file: rows read = rows valid + rows rejected.

    A file that cannot be used as a whole has no rows, good or bad, only its `file_error`.
    """

    name: str
    read: int
    rejected: tuple[Reject, ...] = ()
    file_error: FileError | None = None
    warnings: Mapping[WarningCode, str]

    @property
    def valid(self) -> list[int]:
        """The numbers of the rows that can be used, from 1."""
        bad = {reject.number for reject in self.rejected}
        return [number for number in range(1, self.read + 1) if number not in bad]

    @property
    def is_clean(self) -> bool:
        """Whether every row can be used."""
        return not self.rejected and self.file_error is None

    def to_dict(self) -> dict[str, object]:
        """The verdict as plain values for JSON."""
        return {
            "valid": self.valid,
            "rejected": [_listed(reject) for reject in self.rejected],
            "file_error": _told(self.file_error) if self.file_error else None,
            "warnings": list(self.warnings),
        }

    def to_json(self) -> str:
        """The verdict as JSON on one line."""
        return json.dumps(self.to_dict())

    def __str__(self) -> str:
        if self.file_error:
            return f"{self.file_error}"
        return "\n".join([self.table().text(), *self._first_rejects(), "", self._advice()])

    def table(self) -> Table:
        """How many rows are read, valid and rejected by reason; the warnings are its notes."""
        counts = Counter(reject.code for reject in self.rejected)
        rows = [("rows read", self.read), ("valid", self.read - len(self.rejected))]
        rows += [(f"rejected: {code}", count) for code, count in counts.most_common()]
        notes = tuple(f"warning {code}: {sentence}" for code, sentence in self.warnings.items())
        return Table(title=self.name, columns=("rows", "count"), rows=tuple(rows), notes=notes)

    def _first_rejects(self) -> list[str]:
        shown = [f"  {inert(_placed(reject))}" for reject in self.rejected[:MOST_SHOWN]]
        more = len(self.rejected) - MOST_SHOWN
        return ["", *shown, *([f"  and {more:,} more"] if more > 0 else [])] if shown else []

    def _advice(self) -> str:
        if self.rejected:
            return "Correct these rows, or leave them out: .load(…, on_reject='skip') keeps the others and lists these."
        return "Every row can be used."


def _listed(reject: Reject) -> dict[str, object]:
    file = {"file": reject.file} if reject.file else {}
    return {"record": reject.number, "line": reject.line, "field": reject.field or None, "code": reject.code, **file}


def _told(error: FileError) -> dict[str, str]:
    return {"code": error.code, "message": ". ".join(filter(None, (str(error.args[0]), error.hint)))}


def _placed(reject: Reject) -> str:
    line = f" (line {reject.line})" if reject.line else ""
    file = f"{reject.file} " if reject.file else ""
    field = f"{reject.field}: " if reject.field else ""
    return f"{file}row {reject.number}{line}: {field}{reject.message} [{reject.code}]"
