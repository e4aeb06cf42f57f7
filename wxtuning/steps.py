"""The steps of the chain, one plain public function each. The one that waits asks for pauses and never sleeps."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from wxtuning import compare
from wxtuning.compare import Column, Comparison
from wxtuning.errors import (
    AdapterError,
    DataError,
    JobCanceled,
    JobFailed,
    LeakageError,
    NotOffered,
    Unavailable,
    WaitTimeout,
)
from wxtuning.events import Call, Event, Pause, Progress
from wxtuning.folder import write_atomically
from wxtuning.metrics import confusion, perplexity
from wxtuning.ports import Decoding, Deployer, Evaluator, Source, Store, Tuner, TuningRequest, Watch, unwatched
from wxtuning.records import Item, Record, convert, convert_file, convert_into, jsonl, leaked
from wxtuning.retry import Deadline, jitter
from wxtuning.rows.files import open_rows
from wxtuning.spec import DeploymentSpec, Evaluation, WaitPolicy
from wxtuning.status import DataRef, DeploymentRef, JobRef, JobState, JobStatus

__all__ = [
    "convert",
    "convert_file",
    "convert_into",
    "deploy",
    "evaluate",
    "fence",
    "load",
    "look",
    "open_rows",
    "reference",
    "submit",
    "upload",
    "wait",
    "write",
]

LOG_LINES = 12

PIECE_BYTES = 2**20

GOES_ON = "Run the same line again: it goes on from its last checkpoint."
STAYS_FAILED = (
    "The same line finds this failed job again. Change the data or the parameters and it is another job; for the same "
    "one again, change the experiment's name."
)

FIRST_PAUSE_SECONDS, GROWTH = 1.0, 1.5
LONGEST_OUTAGE_PAUSE_SECONDS = 60.0
"""Also as much as a backend may ask for."""

Look = Callable[[Deadline], JobStatus | Unavailable]
"""How far a job is, by then."""


def load(source: Source, limit: int | None = None) -> tuple[Item, ...]:
    """The rows of a source, at most `limit` of them; for one that cannot be used, the reason why.

    Raises:
        DataError: if the source cannot be read.
    """
    return tuple(islice(source.rows(), limit))


def write(records: Sequence[Record], file: str | Path) -> DataRef:
    """Write records as JSON Lines, in one step, and say what the file holds."""
    from hashlib import sha256

    content = jsonl(records)
    write_atomically(Path(file), content)
    address = Path(file).absolute().as_uri()
    return DataRef(uri=address, sha256=sha256(content).hexdigest(), rows=len(records), size_bytes=len(content))


def reference(file: str | Path) -> DataRef:
    """What a file of lines holds, such as one that `convert_file` wrote; reads it once.

    Raises:
        DataError: if it cannot be read.
    """
    from hashlib import sha256

    digest, rows = sha256(), 0
    try:
        with Path(file).open("rb") as content:
            while piece := content.read(PIECE_BYTES):
                digest.update(piece)
                rows += piece.count(b"\n")
            size = content.tell()
    except OSError as cause:
        raise DataError(f"{file} cannot be read: {cause.strerror}", hint="Name a file that is there.") from cause
    return DataRef(uri=Path(file).absolute().as_uri(), sha256=digest.hexdigest(), rows=rows, size_bytes=size)


def fence(train: Iterable[Record], test: Iterable[Record]) -> None:
    """Make sure that nothing to be scored was trained on.

    Args:
        train: The rows that the model is tuned on, and those that choose its best epoch.
        test: The rows to be scored: held out, or of a file of the user's own.

    Raises:
        LeakageError: if an input stands on both sides, exactly (white space and case aside) or nearly.
    """
    exact, near = leaked(train, test)
    found = [
        f"{len(numbers)} rows to be scored were {how}trained on: rows {_few(numbers)}"
        for how, numbers in (("", exact), ("nearly ", near))
        if numbers
    ]
    if found:
        raise LeakageError(
            "; ".join(found),
            hint="Score other rows: a model that has seen the answers proves nothing. .evaluate(holdout=0.1) keeps "
            "rows out of training.",
        )


def _few(numbers: Sequence[int], limit: int = 8) -> str:
    shown = ", ".join(map(str, numbers[:limit]))
    return f"{shown}, …" if len(numbers) > limit else shown


def upload(store: Store, data: DataRef, name: str, *, owner: str, watch: Watch = unwatched) -> DataRef:
    """Put a file of lines into a store; nothing is sent of bytes that are there already.

    Args:
        store: Where to.
        data: The file, as `write` left it; `reference` describes any other.
        name: For people, the first part of the file's name in the store.
        owner: The key of the run that needs it; `store.release(owner)` gives it up.
        watch: Told of the bytes that are done.

    Raises:
        InputChangedError: if the file is no longer what `data` says.
        UploadIntegrityError: if the store does not hold what was sent.
    """
    return store.put(data, name, owner=owner, watch=watch)


def submit(tuner: Tuner, request: TuningRequest, key: str) -> JobRef:
    """Start the job, or find the one that was started with this key."""
    return tuner.submit(request, key)


def wait(
    tuner: Tuner,
    job: JobRef,
    policy: WaitPolicy,
    *,
    poll_seconds: float,
    clock: Callable[[], float],
    first: Look | None = None,
    planned: int = 0,
    rng: Callable[[], float] = jitter,
) -> Generator[Event, None, JobStatus]:
    """Watch a job to its end; returns its last status.

    Args:
        tuner: Where the job is.
        job: Which one.
        policy: How often to look and how long to wait.
        poll_seconds: The longest pause between two looks if the policy names none; the first ones are shorter.
        clock: Monotonic seconds.
        first: What looks the first time instead of `look`.
        planned: Its optimiser steps by the plan, for as long as the backend does not tell.
        rng: Chance, 0 to 1; it takes up to half of a pause in an outage, so that not all who wait ask at once.

    Raises:
        JobFailed, JobCanceled, JobLost: when the job ended so.
        WaitTimeout: when the time is over, at most a second later also where nobody answers; the job goes on.
    """
    rhythm = _Rhythm(policy.every_seconds, poll_seconds, rng)
    deadline = Deadline(policy.timeout_seconds, clock)
    again = partial(look, tuner, job)
    answer = yield from _looked(tuner, first or again, deadline)
    while True:
        if isinstance(answer, JobStatus) and answer.state.final:
            return (yield from _ended(tuner, job, answer, deadline))
        if deadline.left <= 0:
            raise WaitTimeout(
                f"job {job} still runs after {policy.timeout_seconds:g} s", job=str(job), hint=_attach(job)
            ) from (answer if isinstance(answer, Unavailable) else None)
        if isinstance(answer, JobStatus):
            yield Progress(step="tune", done=answer.step, total=answer.steps or planned, text=_loss(answer))
        yield Pause(min(rhythm.pause(answer), max(0.0, deadline.left)))
        answer = yield from _looked(tuner, again, deadline)


def _looked(tuner: Tuner, act: Look, wait: Deadline) -> Generator[Event, None, JobStatus | Unavailable]:
    # A backend that is silent for minutes holds up nobody else's jobs.
    deadline = wait.for_a_look()
    call = Call(step="tune", act=partial(act, deadline), lane=id(tuner), seconds=deadline.left)
    yield call
    try:
        found: JobStatus | Unavailable = call.result()
    except TimeoutError as late:  # others, who may wait longer, were asked for before
        return Unavailable(str(late), backend=tuner.name)
    return found


def look(tuner: Tuner, job: JobRef, deadline: Deadline | None = None) -> JobStatus | Unavailable:
    """How far a job is, or that its backend does not answer now, or not by the deadline."""
    try:
        return tuner.status(job, deadline=deadline)
    except Unavailable as outage:
        return outage


class _Rhythm:
    """How long to wait before the next look: short at first, and longer and longer while nobody answers."""

    def __init__(self, every: float | None, longest: float, rng: Callable[[], float]) -> None:
        self._rng = rng
        self._longest = every or longest
        self._next = every or min(FIRST_PAUSE_SECONDS, longest)
        self._outage = 0.0

    def pause(self, answer: JobStatus | Unavailable) -> float:
        if isinstance(answer, Unavailable):
            self._outage = min(2 * max(self._outage, self._next), LONGEST_OUTAGE_PAUSE_SECONDS)
            own = self._outage * (0.5 + 0.5 * self._rng())
            return max(own, min(answer.pause, LONGEST_OUTAGE_PAUSE_SECONDS))
        self._outage, pause = 0.0, self._next
        self._next = min(GROWTH * pause, self._longest)
        return pause


def _ended(tuner: Tuner, job: JobRef, status: JobStatus, wait: Deadline) -> Generator[Event, None, JobStatus]:
    if status.state is JobState.FAILED:
        # A backend may repeat in the log what it says of the job itself.
        told = {*status.message.splitlines(), *status.hint.splitlines()}
        lines = [line for line in (yield from _logs(tuner, job, wait)).splitlines() if line not in told][-LOG_LINES:]
        message = "\n".join([f"job {job} failed: {status.message}", *(f"  | {line}" for line in lines)])
        hint = GOES_ON if status.interrupted else "\n  ".join(filter(None, (status.hint, STAYS_FAILED)))
        raise JobFailed(message, job=str(job), hint=hint)
    if status.state is JobState.CANCELED:
        raise JobCanceled(f"job {job} was cancelled", job=str(job), hint="Change the experiment's name to start anew.")
    return status


def _logs(tuner: Tuner, job: JobRef, wait: Deadline) -> Generator[Event, None, str]:
    deadline = wait.for_a_look()
    call = Call(step="tune", act=partial(tuner.logs, job, deadline=deadline), seconds=deadline.left)
    yield call
    try:
        found: str = call.result()
    except (AdapterError, TimeoutError) as cause:
        return f"the log cannot be read: {cause.args[0]}"
    return found


def _attach(job: JobRef) -> str:
    return f"Come back to it with wxtuning.attach({str(job)!r})."


def _loss(status: JobStatus) -> str:
    return "" if status.loss is None else f"loss {status.loss:.3f}"


def evaluate(
    deployer: Deployer,
    evaluator: Evaluator,
    rows: Sequence[Record],
    ways: Mapping[str, DeploymentRef],
    *,
    decoding: Decoding,
    evaluation: Evaluation,
    known: Mapping[str, Column] = MappingProxyType({}),
) -> Iterator[Event | Column | Comparison]:
    """Ask every way for every row and compare; yields progress, each column as it is there and, last, the comparison.

    Where one way fails, the others are asked all the same, and its error is raised in the end.

    Args:
        deployer: Who answers.
        evaluator: Who judges.
        rows: The held-out rows.
        ways: Column names and whom to ask, the tuned model last. All are asked with the same decoding.
        decoding: How answers are drawn.
        evaluation: Seed and size of the resampling.
        known: Columns by name that an earlier call yielded; these ways are not asked again.
    """
    columns: list[Column] = []
    failures: list[AdapterError] = []
    for number, (name, ref) in enumerate(ways.items()):
        yield Progress(step="evaluate", done=number, total=len(ways), text=name)
        try:
            column = known.get(name)
            if column is None:
                call = Call(step="evaluate", act=partial(_column, name, ref, deployer, evaluator, rows, decoding))
                yield call
                column = call.result()
        except AdapterError as failure:
            failures.append(failure)
        else:
            columns.append(column)
            yield column
    if failures:
        raise failures[0]
    found = compare.differences(columns, evaluator.headline, samples=evaluation.bootstrap_samples, seed=evaluation.seed)
    yield Comparison(
        headline=evaluator.headline,
        inputs=tuple(row.input for row in rows),
        references=tuple(row.label for row in rows),
        columns=tuple(columns),
        differences=found,
        warnings=tuple(compare.warnings(columns, found)),
    )


def _column(
    name: str, ref: DeploymentRef, deployer: Deployer, evaluator: Evaluator, rows: Sequence[Record], decoding: Decoding
) -> Column:
    answers = tuple(answer.text for answer in deployer.generate(ref, [row.input for row in rows], decoding))
    read = tuple(map(evaluator.read, answers))
    references = tuple(row.label for row in rows)
    scores = {**evaluator.score(read, references), **_perplexity(ref, deployer, rows)}
    labelled = evaluator.headline == "accuracy"
    return Column(
        name=name,
        answers=answers,
        read=read,
        scores=scores,
        each=evaluator.each(read, references),
        confusion=confusion(read, references) if labelled else {},
    )


def _perplexity(ref: DeploymentRef, deployer: Deployer, rows: Sequence[Record]) -> dict[str, float]:
    try:
        losses = deployer.losses(ref, [(row.input, row.output) for row in rows])
    except NotOffered:
        return {}
    return {"perplexity": perplexity([loss for loss, _ in losses], [count for _, count in losses])}


def deploy(deployer: Deployer, job: JobRef, deployment: DeploymentSpec, key: str) -> DeploymentRef:
    """Make the tuned model answer under its name, once for each key."""
    return deployer.deploy(job, deployment, key)
