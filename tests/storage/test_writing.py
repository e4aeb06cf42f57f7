"""Bytes that are stored as they are made: nobody sees them before they are whole, and they are what was written."""

from __future__ import annotations

import threading

import pytest

from tests.storage.doors import CONTENT, PART, PARTS, RUN, Door, key_for, noise, of_a_file
from tests.storage.faults import (
    DENIED,
    ERROR_IN_OK,
    Before,
    Flip,
    KeysOfTheService,
    LostAnswer,
    PlainETags,
    Refusal,
    Reset,
    StoreOther,
    Then,
    flipped,
    slow_down,
)
from tests.storage.wire import ALWAYS
from wxtuning.adapters.cos import COS
from wxtuning.errors import NotAuthorized, Unavailable, UploadIntegrityError
from wxtuning.status import DataRef

PIECE = 700_001


def written(store: COS, content: bytes = CONTENT, piece: int = PIECE) -> DataRef:
    with store.writing("train", owner=RUN) as out:
        for begin in range(0, len(content), piece):
            assert out.write(memoryview(content)[begin : begin + piece]) == len(content[begin : begin + piece])
    return out.data


def assert_whole(door: Door, ref: DataRef, content: bytes = CONTENT) -> None:
    """One object with the right bytes, a note of its owner, and nothing else at all."""
    assert door.bucket.all_keys() == sorted([f".owners/{RUN}/{key_for(content)}", key_for(content)])
    assert door.bucket.content_of(ref) == content
    assert door.bucket.uploads() == []


def assert_nothing(door: Door) -> None:
    assert ([key for key in door.bucket.all_keys() if not key.startswith(".owners")], door.bucket.uploads()) == ([], [])
    assert door.store().list(RUN) == ()


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, len(CONTENT)])
def test_what_was_written_is_what_is_stored(hmac: Door, size: int) -> None:
    content = CONTENT[:size]
    ref = written(hmac.store(), content)
    assert_whole(hmac, ref, content)
    assert (ref.size_bytes, ref.rows) == (size, content.count(b"\n"))
    assert hmac.put(content) == ref


def test_writing_takes_a_token_too(iam: Door) -> None:
    assert_whole(iam, written(iam.store()))


@pytest.mark.parametrize("piece", [99_991, PART, len(CONTENT)])
def test_how_it_is_cut_makes_no_difference(hmac: Door, piece: int) -> None:
    assert_whole(hmac, written(hmac.store(), piece=piece))


def test_a_buffer_that_is_used_again_does_not_change_what_was_written(hmac: Door) -> None:
    buffer = bytearray(1_000_000)
    with hmac.store().writing("train", owner=RUN) as out:
        for begin in range(0, len(CONTENT), len(buffer)):
            buffer[:] = CONTENT[begin : begin + len(buffer)]
            out.write(buffer)
    assert_whole(hmac, out.data)


def test_nothing_is_seen_under_the_final_name_before_the_end(hmac: Door) -> None:
    with hmac.store().writing("train", owner=RUN) as out:
        out.write(CONTENT)
        assert hmac.bucket.files() == []
    assert hmac.bucket.files() == [key_for(CONTENT)]


def test_parts_leave_while_the_rest_is_written(hmac: Door) -> None:
    arrived = threading.Event()
    hmac.wire.breaks("UploadPart", Then(happens=arrived.set))
    with hmac.store(workers=1).writing("train", owner=RUN) as out:
        out.write(CONTENT[: PART + 1])
        assert arrived.wait(20)
        out.write(CONTENT[PART + 1 :])
    assert_whole(hmac, out.data)


@pytest.mark.parametrize("size", [1000, len(CONTENT)])
def test_a_block_that_fails_leaves_nothing_behind(hmac: Door, size: int) -> None:
    with pytest.raises(ZeroDivisionError), hmac.store().writing("train", owner=RUN) as out:
        out.write(CONTENT[:size])
        raise ZeroDivisionError
    assert_nothing(hmac)


def test_a_watch_that_ends_it_leaves_nothing_behind(hmac: Door) -> None:
    def stop(done: int, size: int | None) -> None:
        if done > PART:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), hmac.store().writing("train", owner=RUN, watch=stop) as out:
        for begin in range(0, len(CONTENT), PIECE):
            out.write(CONTENT[begin : begin + PIECE])
    assert_nothing(hmac)


def test_the_watch_is_told_how_far_it_is(hmac: Door) -> None:
    told: list[int] = []
    with hmac.store().writing("train", owner=RUN, watch=lambda done, size: told.append(done)) as out:
        out.write(CONTENT)
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)


def test_what_is_there_already_is_not_copied_over(hmac: Door) -> None:
    first = hmac.put()
    hmac.wire.heals()
    assert written(hmac.store()) == first
    assert not {"UploadPartCopy", "CopyObject"} & set(hmac.wire.asked)
    assert_whole(hmac, first)


def test_other_content_under_the_final_name_is_not_overwritten(hmac: Door) -> None:
    hmac.bucket.put(key_for(CONTENT), b"theirs")
    ref = written(hmac.store())
    assert (hmac.bucket.key_of(ref), hmac.bucket.content_of(ref)) == (key_for(CONTENT, 32), CONTENT)
    assert hmac.bucket.content(key_for(CONTENT)) == b"theirs"


