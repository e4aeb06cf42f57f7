"""Rows from a JSON Lines file on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wxtuning.errors import DataError
from wxtuning.tables import inert, shortened


@dataclass(frozen=True)
class JsonLines:
    """One JSON object a line, UTF-8. Blank lines are no rows; a byte-order mark is dropped."""

    file: Path

    def rows(self) -> Iterator[Mapping[str, object]]:
        """Yield the rows.

        Raises:
            DataError: for a file that cannot be read, and for the first line that is no JSON object.
        """
        if not self.file.is_file():
            raise DataError(f"there is no file {self.file}", hint="Name a JSON Lines file, one object a line.")
        try:
            with self.file.open(encoding="utf-8-sig") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield self._row(number, line)
        except UnicodeDecodeError as cause:
            raise DataError(f"{self.file.name} is not UTF-8: {cause.reason}", hint="Save it as UTF-8.") from cause

    def _row(self, number: int, line: str) -> Mapping[str, object]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as cause:
            raise DataError(
                f"{self.file.name} line {number}: no JSON: {shortened(inert(line.strip()), 60)!r}", hint=_SHAPE
            ) from cause
        if not isinstance(row, dict):
            raise DataError(f"{self.file.name} line {number}: {type(row).__name__}, expected an object", hint=_SHAPE)
        return row

    def describe(self) -> str:
        return self.file.name


_SHAPE = 'Each line holds one object, such as {"input": "…", "output": "…"}.'
