"""The data report, to be looked at and to be worked with: tables, HTML, JSON, a DataFrame. Counts nothing itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from wxtuning import registry
from wxtuning.errors import DataError
from wxtuning.records import DataReport
from wxtuning.tables import Table
from wxtuning.tokens import TokenReport

COLUMNS = ("row", "line", "file", "what", "reason", "field", "message")


@dataclass(frozen=True, kw_only=True)
class DataView:
    """What became of every row that was read, the labels, and the lengths in tokens (None: not counted).

    `print` and a notebook show it; `rows(reason)` lists row numbers. `test` is the report on rows of the user's own to
    be scored.
    """

    report: DataReport
    tokens: TokenReport | None = None
    test: DataReport | None = None
    warnings: tuple[str, ...] = ()

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows each step changed, removed or flagged, and how many were rejected by each code."""
        return {reason: len(set(numbers)) + self.report.unlisted.get(reason, 0) for reason, numbers in self._listed()}

    def rows(self, reason: str) -> tuple[int, ...]:
        """The 1-based numbers of the rows behind one of the `reasons`.

        Raises:
            DataError: for what is none of the reasons.
        """
        listed = dict(self._listed())
        if reason not in listed:
            hint = f"The reasons here are: {', '.join(listed) or 'none'}."
            raise DataError(f"no row was changed, removed, flagged, rejected or cut as {reason!r}", hint=hint)
        return listed[reason]

    def frame(self) -> Any:
        """A pandas DataFrame with one line for everything that happened to a row.

        Columns: row, line and file (where the source has them), what (changed, removed, flagged, rejected, cut),
        reason, field, message.
        """
        frame: Any = registry.frame(list(self._findings()))
        return frame.reindex(columns=list(COLUMNS)).astype({"line": "Int64"})

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values for JSON."""
        return {
            **self.report.to_dict(),
            "tokens": asdict(self.tokens) if self.tokens else None,
            "test": self.test.to_dict() if self.test else None,
            "notes": list(self.warnings),
        }

    def to_json(self) -> str:
        """The same as one JSON object."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def tables(self) -> tuple[Table, ...]:
        """What happened to the rows; the labels, if there are any; the lengths, if they are known."""
        # The labels get a table of their own, with their shares.
        rows = replace(self.report, labels={}).table()
        tables = [replace(rows, notes=(*rows.notes, *self.warnings))]
        if self.report.labels:
            tables.append(_labels_table(self.report.labels))
        if self.tokens:
            tables.append(self.tokens.table())
        if self.test:
            tables.append(replace(replace(self.test, labels={}).table(), title="Rows to be scored"))
        return tuple(tables)

    def __str__(self) -> str:
        return "\n\n".join(table.text() for table in self.tables())

    __repr__ = __str__  # what a console shows of a call

    def _repr_html_(self) -> str:
        return "".join(f"<div style='margin:1em 0'>{table.html()}</div>" for table in self.tables())

    def _listed(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        report = self.report
        for steps in (report.changed, report.removed, report.flagged, _by_code(report)):
            yield from steps.items()
        if self.tokens:
            yield from (reason for reason in self._cut() if reason[1])

    def _cut(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        assert self.tokens is not None
        return (("input cut", self.tokens.inputs.cut), ("output cut", self.tokens.outputs.cut))

    def _findings(self) -> Iterator[dict[str, object]]:
        for what in ("changed", "removed", "flagged"):
            for step, numbers in getattr(self.report, what).items():
                yield from (_finding(number, what, step) for number in numbers)
        for r in self.report.rejected:
            yield _finding(r.number, "rejected", r.code, line=r.line, file=r.file, field=r.field, message=r.message)
        for reason, numbers in self._cut() if self.tokens else ():
            yield from (_finding(number, "cut", reason) for number in numbers)


def _finding(
    number: int, what: str, reason: str, *, line: int | None = None, file: str = "", field: str = "", message: str = ""
) -> dict[str, object]:
    return dict(zip(COLUMNS, (number, line, file, what, reason, field, message), strict=True))


def _labels_table(labels: dict[str, int]) -> Table:
    total = sum(labels.values()) or 1
    rows = tuple((label, count, f"{count / total:.1%}") for label, count in labels.items())
    return Table(title="Labels", columns=("label", "rows", "share"), rows=rows)


def _by_code(report: DataReport) -> dict[str, tuple[int, ...]]:
    numbers: dict[str, dict[int, None]] = {}
    for reject in report.rejected:
        numbers.setdefault(reject.code, {})[reject.number] = None
    return {code: tuple(rows) for code, rows in numbers.items()}
