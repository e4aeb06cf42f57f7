"""What an adapter implements. The docstrings are the contracts; `wxtuning.testing.FakeBackend` keeps them all.

Protocols: there is nothing to inherit. Values cross a port, never a vendor's objects, and no vendor's exception does:
an adapter raises `AdapterError` and its children.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import inf, isinf
from pathlib import Path
from typing import Protocol, runtime_checkable

from wxtuning.retry import Deadline
from wxtuning.rows.verdict import Reject
from wxtuning.spec import DeploymentSpec, Method, Task
from wxtuning.status import DataRef, DeploymentRef, JobRef, JobStatus, Metric
from wxtuning.tables import Table
from wxtuning.tokens import Tokenizer


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """The values a parameter may take, ends included, and the one the backend recommends.

    `choices`, if there are any, are the only ones. What the backend does not tell is an end at infinity, or a default
    of None.
    """

    low: float = -inf
    high: float = inf
    default: float | None = None
    choices: tuple[float, ...] = ()

    def takes(self, value: float) -> bool:
        return value in self.choices if self.choices else self.low <= value <= self.high

    def __str__(self) -> str:
        if self.choices:
            return " or ".join(f"{choice:g}" for choice in self.choices)
        if isinf(self.low) or isinf(self.high):
            ends = [f"from {self.low:g}"] * (not isinf(self.low)) + [f"up to {self.high:g}"] * (not isinf(self.high))
            return " ".join(ends) or "any number"
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a backend offers for one method and model, as data, so that a plan can answer before anything is sent.

    `fingerprint` identifies the model's exact weights. `parameters` may hold `max_input_tokens` and
    `max_output_tokens`, the token limits of a row. `min_rows`, `max_rows` and `max_bytes` bound the rows to train on
    and their JSON Lines file; `context_tokens` bounds prompt and answer together. `needs_deployment` says that only
    what is deployed can be asked, `has_spaces` that it can be deployed to a space, `takes_validation` that rows may be
    given whose loss is watched. `ignored` names parameters of the method that change nothing there: they are no part
    of a job. A job's state is asked for every `poll_seconds` at most. `offer` is what is told of the model (its tasks,
    its state and when that ends), `platform` what the backend is and in which version; `warnings` say what somebody who
    pays should know of both. Printed, a table.
    """

    fingerprint: str
    parameters: Mapping[str, Range]
    min_rows: int = 1
    max_rows: int | None = None
    max_bytes: int | None = None
    context_tokens: int | None = None
    poll_seconds: float = 10.0
    needs_deployment: bool = False
    has_spaces: bool = False
    takes_validation: bool = True
    ignored: tuple[str, ...] = ()
    offer: ModelOffer | None = None
    platform: str = ""
    warnings: tuple[str, ...] = ()

    def table(self) -> Table:
        rows = [
            (name, str(found), "" if found.default is None else f"{found.default:g}")
            for name, found in self.parameters.items()
        ]
        rows.append(("training rows", str(Range(low=self.min_rows, high=self.max_rows or inf)), ""))
        if self.max_bytes:
            rows.append(("bytes of the rows", f"up to {self.max_bytes:,}", ""))
        if self.context_tokens:
            rows.append(("tokens of a row", f"up to {self.context_tokens:,}", ""))
        if self.platform:
            rows.append(("platform", self.platform, ""))
        if model := self.offer:
            ends = f", tuned no more from {model.ends}" if model.ends else ""
            rows += [("tasks", ", ".join(model.tasks) or "any", ""), ("state", f"{model.state}{ends}", "")]
        title = f"Limits of {self.offer.id if self.offer else self.fingerprint}"
        return Table(title=title, columns=("what", "taken", "default"), rows=tuple(rows), notes=self.warnings)

    def __str__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelOffer:
    """A base model that a backend tunes: by which methods, for which tasks (empty: any), and until when.

    `state` is the backend's own word (`available`, `deprecated`, ...), `ends` the day from which it is tuned no more,
    if that is known.
    """

    id: str
    methods: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    state: str = "available"
    ends: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningRequest:
    """One job: the method with every parameter resolved, the data, and what for.

    `validation` is None without such rows. `store` keeps the data; None where they are files of this machine. `owner`
    is the key of the run that needs what is made of the data there; empty: the job's own key.
    """

    name: str
    method: Method
    train: DataRef
    validation: DataRef | None = None
    store: Store | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    task: Task = "generation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoding:
    """How an answer is drawn: at most `max_new_tokens`, greedy at temperature 0, ended early by a `stop` text."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A model's answer; token counts in the model's own tokens, `stop_reason` in the service's own word."""

    text: str
    tokens: int = 0
    input_tokens: int = 0
    stop_reason: str = field(default="")


