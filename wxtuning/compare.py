"""Tuned against untuned on the same rows: columns of answers and the tests of their differences. Knows no models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wxtuning.metrics import Difference, mcnemar, paired_bootstrap, sign_flip
from wxtuning.tables import Cell, Table, shortened


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One way to answer the held-out rows: raw `answers`, what was `read` from them, its scores, row by row too."""

    name: str
    answers: tuple[str, ...]
    read: tuple[str, ...]
    scores: dict[str, float]
    each: tuple[float, ...]
    confusion: dict[str, dict[str, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The columns `base`, `instruction` and `tuned` on the same held-out rows, with one template and one parser."""

    headline: str
    inputs: tuple[str, ...]
    references: tuple[str, ...]
    columns: tuple[Column, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """The column with this name; KeyError if there is none."""
        found = {column.name: column for column in self.columns}
        return found[name]

    def scores(self) -> dict[str, float]:
        """The headline score of each column."""
        return {column.name: column.scores[self.headline] for column in self.columns}

    def table(self) -> Table:
        names = tuple(column.name for column in self.columns)
        metrics = tuple(self.columns[0].scores)
        rows = tuple(map(self._score_row, metrics))
        notes = (*map(_in_words, self.differences), *self.warnings)
        return Table(
            title=f"Scores on {len(self.inputs)} held-out rows", columns=("score", *names), rows=rows, notes=notes
        )

    def _score_row(self, metric: str) -> tuple[Cell, ...]:
        return metric, *(column.scores.get(metric) for column in self.columns)

    def confusion_table(self, name: str) -> Table:
        """Which reference (row) was answered by what (column)."""
        counts = self.column(name).confusion
        heads = tuple(sorted({answer for row in counts.values() for answer in row}))
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (reference, *(row.get(head, 0) for head in heads)) for reference, row in sorted(counts.items())
        )
        return Table(title=f"Confusion, {name}: expected down, answered across", columns=("", *heads), rows=rows)

    def before_and_after(self, count: int = 5) -> Table:
        """`count` rows, evenly spread over the held-out ones and not chosen by their answers, with both answers."""
        base, tuned = self.column("base"), self.column("tuned")
        total = len(self.inputs)
        chosen = sorted({number * total // count for number in range(count)})
        rows = tuple(
            (
                shortened(self.inputs[row], 60),
                self.references[row],
                shortened(base.answers[row], 40),
                shortened(tuned.answers[row], 40),
            )
            for row in chosen
        )
        return Table(title="Before and after", columns=("input", "expected", "untuned", "tuned"), rows=rows)


def differences(columns: Sequence[Column], headline: str, *, samples: int, seed: int) -> tuple[Difference, ...]:
    """The tuned column, which is the last, against each other one."""
    *others, tuned = columns
    return tuple(_difference(tuned, other, headline, samples=samples, seed=seed) for other in others)


def _difference(tuned: Column, other: Column, headline: str, *, samples: int, seed: int) -> Difference:
    low, high = paired_bootstrap(tuned.each, other.each, samples=samples, seed=seed)
    binary = set(tuned.each) | set(other.each) <= {0.0, 1.0}
    p_value = (
        mcnemar(tuned.each, other.each) if binary else sign_flip(tuned.each, other.each, samples=samples, seed=seed)
    )
    mean = sum(a - b for a, b in zip(tuned.each, other.each, strict=True)) / len(tuned.each)
    return Difference(
        column=tuned.name, against=other.name, metric=headline, mean=mean, low=low, high=high,
        p_value=p_value, test="McNemar, exact" if binary else "paired permutation",
    )  # fmt: skip


def warnings(columns: Sequence[Column], found: Sequence[Difference]) -> Iterator[str]:
    """What a reader must know before believing the table."""
    base, tuned = columns[0], columns[-1]
    if tuned.answers == base.answers:
        yield "nothing was learned: the tuned model answers every row exactly like the untuned one"
    for difference in found:
        if not difference.significant:
            yield f"the difference to {difference.against!r} may be chance: p = {difference.p_value:.2g}"


def _in_words(difference: Difference) -> str:
    interval = f"95 % interval {difference.low:+.3f} to {difference.high:+.3f}"
    test = f"{difference.test}, p = {difference.p_value:.2g}"
    gain = f"{difference.metric} {difference.mean:+.3f}"
    return f"{difference.column} minus {difference.against}: {gain} ({interval}; {test})"
