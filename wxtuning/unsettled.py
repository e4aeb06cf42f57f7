"""The two ways on where nobody knows whether something was created: it is there, or it is not.

The second is also the way on where something was created in vain: a job that failed or was cancelled.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from wxtuning import registry
from wxtuning.errors import PlanError, WxTuningError
from wxtuning.folder import home_folder
from wxtuning.intents import TAG, Attempt, Intents, Outcome
from wxtuning.journal import Journal, RunRecord
from wxtuning.plan import Plan
from wxtuning.registry import Backend
from wxtuning.runner import COLUMNS
from wxtuning.status import JobState

UNSETTLED = (Outcome.OPEN, Outcome.SEVERAL)


def adopt(run_or_tag: str, id: str) -> None:
    """Say that what may have been created is there, under this id; the same line then goes on with it.

    The service is asked for the id before anything is done with it. Adopting again, another id, takes the first one
    back, with all that was done with it.

    Args:
        run_or_tag: The tag that the error named, or the run's key.
        id: The service's own id of the job, deployment or other thing.

    Raises:
        WxTuningError: if nothing with this tag is in doubt.
    """
    if not id.strip():
        raise PlanError([f"adopt takes the id of what carries {run_or_tag!r}; found {id!r}"])
    journal = _journal()
    tags = _tags(journal, run_or_tag)
    if (attempt := _in_doubt(journal, tags)) is None:
        raise _settled(tags, "or just run it again")
    _decide(journal, attempt, Outcome.ADOPTED, _bare(id))


def _bare(id: str) -> str:
    """The service's own id in what may be a reference, such as `watsonx:fine_tunings/<id>`."""
    return id.strip().rpartition(":")[2].rpartition("/")[2]


def submit_again(run_or_tag: str, *, on: Backend | None = None) -> None:
    """Say that what may have been created is not there; the same line then looks once more and creates it.

    What was adopted before is taken back, with all that was done with it. Where nothing is in doubt, a job that failed
    or was cancelled is given up instead: the same line passes it over, and starts another one.

    Args:
        run_or_tag: The tag that the error named, or the run's key.
        on: The backend, if it needs more than its default settings; asked only how a job that is in no doubt has ended.

    Raises:
        WxTuningError: if nothing with this tag is in doubt and no job of it has failed or was cancelled; or if several
            things carry it.
    """
    journal = _journal()
    tags = _tags(journal, run_or_tag)
    attempt = _in_doubt(journal, tags)
    if attempt is None:
        in_vain = _made_in_vain(journal, tags, on)
        _decide(journal, in_vain, Outcome.GIVEN_UP, in_vain.id)
        return
    if attempt.outcome is Outcome.SEVERAL:
        raise WxTuningError(
            f"several things at {attempt.place} carry the tag {attempt.tag}, so there is one already",
            hint=f"Name the one to keep: wxtuning.adopt({attempt.tag!r}, its id).",
        )
    _decide(journal, attempt, Outcome.GIVEN_UP, "")


def _decide(journal: Journal, attempt: Attempt, outcome: Outcome, id: str) -> None:
    """Write a person's decision down; what was done with something else is to be done again."""
    # The decision comes last: whoever is killed before it finds everything as it was, and says it again.
    if attempt.id and (outcome, id) != (Outcome.ADOPTED, attempt.id):
        for record in journal.runs():
            _take_back(journal, record, attempt.tag)
    Intents(journal).end(attempt, outcome, id)


def _take_back(journal: Journal, record: RunRecord, tag: str) -> None:
    """The steps of a run that may have used what carries this tag are not done any more."""
    if tag not in (tags := _tags_of(record)):
        return
    journal.undo(record.key, "submit" if tag == tags[-1] else "evaluate")
    journal.undo(record.key, "deploy")
    shutil.rmtree(_folder(record) / COLUMNS, ignore_errors=True)


def _in_doubt(journal: Journal, tags: tuple[str, ...]) -> Attempt | None:
    """The attempt that a person speaks of: the newest of those that nobody knows about, or else that were adopted."""
    found = [attempt for tag in tags for attempt in Intents(journal).latest(tag)]
    unknown = [attempt for attempt in found if attempt.outcome in UNSETTLED]
    adopted = [attempt for attempt in found if attempt.outcome is Outcome.ADOPTED]
    return max(unknown or adopted, key=lambda attempt: attempt.started.day, default=None)


def _settled(tags: tuple[str, ...], otherwise: str) -> WxTuningError:
    return WxTuningError(
        f"nothing with the tag {' or '.join(tags)} is in doubt on this machine",
        hint=f"Name the tag as the error showed it, and the same WXTUNING_HOME as the run; {otherwise}.",
    )


def _made_in_vain(journal: Journal, tags: tuple[str, ...], on: Backend | None) -> Attempt:
    """The attempt that made a job which failed or was cancelled, as its backend says now.

    Raises:
        WxTuningError: if there is none.
    """
    tag = tags[-1]
    made = {each.id: each for each in Intents(journal).latest(tag) if each.outcome is Outcome.MADE}
    backend = (on or _backend_of(journal, tag)) if made else None
    job = backend.find(tag.removeprefix(TAG)) if backend else None
    if not (backend and job and (attempt := made.get(_bare(job.id)))):
        raise _settled(tags, "or run it again, under another name where a job of this machine has failed")
    status = backend.status(job)
    if status.state in (JobState.FAILED, JobState.CANCELED):
        return attempt
    raise WxTuningError(
        f"job {job} is {status.word}; only one that failed or was cancelled is submitted again",
        hint="The same line goes on with it. For another job beside it, change the experiment's name.",
    )


def _backend_of(journal: Journal, tag: str) -> Backend | None:
    """Where the runs with this job are, with its default settings; None if there are none."""
    named = next(
        (Plan.from_json(record.plan).backend for record in journal.runs() if tag == _tags_of(record)[-1]), None
    )
    return registry.backend(named) if named else None


def _tags(journal: Journal, run_or_tag: str) -> tuple[str, ...]:
    """A tag as it is; of a run, the tags of all that it makes."""
    if run_or_tag.startswith(TAG):
        return (run_or_tag,)
    record = journal.run(run_or_tag)
    return _tags_of(record) if record else (f"{TAG}{run_or_tag}",)


def _tags_of(record: RunRecord) -> tuple[str, ...]:
    """The tags of what a run makes for itself, and of its job, which is the last."""
    try:
        job = Plan.from_json(record.plan).job_key
    except PlanError:  # of another version
        job = record.key
    return f"{TAG}{record.key}", f"{TAG}{job}"


def _folder(record: RunRecord) -> Path:
    return home_folder() / "runs" / record.key


def _journal() -> Journal:
    return Journal(home_folder() / "journal.db")
