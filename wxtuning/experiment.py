"""The builder: one verb for each stage. A frozen value; no verb reads, imports or sends anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from wxtuning import planner, registry, runner
from wxtuning.folder import home_folder
from wxtuning.job import TuningJob, TuningRun
from wxtuning.plan import Plan
from wxtuning.ports import Deployer, Evaluator, Tuner
from wxtuning.progress import ProgressBar, is_watched
from wxtuning.registry import Backend
from wxtuning.runner import Listener, Run, adrive, drive, ignore
from wxtuning.spec import (
    Cleaning,
    DeploymentSpec,
    Evaluation,
    ExperimentSpec,
    Mapping,
    Method,
    PromptTuning,
    Task,
    WaitPolicy,
)
from wxtuning.tables import Table

Given = ParamSpec("Given")
Value = TypeVar("Value")


@dataclass(frozen=True, init=False)
class TuningExperiment:
    """What to tune, on which examples, how to judge it and where it should answer.

    Every verb returns a new experiment, so a half-built chain can be branched. The order of verbs does not matter; a
    verb given twice replaces what it said before. `plan()` judges the whole, `run()` does it.

    Args:
        name: For people; several runs may share it.
        task: `classification`, `generation` or `summarization`; decides defaults and scores.
        labels: The only outputs allowed in a classification; empty takes those of the data.
        description, tags: Kept with the job and the deployment.

    Raises:
        PlanError: for a value that no experiment can have.
    """

    spec: ExperimentSpec
    _source: object = field(default=None, repr=False)
    _backend: Backend | None = field(default=None, repr=False)
    _tuner: Tuner | None = field(default=None, repr=False)
    _deployer: Deployer | None = field(default=None, repr=False)
    _evaluator: Evaluator | None = field(default=None, repr=False)

    def __init__(
        self,
        name: str,
        *,
        task: Task = "generation",
        labels: Sequence[str] = (),
        description: str = "",
        tags: Sequence[str] = (),
    ) -> None:
        spec = ExperimentSpec(name=name, task=task, labels=tuple(labels), description=description, tags=tuple(tags))
        object.__setattr__(self, "spec", spec)

    def load(self, source: object, *, limit: int | None = None) -> TuningExperiment:
        """Take rows from a JSON Lines file, a list of dicts, a pandas DataFrame, a `datasets.Dataset` or a Source.

        `limit` takes only so many rows, from the start.
        """
        return self._with(limit=limit)._set(_source=source)

    def clean(self, cleaning: Cleaning | None = None, **steps: Any) -> TuningExperiment:
        """Strip white space, drop empty rows and exact duplicates; see `Cleaning` for the steps."""
        return self._with(cleaning=cleaning or Cleaning(**steps))

    def to_jsonl(self, mapping: Mapping | None = None, **columns: Any) -> TuningExperiment:
        """Say which columns become input and output; see `Mapping`."""
        return self._with(mapping=mapping or Mapping(**columns))

    def tune(self, method: Method | None = None, **parameters: Any) -> TuningExperiment:
        """Say how to tune: `PromptTuning(...)`, `LoRA(...)`, or the parameters of prompt tuning as keywords."""
        return self._with(method=method or PromptTuning(**parameters))

    def wait(self, *, every: float | None = None, timeout: float = 6 * 3600.0) -> TuningExperiment:
        """Say how often to look at the job and how long to wait, in seconds."""
        return self._with(wait=WaitPolicy(every_seconds=every, timeout_seconds=timeout))

    def evaluate(self, evaluation: Evaluation | None = None, **how: Any) -> TuningExperiment:
        """Compare tuned and untuned answers on rows held out of training; see `Evaluation`."""
        return self._with(evaluation=evaluation or Evaluation(**how))

    def deploy(
        self, deployment: str | DeploymentSpec, *, description: str = "", tags: Sequence[str] = ()
    ) -> TuningExperiment:
        """Make the tuned model answer under a name."""
        if isinstance(deployment, str):
            deployment = DeploymentSpec(name=deployment, description=description, tags=tuple(tags))
        return self._with(deployment=deployment)

    def on(self, backend: Backend) -> TuningExperiment:
        """Say where to run; this machine if never said."""
        return self._set(_backend=backend)

    def using(
        self, *, tuner: Tuner | None = None, deployer: Deployer | None = None, evaluator: Evaluator | None = None
    ) -> TuningExperiment:
        """Replace single adapters of the backend by your own."""
        given = {"_tuner": tuner, "_deployer": deployer, "_evaluator": evaluator}
        return self._set(**{name: adapter for name, adapter in given.items() if adapter is not None})

    def pipe(
        self, verb: Callable[Concatenate[TuningExperiment, Given], Value], *args: Given.args, **kwargs: Given.kwargs
    ) -> Value:
        """`experiment.pipe(verb, ...)` is `verb(experiment, ...)`: verbs of your own, in the chain."""
        return verb(self, *args, **kwargs)

    def plan(self) -> Plan:
        """Resolve, read, clean, count tokens and check limits; nothing is trained, sent or paid.

        Raises:
            PlanError: with every problem at once.
            DataError: if the source cannot be read.
            LeakageError: if rows to be scored would be trained on.
        """
        return self._prepared().plan

    def run(self, *, progress: bool | None = None, listen: Listener | None = None) -> TuningRun:
        """Do the whole chain; killed at any point and run again, it continues where it stopped.

        Args:
            progress: Draw progress bars; None draws them in a terminal and in a notebook.
            listen: Called with every event, instead of the bars.

        Raises:
            WxTuningError: one of its children, by what went wrong.
        """
        with _listener(progress, listen) as listener:
            return TuningRun(drive(runner.finished(self._begun()), listen=listener))

    async def arun(self, *, listen: Listener = ignore) -> TuningRun:
        """`run` for async code: nothing blocks the event loop."""
        import asyncio

        begun = await asyncio.to_thread(self._begun)
        return TuningRun(await adrive(runner.finished(begun), listen=listen))

    def submit(self) -> TuningJob:
        """Start the job and return as soon as the backend has accepted it."""
        begun = self._begun()
        drive(runner.submitted(begun))
        return TuningJob(begun)

    def _prepared(self) -> planner.Prepared:
        source = None if self._source is None else registry.source(self._source)
        return planner.prepare(self.spec, source, self._tuner or self._place())

    def _begun(self) -> Run:
        backend = self._place()
        return runner.begun(
            self._prepared(),
            home=home_folder(),
            tuner=self._tuner or backend,
            deployer=self._deployer or backend,
            evaluator=self._evaluator,
        )

    def _place(self) -> Backend:
        return self._backend or registry.backend("local")

    def _with(self, **asked: object) -> TuningExperiment:
        said = {name: getattr(self.spec, name) for name in type(self.spec).model_fields}
        return self._set(spec=ExperimentSpec(**{**said, **asked}))

    def _set(self, **fields: object) -> TuningExperiment:
        # `replace` would call __init__, which takes what a person says, not the fields.
        copy = object.__new__(type(self))
        for name, value in {**self.__dict__, **fields}.items():
            object.__setattr__(copy, name, value)
        return copy

    def _table(self) -> Table:
        spec = self.spec.model_dump(exclude_none=True, exclude_defaults=True)
        rows = [(name, str(value)) for name, value in spec.items()]
        source = "nothing yet" if self._source is None else registry.source(self._source).describe()
        return Table(title=f"Experiment {self.spec.name}", columns=("what", "as asked"), rows=(*rows, ("rows", source)))

    def _repr_html_(self) -> str:
        return self._table().html()


def _listener(progress: bool | None, listen: Listener | None) -> AbstractContextManager[Listener]:
    if listen is not None:
        return nullcontext(listen)
    if progress is False or (progress is None and not is_watched()):
        return nullcontext(ignore)
    return cast("AbstractContextManager[Listener]", ProgressBar())
