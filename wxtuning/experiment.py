"""The builder: one verb for each stage. A frozen value; no verb reads, imports or sends anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from wxtuning import planner, records, registry, runner
from wxtuning.datareport import DataView
from wxtuning.errors import DataError, PlanError
from wxtuning.folder import home_folder, write_atomically
from wxtuning.job import TuningJob, TuningRun
from wxtuning.leaving import detaching
from wxtuning.plan import Plan
from wxtuning.ports import Deployer, Evaluator, Source, Store, Tuner
from wxtuning.progress import ProgressBar, is_watched
from wxtuning.recipe import Recipe
from wxtuning.registry import Backend
from wxtuning.runner import Chain, Listener, Run, adrive, drive, ignore
from wxtuning.spec import (
    Cleaning,
    DeploymentSpec,
    Evaluation,
    ExperimentSpec,
    Mapping,
    Method,
    OnReject,
    PromptTuning,
    Sampling,
    Selection,
    Task,
    WaitPolicy,
)
from wxtuning.tables import Table
from wxtuning.tokens import TokenReport, XRays

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
        description, tags: Kept with the run and, by a service, with its job; `deploy` takes those of the deployment.

    Raises:
        PlanError: for a value that no experiment can have.
    """

    spec: ExperimentSpec
    _source: object = field(default=None, repr=False)
    _test: object = field(default=None, repr=False)
    _store: object = field(default=None, repr=False)
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
        spec = ExperimentSpec(
            name=name, task=task, labels=_listed(labels), description=description, tags=_listed(tags)
        )  # fmt: skip
        object.__setattr__(self, "spec", spec)

    @classmethod
    def from_spec(cls, spec: ExperimentSpec) -> TuningExperiment:
        """An experiment of everything that a spec says; `load` says where its rows are."""
        made = object.__new__(cls)
        object.__setattr__(made, "spec", spec)
        return made

    @classmethod
    def from_yaml(cls, file: str | Path) -> TuningExperiment:
        """Read an experiment that `to_yaml` or `wxtuning rescue` wrote, or a person.

        Addresses of files are looked for beside the YAML file first, then as they stand.

        Raises:
            PlanError: with everything that is wrong in it.
            DataError: if the file cannot be read.
        """
        recipe = Recipe.from_yaml(_text_of(Path(file)))
        made = cls.from_spec(recipe.spec)
        if recipe.source is not None:
            beside = Path(file).parent / recipe.source
            made = made._set(_source=str(beside) if beside.is_file() else recipe.source)
        if recipe.store is not None:
            made = made.upload(recipe.store)
        return made.on(recipe.backend) if recipe.backend is not None else made

    def to_yaml(self, file: str | Path | None = None) -> str:
        """The experiment as YAML, written to a file too if one is named; `from_yaml` reads it back.

        Raises:
            PlanError: if its rows, store or adapters are objects, which no text can name.
        """
        text = self._recipe().to_yaml()
        if file is not None:
            write_atomically(Path(file), text.encode())
        return text

    def load(
        self,
        source: object,
        *,
        split: str | None = None,
        revision: str | None = None,
        name: str | None = None,
        columns: Sequence[str] | None = None,
        streaming: bool = False,
        limit: int | None = None,
        sample: Sampling = "first",
        seed: int = 0,
        on_reject: OnReject = "stop",
    ) -> TuningExperiment:
        """Say where the rows are; nothing is read yet.

        Args:
            source: A file or a glob of files; the id of a data set on the Hugging Face Hub, such as
                `"alespalla/chatbot_instruction_prompts"`; a `datasets.Dataset`, `DatasetDict`, `IterableDataset` or
                `IterableDatasetDict`; a pandas DataFrame; dicts in a list, any other iterable or a generator, which
                is read once and kept; or a Source of your own.
            split, revision, name, columns, streaming: See `Selection`; each source takes those that it can mean.
            limit: Take only so many rows.
            sample: Which: the `first` ones, or `random` ones of all that can be used, of each label its part.
            seed: Chooses the random ones.
            on_reject: `stop` lets nothing be uploaded while a row is rejected, `skip` keeps the good rows and lists
                the others in a file.

        Raises:
            PlanError: for a value that no experiment can have.
        """
        # Handed on as they are, so that everything wrong with them is told at once.
        selection = {"split": split, "revision": revision, "name": name, "columns": columns, "streaming": streaming}
        rows = {"limit": limit, "sample": sample, "sample_seed": seed, "on_reject": on_reject}
        asked = self._with(selection=selection, **rows)
        return asked._set(_source=registry.kept(source))

    def clean(self, cleaning: Cleaning | None = None, **steps: Any) -> TuningExperiment:
        """Repair, strip and drop what no model should learn from, counted step by step; see `Cleaning`."""
        return self._with(cleaning=cleaning or Cleaning(**steps))

    def to_jsonl(self, mapping: Mapping | None = None, **columns: Any) -> TuningExperiment:
        """Say which columns become input and output; see `Mapping`."""
        return self._with(mapping=mapping or Mapping(**columns))

    def upload(self, store: object) -> TuningExperiment:
        """Say where the rows to tune on are kept; if never said, where the backend keeps its own.

        Args:
            store: `wx.COS(...)`, `wx.LocalStore(...)`, a Store of your own, or an address: `cos://bucket/prefix`
                (settings from the variables COS_...), `s3://bucket/prefix` (AWS_...), `file:///folder`, or a Path.

        Raises:
            PlanError: for None; from `plan()`, for what else is no store, and if nothing could be put there.
        """
        if store is None:
            raise PlanError([".upload() was given None; expected a store"], hint="Without .upload() there is none.")
        return self._set(_store=store)

    def tune(self, method: Method | None = None, **parameters: Any) -> TuningExperiment:
        """Say how to tune: `PromptTuning(...)`, `LoRA(...)`, or the parameters of prompt tuning as keywords."""
        return self._with(method=method or PromptTuning(**parameters))

    def wait(self, *, every: float | None = None, timeout: float = 6 * 3600.0) -> TuningExperiment:
        """Say how often to look at the job and how long to wait, in seconds."""
        return self._with(wait=WaitPolicy(every_seconds=every, timeout_seconds=timeout))

    def evaluate(self, evaluation: Evaluation | None = None, *, test: object = None, **how: Any) -> TuningExperiment:
        """Compare tuned and untuned answers on rows held out of training, or on rows of your own; see `Evaluation`.

        Args:
            evaluation: The value that the keywords would make; with `test`, those rows are scored by it.
            test: Rows of your own to be scored: whatever `load` takes as a source (`test_split` names a split of
                it). They are read as the rows to tune on are, and none of them may be among those, nor nearly be.
            how: The fields of `Evaluation`.
        """
        named = str(test) if isinstance(test, str | Path) else _OWN_ROWS
        said = {**how, "test": named} if test is not None else how
        asked = evaluation.model_copy(update=said) if isinstance(evaluation, Evaluation) else evaluation
        own = None if isinstance(test, str | Path) else registry.kept(test)
        return self._with(evaluation=Evaluation(**said) if asked is None else asked)._set(_test=own)

    def deploy(
        self,
        deployment: str | DeploymentSpec,
        *,
        description: str = "",
        tags: Sequence[str] = (),
        serving_name: str | None = None,
        space: str | None = None,
    ) -> TuningExperiment:
        """Make the tuned model answer under a name.

        Args:
            deployment, description, tags: Its name, for people, and what is written beside it.
            serving_name: A name for addresses: 1 to 36 letters, digits and underscores.
            space: The deployment space of watsonx, by name or id; None deploys in the project that it was tuned in.
                Keep to one of the two: a space by its name and by its id are two deployments of the same job.
        """
        if isinstance(deployment, str):
            deployment = DeploymentSpec(
                name=deployment, description=description, tags=_listed(tags), serving_name=serving_name, space=space
            )
        return self._with(deployment=deployment)

    def on(self, backend: Backend | str) -> TuningExperiment:
        """Say where to run; this machine if never said.

        Args:
            backend: `wx.Local(...)`, `wx.Watsonx(...)`, or a name such as `"watsonx"`, with settings from the
                environment.

        Raises:
            PlanError: for anything else, and for settings that are missing.
        """
        return self._set(_backend=registry.backend(backend))

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

    def data(self) -> DataView:
        """What becomes of every row: counts, reasons, labels and lengths, however much is still wrong.

        Raises:
            PlanError: if there are no rows to speak of.
            DataError: if the source cannot be read.
        """
        draft = self._measured()
        if draft.lines is None:
            raise PlanError(draft.problems)
        read = draft.lines
        report = records.with_labels(read.converted, read.labels)
        own = records.with_labels(read.own_test, read.labels) if read.own_test else None
        return DataView(report=report, tokens=draft.tokens, test=own)

    def tokens(self, *, exact: bool = False) -> TokenReport:
        """How long the rows to tune on are in the model's own tokens, and what the limits cut; sends nothing.

        Args:
            exact: Count every row; else, of more than 10,000, those that can reach a limit and a sample of the others.

        Raises:
            PlanError: if there is nothing to count.
        """
        draft = self._measured(exact=exact)
        if draft.tokens is None:
            raise PlanError(draft.problems)
        return draft.tokens

    def xray(self, n: int = 3, *, rows: Sequence[int] = ()) -> XRays:
        """Single rows as the model will see them in training, token by token: which count in the loss, what is cut.

        Args:
            n: So many of the rows to tune on, from the start.
            rows: Instead, the rows with these 1-based numbers.

        Raises:
            PlanError: if there are no such rows.
            NotOffered: if the backend does not tell.
        """
        return planner.xrayed(self._drafted(), self._tuner or self._place(), count=n, rows=rows)

    def run(self, *, progress: bool | None = None, listen: Listener | None = None) -> TuningRun:
        """Do the whole chain; killed at any point and run again, it continues where it stopped.

        Args:
            progress: Draw progress bars; None draws them in a terminal and in a notebook.
            listen: Called with every event, instead of the bars.

        Raises:
            WxTuningError: one of its children, by what went wrong.
        """
        with _listener(progress, listen) as listener:
            return TuningJob(self._begun()).result(listen=listener)

    async def arun(self, *, listen: Listener = ignore) -> TuningRun:
        """`run` for async code: nothing blocks the event loop."""
        import asyncio

        begun = await asyncio.to_thread(self._begun)
        with detaching(lambda: begun.way_back):
            return TuningRun(await adrive(runner.finished(begun), listen=listen))

    def finishing(self) -> Chain[TuningRun]:
        """The chain of `run`, for a driver of your own or for `gather`; planned and begun when it first advances."""
        return (yield from TuningJob(self._begun()).finishing())

    def submit(self) -> TuningJob:
        """Start the job and return as soon as the backend has accepted it; left before, it says how to come back."""
        begun = self._begun()
        with detaching(lambda: begun.way_back):
            drive(runner.submitted(begun))
        return TuningJob(begun)

    def _prepared(self) -> planner.Prepared:
        source = self._rows_from()
        tuner, deployer = self._tuner or self._place(), self._deployer or self._place()
        test = self._test_rows_from()
        return planner.prepare(self.spec, source, tuner, test=test, store=self._kept_in(), deployer=deployer)

    def _drafted(self) -> planner.Draft:
        tuner = self._tuner or self._place()
        return planner.drafted(self.spec, self._rows_from(), tuner, test=self._test_rows_from())

    def _measured(self, *, exact: bool = False) -> planner.Draft:
        return planner.measured(self._drafted(), self.spec, self._tuner or self._place(), exact=exact)

    def _test_rows_from(self) -> Source | None:
        asked = self.spec.evaluation
        if asked is None or asked.test is None:
            return None
        rows = asked.test if self._test is None else self._test
        loaded = self._source
        # Only names are compared: what else may hold rows, a frame say, need not compare as a whole.
        is_same = rows is loaded or (isinstance(rows, str) and isinstance(loaded, str) and rows == loaded)
        parts = self.spec.selection if is_same else Selection()
        return registry.source(rows, parts.model_copy(update={"split": asked.test_split}))

    def _begun(self) -> Run:
        backend = self._place()
        return runner.begun(
            self._prepared(),
            home=home_folder(),
            tuner=self._tuner or backend,
            deployer=self._deployer or backend,
            evaluator=self._evaluator,
            store=self._kept_in(),
        )

    def _kept_in(self) -> Store | None:
        return None if self._store is None else registry.store(self._store)

    def _rows_from(self) -> Source | None:
        if self._source is None:
            return None
        few = self.spec.limit if self.spec.sample == "first" else None
        return registry.source(self._source, self.spec.selection, few)

    def _recipe(self) -> Recipe:
        addresses = {"load": self._source, "upload": self._store}
        kept = {verb: value for verb, value in addresses.items() if value is not None}
        problems = [
            f".{verb}() was given {type(value).__name__}; only an address can be written down"
            for verb, value in kept.items()
            if not isinstance(value, str | Path)
        ]
        if any((self._tuner, self._deployer, self._evaluator, self._test)):
            problems.append("adapters and rows to be scored that are objects cannot be written down")
        if problems:
            raise PlanError(problems)
        named = {name: str(value) for name, value in zip(("source", "store"), addresses.values(), strict=True) if value}
        return Recipe(spec=self.spec, backend=self._backend.name if self._backend else None, **named)

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
        source = self._rows_from()
        shown = source.describe() if source else "nothing yet"
        return Table(title=f"Experiment {self.spec.name}", columns=("what", "as asked"), rows=(*rows, ("rows", shown)))

    def _repr_html_(self) -> str:
        return self._table().html()


_OWN_ROWS = "rows given"


def _listed(given: Sequence[str]) -> tuple[str, ...]:
    """A list, an array say, as a tuple; anything else, such as a single text, as it is: the spec refuses it."""
    is_list = isinstance(given, Iterable) and not isinstance(given, str)
    return tuple(given) if is_list else cast("tuple[str, ...]", given)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "it is not UTF-8"
        raise DataError(f"{file} cannot be read: {reason}", hint="Name a YAML file that is there.") from cause


def _listener(progress: bool | None, listen: Listener | None) -> AbstractContextManager[Listener]:
    if listen is not None:
        return nullcontext(listen)
    if progress is False or (progress is None and not is_watched()):
        return nullcontext(ignore)
    return cast("AbstractContextManager[Listener]", ProgressBar())
