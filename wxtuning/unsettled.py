"""The two ways on where nobody knows whether something was created: it is there, or it is not."""

from __future__ import annotations

import shutil
from pathlib import Path

from wxtuning.errors import PlanError, WxTuningError
from wxtuning.folder import home_folder
from wxtuning.intents import TAG, Attempt, Intents, Outcome
from wxtuning.journal import Journal, RunRecord
from wxtuning.plan import Plan
from wxtuning.runner import COLUMNS

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
    attempt = _in_doubt(run_or_tag)
    _decide(attempt, Outcome.ADOPTED, _bare(id))


def _bare(id: str) -> str:
    """The service's own id in what may be a reference, such as `watsonx:fine_tunings/<id>`."""
    return id.strip().rpartition(":")[2].rpartition("/")[2]


def submit_again(run_or_tag: str) -> None:
    """Say that what may have been created is not there; the same line then looks once more and creates it.

    What was adopted before is taken back, with all that was done with it.

    Args:
        run_or_tag: The tag that the error named, or the run's key.

    Raises:
        WxTuningError: if nothing with this tag is in doubt, or if several things carry it.
    """
    attempt = _in_doubt(run_or_tag)
    if attempt.outcome is Outcome.SEVERAL:
        raise WxTuningError(
            f"several things at {attempt.place} carry the tag {attempt.tag}, so there is one already",
            hint=f"Name the one to keep: wxtuning.adopt({attempt.tag!r}, its id).",
        )
    _decide(attempt, Outcome.GIVEN_UP, "")


def _decide(attempt: Attempt, outcome: Outcome, id: str) -> None:
    """Write a person's decision down; what was done with another id is to be done again."""
    journal = _journal()
    if attempt.outcome is Outcome.ADOPTED and attempt.id != id:
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


def _in_doubt(run_or_tag: str) -> Attempt:
    """The attempt that a person speaks of: the newest of those that nobody knows about, or else that were adopted."""
    journal = _journal()
    intents, tags = Intents(journal), _tags(journal, run_or_tag)
    found = [attempt for tag in tags for attempt in intents.latest(tag)]
    unknown = [attempt for attempt in found if attempt.outcome in UNSETTLED]
    adopted = [attempt for attempt in found if attempt.outcome is Outcome.ADOPTED]
    if not (named := unknown or adopted):
        raise WxTuningError(
            f"nothing with the tag {' or '.join(tags)} is in doubt on this machine",
            hint="Name the tag as the error showed it, and the same WXTUNING_HOME as the run; or just run it again.",
        )
    return max(named, key=lambda attempt: attempt.started.day)


def _tags(journal: Journal, run_or_tag: str) -> tuple[str, ...]:
    """A tag as it is; of a run, the tags of all that it makes."""
    if run_or_tag.startswith(TAG):
        return (run_or_tag,)
    record = journal.run(run_or_tag)
    return _tags_of(record) if record else (run_or_tag, f"{TAG}{run_or_tag}")


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
