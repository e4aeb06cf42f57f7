"""Many runs at once. Knows that they finish; knows nothing of what their steps do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, Protocol, TypeVar, overload

from wxtuning.errors import PlanError
from wxtuning.leaving import detaching
from wxtuning.runner import Chain
from wxtuning.schedule import adrive_all, drive_all

FILES_EACH, FILES_OTHERWISE = 1, 256
"""Open files: each run's lock, and what else a process has open."""

Ended = TypeVar("Ended")
EndsIn = TypeVar("EndsIn", covariant=True)


class Work(Protocol[EndsIn]):
    """An experiment, or a job: ours, or one that was found at its backend."""

    def finishing(self) -> Chain[EndsIn]:
        """The chain to its end."""
        ...


@overload
def gather(*work: Work[Ended], return_exceptions: Literal[False] = False) -> list[Ended]: ...


@overload
def gather(*work: Work[Ended], return_exceptions: Literal[True]) -> list[Ended | Exception]: ...


def gather(*work: Work[Ended], return_exceptions: bool = False) -> list[Ended] | list[Ended | Exception]:
    """Run experiments and jobs to their ends, all of them at once; their runs in order.

    Waiting takes most of a run's time: while one waits, the others advance. What may wait for long is done in threads:
    an upload, a submission, a comparison, a deployment, and for each backend the looks at its jobs. One that fails does
    not stop the others.

    Args:
        work: Experiments, which are started, and jobs, which are waited for. A job of somebody else, of which nothing
            but the job is known here, ends in its last status.
        return_exceptions: Return an error in the place of its run, as `asyncio.gather` does; otherwise the first one
            is raised when all have ended.

    Raises:
        PlanError: for anything else; nothing was started then.
    """
    chains = _chains(work)
    with detaching(_way_back):
        ended = drive_all(chains)
    return ended if return_exceptions else _without_errors(ended)


@overload
async def agather(*work: Work[Ended], return_exceptions: Literal[False] = False) -> list[Ended]: ...


@overload
async def agather(*work: Work[Ended], return_exceptions: Literal[True]) -> list[Ended | Exception]: ...


async def agather(*work: Work[Ended], return_exceptions: bool = False) -> list[Ended] | list[Ended | Exception]:
    """`gather` for async code: nothing blocks the event loop."""
    chains = _chains(work)
    with detaching(_way_back):
        ended = await adrive_all(chains)
    return ended if return_exceptions else _without_errors(ended)


def _chains(work: Sequence[Work[Ended]]) -> list[Chain[Ended]]:
    if problems := [
        f"gather() was given a {type(each).__name__}, expected experiments and jobs"
        for each in work
        if isinstance(each, type) or not hasattr(each, "finishing")
    ]:
        raise PlanError(problems, hint="Give them one by one; a list of them as gather(*experiments).")
    _allow_files(len(work))
    return [each.finishing() for each in work]


def _without_errors(ended: Sequence[Ended | Exception]) -> list[Ended]:
    errors = [each for each in ended if isinstance(each, Exception)]
    if not errors:
        return [each for each in ended if not isinstance(each, Exception)]
    if len(errors) > 1:
        errors[0].add_note(f"{len(errors)} of {len(ended)} runs failed; this is the first of the errors")
    raise errors[0]


def _way_back() -> str:
    return "left; the jobs go on. The same line continues, and `wxtuning runs` lists them"


def _allow_files(runs: int) -> None:
    """Let this process have a file open for each run, as far as the system allows; many allow 256 or 1,024 at first."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES_EACH * runs + FILES_OTHERWISE
    if soft != resource.RLIM_INFINITY and soft < needed:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed if hard < 0 else min(needed, hard), hard))
