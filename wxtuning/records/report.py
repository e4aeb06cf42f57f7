"""What happened to every row, as a value. Knows steps, codes and row numbers; knows no row."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from wxtuning.records.record import Record, label_counts
from wxtuning.rows.verdict import Fault, Reject
from wxtuning.tables import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class DataReport:
    """What happened to every row.

    `changed`, `removed` and `flagged` hold the 1-based numbers of the rows by step; a flagged row is kept as it is.
    A report on a file larger than memory lists only the first rows of a step: `unlisted` counts the others, by the
    step's name, and `unlisted["rejected"]` those of the rejects.
    """

    read: int
    kept: int
    changed: dict[str, tuple[int, ...]]
    removed: dict[str, tuple[int, ...]]
    rejected: tuple[Reject, ...]
    labels: dict[str, int]
    warnings: tuple[str, ...] = ()
    flagged: dict[str, tuple[int, ...]] = field(default_factory=dict)
    unlisted: dict[str, int] = field(default_factory=dict)

    def count(self, step: str) -> int:
        """How many rows a step changed, removed or flagged."""
        listed = (steps.get(step, ()) for steps in (self.changed, self.removed, self.flagged))
        return sum(map(len, listed)) + self.unlisted.get(step, 0)

    @property
    def rejected_rows(self) -> int:
        """How many rows were rejected; a row with two faults is one row."""
        return len({reject.number for reject in self.rejected}) + self.unlisted.get("rejected", 0)

    def to_dict(self) -> dict[str, object]:
        """Counts and row numbers as plain values for JSON."""
        return {
            "read": self.read,
            "kept": self.kept,
            "changed": {step: list(rows) for step, rows in self.changed.items()},
            "removed": {step: list(rows) for step, rows in self.removed.items()},
            "flagged": {step: list(rows) for step, rows in self.flagged.items()},
            "rejected": [{"row": r.number, "field": r.field, "code": r.code} for r in self.rejected],
            "unlisted": self.unlisted,
            "labels": self.labels,
            "warnings": list(self.warnings),
        }

    def table(self) -> Table:
        rows: list[tuple[str, int, str]] = [("read", self.read, "")]
        for what in ("changed", "removed", "flagged"):
            steps: dict[str, tuple[int, ...]] = getattr(self, what)
            rows += [(f"{what}: {step}", self.count(step), _few(numbers)) for step, numbers in steps.items()]
        rows += [(f"rejected: {code}", len(n), _few(n)) for code, n in _by_code(self.rejected).items()]
        if more := self.unlisted.get("rejected"):
            rows.append(("rejected: more", more, ""))
        rows += [("kept", self.kept, "")]
        rows += [(f"label {label}", count, "") for label, count in self.labels.items()]
        return Table(title="Data", columns=("rows", "count", "which"), rows=tuple(rows), notes=self.warnings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    """The usable records, in the order of their rows, with the report on all rows."""

    records: tuple[Record, ...]
    report: DataReport


class Ledger:
    """Counts what happens to rows while they are converted.

    Args:
        listed: So many rows of each step, and so many rejected rows, are listed by number; None lists all.
    """

    def __init__(self, listed: int | None = None) -> None:
        self._listed = listed
        self._items: Sequence[object] = ()
        self._first = 1
        self._steps: dict[str, dict[str, array[int]]] = {"changed": {}, "removed": {}, "flagged": {}}
        self._unlisted: Counter[str] = Counter()
        self._rejected: list[Reject] = []
        self._rejected_rows = 0
        self.warnings: list[str] = []
        self.read = 0

    def take(self, items: Sequence[object]) -> range:
        """Read the next rows; returns their numbers."""
        self._items, self._first = items, self.read + 1
        self.read += len(items)
        return range(self._first, self.read + 1)

    def change(self, step: str, numbers: Iterable[int]) -> None:
        self._note("changed", step, numbers)

    def remove(self, step: str, numbers: Iterable[int]) -> None:
        self._note("removed", step, numbers)

    def flag(self, step: str, numbers: Iterable[int]) -> None:
        self._note("flagged", step, numbers)

    def fault(self, number: int, fault: Fault) -> None:
        """Reject one of the rows that were read last."""
        self.rejects([fault.at(number, getattr(self._items[number - self._first], "line", None))])

    def rejects(self, found: Sequence[Reject]) -> None:
        """Reject a row, for one reason or several."""
        self._rejected_rows += 1
        if self._listed is None or self._rejected_rows <= self._listed:
            self._rejected += found
        else:
            self._unlisted["rejected"] += 1

    def report(self, kept: int) -> DataReport:
        """The report on all rows read.

        Raises:
            AssertionError: if a row is not accounted for; a fault of wxtuning, never of the data.
        """
        removed = {step: tuple(sorted(rows)) for step, rows in self._steps["removed"].items()}
        gone = sum(len(rows) + self._unlisted[step] for step, rows in removed.items())
        if kept + gone + self._rejected_rows != self.read:
            raise AssertionError(f"{self.read} rows read, {kept} kept, {gone} removed, {self._rejected_rows} rejected")
        return DataReport(
            read=self.read,
            kept=kept,
            changed={step: tuple(sorted(rows)) for step, rows in self._steps["changed"].items()},
            removed=removed,
            rejected=tuple(sorted(self._rejected, key=attrgetter("number"))),
            labels={},
            warnings=tuple(self.warnings),
            flagged={step: tuple(sorted(rows)) for step, rows in self._steps["flagged"].items()},
            unlisted={step: count for step, count in self._unlisted.items() if count},
        )

    def _note(self, what: str, step: str, numbers: Iterable[int]) -> None:
        new = array("Q", numbers)
        if not new:
            return
        known = self._steps[what].setdefault(step, array("Q"))
        room = len(new) if self._listed is None else max(0, self._listed - len(known))
        known += new[:room]
        self._unlisted[step] += len(new[room:])


def with_labels(converted: Converted, labels: Sequence[str]) -> DataReport:
    """The report with the number of records of each label; nothing is counted without labels."""
    counts = label_counts(converted.records)
    return replace(converted.report, labels={label: counts.get(label, 0) for label in labels})


def _few(numbers: Sequence[int], limit: int = 8) -> str:
    shown = ", ".join(map(str, numbers[:limit]))
    return f"{shown}, …" if len(numbers) > limit else shown


def _by_code(rejected: Sequence[Reject]) -> Mapping[str, list[int]]:
    numbers: dict[str, dict[int, None]] = {}
    for reject in rejected:
        numbers.setdefault(reject.code, {})[reject.number] = None
    return {code: list(rows) for code, rows in numbers.items()}
