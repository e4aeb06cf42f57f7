"""Files of rows to a verdict: every row is read and judged, nothing is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wxtuning.rows.files import DataFiles, open_rows
from wxtuning.rows.verdict import FileError, Verdict, WarningCode

Text = str | Sequence[str]
"""A column's name, or the names of the columns that a text is made of."""


def validate(
    path: str | Path, *, input: Text = "input", output: Text = "output", labels: Sequence[str] | None = None
) -> Verdict:
    """Judge every row of a file by the row policy.

    Args:
        path: A file, or a pattern for several that are one data set.
        input, output: The column of each text, or the columns that it is made of.
        labels: The only outputs allowed; empty takes the outputs as labels and allows any, None takes them as texts.

    Raises:
        InputChangedError: if the file changes while it is read.
    """
    try:
        files = open_rows(path)
        return _judged(files, _listed(input), _listed(output), labels)
    except FileError as error:
        return Verdict(name=str(path), read=0, file_error=error, warnings={})


def _listed(text: Text) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _judged(files: DataFiles, input: tuple[str, ...], output: tuple[str, ...], labels: Sequence[str] | None) -> Verdict:
    from wxtuning.rows.judgment import Judgment

    judgment = Judgment(files, input, output, labels)
    judgment.read()
    if not judgment.count:
        raise files.empty()
    said: dict[WarningCode, str] = {"bom": "a byte-order mark at the beginning was dropped"} if files.warnings else {}
    warnings = said | judgment.warnings()
    return Verdict(name=files.name, read=judgment.count, rejected=tuple(judgment.rejected), warnings=warnings)
