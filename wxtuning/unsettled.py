"""The two ways on where nobody knows whether something was created: it is there, or it is not."""

from __future__ import annotations

from wxtuning.errors import PlanError, WxTuningError
from wxtuning.folder import home_folder
from wxtuning.intents import TAG, Attempt, Intents, Outcome
from wxtuning.journal import Journal
from wxtuning.plan import Plan

UNSETTLED = (Outcome.OPEN, Outcome.SEVERAL)


def adopt(run_or_tag: str, id: str) -> None:
    """Say that what may have been created is there, under this id; the same line then goes on with it.

    Args:
        run_or_tag: The tag that the error named, or the run's key.
        id: The service's own id of the job, deployment or other thing.

    Raises:
        WxTuningError: if nothing with this tag is in doubt.
    """
    if not id.strip():
        raise PlanError([f"adopt takes the id of what carries {run_or_tag!r}; found {id!r}"])
    intents, attempt = _in_doubt(run_or_tag)
    intents.end(attempt, Outcome.MADE, _bare(id))


def _bare(id: str) -> str:
    """The service's own id in what may be a reference, such as `watsonx:fine_tunings/<id>`."""
    return id.strip().rpartition(":")[2].rpartition("/")[2]


def submit_again(run_or_tag: str) -> None:
    """Say that what may have been created is not there; the same line then looks once more and creates it.

    Args:
        run_or_tag: The tag that the error named, or the run's key.

    Raises:
        WxTuningError: if nothing with this tag is in doubt, or if several things carry it.
    """
    intents, attempt = _in_doubt(run_or_tag)
    if attempt.outcome is Outcome.SEVERAL:
        raise WxTuningError(
            f"several things at {attempt.place} carry the tag {attempt.tag}, so there is one already",
            hint=f"Name the one to keep: wxtuning.adopt({attempt.tag!r}, its id).",
        )
    intents.end(attempt, Outcome.GIVEN_UP)


def _in_doubt(run_or_tag: str) -> tuple[Intents, Attempt]:
    """The attempt that a person speaks of: the newest of those that nobody knows about."""
    journal = Journal(home_folder() / "journal.db")
    intents, tags = Intents(journal), _tags(journal, run_or_tag)
    found = [attempt for tag in tags for attempt in intents.latest(tag) if attempt.outcome in UNSETTLED]
    if not found:
        raise WxTuningError(
            f"nothing with the tag {' or '.join(tags)} is in doubt on this machine",
            hint="Name the tag as the error showed it, and the same WXTUNING_HOME as the run; or just run it again.",
        )
    return intents, max(found, key=lambda attempt: attempt.started.day)


def _tags(journal: Journal, run_or_tag: str) -> tuple[str, ...]:
    """A tag as it is; of a run, the tags of all that it makes."""
    if run_or_tag.startswith(TAG):
        return (run_or_tag,)
    record = journal.run(run_or_tag)
    keys = (run_or_tag, Plan.from_json(record.plan).job_key) if record else (run_or_tag,)
    return tuple(f"{TAG}{key}" for key in dict.fromkeys(keys))
