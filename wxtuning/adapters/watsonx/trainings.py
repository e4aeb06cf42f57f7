"""Tuning jobs of the service: started once, watched, canceled. Knows jobs; knows nothing of data or deployments."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from wxtuning.adapters.watsonx import files
from wxtuning.adapters.watsonx.asked import Reference, body_of, results_of
from wxtuning.adapters.watsonx.board import Board
from wxtuning.adapters.watsonx.ended import SAAS_ENDED, WAYS_ON
from wxtuning.adapters.watsonx.faults import BACKEND, Missing, Refused
from wxtuning.adapters.watsonx.listed import Listed, found_in, tag_of
from wxtuning.adapters.watsonx.once import check_alone, find, once
from wxtuning.adapters.watsonx.told import (
    inline_metrics,
    is_documented,
    log_place,
    metrics_in,
    metrics_place,
    status_of,
)
from wxtuning.adapters.watsonx.until import until
from wxtuning.errors import AdapterError, JobLost, NotOffered
from wxtuning.ports import TuningRequest
from wxtuning.retry import Deadline
from wxtuning.spec import LoRA
from wxtuning.status import JobRef, JobState, JobStatus, Metric

if TYPE_CHECKING:
    from wxtuning.adapters.watsonx.service import Json, Service
    from wxtuning.adapters.watsonx.settings import Settings

TRAININGS = "/ml/v4/trainings"
FINE_TUNINGS = "/ml/v1/fine_tunings"
FINE = "fine_tunings/"
"""What the id of a LoRA job begins with in a JobRef, as the service keeps those in a list of their own."""

LOG_BYTES = 20_000
MOST_REMEMBERED = 20_000

logger = logging.getLogger("wxtuning.watsonx")


class Trainings:
    """The jobs of one project or space. Safe for threads."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._settings = settings
        self._memory = _Memory(settings.patience.clock)
        self._boards = {
            path: Board(partial(self._one, path), partial(self._all, path), settings.patience.clock)
            for path in (TRAININGS, FINE_TUNINGS)
        }

    def submit(self, request: TuningRequest, key: str, reference: Reference) -> JobRef:
        """Start the job of this key, or find it.

        Args:
            request: What to tune.
            key: The job's own; it becomes a tag of it.
            reference: Called only if there is no such job yet.

        Raises:
            NotOffered: if the service tunes so no more.
            AdapterError: as `once` says.
        """
        path = FINE_TUNINGS if isinstance(request.method, LoRA) else TRAININGS
        if path == FINE_TUNINGS and self._on_cloud:
            raise _ended(f"LoRA is not offered on the cloud; its fine tuning ended on {SAAS_ENDED}")
        tag, jobs, sent = tag_of(key), _Jobs(self._service, path), False

        def body() -> Json:
            nonlocal sent
            sent = True
            results = results_of(self._service.container, request.method, on_cloud=self._on_cloud)
            return body_of(request, tag, reference, results)

        identity = once(jobs, tag, body, settings=self._settings)
        if sent:
            check_alone(jobs, tag, settings=self._settings)
        return job_in(path, identity)

    def find(self, key: str) -> JobRef | None:
        """The job of this key; asks each list of jobs."""
        for path in (TRAININGS,) if self._on_cloud else (TRAININGS, FINE_TUNINGS):
            if identity := find(Listed(self._service, path), tag_of(key), settings=self._settings):
                return job_in(path, identity)
        return None

    def details(self, job: JobRef) -> Json:
        """All that the service tells of a job.

        Raises:
            JobLost: if it knows the job no more.
        """
        path, identity = place_of(job)
        try:
            return self._service.get(f"{path}/{identity}")
        except Missing as cause:
            raise _lost(job) from cause

    def status(self, job: JobRef, deadline: Deadline | None = None) -> JobStatus:
        """Where a job is; one that the service does not know yet is queued.

        Raises:
            JobLost: if the service has not known it for the whole settle time.
            Unavailable: if it does not answer, or not by the deadline.
        """
        path, identity = place_of(job)
        try:
            with until(deadline):
                status = self._boards[path].status(identity)
        except Missing as cause:
            if self._memory.missing_for(identity) >= self._settings.submit_settle:
                raise _lost(job) from cause
            return JobStatus(state=JobState.QUEUED, word="missing", message="the service does not list the job (yet)")
        self._memory.note(identity, status)
        return status

    def metrics(self, job: JobRef) -> tuple[Metric, ...]:
        """The loss curve so far: every step where the service has a file of them, else the mean of every epoch.

        Raises:
            AdapterError: if there is a file, it cannot be read, and the status holds no points either.
        """
        details = self.details(job)
        inline = inline_metrics(details)
        if not (place := metrics_place(details)):
            return inline
        try:
            return metrics_in(self._file(place)) or inline
        except (AdapterError, ValueError) as cause:
            if not inline:
                raise _unread(job, place, cause) from cause
            logger.warning("the metrics of %s at %s cannot be read, so only epochs are told: %s", job, place, cause)
            return inline

    def logs(self, job: JobRef, deadline: Deadline | None = None) -> str:
        """The last part of the job's log; what its status says where the service keeps none or does not let it be
        read, or not by the deadline."""
        with until(deadline):
            return self._logs(job)

    def _logs(self, job: JobRef) -> str:
        details = self.details(job)
        told = status_of(details)
        said = "\n".join(filter(None, (told.message, told.hint)))
        try:
            text = self._end_of(place).decode(errors="replace") if (place := log_place(details)) else ""
        except AdapterError as cause:
            logger.warning("the log of %s cannot be read: %s", job, cause)
            text = ""
        return text if text.strip() else said

    def cancel(self, job: JobRef) -> None:
        """Ask a job to stop; nothing happens to one that has ended."""
        path, identity = place_of(job)
        try:
            self._service.delete(f"{path}/{identity}")
        except Refused:
            # It says so in words only, with the status of any other fault.
            if not status_of(self.details(job)).state.final:
                raise

    @property
    def _on_cloud(self) -> bool:
        return not self._service.version

    def _file(self, place: str) -> bytes:
        return files.read(self._service, self._settings, place)

    def _end_of(self, place: str) -> bytes:
        return files.end(self._service, self._settings, place, LOG_BYTES)

    def _one(self, path: str, identity: str) -> JobStatus:
        return status_of(self._service.get(f"{path}/{identity}"))

    def _all(self, path: str) -> Iterator[tuple[str, JobStatus]]:
        only: dict[str, Any] = {"type": "prompt_tuning"} if path == TRAININGS else {}
        return ((found_in(each).id, status_of(each)) for each in self._service.pages(path, **only))


