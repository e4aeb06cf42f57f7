"""A run from outside: `TuningJob` while it works, `TuningRun` when it is done; both can be found again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast, overload

from wxtuning import curve, registry, runner
from wxtuning.compare import Comparison
from wxtuning.deployment import Deployment
from wxtuning.errors import JobError, JournalError, PlanError, WxTuningError
from wxtuning.folder import home_folder
from wxtuning.found import FoundRun
from wxtuning.journal import Journal, RunRecord
from wxtuning.leaving import detaching
from wxtuning.others import FoundJob, found_job, found_runs, teller
from wxtuning.plan import Plan
from wxtuning.ports import Store
from wxtuning.registry import Backend
from wxtuning.report import Report
from wxtuning.runner import Chain, Listener, Run, adrive, drive, ignore
from wxtuning.spec import ANSWER_TOKENS, ExperimentSpec
from wxtuning.status import JobRef, JobState, JobStatus, Metric


@dataclass(frozen=True)
class TuningRun:
    """A finished run: its report, scores, loss curve and deployment. `folder` holds the files behind them."""

    _run: Run

    @property
    def key(self) -> str:
        return self._run.key

    @property
    def folder(self) -> Path:
        return self._run.folder

    @property
    def plan(self) -> Plan:
        return self._run.plan

    @property
    def spec(self) -> ExperimentSpec:
        """What was asked for, with nothing left open."""
        return self.plan.spec

    @property
    def job(self) -> JobRef:
        """The tuning job behind this run.

        Raises:
            JobError: if none was submitted yet.
        """
        if found := self._run.job:
            return found
        raise JobError(f"run {self.key} has no job yet", job=self.key, hint="Run the experiment.")

    @property
    def state(self) -> str:
        """`completed`, or the last step that is done, or `planned` before the first."""
        record = self._run.journal.run(self.key)
        done = [entry.step for entry in record.steps if entry.finished_at] if record else []
        if _asked_steps(self.plan) <= set(done):
            return "completed"
        return f"{done[-1]} done" if done else "planned"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The loss curve so far, point by point; empty before a job was submitted."""
        return self._run.tuner.metrics(self._run.job) if self._run.job else ()

    @property
    def loss(self) -> Any:
        """The loss curve as a pandas DataFrame: step, epoch, loss, validation_loss, learning_rate, tokens."""
        return registry.frame([asdict(metric) for metric in self.metrics])

    @property
    def comparison(self) -> Comparison | None:
        """Tuned against untuned, or None if no evaluation was asked for."""
        return self._run.comparison()

    @property
    def scores(self) -> dict[str, float]:
        """The headline score of `base`, `instruction` and `tuned`; empty without an evaluation."""
        found = self.comparison
        return found.scores() if found else {}

    @property
    def report(self) -> Report:
        """What the run has to show; where its backend cannot be asked, what this machine knows, and why not more."""
        metrics, warnings = self._told()
        return Report(plan=self.plan, metrics=metrics, comparison=self.comparison, warnings=warnings)

    def _told(self) -> tuple[tuple[Metric, ...], tuple[str, ...]]:
        """The loss curve and what is odd about the job."""
        warnings: tuple[str, ...] = ()
        try:
            warnings = self._run.tuner.status(self._run.job).warnings if self._run.job else ()
            return self.metrics, warnings
        except WxTuningError as cause:
            reasons = cause.problems if isinstance(cause, PlanError) else cause.args[:1]
            return self._kept_curve(), (*warnings, f"not everything is told: {'; '.join(reasons)}")

    def _kept_curve(self) -> tuple[Metric, ...]:
        """The loss curve as it was when the job ended."""
        file = self.folder / "loss.json"
        return tuple(Metric(**point) for point in json.loads(file.read_bytes())) if file.is_file() else ()

    @property
    def seconds(self) -> float:
        """The seconds that the finished steps took, when they were done."""
        record = self._run.journal.run(self.key)
        return sum(entry.seconds or 0.0 for entry in record.steps) if record else 0.0

    @property
    def deployment(self) -> Deployment:
        """The deployment of this run.

        Raises:
            WxTuningError: if none was asked for.
        """
        ref, asked = self._run.deployment, self.plan.spec.deployment
        if ref is None or asked is None:
            raise WxTuningError(f"run {self.key} has no deployment", hint="Say .deploy(name) in the experiment.")
        return Deployment(
            name=asked.name,
            ref=ref,
            max_new_tokens=self.plan.spec.method.max_output_tokens or ANSWER_TOKENS,
            words=self.plan.words,
            deployer=self._run.deployer,
        )

    def plot(self, file: str | Path | None = None) -> Path:
        """Save the loss curve as a PNG, in the run's folder unless a file is named; returns where."""
        return curve.save_png(self.metrics, Path(file or self.folder / "loss.png"), title=self.plan.spec.name)

    def __str__(self) -> str:
        return str(self.report)

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def _asked_steps(plan: Plan) -> set[str]:
    asked = {"upload": plan.store, "evaluate": plan.spec.evaluation, "deploy": plan.spec.deployment}
    return {"submit", "tune", *(step for step, spec in asked.items() if spec)}


