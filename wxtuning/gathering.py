"""Many runs at once, watched in one thread. Knows experiments and jobs; knows nothing of what their steps do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, overload

from wxtuning.experiment import TuningExperiment
from wxtuning.job import TuningJob, TuningRun
from wxtuning.leaving import detaching
from wxtuning.schedule import adrive_all, drive_all

FILES_EACH, FILES_OTHERWISE = 1, 256
"""Open files: each run's lock, and what else a process has open."""

Work = TuningExperiment | TuningJob


@overload
def gather(*work: Work, return_exceptions: Literal[False] = False) -> list[TuningRun]: ...


@overload
def gather(*work: Work, return_exceptions: Literal[True]) -> list[TuningRun | Exception]: ...


def gather(*work: Work, return_exceptions: bool = False) -> list[TuningRun] | list[TuningRun | Exception]:
    """Run experiments and jobs to their ends, all of them at once; their runs in order.

    Waiting takes most of a run's time: while one waits, the others advance, all in this thread but for submissions and
    deployments, each of which may wait in one of its own. One that fails does not stop the others.

    Args:
        work: Experiments, which are started, and jobs, which are waited for.
        return_exceptions: Return an error in the place of its run, as `asyncio.gather` does; otherwise the first one
            is raised when all have ended.
    """
    _allow_files(len(work))
    with detaching(_way_back):
        ended = drive_all([each.finishing() for each in work])
    return ended if return_exceptions else _without_errors(ended)


@overload
async def agather(*work: Work, return_exceptions: Literal[False] = False) -> list[TuningRun]: ...


@overload
async def agather(*work: Work, return_exceptions: Literal[True]) -> list[TuningRun | Exception]: ...


async def agather(*work: Work, return_exceptions: bool = False) -> list[TuningRun] | list[TuningRun | Exception]:
    """`gather` for async code: nothing blocks the event loop."""
    _allow_files(len(work))
    with detaching(_way_back):
        ended = await adrive_all([each.finishing() for each in work])
    return ended if return_exceptions else _without_errors(ended)


def _without_errors(ended: Sequence[TuningRun | Exception]) -> list[TuningRun]:
    errors = [each for each in ended if isinstance(each, Exception)]
    if not errors:
        return [each for each in ended if isinstance(each, TuningRun)]
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