class _Jobs(Listed):
    """Where jobs are created. A service that has no such place (any more) says so with 404 or 410."""

    def create(self, body: Json) -> str:
        try:
            return super().create(body)
        except Missing as cause:
            raise _ended(f"{self.place} takes no new jobs: {cause.args[0]}") from cause


class _Memory:
    """What was last told of each job: how far it was, or since when it is missing. Bounded; safe for threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: OrderedDict[str, JobStatus | float] = OrderedDict()
        self._words: set[str] = set()

    def missing_for(self, identity: str) -> float:
        """The seconds since a job was first found missing, since it was last told."""
        with self._lock:
            last = self._last.get(identity)
            since = last if isinstance(last, float) else self._clock()
            self._keep(identity, since)
            return self._clock() - since

    def note(self, identity: str, status: JobStatus) -> None:
        """Keep a state; say what is odd about it."""
        with self._lock:
            last = self._last.get(identity)
            self._keep(identity, status)
            is_new = not is_documented(status.word) and status.word not in self._words
            if is_new and len(self._words) < MOST_REMEMBERED:
                self._words.add(status.word)
        if is_new:
            logger.warning("job %s is %r, a state that is not known; it counts as running", identity, status.word)
        if isinstance(last, JobStatus) and status.state < last.state:
            logger.warning("job %s went back from %r to %r", identity, last.word, status.word)

    def _keep(self, identity: str, last: JobStatus | float) -> None:
        self._last[identity] = last
        self._last.move_to_end(identity)
        if len(self._last) > MOST_REMEMBERED:
            self._last.popitem(last=False)


def job_in(path: str, identity: str) -> JobRef:
    """The job with this id in a list of jobs."""
    return JobRef(BACKEND, f"{FINE}{identity}" if path == FINE_TUNINGS else identity)


def place_of(job: JobRef) -> tuple[str, str]:
    """The list that a job is in, and its id there."""
    identity = job.id.removeprefix(FINE)
    return (TRAININGS if identity == job.id else FINE_TUNINGS), identity


def _lost(job: JobRef) -> JobLost:
    return JobLost(
        f"the service knows no job {job} (any more); it may have been removed",
        job=str(job),
        hint="Nothing was started in its place. To tune anew, change the experiment's name.",
    )


def _ended(message: str) -> NotOffered:
    return NotOffered(message, backend=BACKEND, hint=WAYS_ON)


def _unread(job: JobRef, place: str, cause: Exception) -> AdapterError:
    return AdapterError(f"the metrics of {job} at {place} cannot be read: {cause}", backend=BACKEND)