class Source(Protocol):
    """Where rows come from.

    A source of your own may leave `fingerprint` out; what was read of it then identifies it.
    """

    def rows(self) -> Iterator[Mapping[str, object] | Reject]:
        """Yield the rows, from the start at every call; a row that cannot be used is yielded as the reason why.

        Raises:
            DataError: if the source cannot be read; names file and line.
            AdapterError: if what holds the rows does not answer, or does not let them be read.
        """
        ...

    def describe(self) -> str:
        """A short text for reports, such as the file's name; never a secret. Reads nothing."""
        ...

    def fingerprint(self) -> str:
        """What identifies the rows: the same text for the same rows, such as a commit or a hash of the content.

        Empty if nothing short of reading them all again would tell.
        """
        ...


Watch = Callable[[int, int | None], None]
"""Told how many bytes of how many are done (None while the size is unknown), in the thread that asked for the transfer;
what it raises ends it."""


def unwatched(done: int, size: int | None) -> None:
    """A watch that looks away."""


@runtime_checkable
class EndingWatch(Protocol):
    """A watch that can also end a transfer of which nothing moves: one that waits for an answer, or to try again."""

    def __call__(self, done: int, size: int | None) -> None: ...

    def at_end(self, end: Callable[[], None]) -> None:
        """Call `end`, in any thread, as soon as nobody waits for the transfer any more.

        The store then leaves things as if it had been killed; what it raises is not looked at.
        """
        ...


class Writing(Protocol):
    """A file of a store while it is written."""

    @property
    def data(self) -> DataRef:
        """What was stored.

        Raises:
            AdapterError: before the block has ended, and if it ended with an error.
        """
        ...

    def write(self, content: bytes | bytearray | memoryview, /) -> int:
        """Take the next bytes; returns how many.

        Raises:
            TypeError: for anything else, such as text.
            AdapterError: after the block has ended.
        """
        ...


class Store(Protocol):
    """Where the files to tune on are kept for a backend that cannot read this machine's disk.

    A file is named after its content, `<name>-<first 16 hexadecimal digits of its SHA-256>.jsonl`, so that the same
    bytes are stored once and other bytes never replace them. It appears whole, under its final name, once its size
    and content have been proven, or not at all. Every file has owners, the keys of the runs that need it; it goes
    with the last of them. `name` is the kind of store.
    """

    name: str

    def describe(self) -> str:
        """Where files go, as an address such as `file:///folder`; never a secret. Asks nobody.

        Another place has another address: it is part of what identifies a run.
        """
        ...

    def check(self) -> tuple[str, ...]:
        """Make sure that files could be put here, and tell what could not be removed; changes nothing.

        Returns:
            What stays because a right to remove it is missing, and what to do, a sentence for each; the plan warns of
            it.

        Raises:
            NotAuthorized: without a right that putting takes; names it.
            NotOffered: if there is no such bucket or folder.
            Unavailable: if nobody answers.
        """
        ...

    def put(self, data: DataRef, name: str, *, owner: str, watch: Watch = unwatched) -> DataRef:
        """Store a file of this machine; nothing is sent of bytes that are here already.

        An upload that was killed goes on from what the store really has.

        Args:
            data: The file (`file:` address), what it holds and how much.
            name: For people, the first part of the file's name: letters, digits, `-`, `_` and `.`.
            owner: The key of the run that needs it.
            watch: Told of every bit of progress.

        Returns:
            The same data in the store.

        Raises:
            InputChangedError: if the file is not, or while it is sent no longer, what `data` says.
            UploadIntegrityError: if what the store holds cannot be proven to be what was sent.
            NotAuthorized, NotOffered, Unavailable: as for `check`.
        """
        ...

    def writing(self, name: str, *, owner: str, watch: Watch = unwatched) -> AbstractContextManager[Writing]:
        """Store bytes as they are made, without a file on this machine.

        A block that ends with an error leaves nothing behind; one that is interrupted ends at once, and leaves what a
        kill would leave, which `release` removes. The same bytes written again, by the same owner under
        the same name, after a kill, are not sent twice.

        Args:
            name, owner, watch: As for `put`.

        Raises:
            UploadIntegrityError, NotAuthorized, NotOffered, Unavailable: as for `put`, from `write` or when the block
                ends; Unavailable also if somebody else ended the upload.
        """
        ...

    def get(self, ref: DataRef, to: str | Path) -> None:
        """Fetch a file; `to` is replaced in one step, and only by the bytes that `ref` names.

        Raises:
            UploadIntegrityError: if the store holds other bytes.
            NotOffered: if it holds no such file.
        """
        ...

    def exists(self, ref: DataRef) -> bool:
        """Whether a file of this name and size is there."""
        ...

    def delete(self, ref: DataRef) -> None:
        """Remove a file, whoever owns it; nothing happens if it is gone."""
        ...

    def list(self, owner: str) -> tuple[DataRef, ...]:
        """The files that this owner needs, by name."""
        ...

    def release(self, owner: str) -> tuple[DataRef, ...]:
        """Give up an owner's files; returns those that were removed because nobody else needs them.

        What an interrupted upload of this owner left behind goes too. A file that another owner puts at the same moment
        is there when that `put` returns.

        Raises:
            NotAuthorized, NotOffered: if something may not be removed; names what stays, and the rest is gone.
        """
        ...


