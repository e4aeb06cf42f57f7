"""What runs in processes of its own, to be killed there, to race there, or to fork there."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.storage.doors import RUN
from wxtuning.adapters.cos import COS
from wxtuning.status import DataRef

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["ibm_boto3", "tests.storage.children"])


def started(work: Callable[..., object], *arguments: object) -> BaseProcess:
    """A process that does this work."""
    process = PROCESSES.Process(target=work, args=arguments)
    process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    """How a process ended: 0, or the negative number of the signal; it is killed if it takes a minute."""
    process.join(60)
    with suppress(ProcessLookupError):
        process.kill()
    process.join()
    code = process.exitcode
    process.close()
    return code


def put(settings: Mapping[str, Any], data: DataRef, owner: str = RUN) -> None:
    COS(**settings).put(data, "train", owner=owner)


def write(settings: Mapping[str, Any], path: Path) -> None:
    content = path.read_bytes()
    with COS(**settings).writing("train", owner=RUN) as out:
        for begin in range(0, len(content), 1_000_000):
            out.write(content[begin : begin + 1_000_000])


def put_when_all_are_ready(settings: Mapping[str, Any], data: DataRef, owner: str, barrier: Any, answers: Any) -> None:
    store = COS(**settings)
    barrier.wait()
    answers.put(store.put(data, "train", owner=owner))


def put_before_and_after_a_fork(settings: Mapping[str, Any], files: tuple[DataRef, DataRef], answers: Any) -> None:
    """Use a store, fork, and use it in both processes; answers the refs, this process's first."""
    store = COS(**settings)
    first = store.put(files[0], "train", owner=RUN)
    reading, writing = os.pipe()
    if child := os.fork():
        assert os.read(reading, 1) == b"."
        again = store.exists(first)
        os.waitpid(child, 0)
        answers.put((first, again))
    else:
        with suppress(BaseException):
            store.put(files[1], "train", owner="child")
            os.write(writing, b".")
        os._exit(0)


def transfer_and_look_around(settings: Mapping[str, Any], data: DataRef, to: Path, answers: Any) -> None:
    """Put, write and get in a process that has nothing else to do; answers the threads and sockets that stay."""
    store = COS(**settings)
    store.put(data, "train", owner=RUN)
    with store.writing("other", owner=RUN) as out:
        out.write(b"x" * 6_000_000)
    store.get(out.data, to)
    with suppress(Exception):
        store.put(DataRef(uri=data.uri, sha256="0" * 64, rows=1, size_bytes=data.size_bytes), "train", owner=RUN)
    answers.put(([thread.name for thread in threading.enumerate()], open_sockets()))


def open_sockets() -> list[str]:
    """The connections of this process over TCP, by their inode."""
    connected = {line.split()[9] for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]}
    mine = set()
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            mine.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
    return sorted(connected & mine)