# --- faults on the way ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [Reset(after=0), Reset(after=500_000), Flip(at=9), LostAnswer(), slow_down(retry_after="3"), ERROR_IN_OK],
    ids=["reset", "reset later", "flipped", "lost answer", "slow down", "error in 200"],
)
def test_a_part_that_fails_is_sent_again(hmac: Door, act: Reset) -> None:
    hmac.wire.breaks("UploadPart", act, first=PARTS)
    assert_whole(hmac, written(hmac.store(workers=1)))
    assert hmac.wire.asked["UploadPart"] == PARTS + 1


@pytest.mark.parametrize(
    ("operation", "first", "act"),
    [
        ("UploadPartCopy", 1, LostAnswer()),
        ("UploadPartCopy", 2, ERROR_IN_OK),
        ("UploadPartCopy", 1, slow_down(retry_after="3")),
        ("CompleteMultipartUpload", 1, LostAnswer()),
        ("CompleteMultipartUpload", 2, LostAnswer()),
        ("CompleteMultipartUpload", 1, ERROR_IN_OK),
        ("CompleteMultipartUpload", 2, ERROR_IN_OK),
        ("DeleteObject", 1, LostAnswer()),
        ("DeleteObject", 1, slow_down(retry_after="3")),
        ("HeadObject", 1, Reset(after=0)),
    ],
)
def test_whatever_fails_once_at_the_end_is_asked_again(hmac: Door, operation: str, first: int, act: Reset) -> None:
    hmac.wire.breaks(operation, act, first=first)
    assert_whole(hmac, written(hmac.store()))
    assert hmac.wire.asked["UploadPart"] == PARTS


@pytest.mark.parametrize("lying", [False, True], ids=["it says so", "it lies"])
def test_other_bytes_in_the_storage_are_never_taken_for_ours(door: Door, lying: bool) -> None:
    door.wire.breaks("UploadPart", StoreOther(at=9, lying=lying), times=ALWAYS)
    with pytest.raises(UploadIntegrityError):
        written(door.store())
    door.wire.heals()
    assert_nothing(door)


def test_an_incoming_object_that_changes_before_the_copy_is_never_taken_for_ours(hmac: Door) -> None:
    other = flipped(CONTENT, 9)

    def change() -> None:
        (incoming,) = [key for key in hmac.bucket.all_keys() if key.startswith(".incoming")]
        hmac.bucket.put(incoming, other)

    for operation in ("UploadPartCopy", "CopyObject"):
        hmac.wire.breaks(operation, Before(happens=change))
    with pytest.raises(UploadIntegrityError):
        written(hmac.store(workers=1))
    hmac.wire.heals()
    assert hmac.bucket.files() == []


def test_a_copy_that_is_not_right_is_never_taken_for_ours(hmac: Door) -> None:
    change = Then(happens=lambda: hmac.bucket.put(key_for(CONTENT), flipped(CONTENT, PART + 9)))
    hmac.wire.breaks("CompleteMultipartUpload", change, first=2)
    with pytest.raises(UploadIntegrityError):
        written(hmac.store())


def test_where_etags_say_nothing_the_object_is_read_back(door: Door) -> None:
    door.wire.breaks("*", KeysOfTheService(), times=ALWAYS)
    assert_whole(door, written(door.store()))
    assert len(list(filter(of_a_file, door.wire.of("GetObject")))) == 1


def test_where_the_etag_of_the_whole_is_of_another_form_it_is_read_back(hmac: Door) -> None:
    hmac.wire.breaks("*", PlainETags(content=CONTENT), times=ALWAYS)
    assert_whole(hmac, written(hmac.store()))


def test_where_the_storage_copies_no_parts_it_copies_the_whole(hmac: Door) -> None:
    refusal = Refusal(status=501, code="NotImplemented", message="A header you provided implies functionality")
    hmac.wire.breaks("UploadPartCopy", refusal, times=ALWAYS)
    assert_whole(hmac, written(hmac.store()))
    assert hmac.wire.asked["CopyObject"] == 1


def test_an_upload_that_somebody_aborted_is_not_taken_for_whole(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", Before(happens=hmac.bucket.abort_uploads), first=2)
    with pytest.raises((Unavailable, UploadIntegrityError)):
        written(hmac.store(workers=1))
    assert_nothing(hmac)


def test_a_refusal_reaches_who_writes(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", DENIED, times=ALWAYS)
    with pytest.raises(NotAuthorized, match=hmac.bucket.name):
        written(hmac.store(workers=1))
    assert hmac.wire.asked["UploadPart"] <= 2
    hmac.wire.heals()
    assert_nothing(hmac)


def test_a_token_that_was_revoked_is_replaced_while_writing(iam: Door) -> None:
    assert iam.iam
    iam.wire.breaks("UploadPart", Before(happens=iam.iam.revoke), first=2)
    assert_whole(iam, written(iam.store(workers=1)))
    assert iam.wire.asked["Token"] == 2


def test_other_bytes_than_those_of_the_killed_run_are_sent_and_not_mixed(hmac: Door) -> None:
    # What an earlier run of this owner left was made of other rows from the second part on.
    hmac.bucket.begin_upload(f".incoming/{RUN}/train", CONTENT[:PART], noise(PART, seed=3))
    assert_whole(hmac, written(hmac.store()))
    assert hmac.wire.asked["UploadPart"] == PARTS - 1
