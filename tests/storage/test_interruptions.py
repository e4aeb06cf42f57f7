"""Kill the process at any moment and run it again: one object, the right bytes, nothing open (U8)."""

from __future__ import annotations

import os
import select
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.storage import children
from tests.storage.children import PROCESSES, ended, started
from tests.storage.doors import PART, RUN, Door, key_for, noise
from tests.storage.faults import Instead, Then
from tests.storage.wire import Act
from wxtuning.status import DataRef

CONTENT = noise(2 * PART + 300_000)
PARTS = 3


class Victim:
    """A process that is killed when the wire says so."""

    def __init__(self, work: Callable[..., object], door: Door, *arguments: object) -> None:
        # One connection, so that the n-th part is the n-th request; real time, as a fake clock does not travel.
        settings: dict[str, Any] = door.settings() | {"workers": 1}
        self.process = started(work, settings, *arguments)

    def kill(self) -> None:
        # Waited for by a handle of our own: the process object may be asked by one thread only, and that is the test's.
        assert self.process.pid
        handle = os.pidfd_open(self.process.pid)
        os.kill(self.process.pid, signal.SIGKILL)
        select.select([handle], [], [])
        os.close(handle)

    def died_of_it(self) -> bool:
        return ended(self.process) == -signal.SIGKILL


# Where a process dies, and how many parts have arrived by then.
MOMENTS = {
    "before the upload": ("CreateMultipartUpload", 1, "before", 0),
    "in the first part": ("UploadPart", 1, "in", 0),
    "after the first part": ("UploadPart", 1, "after", 1),
    "in the second part": ("UploadPart", 2, "in", 1),
    "after the second part": ("UploadPart", 2, "after", 2),
    "after the last part": ("UploadPart", PARTS, "after", PARTS),
    "before it is complete": ("CompleteMultipartUpload", 1, "before", PARTS),
    "after it is complete": ("CompleteMultipartUpload", 1, "after", PARTS),
}


def killing(when: str, kill: Callable[[], None]) -> Act:
    if when == "after":
        return Then(happens=kill)
    return Instead(happens=kill, after=100_000 if when == "in" else 0)


@pytest.mark.parametrize("moment", MOMENTS)
def test_u8_an_upload_that_was_killed_goes_on_from_what_the_storage_has(hmac: Door, moment: str) -> None:
    operation, nth, when, arrived = MOMENTS[moment]
    victims: list[Victim] = []
    hmac.wire.breaks(operation, killing(when, lambda: victims[0].kill()), first=nth)
    victims.append(Victim(children.put, hmac, hmac.file(CONTENT)))
    assert victims[0].died_of_it()
    hmac.wire.heals()
    assert_whole(hmac, hmac.put(CONTENT))
    assert hmac.wire.asked["UploadPart"] == PARTS - arrived


def test_u8_an_upload_that_was_killed_goes_on_with_a_token_too(iam: Door) -> None:
    victims: list[Victim] = []
    iam.wire.breaks("UploadPart", Then(happens=lambda: victims[0].kill()), first=2)
    victims.append(Victim(children.put, iam, iam.file(CONTENT)))
    assert victims[0].died_of_it()
    iam.wire.heals()
    assert_whole(iam, iam.put(CONTENT))
    assert iam.wire.asked["UploadPart"] == PARTS - 2


def test_u8_an_upload_that_is_killed_again_and_again_comes_to_an_end(hmac: Door) -> None:
    for _ in range(PARTS):
        victims: list[Victim] = []
        hmac.wire.breaks("UploadPart", Then(happens=lambda victims=victims: victims[0].kill()))
        victims.append(Victim(children.put, hmac, hmac.file(CONTENT)))
        assert victims[0].died_of_it()
        hmac.wire.faults.clear()
    assert_whole(hmac, hmac.put(CONTENT))
    assert Counter(request.query["partNumber"] for request in hmac.wire.of("UploadPart")) == {"1": 1, "2": 1, "3": 1}


def test_u8_parts_that_are_not_ours_are_sent_again(hmac: Door) -> None:
    hmac.bucket.begin_upload(key_for(CONTENT), CONTENT[:PART], noise(PART, seed=1))
    assert_whole(hmac, hmac.put(CONTENT))
    assert {request.query["partNumber"] for request in hmac.wire.of("UploadPart")} == {"2", "3"}


def test_u8_parts_of_another_size_are_sent_again(hmac: Door) -> None:
    hmac.bucket.begin_upload(key_for(CONTENT), CONTENT[: PART + 1], CONTENT[PART + 1 : 2 * PART + 2])
    assert_whole(hmac, hmac.put(CONTENT))
    assert hmac.wire.asked["UploadPart"] == PARTS


def test_u8_of_several_uploads_the_fullest_goes_on_and_the_others_are_aborted(hmac: Door) -> None:
    hmac.bucket.begin_upload(key_for(CONTENT))
    hmac.bucket.begin_upload(key_for(CONTENT), CONTENT[:PART], CONTENT[PART : 2 * PART])
    hmac.bucket.begin_upload(key_for(CONTENT), CONTENT[:PART])
    assert_whole(hmac, hmac.put(CONTENT))
    assert hmac.wire.asked["UploadPart"] == PARTS - 2


