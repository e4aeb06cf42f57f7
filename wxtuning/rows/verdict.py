"""What the row policy says: why a row or a file cannot be used, by codes that programs can rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wxtuning.errors import DataError

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
        return f"row {self.number}, {self.field}: {self.message}"


class FileRow(dict[str, object]):
    """A row of a file, with the physical line where it starts."""

    __slots__ = ("line",)

    def __init__(self, values: dict[str, object], line: int) -> None:
        super().__init__(values)
        self.line = line


class FileError(DataError):
    """A file that cannot be used as a whole; `code` is for programs."""

    def __init__(self, message: str, *, code: FileCode, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
