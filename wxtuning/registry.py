"""Names and values to adapters, each imported on use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from wxtuning.errors import PlanError
from wxtuning.ports import Deployer, Evaluator, Source, Tuner
from wxtuning.spec import Task

GROUP = "wxtuning.adapters"
"""The entry-point group in which other packages announce backends by name."""

_BACKENDS = {"local": "wxtuning.adapters.local:Local"}


class Backend(Tuner, Deployer, Protocol):
    """A place that tunes and answers."""


def backend(name: str) -> Backend:
    """The backend with this name, with its default settings.

    Raises:
        PlanError: if no adapter has this name.
    """
    announced = {point.name: point.value for point in entry_points(group=GROUP)}
    known = {**announced, **_BACKENDS}
    if name not in known:
        raise PlanError([f"there is no backend {name!r}; known: {', '.join(sorted(known))}"])
    module, _, attribute = known[name].partition(":")
    return cast(Backend, getattr(import_module(module), attribute)())


def source(value: object) -> Source:
    """The source behind what was given to `.load`: a file, rows in memory, or a Source as it is.

    Raises:
        PlanError: for anything else; names what can be loaded.
    """
    if isinstance(value, str | Path):
        return cast(Source, import_module("wxtuning.adapters.files").JsonLines(Path(value)))
    if isinstance(value, Source):
        return value
    # Recognised by name, so that neither package is imported for rows of another kind.
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    rows = import_module("wxtuning.adapters.rows")
    if kind == "pandas.DataFrame":
        return cast(Source, rows.FrameRows(value))
    if kind == "datasets.Dataset":
        return cast(Source, rows.DatasetRows(value))
    if isinstance(value, Sequence) and all(isinstance(row, Mapping) for row in value):
        return cast(Source, rows.Rows(tuple(value)))
    raise PlanError([f"cannot load rows from {type(value).__name__}; {_LOADABLE}"])


_LOADABLE = "expected a JSON Lines file, a list of dicts, a pandas DataFrame or a datasets.Dataset"


def evaluator(task: Task, words: Mapping[str, str]) -> Evaluator:
    """The evaluator for a task; `words` maps labels to what the model writes."""
    evaluators = import_module("wxtuning.adapters.evaluators")
    if task == "classification":
        return cast(Evaluator, evaluators.ClassificationEvaluator(dict(words)))
    return cast(Evaluator, evaluators.TextEvaluator())


def frame(rows: Sequence[Mapping[str, object]]) -> object:
    """The rows as a pandas DataFrame."""
    return import_module("wxtuning.adapters.rows").frame_of(rows)