def test_u8_the_uploads_of_other_files_are_left_alone(hmac: Door) -> None:
    others = [f"{key_for(CONTENT)}.part", "another.jsonl"]
    for key in others:
        hmac.bucket.begin_upload(key, CONTENT[:PART])
    hmac.put(CONTENT)
    assert hmac.bucket.uploads() == sorted(others)


# --- writing ----------------------------------------------------------------------------------------------------------

WRITING = {
    "after the upload was begun": ("CreateMultipartUpload", 1, "after", 0),
    "after the first part": ("UploadPart", 1, "after", 1),
    "in the last part": ("UploadPart", PARTS, "in", PARTS - 1),
    "after the last part": ("UploadPart", PARTS, "after", PARTS),
    "before the incoming one is complete": ("CompleteMultipartUpload", 1, "before", PARTS),
    "before the copy": ("UploadPartCopy", 1, "before", None),
    "in the copy": ("UploadPartCopy", 2, "after", None),
    "before the copy is complete": ("CompleteMultipartUpload", 2, "before", None),
    "after the copy is complete": ("CompleteMultipartUpload", 2, "after", None),
    "before the incoming one is removed": ("DeleteObject", 1, "before", None),
}


@pytest.mark.parametrize("moment", WRITING)
def test_u8_writing_that_was_killed_goes_on_from_what_the_storage_has(hmac: Door, tmp_path: Path, moment: str) -> None:
    operation, nth, when, arrived = WRITING[moment]
    hmac.file(CONTENT)
    victims: list[Victim] = []
    hmac.wire.breaks(operation, killing(when, lambda: victims[0].kill()), first=nth)
    victims.append(Victim(children.write, hmac, tmp_path / "train.jsonl"))
    assert victims[0].died_of_it()
    hmac.wire.heals()
    with hmac.store(workers=1).writing("train", owner=RUN) as out:
        for begin in range(0, len(CONTENT), 1_000_000):
            out.write(CONTENT[begin : begin + 1_000_000])
    assert_whole(hmac, out.data)
    assert incoming(hmac) == []
    if arrived is not None:
        assert hmac.wire.asked["UploadPart"] == PARTS - arrived


def test_u8_an_owner_that_gives_up_after_a_kill_leaves_nothing(hmac: Door, tmp_path: Path) -> None:
    for work, argument in ((children.put, hmac.file(CONTENT)), (children.write, tmp_path / "train.jsonl")):
        victims: list[Victim] = []
        hmac.wire.breaks("UploadPart", Then(happens=lambda victims=victims: victims[0].kill()), first=2)
        victims.append(Victim(work, hmac, argument))
        assert victims[0].died_of_it()
        hmac.wire.heals()
    assert len(hmac.bucket.uploads()) == 2
    hmac.store().release(RUN)
    assert (hmac.bucket.all_keys(), hmac.bucket.uploads()) == ([], [])


# --- neighbours -------------------------------------------------------------------------------------------------------


def test_two_processes_that_put_the_same_file_at_once_make_one_object(door: Door) -> None:
    barrier, answers = PROCESSES.Barrier(2), PROCESSES.Queue()
    data = door.file(CONTENT)
    owners = ["run-1", "run-2"]
    both = [
        started(children.put_when_all_are_ready, door.settings(), data, owner, barrier, answers) for owner in owners
    ]
    first, second = answers.get(timeout=60), answers.get(timeout=60)
    assert [ended(process) for process in both] == [0, 0]
    assert first == second
    assert_whole(door, first)
    assert [door.store().list(owner) for owner in owners] == [(first,), (first,)]


def test_after_a_fork_each_process_has_connections_of_its_own(hmac: Door) -> None:
    answers = PROCESSES.Queue()
    files = hmac.file(noise(1000, seed=1), "a"), hmac.file(noise(1000, seed=2), "b")
    process = started(children.put_before_and_after_a_fork, hmac.settings(), files, answers)
    first, again = answers.get(timeout=60)
    assert (ended(process), again) == (0, True)
    assert hmac.store().list(RUN) == (first,)
    (second,) = hmac.store().list("child")
    assert ports_of(hmac, files[0]).isdisjoint(ports_of(hmac, files[1]))
    assert hmac.bucket.content_of(second) == noise(1000, seed=2)


def ports_of(door: Door, data: DataRef) -> set[int]:
    return {request.port for request in door.wire.requests if data.sha256[:16] in request.key}


def test_nothing_stays_open_after_transfers(door: Door, tmp_path: Path) -> None:
    answers = PROCESSES.Queue()
    settings = door.settings()
    process = started(children.transfer_and_look_around, settings, door.file(CONTENT), tmp_path / "back.jsonl", answers)
    threads, sockets = answers.get(timeout=60)
    assert ended(process) == 0
    assert (threads, sockets) == (["MainThread"], [])


def assert_whole(door: Door, ref: DataRef) -> None:
    assert door.bucket.files() == [door.bucket.key_of(ref)] == [key_for(CONTENT)]
    assert door.bucket.content_of(ref) == CONTENT
    assert door.bucket.uploads() == []


def incoming(door: Door) -> list[str]:
    return [key for key in door.bucket.all_keys() if key.startswith(".incoming")]
