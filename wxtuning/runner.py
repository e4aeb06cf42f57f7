"""The chain of a planned run, and what drives it alone: `drive` and `adrive`, which sleep.

Every step is in the journal before it starts and when it is done; a chain started again repeats no finished step.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from wxtuning import registry, steps
from wxtuning.compare import Column, Comparison
from wxtuning.errors import (
    AdapterError,
    JobCanceled,
    JobFailed,
    NotOffered,
    PlanError,
    Unavailable,
    WxTuningError,
)
from wxtuning.events import Call, Event, Pause, Progress, StepFinished, StepStarted
from wxtuning.folder import locked, sha256_of, slug, write_atomically
from wxtuning.intents import TAG, Intents
from wxtuning.journal import Journal
from wxtuning.plan import Plan
from wxtuning.planner import Prepared
from wxtuning.ports import Decoding, Deployer, Evaluator, Store, Tuner, TuningRequest, Watch
from wxtuning.records import Record
from wxtuning.retry import Deadline
from wxtuning.status import DataRef, DeploymentRef, JobRef, JobStatus
from wxtuning.transfer import watched

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Result = TypeVar("Result")
Chain = Generator[Event, None, Result]
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A listener that does nothing."""


def drive(chain: Chain[Result], *, listen: Listener = ignore, sleep: Callable[[float], None] = time.sleep) -> Result:
    """Run a chain to its end in this thread; `listen` gets every event, `sleep` every pause in seconds."""
    while True:
        try:
            event = next(chain)
        except StopIteration as end:
            return cast(Result, end.value)
        listen(event)
        if isinstance(event, Pause):
            sleep(event.seconds)


async def adrive(chain: Chain[Result], *, listen: Listener = ignore) -> Result:
    """Run a chain to its end without blocking the event loop: it advances in a worker thread, pauses are awaited."""
    while True:
        event, result = await asyncio.to_thread(_advance, chain)
        if event is None:
            return cast(Result, result)
        listen(event)
        if isinstance(event, Pause):
            await asyncio.sleep(event.seconds)
        elif isinstance(event, Call) and not event.tells:
            await _made(event)


