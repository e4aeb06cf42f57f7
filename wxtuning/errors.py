"""Everything that wxtuning raises.

    WxTuningError                      .hint
    ├── PlanError        (ValueError)    cannot run as written; .problems lists all of them
    ├── DataError        (ValueError)    a row or file cannot be used; names file, line, field, value
    │   └── InputChangedError            a file is no longer the one that was read
    ├── LeakageError     (ValueError)    rows to be scored were seen in training
    ├── RunLocked                        somebody works on this very run already
    ├── JournalError                     the record of past runs cannot be read or written
    ├── AdapterError                     .backend; the vendor's exception is always __cause__
    │   ├── MissingDependency (ImportError)   ends in the exact install command
    │   ├── NotAuthorized                absent, wrong or expired credentials; never prints them
    │   ├── NotOffered                   this backend has no such capability; names one that has
    │   ├── Unavailable                  temporary; the same call may succeed later
    │   ├── UploadIntegrityError         the stored object is not what was sent
    │   └── AmbiguousSubmitError         a job may exist and cannot be looked up; names its tag and the two ways on
    │       └── DuplicateJobsError       several jobs carry one tag; lists them
    └── JobError                         .job
        ├── JobFailed                    with the last log lines and where the log is
        ├── JobCanceled
        ├── JobLost                      the backend knows the job no more
        └── WaitTimeout  (TimeoutError)  the job still runs; the hint shows how to attach

When to add a class: when a caller would write `except` for it and do something different. Otherwise use one of these
and let the message speak. Every error says what happened (with the value), what was expected and, in `hint`, what to
do next. Programming errors stay TypeError.
"""

from __future__ import annotations

from collections.abc import Sequence


class WxTuningError(Exception):
    """The root of every error that wxtuning raises on purpose; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = str(self.args[0]) if self.args else ""
        return f"{message}\n  {self.hint}" if self.hint else message

    # The constructors take more than `args` holds, so pickle must not call them again.
    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.args, dict(self.__dict__))


def _restore(kind: type[WxTuningError], args: tuple[object, ...], state: dict[str, object]) -> WxTuningError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class PlanError(WxTuningError, ValueError):
    """The experiment cannot run as written; `problems` holds every reason at once, never only the first."""

    def __init__(self, problems: Sequence[str], *, hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__(_listed(self.problems), hint=hint)


def _listed(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return "\n".join([f"{len(problems)} problems:", *(f"  - {problem}" for problem in problems)])


class DataError(WxTuningError, ValueError):
    """A row or a file cannot be used; the message names file, line, field and value."""


class InputChangedError(DataError):
    """A file changed while it was read, or is no longer what was read before; nothing may be made of it."""


class LeakageError(WxTuningError, ValueError):
    """Rows that were to be scored were seen in training, so the scores would be worthless."""


class RunLocked(WxTuningError):
    """Another process, or another call in this one, works on the same run at this moment."""


class JournalError(WxTuningError):
    """The record of past runs cannot be read or written."""


class AdapterError(WxTuningError):
    """A backend could not do what it was asked; `backend` names it, the vendor's exception is `__cause__`."""

    def __init__(self, message: str, *, backend: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.backend = backend


class MissingDependency(AdapterError, ImportError):
    """A package is not installed; the hint is the exact command that installs it."""


class NotAuthorized(AdapterError):
    """The credentials are absent, wrong, expired or too narrow; they are never part of the message."""


class NotOffered(AdapterError):
    """This backend has no such capability."""


class Unavailable(AdapterError):
    """The backend did not answer; the same call may succeed later.

    `pause` is how many seconds it asks to wait until then; 0.0 if it does not say.
    """

    def __init__(self, message: str, *, backend: str, hint: str = "", pause: float = 0.0) -> None:
        super().__init__(message, backend=backend, hint=hint)
        self.pause = pause


class UploadIntegrityError(AdapterError):
    """What a store holds is not what was sent to it, or cannot be proven to be; no job may refer to it."""


class AmbiguousSubmitError(AdapterError):
    """Something that costs may have been created, and looking it up does not tell; nothing more is sent.

    `tag` is what it carries if it exists, `since` when it was asked for (ISO 8601, UTC). `wxtuning.adopt` takes what
    was found by hand, `wxtuning.submit_again` says that there is nothing.
    """

    def __init__(self, message: str, *, backend: str, tag: str, since: str = "", hint: str = "") -> None:
        super().__init__(message, backend=backend, hint=hint)
        self.tag = tag
        self.since = since


class DuplicateJobsError(AmbiguousSubmitError):
    """Several things carry the tag of one, `found` lists their ids, the oldest first; none of them was touched."""

    def __init__(self, message: str, *, backend: str, tag: str, found: Sequence[str], hint: str = "") -> None:
        super().__init__(message, backend=backend, tag=tag, hint=hint)
        self.found = tuple(found)


class JobError(WxTuningError):
    """A tuning job did not end well; `job` is its reference as text, usable with `wxtuning.attach`."""

    def __init__(self, message: str, *, job: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.job = job


class JobFailed(JobError):
    """The job failed; the message carries its last log lines."""


class JobCanceled(JobError):
    """Somebody cancelled the job."""


class JobLost(JobError):
    """The backend knows the job no more: somebody removed it, or it was never there."""


class WaitTimeout(JobError, TimeoutError):
    """The time to wait is over and the job still runs."""