class Tuner(Protocol):
    """Where tuning runs. `name` is the backend's name in job references."""

    name: str

    def limits(self, method: Method) -> Limits:
        """What may be asked of this backend with this method and model.

        Raises:
            NotOffered: if the model or the method is not offered; the message names what is.
        """
        ...

    def tokenizer(self, method: Method) -> Tokenizer:
        """The model's own tokenizer, with the template and the limits of this method."""
        ...

    def submit(self, request: TuningRequest, key: str) -> JobRef:
        """Start a job, once for each `key`.

        When it returns, the JobRef alone finds the job again from another process. With a key that the backend knows
        it returns the existing job and sees to it that an interrupted one goes on: a job is never paid twice.

        Raises:
            Unavailable: if it is unknown whether a job exists; the caller may `find` it or submit again.
        """
        ...

    def find(self, key: str) -> JobRef | None:
        """The job that was submitted with this key, or None."""
        ...

    def status(self, job: JobRef, *, deadline: Deadline | None = None) -> JobStatus:
        """Where the job is. An unknown word of the backend is kept and counts as running.

        Args:
            job: Which one.
            deadline: When whoever asks waits no longer; None: as long as the backend is asked at all.

        Raises:
            Unavailable: if the backend did not answer, or not by then; once it is over, at once.
        """
        ...

    def metrics(self, job: JobRef) -> tuple[Metric, ...]:
        """The loss curve so far, by step; empty before the first step."""
        ...

    def logs(self, job: JobRef, *, deadline: Deadline | None = None) -> str:
        """What the job wrote, its last part if it is long; `deadline` as for `status`."""
        ...

    def cancel(self, job: JobRef) -> None:
        """Ask the job to stop; nothing happens to a job that has ended."""
        ...


@runtime_checkable
class ChecksStore(Protocol):
    """A Tuner that can tell, before anything is uploaded, whether it could read files from a store."""

    def check_store(self, store: Store) -> None:
        """Make sure that jobs could be tuned on what is kept there; changes nothing.

        Raises:
            AdapterError: what stands against it.
        """
        ...


@runtime_checkable
class ChecksRequest(Protocol):
    """A Tuner that can tell, before anything is paid, what it would refuse of a request."""

    def problems_of(self, request: TuningRequest) -> tuple[str, ...]:
        """All that it would refuse besides what `limits` bounds; sends nothing. Where the rows lie is not looked at."""
        ...


class Deployer(Protocol):
    """What answers. Inputs are bare: the deployer renders them with the template the model was tuned with."""

    name: str

    def deploy(self, job: JobRef, deployment: DeploymentSpec, key: str) -> DeploymentRef:
        """Make a completed job's model answer under a name, once for each `key`."""
        ...

    def preview(self, job: JobRef) -> DeploymentRef:
        """A completed job's model, to be asked without deploying it.

        Raises:
            NotOffered: if this backend only answers from deployments.
        """
        ...

    def base(self, method: Method, template: str) -> DeploymentRef:
        """The untuned model behind `method`, asked with `template` (a text with `{{input}}`)."""
        ...

    def find_deployment(self, key: str) -> DeploymentRef | None:
        """The deployment that was made with this key, or None."""
        ...

    def is_deployed(self, ref: DeploymentRef) -> bool:
        """Whether a deployment is still there."""
        ...

    def generate(self, ref: DeploymentRef, inputs: Sequence[str], decoding: Decoding) -> tuple[Answer, ...]:
        """One answer for each input, in their order."""
        ...

    def stream(self, ref: DeploymentRef, text: str, decoding: Decoding) -> Iterator[str]:
        """The answer to one input in pieces, as they come; joined they are what `generate` answers."""
        ...

    def losses(self, ref: DeploymentRef, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[float, int], ...]:
        """For each (input, output) the summed loss of the output in nats, and its number of tokens.

        Raises:
            NotOffered: if the backend does not tell the probabilities of given tokens.
        """
        ...

    def delete(self, ref: DeploymentRef) -> None:
        """Remove a deployment; nothing happens if it is gone."""
        ...


@runtime_checkable
class ChecksDeployment(Protocol):
    """A Deployer that can tell, before anything is paid, what stands against a deployment."""

    def check_deployment(self, deployment: DeploymentSpec, *, run: str, job: str) -> None:
        """Make sure that a tuned model could be deployed so; changes nothing.

        Args:
            deployment: Where, and under which names.
            run: The key of the run, whose own deployment is in nobody's way; empty while it is not known.
            job: The key of its job; empty while it is not known.

        Raises:
            AdapterError: what stands against it.
        """
        ...


class Evaluator(Protocol):
    """How answers are judged. `headline` names the score that is tested for differences."""

    headline: str

    def read(self, answer: str) -> str:
        """The part of an answer that is judged; the same for every model."""
        ...

    def score(self, outputs: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        """Scores by name over all rows; `outputs` have been through `read`."""
        ...

    def each(self, outputs: Sequence[str], references: Sequence[str]) -> tuple[float, ...]:
        """The headline score of every row."""
        ...
