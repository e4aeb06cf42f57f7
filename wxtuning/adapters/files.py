"""Rows from files on this machine: JSON Lines, JSON, CSV, TSV, Parquet and Arrow, also in gzip, zip or tar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wxtuning.records import columns_of
from wxtuning.rows.files import DataFiles, open_rows
from wxtuning.rows.validation import validate
from wxtuning.rows.verdict import Reject, Verdict, WarningCode
from wxtuning.spec import Task


@dataclass(frozen=True)
class Files:
    """A file, or the files that match a pattern, in sorted order."""

    file: str | Path

    def rows(self) -> Iterator[Mapping[str, object] | Reject]:
        """Yield every row; one that cannot be read is yielded as the reason why.

        Raises:
            DataError: for a file that cannot be used as a whole.
            InputChangedError: if a file changes while it is read, or has changed since it was first read.
        """
        return self._files.rows()

    def fingerprint(self) -> str:
        """The hash of the content."""
        return self._files.fingerprint()

    def describe(self) -> str:
        return Path(self.file).name

    @property
    def warnings(self) -> Mapping[WarningCode, int]:
        """What was noticed while the files were last read, and how often."""
        return self._files.warnings

    @cached_property
    def _files(self) -> DataFiles:
        return open_rows(self.file)


def verdict_on(file: str, *, task: Task, labels: str, input: str, output: str) -> Verdict:
    """The verdict of the command line.

    Args:
        file: A path or a pattern.
        task: What the rows are for.
        labels: The only outputs allowed, separated by commas; empty allows any.
        input, output: Columns or templates.

    Raises:
        ValueError: for a template that cannot be read.
    """
    known = tuple(label.strip() for label in labels.split(",") if label.strip())
    is_labelled = known or task == "classification"
    return validate(file, input=columns_of(input), output=columns_of(output), labels=known if is_labelled else None)
