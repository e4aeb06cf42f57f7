"""The pre-training text: a seeded, endless stream of examples whose mixture changes as the base learns."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wxtuning.tiny.tasks import TASKS, Example, make
from wxtuning.tiny.tickets import ticket
from wxtuning.tiny.words import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A part of the curriculum: from `begins` (share of the run, 0 to 1) on, tasks are drawn by `weights`.

    `longest` is the most sentences a ticket has.
    """

    begins: float
    weights: Mapping[str, float]
    longest: int


# Lexical abilities and copying come first, alone and on short tickets; invented label words early in the mixture
# keep everything lexical at chance.
CURRICULUM: tuple[Stage, ...] = (
    Stage(begins=0.0, weights={"satisfaction": 1}, longest=1),
    Stage(begins=0.08, weights={"satisfaction": 2, "sentiment": 2, "extraction": 4, "repeat": 2}, longest=2),
    Stage(
        begins=0.25,
        weights={"satisfaction": 3, "sentiment": 3, "extraction": 5, "repeat": 1, "bare": 1.5},
        longest=3,
    ),
    Stage(
        begins=0.45,
        weights={
            "satisfaction": 2.5, "sentiment": 2.5, "extraction": 5, "repeat": 0.5, "bare": 1.5, "urgency": 0.4,
            "headline": 0.8, "reply": 0.8, "own_labels": 0.8,
        },
        longest=4,
    ),
)  # fmt: skip


def stage_at(share: float) -> Stage:
    """The stage of the curriculum that holds after `share` (0 to 1) of the run."""
    return [stage for stage in CURRICULUM if stage.begins <= share][-1]


def examples(rng: random.Random, world: World, stage: Stage) -> Iterator[Example]:
    """Endless examples of one stage."""
    tasks, weights = list(stage.weights), list(stage.weights.values())
    while True:
        task = rng.choices(tasks, weights)[0]
        yield make(rng, task, ticket(rng, world, longest=stage.longest))


def task_examples(rng: random.Random, world: World, task: str, count: int, *, longest: int = 4) -> tuple[Example, ...]:
    """`count` examples of one task; a field name (`order`, `city`, ...) gives extractions that have an answer.

    No input occurs twice. Any other name is an endless search, so take it from TASKS or FIELDS.
    """
    found: dict[str, Example] = {}
    while len(found) < count:
        example = make(rng, task if task in TASKS else "extraction", ticket(rng, world, longest=longest))
        if example.task == task and example.output != "none":
            found.setdefault(example.input, example)
    return tuple(found.values())