@dataclass(frozen=True)
class TuningJob:
    """A run whose job was accepted. `await job` or `job.result()` finishes the chain."""

    _run: Run

    @property
    def id(self) -> str:
        """Finds the run again from any process: `wxtuning.attach(id)`."""
        return str(self._run.job or self._run.key)

    @property
    def spec(self) -> ExperimentSpec:
        """What was asked for, with nothing left open."""
        return self._run.plan.spec

    @property
    def status(self) -> JobStatus:
        return self._run.tuner.status(self.so_far.job)

    @property
    def state(self) -> JobState:
        return self.status.state

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return self._run.tuner.metrics(self.so_far.job)

    @property
    def logs(self) -> str:
        return self._run.tuner.logs(self.so_far.job)

    @property
    def so_far(self) -> TuningRun:
        """What the run has to show already, finished or not."""
        return TuningRun(self._run)

    def cancel(self) -> None:
        """Ask the job to stop; it keeps its last checkpoint."""
        self._run.tuner.cancel(self.so_far.job)

    def result(self, *, listen: Listener = ignore, sleep: Callable[[float], None] = time.sleep) -> TuningRun:
        """Wait for the job and finish the chain: evaluation and deployment.

        Ctrl-C, SIGTERM and SIGHUP leave the job running and say on stderr how to come back.

        Raises:
            JobFailed, JobCanceled, WaitTimeout: as the job went.
        """
        with detaching(lambda: self._run.way_back):
            return drive(self.finishing(), listen=listen, sleep=sleep)

    wait = result

    def __await__(self) -> Generator[Any, None, TuningRun]:
        return self._awaited().__await__()

    async def _awaited(self) -> TuningRun:
        with detaching(lambda: self._run.way_back):
            return await adrive(self.finishing())

    def finishing(self) -> Chain[TuningRun]:
        """The chain of `result`, for a driver of your own or for `gather`."""
        return TuningRun((yield from runner.finished(self._run)))

    def __repr__(self) -> str:
        return f"TuningJob({self.id!r})"


def attach(id: str, *, on: Backend | str | None = None, store: object = None) -> TuningJob | FoundJob:
    """Come back to a run by its job's id (`local:…`, `watsonx:…`) or its own key, from any process.

    Args:
        id: As shown by `job.id` or `wxtuning runs`; with `on`, also as the backend itself names the job.
        on: The backend, or its name, if it needs more than its default settings; else the one that the id names, with
            settings from the environment. It is asked for a job that the journal of this machine does not know: one
            that was started elsewhere, or by somebody else.
        store: Where the run keeps its rows, as `.upload` takes it, if the environment does not hold its keys.

    Raises:
        WxTuningError: if neither the journal nor the backend knows such a run.
        PlanError: if the run keeps its rows somewhere else than in this store.
    """
    asked = None if on is None else registry.backend(on)
    if record := _record_of(id):
        return _job_of(record, asked, store)
    if backend := asked or teller(id):
        found = found_job(id, backend)
        # It may be ours under another of its names.
        record = _record_of(found.id)
        return _job_of(record, backend, store) if record else found
    known = ", ".join(record.key for record in _journal().runs()[:5]) or "none"
    raise WxTuningError(f"there is no run {id!r}; the newest are: {known}", hint=_WAYS_TO_FIND)


_WAYS_TO_FIND = (
    "`wxtuning runs` lists all of them. For a job that this machine did not start, say where it is: "
    "attach(id, on=backend)."
)


def _job_of(record: RunRecord, on: Backend | None, store: object) -> TuningJob:
    run = _known_run(record, on)
    return TuningJob(run if store is None else _kept_in(run, registry.store(store)))


def _kept_in(run: Run, store: Store) -> Run:
    if (place := run.plan.store) != store.describe():
        kept = f"keeps its rows in {place}" if place else "keeps its rows in its own folder"
        raise PlanError(
            [f"run {run.key} {kept}, but the store that was given is {store.describe()}"],
            hint=f"Give the store at {place}." if place else "Leave store= out.",
        )
    return replace(run, store=store)


@overload
def runs(on: None = None) -> tuple[TuningRun, ...]: ...


@overload
def runs(on: Backend | str) -> tuple[FoundRun, ...]: ...


def runs(on: Backend | str | None = None) -> tuple[TuningRun, ...] | tuple[FoundRun, ...]:
    """Every run that the journal of this machine knows, the newest first, or that a backend knows.

    Args:
        on: The backend to ask instead, or its name; it tells the runs of others too.

    Those that another version of wxtuning wrote into the journal are left out.
    """
    if on is not None:
        return found_runs(registry.backend(on))
    return tuple(TuningRun(_run_of(record, None)) for record in _journal().runs() if _is_ours(record))


def foreign_runs() -> tuple[str, ...]:
    """The keys of the runs that another version of wxtuning wrote down in a way that this one cannot read."""
    return tuple(record.key for record in _journal().runs() if not _is_ours(record))


def _is_ours(record: RunRecord) -> bool:
    try:
        Plan.from_json(record.plan)
    except PlanError:
        return False
    return True


def _record_of(id: str) -> RunRecord | None:
    return next((record for record in _journal().runs() if id in (record.key, record.value("submit"))), None)


def _known_run(found: RunRecord, on: Backend | None) -> Run:
    if not _is_ours(found):
        raise JournalError(
            f"run {found.key} was written down by another version of wxtuning, which this one cannot read",
            hint=f"Its files lie in {home_folder() / 'runs' / found.key}; run the experiment again to go on.",
        )
    return _run_of(found, on)


def _run_of(record: RunRecord, on: Backend | None) -> Run:
    plan = Plan.from_json(record.plan)
    backend = on or cast(Backend, registry.Later(plan.backend))
    return Run(
        plan=plan,
        folder=home_folder() / "runs" / record.key,
        journal=_journal(),
        tuner=backend,
        deployer=backend,
        evaluator=registry.evaluator(plan.spec.task, plan.words),
        store=plan.store or None,
    )


def _journal() -> Journal:
    return Journal(home_folder() / "journal.db")
