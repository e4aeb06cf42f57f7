"""Rows of a source to the lines to tune on and to score. Collects what is wrong; knows no backend and no tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from wxtuning import records
from wxtuning.errors import WxTuningError
from wxtuning.ports import Source
from wxtuning.records import Converted, Record
from wxtuning.rows.verdict import Reject
from wxtuning.spec import ExperimentSpec, Task
from wxtuning.spec import Mapping as ColumnMapping

MOST_REJECTS = 5
"""So many rejected rows are quoted among the problems; the rest are counted."""

ROWS_LOOKED_AT = 100
"""So many rows show which columns there are."""

Records = tuple[Record, ...]
Item = Mapping[str, object] | Reject


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """The rows of an experiment, read: what became of them, and the three parts of what is left.

    `mapping` names every column, `form` says how it was found. `own_test` is the report on the user's own rows to be
    scored, None where rows are held out for that.
    """

    mapping: ColumnMapping
    form: str
    labels: tuple[str, ...]
    converted: Converted
    train: Records
    validation: Records
    test: Records
    own_test: Converted | None = None

    @property
    def rejected(self) -> tuple[tuple[str, Reject], ...]:
        """Every reject with the part it belongs to: `train` (all that was loaded) or `test`."""
        own = self.own_test.report.rejected if self.own_test else ()
        return (
            *(("train", reject) for reject in self.converted.report.rejected),
            *(("test", reject) for reject in own),
        )


def read(spec: ExperimentSpec, source: Source | None, test: Source | None, problems: list[str]) -> Lines | None:
    """Read, map, clean and split the rows.

    Args:
        spec: What was asked for.
        source: Where the rows are.
        test: Where the user's own rows to be scored are, if they are said.
        problems: Gets everything that is wrong.

    Returns:
        The lines, however much is wrong with them; None if there are none to speak of.

    Raises:
        DataError, AdapterError: if the source cannot be read at all, and nothing else is wrong.
    """
    try:
        return _read(spec, source, test, problems)
    except WxTuningError as error:
        if not problems:
            raise
        problems.append(str(error))
        return None


def _read(spec: ExperimentSpec, source: Source | None, test: Source | None, problems: list[str]) -> Lines | None:
    readable, broken = _templates(spec.mapping)
    problems += broken
    if source is None:
        problems.append(f"no rows: say .load(...) with {LOADABLE}")
        return None
    first, items = _items(source, spec.limit if spec.sample == "first" else None)
    if broken:
        _tell(records.rejects(items, readable), "", problems)
        return None
    found = records.infer(_columns(first), spec.task, spec.mapping)
    if found.mapping is None:
        problems += _none_left(first) or found.problems
        return None
    converted = records.convert(items, found.mapping, spec.cleaning, _allowed(spec, spec.labels))
    if spec.sample == "random" and spec.limit:
        by_label = spec.task == "classification"
        converted = records.sampled(converted, spec.limit, seed=spec.sample_seed, by_label=by_label)
    return _lines(spec, found.mapping, found.form, converted, test, problems)


LOADABLE = "a file, a Hub id, a list of dicts, a DataFrame or a Dataset"


def _lines(
    spec: ExperimentSpec, mapping: ColumnMapping, form: str, converted: Converted, test: Source | None,
    problems: list[str],
) -> Lines:  # fmt: skip
    labels = spec.labels or _labels(spec.task, converted)
    _judge(spec, converted, "", problems)
    own = _own_test(spec, mapping, labels, test, problems) if test else None
    train, validation, held_out = _split(spec, converted.records)
    return Lines(
        mapping=mapping,
        form=form,
        labels=labels,
        converted=converted,
        train=train,
        validation=validation,
        test=own.records if own else held_out,
        own_test=own,
    )


def _own_test(
    spec: ExperimentSpec, mapping: ColumnMapping, labels: tuple[str, ...], source: Source, problems: list[str]
) -> Converted:
    _, items = _items(source, None)
    converted = records.convert(items, mapping, spec.cleaning, _allowed(spec, labels))
    _judge(spec, converted, "test ", problems)
    return converted


def _templates(mapping: ColumnMapping) -> tuple[list[str], list[str]]:
    """The templates that can be read, and what is wrong with the others."""
    readable, broken = [], []
    for field, template in (("input", mapping.input), ("output", mapping.output)):
        try:
            readable += [template] if template and records.columns_of(template) else []
        except ValueError as error:
            broken.append(f"{field}: {error}")
    return readable, broken


def _items(source: Source, limit: int | None) -> tuple[list[Item], Iterator[Item]]:
    """The first rows, and all of them."""
    coming: Iterator[Item] = islice(source.rows(), limit)
    first = list(islice(coming, ROWS_LOOKED_AT))
    return first, chain(first, coming)


def _columns(items: Iterable[Item]) -> tuple[str, ...]:
    rows = (item for item in items if isinstance(item, Mapping))
    return tuple(dict.fromkeys(str(name) for row in rows for name in row))


def _none_left(first: Sequence[Item]) -> list[str]:
    if not first:
        return ["no rows are left of 0 read"]
    rejected = [item for item in first if isinstance(item, Reject)]
    if len(rejected) < len(first):
        return []
    problems: list[str] = []
    _tell(rejected, "", problems)
    return problems


def _judge(spec: ExperimentSpec, converted: Converted, what: str, problems: list[str]) -> None:
    report = converted.report
    if spec.on_reject == "stop":
        _tell(report.rejected, what, problems)
    if not converted.records and (spec.on_reject == "skip" or not report.rejected):
        problems.append(f"no {what}rows are left of {report.read} read")


def _tell(rejected: Sequence[Reject], what: str, problems: list[str]) -> None:
    problems += [f"{what}{told(reject)}" for reject in rejected[:MOST_REJECTS]]
    if more := len(rejected[MOST_REJECTS:]):
        problems.append(f"… and {more} more {what}rows like these ({by_code(rejected)} in all); {_SKIP}")


_SKIP = "mend them, or say .load(..., on_reject='skip') to leave them out and have them listed in a file"


def told(reject: Reject) -> str:
    """A reject as one line, with the place in its file."""
    line = f"line {reject.line}" if reject.line else ""
    place = ", ".join(part for part in (reject.file, line) if part)
    field = f", {reject.field}" if reject.field else ""
    return f"row {reject.number}{f' ({place})' if place else ''}{field}: {reject.message}"


def by_code(rejected: Iterable[Reject]) -> str:
    """How many rejects have each code."""
    return ", ".join(f"{count} {code}" for code, count in Counter(r.code for r in rejected).most_common())


def _allowed(spec: ExperimentSpec, labels: tuple[str, ...]) -> tuple[str, ...]:
    return labels if spec.task == "classification" else ()


def _labels(task: Task, converted: Converted) -> tuple[str, ...]:
    return tuple(sorted(records.label_counts(converted.records))) if task == "classification" else ()


def _split(spec: ExperimentSpec, rows: Records) -> tuple[Records, Records, Records]:
    asked, wanted = spec.evaluation, spec.mapping.validation
    holdout = asked.holdout if asked and not asked.test else 0
    if not rows or not (holdout or wanted):
        return rows, (), ()
    groups = dict(zip((record.number for record in rows), records.groups_of(rows), strict=True))
    seed = asked.seed if asked else 0
    rows, test = _held_out(spec, rows, holdout, seed, groups)
    # Another seed than the held-out rows', so that the two choices are independent of each other.
    rows, validation = _held_out(spec, rows, wanted, seed + 1, groups)
    return rows, validation, test


def _held_out(
    spec: ExperimentSpec, rows: Records, size: float, seed: int, groups: Mapping[int, str]
) -> tuple[Records, Records]:
    if not size:
        return rows, ()
    names = [groups[record.number] for record in rows]
    return records.held_out(rows, size, seed=seed, by_label=spec.task == "classification", groups=names)
