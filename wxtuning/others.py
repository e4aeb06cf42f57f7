"""A job that the journal knows nothing of: started by somebody else, elsewhere, or by another program."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol, cast, runtime_checkable

from wxtuning import registry, steps
from wxtuning.deployment import Deployment
from wxtuning.errors import NotOffered, PlanError, WxTuningError
from wxtuning.folder import slug
from wxtuning.found import FoundRun
from wxtuning.leaving import detaching
from wxtuning.registry import Backend
from wxtuning.runner import Chain, Listener, adrive, drive, ignore
from wxtuning.spec import ANSWER_TOKENS, DeploymentSpec, ExperimentSpec, WaitPolicy
from wxtuning.status import JobState, JobStatus, Metric

POLL_SECONDS = 10.0


@runtime_checkable
class TellsRuns(Protocol):
    """A backend that knows more runs than the journal of this machine."""

    def runs(self) -> tuple[FoundRun, ...]:
        """All of them, the newest first."""
        ...

    def run(self, id: str) -> FoundRun:
        """The run with this id, as the backend names it."""
        ...


@dataclass(frozen=True)
class FoundJob:
    """A job found at its backend. Nothing is known of its rows here, so there is nothing to evaluate it on.

    Args:
        found: What the backend tells of it.
        backend: Where it is.
    """

    found: FoundRun
    backend: Backend

    @property
    def id(self) -> str:
        return str(self.found.job)

    @property
    def spec(self) -> ExperimentSpec:
        """What was asked for; see `FoundRun.spec`."""
        return self.found.spec

    @property
    def status(self) -> JobStatus:
        return self.backend.status(self.found.job)

    @property
    def state(self) -> JobState:
        return self.status.state

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return self.backend.metrics(self.found.job)

    @property
    def logs(self) -> str:
        return self.backend.logs(self.found.job)

    def cancel(self) -> None:
        """Ask the job to stop."""
        self.backend.cancel(self.found.job)

    def result(
        self, policy: WaitPolicy | None = None, *, listen: Listener = ignore,
        sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic,
    ) -> JobStatus:  # fmt: skip
        """Watch the job to its end; its last status.

        Ctrl-C, SIGTERM and SIGHUP leave the job running and say on stderr how to come back.

        Raises:
            JobFailed, JobCanceled, WaitTimeout: as the job went.
        """
        with detaching(self._way_back):
            return drive(self.finishing(policy, clock=clock), listen=listen, sleep=sleep)

    wait = result

    def __await__(self) -> Generator[Any, None, JobStatus]:
        return self._awaited().__await__()

    async def _awaited(self) -> JobStatus:
        with detaching(self._way_back):
            return await adrive(self.finishing())

    def finishing(
        self, policy: WaitPolicy | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> Chain[JobStatus]:
        """The chain of `result`, for a driver of your own or for `gather`."""
        asked = policy or WaitPolicy()
        return steps.wait(self.backend, self.found.job, asked, poll_seconds=POLL_SECONDS, clock=clock)

    def _way_back(self) -> str:
        return f"left; the job goes on. wxtuning.attach({self.id!r}) comes back to it"

    def deploy(self, deployment: str | DeploymentSpec) -> Deployment:
        """Make the completed job's model answer under a name, once for each name and space."""
        spec = DeploymentSpec(name=deployment) if isinstance(deployment, str) else deployment
        ref = steps.deploy(self.backend, self.found.job, spec, self._key_of(spec))
        tokens = self.found.method.max_output_tokens if self.found.method else None
        return Deployment(
            name=spec.name, ref=ref, max_new_tokens=tokens or ANSWER_TOKENS, words={}, deployer=self.backend
        )  # fmt: skip

    def _key_of(self, spec: DeploymentSpec) -> str:
        # The digest tells names apart that look the same as a file's name.
        named = sha256(json.dumps([spec.name, spec.space, self.id]).encode()).hexdigest()[:8]
        return f"{slug(spec.name)}-{named}"

    def __repr__(self) -> str:
        return f"FoundJob({self.id!r})"


def found_job(id: str, on: Backend) -> FoundJob:
    """The job of this reference (`watsonx:ID`), or with this id, at a backend.

    Raises:
        NotOffered: if the backend only knows its own runs.
        JobLost: if it knows no such job.
    """
    return FoundJob(cast(TellsRuns, _telling(on)).run(id.removeprefix(f"{on.name}:")), on)


def teller(id: str) -> Backend | None:
    """The backend that a reference names, with settings from the environment; None if it knows no runs of others.

    Raises:
        WxTuningError: if the environment does not hold its settings.
    """
    name, colon, _ = id.partition(":")
    if not (colon and registry.is_backend(name)):
        return None
    try:
        backend = registry.backend(name)
    except PlanError as error:
        raise WxTuningError(
            f"this machine did not start {id!r}, and {name} cannot be asked for it: {'; '.join(error.problems)}",
            hint="Set what is missing, or say where it is: attach(id, on=backend).",
        ) from error
    return backend if isinstance(backend, TellsRuns) else None


def found_runs(backend: Backend) -> tuple[FoundRun, ...]:
    """Every run that a backend knows, whoever started it, the newest first.

    Raises:
        NotOffered: if it does not tell.
    """
    return cast(TellsRuns, _telling(backend)).runs()


def _telling(backend: Backend) -> Backend:
    if isinstance(backend, TellsRuns):
        return backend
    raise NotOffered(
        f"{backend.name} does not list the runs of others", backend=backend.name, hint="wxtuning.runs() lists ours."
    )
