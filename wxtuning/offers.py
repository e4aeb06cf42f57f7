"""Which base models a backend tunes, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, get_args, overload, runtime_checkable

from wxtuning import registry
from wxtuning.errors import NotOffered, PlanError
from wxtuning.ports import ModelOffer
from wxtuning.spec import LoRA, Method, PromptTuning, Task
from wxtuning.tables import Table

METHODS = tuple(str(kind.model_fields["method"].default) for kind in (PromptTuning, LoRA))


TASKS = get_args(Task)


@runtime_checkable
class _TellsModels(Protocol):
    name: str

    def models(self, method: str | None = None) -> tuple[ModelOffer, ...]: ...


def models(
    backend: object = "local", *, method: str | Method | type[Method] | None = None, task: str | None = None
) -> Offers:
    """The base models that a backend tunes.

    Args:
        backend: `wx.Watsonx(...)`, `wx.Local()`, or a name such as `"watsonx"`, with settings from the environment.
        method: Only models that are tuned so: `wx.PromptTuning` or `wx.LoRA`, what `.tune()` takes, or `prompt_tuning`
            or `lora`.
        task: Only models for this task; one that names no tasks takes any.

    Raises:
        PlanError: if there is no such method or task.
        NotOffered: if the backend does not tell, or tunes nothing (any more), or not so; says why.
    """
    wanted = _named(method)
    asked = registry.backend(backend)
    if not isinstance(asked, _TellsModels):
        raise NotOffered(
            f"{asked.name} does not tell its models", backend=asked.name, hint="Name a model; plan() checks it."
        )
    note = "any folder or Hugging Face model id can be named too" if asked.name == "local" else ""
    return Offers(asked.name, asked.models(wanted), note).of(method=wanted, task=task)


def _named(method: object) -> str | None:
    kinds = (PromptTuning, LoRA)
    kind = next((kind for kind in kinds if method is kind or isinstance(method, kind)), None)
    named = kind.model_fields["method"].default if kind else method
    if named is not None and named not in METHODS:
        raise PlanError([f"there is no method {named!r}; expected wx.PromptTuning, wx.LoRA or {' or '.join(METHODS)}"])
    return None if named is None else str(named)


@dataclass(frozen=True)
class Offers(Sequence[ModelOffer]):
    """Base models by name; printed or shown in a notebook, a table."""

    backend: str
    models: tuple[ModelOffer, ...]
    note: str = ""

    def of(self, *, method: str | None = None, task: str | None = None) -> Offers:
        """Those that are tuned by this method, for this task; a model that names no tasks takes any.

        Raises:
            PlanError: if there is no such method, or neither we nor any of the models know the task.
        """
        if method is not None and method not in METHODS:
            raise PlanError([f"there is no method {method!r}; expected {' or '.join(METHODS)}"])
        tasks = dict.fromkeys([*TASKS, *sorted({each for model in self.models for each in model.tasks})])
        if task is not None and task not in tasks:
            raise PlanError([f"no model of {self.backend} is for the task {task!r}; expected {', '.join(tasks)}"])
        found = tuple(
            model
            for model in self.models
            if (method is None or method in model.methods) and (task is None or not model.tasks or task in model.tasks)
        )
        none = f"no model here is for {task or method}" if self.models and not found else ""
        return Offers(self.backend, found, none or self.note)

    def table(self) -> Table:
        rows = tuple(
            (model.id, ", ".join(model.methods), ", ".join(model.tasks) or "any", model.state, model.ends or "-")
            for model in self.models
        )
        columns = ("model", "methods", "tasks", "state", "ends")
        notes = (self.note,) if self.note else ()
        return Table(title=f"Base models of {self.backend}", columns=columns, rows=rows, notes=notes)

    @overload
    def __getitem__(self, place: int) -> ModelOffer: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[ModelOffer, ...]: ...

    def __getitem__(self, place: int | slice) -> ModelOffer | tuple[ModelOffer, ...]:
        return self.models[place]

    def __iter__(self) -> Iterator[ModelOffer]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table().html()
