"""Measures a tiny base and says whether it is good enough to ship: abilities, and what prompt tuning makes of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wxtuning.tiny import INSTRUCTION
from wxtuning.tiny.corpus import task_examples
from wxtuning.tiny.demonstration import demonstration_rows
from wxtuning.tiny.probe import Pair, Probe, rendered
from wxtuning.tiny.tasks import TASKS
from wxtuning.tiny.words import HELD_OUT_WORLD, LABEL_PAIRS, TRAINING_WORLD

SEEDS = (0, 1, 2)
DEMONSTRATION_TRAIN_ROWS = 150
OWN_LABELS = {"satisfied": "promoter", "unsatisfied": "detractor"}
_HAPPY = {pair[0] for pair in LABEL_PAIRS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A number that was measured, the limit it must keep, and on which side of it."""

    name: str
    value: float
    limit: float
    at_most: bool = False

    @property
    def sign(self) -> str:
        """`<=` or `>=`."""
        return "<=" if self.at_most else ">="

    @property
    def passed(self) -> bool:
        """Whether the value keeps the limit."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def exact_match(answers: Sequence[str], pairs: Sequence[Pair]) -> float:
    """Share of answers, 0 to 1, that are the expected text."""
    return sum(answer.strip() == expected for answer, (_, expected) in zip(answers, pairs, strict=True)) / len(pairs)


def satisfaction(count: int, seed: int, *, held_out: bool = False) -> tuple[Pair, ...]:
    """Comments of known patterns labelled satisfied / unsatisfied; `held_out` ones mention names never seen."""
    world = HELD_OUT_WORLD if held_out else TRAINING_WORLD
    drawn = task_examples(random.Random(f"gates {seed}"), world, "satisfaction", count)
    return tuple((example.input, example.output) for example in drawn)


def extraction(field: str, count: int, seed: int, *, held_out: bool = False) -> tuple[Pair, ...]:
    """Comments of known patterns with the value of one field (`order`, `city`, `product`, ...)."""
    world = HELD_OUT_WORLD if held_out else TRAINING_WORLD
    drawn = task_examples(random.Random(f"gates {seed}"), world, field, count)
    return tuple((example.input, example.output) for example in drawn)


def demonstration() -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """The shipped demonstration rows: those to tune on and those held out."""
    pairs = tuple((str(row["comment"]), str(row["satisfaction"])) for row in demonstration_rows())
    return pairs[:DEMONSTRATION_TRAIN_ROWS], pairs[DEMONSTRATION_TRAIN_ROWS:]


def abilities(probe: Probe, count: int = 100) -> dict[str, float]:
    """Exact match per task, 0 to 1, with an instruction, on `count` new draws with names never seen."""
    tasks = [task for task in TASKS if task not in ("bare", "extraction")]
    return {task: _ability(probe, task, count) for task in (*tasks, "order", "city", "product", "name")}


def _ability(probe: Probe, task: str, count: int) -> float:
    drawn = task_examples(random.Random(f"ability {task}"), HELD_OUT_WORLD, task, count)
    pairs = [(example.input, example.output) for example in drawn]
    return exact_match(probe.answers([example.prompt for example in drawn]), pairs)


def untuned(probe: Probe, pairs: Sequence[Pair], instruction: str = "") -> float:
    """Exact match of the base alone, on the bare input or after an instruction."""
    return exact_match(probe.answers([f"{instruction} {rendered(text)}".lstrip() for text, _ in pairs]), pairs)


def tuned(probe: Probe, train: Sequence[Pair], test: Sequence[Pair], *, seed: int = 0, epochs: int = 8) -> float:
    """Exact match on `test` after prompt tuning on `train` with the recommended defaults and a random start."""
    made = probe.tune(train, seed=seed, epochs=epochs)
    return exact_match(probe.answers([rendered(text) for text, _ in test], made), test)


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The three columns of the demonstration on its held-out rows: exact match, 0 to 1; one tuned value per seed."""

    bare: float
    instruction: float
    tuned: tuple[float, ...]
    held_out: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All that is measured of a base; `own_labels` are labels tuned without a map, which has no bar."""

    abilities: dict[str, float]
    bars: tuple[Bar, ...]
    columns: Columns
    own_labels: float


def measure(folder: Path) -> Report:
    """Every ability, bar and column of the model in `folder`; some two minutes of CPU."""
    probe = Probe(folder)
    scores, columns = abilities(probe), demonstration_columns(probe)
    return Report(
        abilities=scores,
        bars=(*ability_bars(scores), *known_pattern_bars(probe), *new_pattern_bars(columns), carried_over(probe)),
        columns=columns,
        own_labels=own_labels_unmapped(probe, satisfaction(150, 1), satisfaction(200, 2, held_out=True)),
    )


def ability_bars(scores: dict[str, float]) -> tuple[Bar, ...]:
    """What the base must be able to do with an instruction before tuning is tried."""
    return (
        Bar(name="satisfied / unsatisfied, with an instruction", value=scores["satisfaction"], limit=0.95),
        Bar(name="order number, with an instruction", value=scores["order"], limit=0.9),
    )


def known_pattern_bars(probe: Probe) -> tuple[Bar, ...]:
    """Tuning on known sentence patterns, tested on new draws with names never seen."""
    train, test = satisfaction(150, 1), satisfaction(200, 2, held_out=True)
    return (
        Bar(name="bare base, satisfied / unsatisfied", value=untuned(probe, test), limit=0.05, at_most=True),
        *(Bar(name=f"tuned, seed {seed}", value=tuned(probe, train, test, seed=seed), limit=0.95) for seed in SEEDS),
        Bar(name="tuned, 25 examples", value=tuned(probe, train[:25], test, epochs=24), limit=0.9),
        *(_field_bar(probe, field, limit) for field, limit in (("order", 0.95), ("city", 0.8))),
        Bar(name="own label words, through a label map", value=mapped(probe, train, test), limit=0.9),
    )


def _field_bar(probe: Probe, field: str, limit: float) -> Bar:
    train, test = extraction(field, 150, 1), extraction(field, 400, 2, held_out=True)
    return Bar(name=f"tuned, {field}", value=tuned(probe, train, test), limit=limit)


def new_pattern_bars(columns: Columns) -> tuple[Bar, ...]:
    """Tuning on the demonstration data, whose sentence patterns the base never saw."""
    return tuple(
        Bar(name=f"tuned, new sentence patterns, seed {seed}", value=value, limit=0.85)
        for seed, value in zip(SEEDS, columns.tuned, strict=True)
    )


def carried_over(probe: Probe) -> Bar:
    """Tuning on known patterns only, tested on every row of the demonstration data: no template is met twice."""
    train, test = demonstration()
    value = tuned(probe, satisfaction(150, 1), (*train, *test))
    return Bar(name="tuned on known patterns, tested on new ones", value=value, limit=0.85)


def mapped(probe: Probe, train: Sequence[Pair], test: Sequence[Pair]) -> float:
    """Labels of the user's own (promoter / detractor) mapped onto base words to tune, and back to answer."""
    to_base = {own: base for base, own in OWN_LABELS.items()}
    own_train = [(text, OWN_LABELS[label]) for text, label in train]
    own_test = [(text, OWN_LABELS[label]) for text, label in test]
    made = probe.tune([(text, to_base[label]) for text, label in own_train], seed=0, epochs=8)
    answers = probe.answers([rendered(text) for text, _ in own_test], made)
    return exact_match([OWN_LABELS.get(answer.strip(), answer) for answer in answers], own_test)


def own_labels_unmapped(probe: Probe, train: Sequence[Pair], test: Sequence[Pair]) -> float:
    """The same labels tuned as they are: reported, no bar."""
    own = [[(text, OWN_LABELS[label]) for text, label in pairs] for pairs in (train, test)]
    return tuned(probe, own[0], own[1])


def demonstration_columns(probe: Probe) -> Columns:
    """Bare base, base with the hand-written instruction, and prompts tuned on the demonstration's first rows."""
    train, test = demonstration()
    return Columns(
        bare=untuned(probe, test),
        instruction=untuned(probe, test, INSTRUCTION),
        tuned=tuple(tuned(probe, train, test, seed=seed) for seed in SEEDS),
        held_out=len(test),
    )
