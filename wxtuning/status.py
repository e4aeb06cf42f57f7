"""What is known of a job and of the things a run leaves behind. Small values; knows no backend."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class JobState(IntEnum):
    """Where a job is; the order is the order of life, so a later state compares greater."""

    QUEUED = 0
    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELED = 4

    @property
    def final(self) -> bool:
        """Whether the job will never change its state again by itself."""
        return self >= JobState.COMPLETED

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStatus:
    """One answer to "how far is it?".

    `state` is ours, `word` the backend's own. `step` of `steps` are optimiser steps (0 while unknown). `warnings` are
    what the job found odd, such as cut rows or a loss that did not fall. `interrupted` says that the job died without
    an end of its own and goes on when it is submitted again with the same key.
    """

    state: JobState
    word: str
    message: str = ""
    hint: str = ""
    step: int = 0
    steps: int = 0
    loss: float | None = None
    warnings: tuple[str, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One point of the loss curve: after optimiser step `step`, at `epoch` (a fraction), in nats per label token."""

    step: int
    epoch: float
    loss: float | None = None
    validation_loss: float | None = None
    learning_rate: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class JobRef:
    """Finds a job again from another process; as text `backend:id`, for example `local:support-tone-1f0c9a2b`."""

    backend: str
    id: str

    def __str__(self) -> str:
        return f"{self.backend}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> JobRef:
        """Read the text form.

        Raises:
            ValueError: if `text` is not `backend:id`.
        """
        backend, colon, identity = text.partition(":")
        if not (backend and colon and identity):
            raise ValueError(f"{text!r} is no job reference; expected backend:id, for example local:demo-1f0c9a2b")
        return cls(backend, identity)


@dataclass(frozen=True, slots=True)
class DeploymentRef:
    """Finds something that answers: a deployment, a tuned model not yet deployed, or a base model."""

    backend: str
    id: str

    def __str__(self) -> str:
        return f"{self.backend}:{self.id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class DataRef:
    """A JSONL file of training lines: where it lies, what it holds (SHA-256 of its bytes) and how much of it."""

    uri: str
    sha256: str
    rows: int
    size_bytes: int