async def _made(call: Call) -> None:
    """Make a call in a thread that, unlike those of `to_thread`, does not keep the process from ending."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def make() -> None:
        call.run()
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=make, name="wxtuning-call", daemon=True).start()
    try:
        async with asyncio.timeout(call.seconds):
            await ended.wait()
    except TimeoutError:
        call.give_up()


def _advance(chain: Chain[Result]) -> tuple[Event | None, Result | None]:
    # StopIteration cannot cross a future, so the end travels as a value.
    try:
        return next(chain), None
    except StopIteration as end:
        return None, end.value


@dataclass(frozen=True, kw_only=True)
class Run:
    """A planned run and everything it needs to go on, also in another process, from its folder alone."""

    plan: Plan
    folder: Path
    journal: Journal
    tuner: Tuner
    deployer: Deployer
    evaluator: Evaluator
    store: Store | str | None = None
    """Where the rows to tune on are kept, or its address; None where the tuner keeps them."""
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    @property
    def key(self) -> str:
        return self.plan.key

    def done(self, step: str) -> object | None:
        """What a finished step returned, or None."""
        record = self.journal.run(self.key)
        return record.value(step) if record else None

    @property
    def job(self) -> JobRef | None:
        """The tuning job, once it was accepted."""
        found = self.done("submit")
        return JobRef.parse(str(found)) if found else None

    @property
    def deployment(self) -> DeploymentRef | None:
        """The deployment, once it was made."""
        found = self.done("deploy")
        return DeploymentRef(*str(found).split(":", 1)) if found else None

    @property
    def way_back(self) -> str:
        """What somebody is told who leaves now."""
        if self.job is None:
            return f"left before a job was accepted; the same line continues run {self.key}"
        return f"left; the job goes on. The same line continues, or wxtuning.attach({str(self.job)!r})"

    def comparison(self) -> Comparison | None:
        """The comparison, once it was made."""
        file = self.folder / "comparison.json"
        return _comparisons().validate_json(file.read_bytes()) if file.is_file() else None

    def test_rows(self) -> tuple[Record, ...]:
        """The held-out rows, read back from the run's folder."""
        label_of = {word: label for label, word in self.plan.words.items()}
        lines = (self.folder / "test.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
        rows = [json.loads(line) for line in lines]
        return tuple(_record(number, row, label_of) for number, row in enumerate(rows, start=1))


def _record(number: int, row: dict[str, str], label_of: dict[str, str]) -> Record:
    label = label_of.get(row["output"], row["output"])
    return Record(number=number, input=row["input"], output=row["output"], label=label)


def begun(
    prepared: Prepared, *, home: Path, tuner: Tuner, deployer: Deployer, evaluator: Evaluator | None,
    store: Store | None = None,
) -> Run:  # fmt: skip
    """Write a prepared run down, its lines and its plan; finds it unchanged if it is known."""
    plan = prepared.plan
    folder = home / "runs" / plan.key
    journal = Journal(home / "journal.db")
    run = Run(
        plan=plan,
        folder=folder,
        journal=journal,
        tuner=tuner,
        deployer=deployer,
        evaluator=evaluator or registry.evaluator(plan.spec.task, plan.words),
        store=store,
    )
    parts = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
    for name, rows in parts.items():
        if rows and not _is_written(folder / f"{name}.jsonl", plan, name):
            steps.write(rows, folder / f"{name}.jsonl")
    if prepared.rejected:
        write_atomically(folder / "rejected.jsonl", _rejected(prepared))
    write_atomically(folder / "plan.json", plan.to_json().encode())
    journal.begin(plan.key, plan.spec.name, plan.to_json())
    return run


def _rejected(prepared: Prepared) -> bytes:
    """One line for each reject: where the row is and what is wrong; of its text no more than a message quotes."""
    sources = {"train": prepared.plan.source, "test": prepared.plan.test_source}
    lines = ({"part": part, "source": sources[part], **asdict(reject)} for part, reject in prepared.rejected)
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()


def _is_written(file: Path, plan: Plan, name: str) -> bool:
    return file.is_file() and sha256_of(file) == getattr(plan, name).sha256


def submitted(run: Run) -> Chain[JobRef]:
    """The chain up to the job's acceptance."""
    with locked(run.folder):
        return (yield from _submit(run))


def finished(run: Run) -> Chain[Run]:
    """The whole chain: submit, wait, evaluate, deploy. Returns the run, which then knows its results."""
    with locked(run.folder):
        job = yield from _submit(run)
        yield from _wait(run, job)
        if run.plan.spec.evaluation:
            yield from _evaluate(run, job)
        if run.plan.spec.deployment:
            yield from _deploy(run, job)
    return run


def _once(run: Run, step: str, act: Callable[[], Chain[object]], shown: Callable[[Any], str] = str) -> Chain[object]:
    """Do a step that the journal does not know as done; return what it returned, now or then."""
    yield StepStarted(step)
    known = run.done(step)
    if known is None:
        run.journal.start(run.key, step)
        known = yield from act()
        run.journal.finish(run.key, step, known)
        yield StepFinished(step=step, text=shown(known))
    else:
        yield StepFinished(step=step, text=shown(known), fresh=False)
    return known


def _called(step: str, act: Callable[[], Result]) -> Chain[Result]:
    """Do what may wait for long without a word, such as for a service to make up its mind."""
    call = Call(step=step, act=act)
    yield call
    return cast(Result, call.result())


def _submit(run: Run) -> Chain[JobRef]:
    yield from _upload(run)

    def act() -> Chain[object]:
        return str((yield from _called("submit", lambda: steps.submit(run.tuner, _request(run), run.plan.job_key))))

    return JobRef.parse(str((yield from _once(run, "submit", act))))


def _upload(run: Run) -> Chain[None]:
    if (kept_in := run.store) is None:
        return
    known = cast("dict[str, dict[str, Any]] | None", run.done("upload"))

    def act() -> Chain[object]:
        # Made only now: who comes back to a run whose job is accepted needs no store, and may have no keys to it.
        store, refs = _opened(kept_in, run.key), {}
        for part in _parts(run):
            refs[part] = asdict((yield from _put(run, store, part)))
        return refs

    yield from _once(run, "upload", act, lambda refs: ", ".join(ref["uri"] for ref in refs.values()))
    if known and run.done("submit") is None:
        # Since then it may have been released, or the same address may lead elsewhere.
        store = _opened(kept_in, run.key)
        for part in [part for part, ref in known.items() if not store.exists(DataRef(**ref))]:
            yield from _put(run, store, part)


def _opened(store: Store | str, run: str) -> Store:
    """The store; made from its address, where a run was found again without it."""
    try:
        return registry.store(store)
    except PlanError as error:
        hint = f"Set what is missing, or hand in the store: wxtuning.attach({run!r}, store=...)."
        raise PlanError(error.problems, hint=hint) from None


def _put(run: Run, store: Store, part: str) -> Chain[DataRef]:
    return (yield from watched("upload", partial(_stored, run, store, part), text=part))


def _stored(run: Run, store: Store, part: str, watch: Watch) -> DataRef:
    return steps.upload(store, _data(run, part), f"{slug(run.plan.spec.name)}-{part}", owner=run.key, watch=watch)


def _parts(run: Run) -> tuple[str, ...]:
    """The parts that a job is given."""
    return ("train", "validation") if run.plan.validation else ("train",)


def _request(run: Run) -> TuningRequest:
    spec = run.plan.spec
    store = None if run.store is None else _opened(run.store, run.key)
    uploaded = cast("dict[str, dict[str, Any]]", run.done("upload") or {}) if store else {}
    data = {part: DataRef(**uploaded[part]) if store else _data(run, part) for part in _parts(run)}
    return TuningRequest(
        name=spec.name,
        method=spec.method,
        train=data["train"],
        validation=data.get("validation"),
        store=store,
        description=spec.description,
        tags=(*spec.tags, run.key),
        owner=run.key,
        task=spec.task,
    )


def _data(run: Run, name: str) -> DataRef:
    file = run.folder / f"{name}.jsonl"
    split = getattr(run.plan, name)
    return DataRef(uri=file.as_uri(), sha256=split.sha256, rows=split.rows, size_bytes=file.stat().st_size)


def _wait(run: Run, job: JobRef) -> Chain[None]:
    def act() -> Chain[object]:
        try:
            status = yield from steps.wait(
                run.tuner, job, run.plan.spec.wait, poll_seconds=run.plan.poll_seconds, clock=run.clock,
                first=partial(_alive, run, job), planned=run.plan.optimizer_steps,
            )  # fmt: skip
        except (JobFailed, JobCanceled) as ended:
            ended.hint = f"{ended.hint}{_anew(run)}"
            raise
        try:
            metrics = yield from _called("tune", partial(run.tuner.metrics, job))
            curve = json.dumps([asdict(metric) for metric in metrics])
            write_atomically(run.folder / "loss.json", curve.encode())
        except AdapterError as cause:
            # The job is done and paid; its model is what the rest of the chain needs.
            yield Progress(step="tune", done=status.step, total=status.steps, text=str(cause.args[0]))
        return status.word

    yield from _once(run, "tune", act)


def _anew(run: Run) -> str:
    """How this very job is started anew, where its backend was asked for it in a way that can be repeated."""
    if not Intents(run.journal).latest(f"{TAG}{run.plan.job_key}"):
        return ""
    return (
        f"\n  Or start this one anew: wxtuning.submit_again({run.key!r}) (`wxtuning submit-again`), then the same line."
    )


def _alive(run: Run, job: JobRef, deadline: Deadline) -> JobStatus | Unavailable:
    """How far the job is; one that died goes on from its checkpoint first."""
    status = steps.look(run.tuner, job, deadline)
    if isinstance(status, JobStatus) and status.interrupted:
        # The same key is the same job.
        steps.submit(run.tuner, _request(run), run.plan.job_key)
        return steps.look(run.tuner, job, deadline)
    return status


def _evaluate(run: Run, job: JobRef) -> Chain[None]:
    def act() -> Chain[object]:
        method = run.plan.spec.method
        ways = {
            "base": run.deployer.base(method, method.verbalizer),
            "instruction": run.deployer.base(method, f"{_literal(run.plan.instruction)} {method.verbalizer}"),
            "tuned": (yield from _tuned(run, job)),
        }
        evaluation = run.plan.spec.evaluation
        assert evaluation is not None
        found = yield from _compared(
            run,
            steps.evaluate(
                run.deployer, run.evaluator, run.test_rows(), ways, decoding=_decoding(run), evaluation=evaluation,
                known=_answered(run, ways),
            ),
        )  # fmt: skip
        write_atomically(run.folder / "comparison.json", _comparisons().dump_json(found, indent=1))
        shutil.rmtree(run.folder / COLUMNS, ignore_errors=True)
        return found.scores()

    yield from _once(run, "evaluate", act)


def _literal(instruction: str) -> str:
    # The template's own field is the only one that is filled.
    return instruction.replace("{{input}}", "{ {input} }")


def _compared(run: Run, events: Iterator[Event | Column | Comparison]) -> Chain[Comparison]:
    found: Comparison | None = None
    for event in events:
        if isinstance(event, Comparison):
            found = event
        elif isinstance(event, Column):
            write_atomically(run.folder / COLUMNS / f"{event.name}.json", _columns().dump_json(event))
        else:
            yield event
    return cast(Comparison, found)


COLUMNS = "columns"
"""Where the answers of each way lie until all ways have answered, so that none is asked twice."""


def _answered(run: Run, ways: Iterable[str]) -> dict[str, Column]:
    files = {name: run.folder / COLUMNS / f"{name}.json" for name in ways}
    return {name: _columns().validate_json(file.read_bytes()) for name, file in files.items() if file.is_file()}


def _tuned(run: Run, job: JobRef) -> Chain[DeploymentRef]:
    try:
        return run.deployer.preview(job)
    except NotOffered:
        if not run.plan.spec.deployment:
            raise
    return (yield from _deployed(run, job))


def _deployed(run: Run, job: JobRef) -> Chain[DeploymentRef]:
    deployment = run.plan.spec.deployment
    assert deployment is not None
    return (yield from _called("deploy", lambda: steps.deploy(run.deployer, job, deployment, run.key)))


LEAST_ANSWER_TOKENS = 16
"""Room for an answer in a comparison, also where labels are shorter: a long answer that merely begins with the label
must not be cut into a right one."""


def _decoding(run: Run) -> Decoding:
    return Decoding(max_new_tokens=max(run.plan.spec.method.max_output_tokens or 0, LEAST_ANSWER_TOKENS))


def _deploy(run: Run, job: JobRef) -> Chain[None]:
    if _is_gone(run):
        run.journal.undo(run.key, "deploy")

    def act() -> Chain[object]:
        return str((yield from _deployed(run, job)))

    yield from _once(run, "deploy", act)


def _is_gone(run: Run) -> bool:
    """Whether the deployment that the journal knows is there no more, as far as that can be told now."""
    try:
        return run.deployment is not None and not run.deployer.is_deployed(run.deployment)
    except WxTuningError:
        return False


def _columns() -> TypeAdapter[Column]:
    from pydantic import TypeAdapter

    return TypeAdapter(Column)


def _comparisons() -> TypeAdapter[Comparison]:
    from pydantic import TypeAdapter

    return TypeAdapter(Comparison)
