"""Rows to training lines: mapping, cleaning, checks, splits, the data report.

Knows columns, labels and counts; knows nothing of where rows come from, of tokens or of models. No row is lost:
rows read = rows kept + rows removed (by reason) + rows rejected (by code).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from string import Formatter

from wxtuning.spec import Cleaning
from wxtuning.spec import Mapping as ColumnMapping
from wxtuning.tables import Table, inert, shortened

Row = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One training line: `number` is the 1-based row it came from, `label` the output in the data's own words."""

    number: int
    input: str
    output: str
    label: str

    @property
    def line(self) -> str:
        return json.dumps({"input": self.input, "output": self.output}, ensure_ascii=False)

    @property
    def fence(self) -> str:
        """Equal for inputs that differ only in case and white space: such rows stay on one side of every split."""
        return hashlib.sha256(" ".join(self.input.casefold().split()).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """A row that cannot be used, and why: `code` is for programs, `message` for people."""

    number: int
    field: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"row {self.number}, {self.field}: {self.message}"


@dataclass(frozen=True, kw_only=True, slots=True)
class DataReport:
    """What happened to every row; `removed` and `changed` hold the 1-based numbers of the rows by step."""

    read: int
    kept: int
    changed: dict[str, tuple[int, ...]]
    removed: dict[str, tuple[int, ...]]
    rejected: tuple[Reject, ...]
    labels: dict[str, int]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Counts and row numbers as plain values for JSON."""
        return {
            "read": self.read,
            "kept": self.kept,
            "changed": {step: list(rows) for step, rows in self.changed.items()},
            "removed": {step: list(rows) for step, rows in self.removed.items()},
            "rejected": [{"row": r.number, "field": r.field, "code": r.code} for r in self.rejected],
            "labels": self.labels,
            "warnings": list(self.warnings),
        }

    def table(self) -> Table:
        rows: list[tuple[str, int, str]] = [("read", self.read, "")]
        rows += [(f"changed: {step}", len(numbers), _few(numbers)) for step, numbers in self.changed.items()]
        rows += [(f"removed: {step}", len(numbers), _few(numbers)) for step, numbers in self.removed.items()]
        rows += [(f"rejected: {code}", len(n), _few(n)) for code, n in _by_code(self.rejected).items()]
        rows += [("kept", self.kept, "")]
        rows += [(f"label {label}", count, "") for label, count in self.labels.items()]
        return Table(title="Data", columns=("rows", "count", "which"), rows=tuple(rows), notes=self.warnings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    """The usable records, in the order of their rows, with the report on all rows."""

    records: tuple[Record, ...]
    report: DataReport


class _Ledger:
    """Counts what happens to rows while they are converted."""

    def __init__(self) -> None:
        self.changed: dict[str, list[int]] = {}
        self.removed: dict[str, list[int]] = {}
        self.rejected: list[Reject] = []

    def change(self, step: str, number: int) -> None:
        self.changed.setdefault(step, []).append(number)

    def remove(self, step: str, number: int) -> None:
        self.removed.setdefault(step, []).append(number)

    def reject(self, number: int, field: str, code: str, message: str) -> None:
        self.rejected.append(Reject(number=number, field=field, code=code, message=message))


def convert(rows: Iterable[Row], mapping: ColumnMapping, cleaning: Cleaning, labels: Sequence[str] = ()) -> Converted:
    """Map, clean and check rows.

    Args:
        rows: Anything that yields dicts; numbered from 1 in their order.
        mapping: Which columns become input and output.
        cleaning: Which steps are done.
        labels: The only outputs allowed; empty allows any.

    Returns:
        The records that can be used and a report in which every row read is accounted for.
    """
    ledger = _Ledger()
    read = 0
    records: list[Record] = []
    seen: set[tuple[str, str]] = set()
    for read, row in enumerate(rows, start=1):
        record = _mapped(read, row, mapping, ledger)
        record = record and _stripped(record, cleaning, ledger)
        record = record and _checked(record, cleaning, labels, ledger)
        record = record and _unseen(record, cleaning, seen, ledger)
        if record:
            records.append(_worded(record, mapping.label_map))
    return Converted(records=tuple(records), report=_report(read, records, ledger))


def rejects(rows: Iterable[Row], columns: Sequence[str]) -> tuple[Reject, ...]:
    """What is wrong with single columns or templates, where the mapping that they belong to cannot be read."""
    ledger = _Ledger()
    for number, row in enumerate(rows, start=1):
        for column in columns:
            _cell(number, row, column, ledger)
    return tuple(ledger.rejected)


def _mapped(number: int, row: Row, mapping: ColumnMapping, ledger: _Ledger) -> Record | None:
    text = _cell(number, row, mapping.input, ledger)
    answer = _cell(number, row, mapping.output, ledger)
    if text is None or answer is None:
        return None
    return Record(number=number, input=text, output=answer, label=answer)


def _cell(number: int, row: Row, column: str, ledger: _Ledger) -> str | None:
    parts = {name: _text(number, row, name, ledger) for name in columns_of(column)}
    if any(part is None for part in parts.values()):
        return None
    return _filled(column, {name: str(part) for name, part in parts.items()})


def _text(number: int, row: Row, column: str, ledger: _Ledger) -> str | None:
    if column not in row:
        ledger.reject(number, column, "missing_field", f"no such column; columns found: {_named(row)}")
        return None
    value = row[column]
    if not isinstance(value, str):
        ledger.reject(number, column, "wrong_type", f"expected text, found {type(value).__name__} {_peek(value)}")
        return None
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        ledger.reject(number, column, "lone_surrogate", f"half of a character pair: {_peek(value)}")
        return None
    return value


def columns_of(column: str) -> tuple[str, ...]:
    """The columns that a mapping reads: those named in `{braces}`, or the one column itself.

    Raises:
        ValueError: if the braces do not match, or ask for more than a plain column name.
    """
    if "{" not in column and "}" not in column:
        return (column,)
    fields = [field for field in _parsed(column) if field[1] is not None]
    names = [str(name) for _, name, form, conversion in fields if not form and conversion is None]
    # "{row.__class__}" or "{0[x]}" would let a template reach into objects; a template only names columns.
    if (
        not names
        or len(names) < len(fields)
        or not all(name.strip() and not set(".[]!:") & set(name) for name in names)
    ):
        raise ValueError(f"{column!r} is no template; {_TEMPLATES}")
    return tuple(dict.fromkeys(names))


_TEMPLATES = "write column names in braces, for example '{title}: {body}'"


def _parsed(column: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(column))
    except ValueError as cause:
        raise ValueError(f"{column!r} is no template ({cause}); {_TEMPLATES}") from cause


def _filled(column: str, parts: Mapping[str, str]) -> str:
    if "{" not in column and "}" not in column:
        return parts[column]
    return "".join(
        literal + (parts[name] if name is not None else "") for literal, name, _, _ in Formatter().parse(column)
    )


def _stripped(record: Record, cleaning: Cleaning, ledger: _Ledger) -> Record:
    if not cleaning.strip or (record.input, record.output) == (record.input.strip(), record.output.strip()):
        return record
    ledger.change("surrounding white space stripped", record.number)
    return replace(record, input=record.input.strip(), output=record.output.strip(), label=record.label.strip())


def _checked(record: Record, cleaning: Cleaning, labels: Sequence[str], ledger: _Ledger) -> Record | None:
    for field, text in (("input", record.input), ("output", record.output)):
        if not text.strip():
            _empty(record.number, field, cleaning, ledger)
            return None
    if labels and record.label not in labels:
        message = (
            f"{_peek(record.label)} is none of the labels {', '.join(map(repr, labels))}{_near(record.label, labels)}"
        )
        ledger.reject(record.number, "output", "unknown_label", message)
        return None
    return record


def _empty(number: int, field: str, cleaning: Cleaning, ledger: _Ledger) -> None:
    if cleaning.drop_empty:
        ledger.remove(f"empty {field}", number)
    else:
        ledger.reject(number, field, "empty_field", "the text is empty; .clean() removes such rows")


def _unseen(record: Record, cleaning: Cleaning, seen: set[tuple[str, str]], ledger: _Ledger) -> Record | None:
    if not cleaning.drop_duplicates:
        return record
    pair = (record.input, record.output)
    if pair in seen:
        ledger.remove("exact duplicate", record.number)
        return None
    seen.add(pair)
    return record


def _worded(record: Record, label_map: Mapping[str, str]) -> Record:
    return replace(record, output=label_map.get(record.label, record.label))


def _report(read: int, records: Sequence[Record], ledger: _Ledger) -> DataReport:
    report = DataReport(
        read=read,
        kept=len(records),
        changed={step: tuple(rows) for step, rows in ledger.changed.items()},
        removed={step: tuple(rows) for step, rows in ledger.removed.items()},
        rejected=tuple(ledger.rejected),
        labels={},
        warnings=_conflicts(records),
    )
    accounted = report.kept + sum(map(len, report.removed.values())) + len({r.number for r in report.rejected})
    if accounted != read:
        raise AssertionError(f"{read} rows read, {accounted} accounted for")  # a fault of wxtuning, never of the data
    return report


def _conflicts(records: Sequence[Record]) -> tuple[str, ...]:
    outputs: dict[str, set[str]] = {}
    for record in records:
        outputs.setdefault(record.input, set()).add(record.output)
    count = sum(len(found) > 1 for found in outputs.values())
    return (f"{count} inputs stand in the data with different outputs",) if count else ()


def label_counts(records: Sequence[Record]) -> dict[str, int]:
    """How many records carry each label, the most frequent first."""
    return dict(Counter(record.label for record in records).most_common())


def with_labels(converted: Converted, labels: Sequence[str]) -> DataReport:
    """The report with the number of records of each label; nothing is counted without labels."""
    counts = label_counts(converted.records)
    return replace(converted.report, labels={label: counts.get(label, 0) for label in labels})


def held_out(
    records: Sequence[Record], size: float, *, seed: int, by_label: bool
) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """Split records into those kept and those held out.

    Rows whose inputs differ only in case and white space stay together, so that nothing held out was trained on. Which
    rows are held out depends on their text and the seed alone, not on their order: a row more elsewhere moves none.

    Args:
        records: All records.
        size: A share (below 1) or a number of records; groups are not torn apart, so a few more may come out.
        seed: Chooses the rows.
        by_label: Hold out of each label its proportional part.

    Returns:
        `(kept, held_out)`, each in the order of the records.
    """
    chosen: set[str] = set()
    groups = _groups(records, by_label)
    wanted = max(1, round(len(records) * size)) if size < 1 else min(int(size), len(records))
    for label, count in _apportioned(wanted, {label: len(group) for label, group in groups.items()}).items():
        chosen |= _chosen(groups[label], count, seed)
    kept = tuple(record for record in records if record.fence not in chosen)
    return kept, tuple(record for record in records if record.fence in chosen)


def _apportioned(wanted: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Parts of `wanted` in proportion to the sizes, that add up to it (the method of largest remainders)."""
    total = sum(sizes.values()) or 1
    parts = {name: wanted * size // total for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda name: (-(wanted * sizes[name] % total), name))
    for name in by_remainder[: wanted - sum(parts.values())]:
        parts[name] += 1
    return parts


def _groups(records: Sequence[Record], by_label: bool) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.label if by_label else "", []).append(record)
    return groups


def _chosen(records: Sequence[Record], wanted: int, seed: int) -> set[str]:
    members = Counter(record.fence for record in records)
    chosen: set[str] = set()
    count = 0
    for fence in sorted(members, key=lambda fence: hashlib.sha256(f"{seed}|{fence}".encode()).digest()):
        if count >= wanted:
            break
        chosen.add(fence)
        count += members[fence]
    return chosen


def jsonl(records: Sequence[Record]) -> bytes:
    """The records as JSON Lines with the keys `input` and `output`: UTF-8, no byte-order mark, a newline after each."""
    return "".join(f"{record.line}\n" for record in records).encode()


def _few(numbers: Sequence[int], limit: int = 8) -> str:
    shown = ", ".join(map(str, numbers[:limit]))
    return f"{shown}, …" if len(numbers) > limit else shown


def _by_code(rejected: Sequence[Reject]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for reject in rejected:
        numbers.setdefault(reject.code, []).append(reject.number)
    return {code: list(dict.fromkeys(rows)) for code, rows in numbers.items()}


def _named(row: Row) -> str:
    return ", ".join(inert(str(name)) for name in row) or "none"


def _peek(value: object) -> str:
    return shortened(inert(repr(value)), 40)


def _near(label: str, labels: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(label.strip().casefold(), [known.casefold() for known in labels], n=1)
    found = [known for known in labels if near and known.casefold() == near[0]]
    return f"; did you mean {found[0]!r}?" if found else ""
