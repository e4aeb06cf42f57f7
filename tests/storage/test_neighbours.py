"""Two at once in one bucket: neither takes from the other what it needs, at whatever moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from tests.storage.doors import CONTENT, PART, RUN, Door, key_for, noise
from tests.storage.faults import DENIED, Before, Then
from tests.storage.wire import Act
from wxtuning.errors import NotAuthorized, NotOffered, Unavailable
from wxtuning.status import DataRef

LINES = noise(1000)
OTHER = "run-2"
Come = Callable[[Door], DataRef]


def put(door: Door) -> DataRef:
    return door.put(LINES, owner=OTHER)


def write(door: Door, content: bytes = LINES, *, owner: str = OTHER, workers: int = 1) -> DataRef:
    with door.store(workers=workers).writing("train", owner=owner) as out:
        for begin in range(0, len(content), 1_000_000):
            out.write(content[begin : begin + 1_000_000])
    return out.data


def put_large(door: Door) -> DataRef:
    return door.put(CONTENT, owner=OTHER, workers=1)


def write_large(door: Door) -> DataRef:
    return write(door, CONTENT)


SMALL = [(put, LINES), (write, LINES)]
LARGE = [(write_large, CONTENT)]


def at_every_request(door: Door, prepare: Callable[[Door], Any], act: Callable[[Door], Act]) -> Iterator[Door]:
    """New stores, each prepared like the others; to the first request of the block something happens in the first of
    them, to the second in the second, up to the last."""
    first = door.beside("0")
    prepare(first)
    prepared = {key: first.bucket.content(key) for key in first.bucket.all_keys()}
    for nth in count(1):
        store = door.beside(f"{nth}")
        for key, content in prepared.items():
            store.bucket.put(key, content)
        fault = door.wire.breaks("*", act(store), first=nth)
        yield store
        door.wire.heals()
        if fault.seen < nth:
            break
    assert nth > 5


@pytest.mark.parametrize(("come", "content"), SMALL + LARGE)
def test_a_file_is_there_after_a_put_during_which_another_run_gave_it_up(
    hmac: Door, come: Come, content: bytes
) -> None:
    def giving_up(door: Door) -> Act:
        return Before(happens=lambda: door.store().release(RUN))

    for door in at_every_request(hmac, lambda door: door.put(content), giving_up):
        ref = come(door)
        assert door.bucket.content_of(ref) == content
        assert ref in door.store().list(OTHER)


@pytest.mark.parametrize(("come", "content"), SMALL)
def test_a_file_is_there_after_a_put_in_the_middle_of_another_runs_giving_up(
    hmac: Door, come: Come, content: bytes
) -> None:
    refs: list[DataRef] = []

    def coming(door: Door) -> Act:
        return Before(happens=lambda: refs.append(come(door)))

    for door in at_every_request(hmac, lambda door: door.put(content), coming):
        door.store().release(RUN)
        while refs:
            ref = refs.pop()
            assert door.bucket.content_of(ref) == content
            assert ref in door.store().list(OTHER)
            door.store().release(OTHER)
            assert (door.bucket.all_keys(), door.bucket.uploads()) == ([], [])


def test_a_file_that_two_give_up_at_once_goes(hmac: Door) -> None:
    def both(door: Door) -> None:
        door.put(LINES)
        door.put(LINES, owner=OTHER)

    def giving_up(door: Door) -> Act:
        return Before(happens=lambda: door.store().release(OTHER))

    for door in at_every_request(hmac, both, giving_up):
        door.store().release(RUN)
        door.store().release(OTHER)
        assert door.bucket.all_keys() == []


def test_giving_up_that_was_interrupted_goes_on(hmac: Door) -> None:
    for door in at_every_request(hmac, lambda door: door.put(LINES), lambda _: DENIED):
        try:
            door.store().release(RUN)
        except NotAuthorized:
            door.store().release(RUN)
        assert door.bucket.all_keys() == []


def test_giving_up_leaves_what_somebody_else_put_in_the_files_place(hmac: Door) -> None:
    hmac.put(LINES)
    hmac.bucket.put(key_for(LINES), b"theirs")
    assert hmac.store().release(RUN) == ()
    assert hmac.bucket.all_keys() == [key_for(LINES)]


# --- two that bring the same ------------------------------------------------------------------------------------------


def assert_one_whole(door: Door, ref: DataRef) -> None:
    """One object with the right bytes, one note of it, and nothing else at all."""
    assert door.bucket.all_keys() == sorted([f".owners/{RUN}/{key_for(CONTENT)}", key_for(CONTENT)])
    assert (door.bucket.content_of(ref), door.bucket.uploads()) == (CONTENT, [])


# The request of the first of two writers before which the second begins and ends.
MOMENTS = {
    "before the upload": ("CreateMultipartUpload", 1),
    "before the last part": ("UploadPart", 2),
    "before it is complete": ("CompleteMultipartUpload", 1),
    "before the copy": ("CreateMultipartUpload", 2),
    "in the copy": ("UploadPartCopy", 2),
    "before the copy is complete": ("CompleteMultipartUpload", 2),
    "before the incoming one is removed": ("DeleteObject", 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_two_that_write_the_same_under_one_name_both_end_well(hmac: Door, moment: str) -> None:
    operation, nth = MOMENTS[moment]
    second: list[DataRef] = []
    hmac.wire.breaks(operation, Before(happens=lambda: second.append(write(hmac, CONTENT, owner=RUN))), first=nth)
    ref = write(hmac, CONTENT, owner=RUN)
    assert (second, hmac.wire.asked["CopyObject"]) == ([ref], 0)
    assert_one_whole(hmac, ref)


def test_two_that_begin_to_write_the_same_under_one_name_at_once_both_end_well(hmac: Door) -> None:
    both = threading.Barrier(2)

    def meeting(_: int) -> DataRef:
        both.wait(30)
        return write(hmac, CONTENT, owner=RUN, workers=2)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(meeting, range(2))
    assert first == second
    assert_one_whole(hmac, first)


@pytest.mark.parametrize("moment", ["before the last part", "before the copy"])
def test_of_two_that_write_other_bytes_under_one_name_the_slower_is_told(hmac: Door, moment: str) -> None:
    operation, nth = MOMENTS[moment]
    other = CONTENT[::-1]
    second: list[DataRef] = []
    hmac.wire.breaks(operation, Before(happens=lambda: second.append(write(hmac, other, owner=RUN))), first=nth)
    with pytest.raises(Unavailable, match=r"was gone(.|\n)*the same owner and name"):
        write(hmac, CONTENT, owner=RUN)
    assert (hmac.bucket.files(), hmac.bucket.content_of(second[0])) == ([key_for(other)], other)
    assert hmac.bucket.uploads() == []


def test_who_begins_to_write_other_bytes_under_one_name_harms_nobody_who_ends_first(hmac: Door) -> None:
    other = CONTENT[::-1]
    second, arrived = hmac.store(workers=1).writing("train", owner=RUN), threading.Event()

    def begin() -> None:
        hmac.wire.breaks("UploadPart", Then(happens=arrived.set))
        second.__enter__().write(other)
        assert arrived.wait(20)

    hmac.wire.breaks("CompleteMultipartUpload", Before(happens=begin))
    ref = write(hmac, CONTENT, owner=RUN)
    with pytest.raises(Unavailable, match="was gone"):
        second.__exit__(None, None, None)
    assert_one_whole(hmac, ref)


@pytest.mark.parametrize("come", [put_large, write_large])
def test_an_upload_of_another_run_that_has_parts_is_left_to_it(hmac: Door, come: Come) -> None:
    begin = Before(happens=lambda: hmac.bucket.begin_upload(key_for(CONTENT), CONTENT[:PART]))
    hmac.wire.breaks("CompleteMultipartUpload", begin, where=lambda asked: asked.key == key_for(CONTENT))
    ref = come(hmac)
    assert (hmac.bucket.content_of(ref), hmac.bucket.parts()) == (CONTENT, 1)
    assert hmac.store().release(OTHER) == (ref,)
    assert (hmac.bucket.all_keys(), hmac.bucket.uploads()) == ([], [])


# --- stores inside one another ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outer", "inner"), [("", "team"), ("team", "team/data"), ("team", "team-2")])
def test_a_store_below_another_is_another(hmac: Door, outer: str, inner: str) -> None:
    above, below = hmac.store(prefix=outer), hmac.store(prefix=inner)
    first = above.put(hmac.file(LINES), "train", owner=RUN)
    second = below.put(hmac.file(LINES), "train", owner=RUN)
    hmac.bucket.begin_upload(f"{inner}/.incoming/{RUN}/train", CONTENT[:PART])
    assert (above.list(RUN), below.list(RUN)) == ((first,), (second,))
    assert above.release(RUN) == (first,)
    assert (below.list(RUN), hmac.bucket.content_of(second)) == ((second,), LINES)
    assert hmac.bucket.uploads() == [f"{inner}/.incoming/{RUN}/train"]
    assert below.release(RUN) == (second,)
    assert (hmac.bucket.all_keys(), hmac.bucket.uploads()) == ([], [])


def test_a_file_of_a_store_below_is_not_its_own(hmac: Door) -> None:
    ref = hmac.put(LINES, prefix="team")
    for ask in (hmac.store().delete, hmac.store().exists, lambda ref: hmac.store().get(ref, hmac.folder / "back")):
        with pytest.raises(NotOffered, match="not in this store"):
            ask(ref)
    assert hmac.store(prefix="team").exists(ref)
