"""Submitting in processes of its own, to be killed there or to race there."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tests.storage.children import ended
from tests.watsonx import jobs
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.listed import Listed

__all__ = ["PROCESSES", "ended", "started", "submit", "submit_when_all_are_ready"]

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.watsonx.children"])

Point = Literal["before", "after", "never"]


def started(work: Any, *arguments: object) -> Any:
    """A process that does this work."""
    process = PROCESSES.Process(target=work, args=arguments)
    process.start()
    return process


def submit(settings: Mapping[str, Any], home: str, folder: Path, key: str, point: Point = "never") -> None:
    """Submit; killed right before the request to create leaves, or right after its answer came."""
    os.environ["WXTUNING_HOME"] = home
    _die_at(point)
    Watsonx(**settings).submit(jobs.request(folder), key)


def submit_when_all_are_ready(
    settings: Mapping[str, Any], home: str, folder: Path, key: str, barrier: Any, answers: Any
) -> None:
    os.environ["WXTUNING_HOME"] = home
    backend = Watsonx(**settings)
    barrier.wait(30)
    answers.put(str(backend.submit(jobs.request(folder), key)))


def _die_at(point: Point) -> None:
    create = Listed.create

    def dying(collection: Listed, body: dict[str, Any]) -> str:
        if point == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        identity = create(collection, body)
        os.kill(os.getpid(), signal.SIGKILL)
        return identity

    if point != "never":
        Listed.create = dying  # type: ignore[method-assign]
