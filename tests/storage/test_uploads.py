"""Section U of the promises: what happens to an upload when the wire, the storage or the file does something else.

The numbers are the rows of the section. Each fault is a real one, on the way to a real storage.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.storage.bucket import Bucket
from tests.storage.doors import CONTENT, PART, PARTS, RUN, Door, key_for, noise, of_a_file, ref_to
from tests.storage.faults import (
    ERROR_IN_OK,
    Before,
    BlackHole,
    Flip,
    Instead,
    KeysOfTheService,
    LostAnswer,
    PlainETags,
    Refusal,
    Reset,
    Slow,
    StoreOther,
    Then,
    flipped,
    slow_down,
)
from tests.storage.wire import ALWAYS
from tests.wires import Exchange, passed_on
from wxtuning.errors import DataError, InputChangedError, PlanError, Unavailable, UploadIntegrityError
from wxtuning.status import DataRef

SMALL = noise(100_000)  # sent in one piece


def assert_whole(door: Door, ref: DataRef, content: bytes = CONTENT) -> None:
    """One object with the right bytes, and nothing half done beside it."""
    assert door.bucket.files() == [door.bucket.key_of(ref)] == [key_for(content)]
    assert door.bucket.content_of(ref) == content
    assert door.bucket.uploads() == []


def assert_nothing_stored(bucket: Bucket) -> None:
    assert (bucket.files(), bucket.uploads()) == ([], [])


def test_a_file_is_stored_under_a_name_made_of_its_content(door: Door) -> None:
    ref = door.put()
    assert_whole(door, ref)
    assert (ref.size_bytes, ref.rows) == (len(CONTENT), CONTENT.count(b"\n"))
    assert door.wire.asked["UploadPart"] == PARTS


def test_the_same_bytes_put_again_are_not_sent_again(door: Door) -> None:
    first = door.put()
    door.wire.heals()
    assert door.put() == first
    assert sum(request.size for request in door.wire.requests) < 10_000
    assert not {"UploadPart", "CreateMultipartUpload", "UploadPartCopy", "CopyObject"} & set(door.wire.asked)


def test_the_final_name_is_not_seen_before_the_upload_is_whole(hmac: Door) -> None:
    seen: list[list[str]] = []
    hmac.wire.breaks("UploadPart", Then(happens=lambda: seen.append(hmac.bucket.files())), times=ALWAYS)
    hmac.put()
    assert seen == [[]] * PARTS


def test_parts_travel_at_the_same_time(hmac: Door) -> None:
    both = threading.Barrier(2)

    def met(exchange: Exchange) -> None:
        both.wait(30)
        passed_on(exchange)

    hmac.wire.breaks("UploadPart", met, times=2)
    hmac.put(workers=2)
    assert not both.broken


# --- U1: a byte changes on the way ------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [1, PARTS])
def test_u1_a_part_that_arrives_changed_is_sent_again(door: Door, part: int) -> None:
    door.wire.breaks("UploadPart", Flip(at=100_000), first=part)
    assert_whole(door, door.put())


def test_u1_a_small_file_that_arrives_changed_is_sent_again(hmac: Door) -> None:
    hmac.wire.breaks("PutObject", Flip(at=5), where=of_a_file)
    assert_whole(hmac, hmac.put(SMALL), SMALL)


@pytest.mark.parametrize("content", [CONTENT, SMALL], ids=["parts", "one piece"])
def test_u1_a_way_that_always_changes_bytes_ends_in_an_integrity_error(door: Door, content: bytes) -> None:
    for operation in ("UploadPart", "PutObject"):
        door.wire.breaks(operation, Flip(at=5), times=ALWAYS, where=of_a_file)
    with pytest.raises(UploadIntegrityError, match=key_for(content)):
        door.put(content)
    door.wire.heals()
    assert_nothing_stored(door.bucket)
    assert door.store().list(RUN) == ()


# --- U2: the storage keeps other bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize("lying", [False, True], ids=["it says so", "it lies"])
@pytest.mark.parametrize("content", [CONTENT, SMALL], ids=["parts", "one piece"])
def test_u2_other_bytes_in_the_storage_are_never_taken_for_ours(door: Door, content: bytes, lying: bool) -> None:
    for operation in ("UploadPart", "PutObject"):
        door.wire.breaks(
            operation,
            StoreOther(at=9, lying=lying),
            times=ALWAYS,
            where=of_a_file,
        )
    with pytest.raises(UploadIntegrityError, match=key_for(content)):
        door.put(content)
    door.wire.heals()
    assert_nothing_stored(door.bucket)


@pytest.mark.parametrize("other", [flipped(CONTENT, PART + 7), CONTENT[:-1]], ids=["other", "shorter"])
def test_u2_an_object_that_changes_at_the_last_moment_is_never_taken_for_ours(hmac: Door, other: bytes) -> None:
    change = Then(happens=lambda: hmac.bucket.put(key_for(CONTENT), other))
    hmac.wire.breaks("CompleteMultipartUpload", change)
    with pytest.raises(UploadIntegrityError, match=key_for(CONTENT)):
        hmac.put()


@pytest.mark.parametrize("content", [CONTENT, SMALL], ids=["parts", "one piece"])
def test_u2_where_etags_say_nothing_the_object_is_read_back(door: Door, content: bytes) -> None:
    door.wire.breaks("*", KeysOfTheService(), times=ALWAYS)
    assert_whole(door, door.put(content), content)
    assert len(list(filter(of_a_file, door.wire.of("GetObject")))) == 1


def test_u2_where_the_etag_is_of_another_form_the_object_is_read_back(hmac: Door) -> None:
    hmac.wire.breaks("*", PlainETags(content=CONTENT), times=ALWAYS)
    assert_whole(hmac, hmac.put())


def test_u2_where_etags_say_nothing_other_bytes_are_found_by_reading_back(door: Door) -> None:
    other = flipped(CONTENT, PART + 11)
    change = KeysOfTheService(then=lambda: door.bucket.put(key_for(CONTENT), other))
    door.wire.breaks("CompleteMultipartUpload", change)
    door.wire.breaks("*", KeysOfTheService(), times=ALWAYS)
    with pytest.raises(UploadIntegrityError, match=key_for(CONTENT)):
        door.put()


def test_where_etags_are_proof_nothing_is_read_back(hmac: Door) -> None:
    hmac.put()
    hmac.put(SMALL)
    assert list(filter(of_a_file, hmac.wire.of("GetObject"))) == []


# --- U3: the connection is reset --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("part", "after"), [(1, 0), (1, 3_000_000), (PARTS, 600_000)])
def test_u3_a_part_whose_connection_is_reset_is_sent_again(hmac: Door, part: int, after: int) -> None:
    hmac.wire.breaks("UploadPart", Reset(after=after), first=part)
    assert_whole(hmac, hmac.put())
    assert hmac.wire.asked["UploadPart"] == PARTS + 1


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "HeadObject"])
def test_u3_whatever_is_reset_is_asked_again(iam: Door, operation: str) -> None:
    iam.wire.breaks(operation, Reset(after=0))
    assert_whole(iam, iam.put())


def test_u3_an_answer_that_is_lost_makes_no_second_object(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", LostAnswer(), times=PARTS)
    hmac.wire.breaks("CreateMultipartUpload", LostAnswer())
    assert_whole(hmac, hmac.put())


def test_u3_a_small_file_whose_answer_is_lost_is_there(hmac: Door) -> None:
    hmac.wire.breaks("PutObject", LostAnswer(), times=2)
    assert_whole(hmac, hmac.put(SMALL), SMALL)


# --- U4: nobody answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 3_000_000])
def test_u4_a_part_that_is_never_answered_is_sent_again(hmac: Door, after: int) -> None:
    hmac.wire.breaks("UploadPart", BlackHole(after=after), first=2)
    assert_whole(hmac, hmac.put(patience={"read_seconds": 0.5}))


def test_u4_a_storage_that_never_answers_ends_in_an_error(hmac: Door) -> None:
    hmac.wire.breaks("*", BlackHole(), times=ALWAYS)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        hmac.put(patience={"read_seconds": 0.1})
    assert hmac.wire.asked.total() <= 6


def test_u4_a_transfer_ends_when_its_time_is_over(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", BlackHole(), times=ALWAYS)
    with pytest.raises(Unavailable, match=r"in [1-3] attempt"):
        hmac.put(timeout=1.0, patience={"read_seconds": 0.4, "clock": time.monotonic})


def test_u4_nobody_at_the_address_is_said_with_the_address(hmac: Door) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        hmac.put(endpoint="http://127.0.0.1:9")


# --- U5: the storage asks to be left alone ----------------------------------------------------------------------------


def test_u5_slow_down_is_obeyed_once_and_for_as_long_as_it_says(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", slow_down(retry_after="7"), first=PARTS)
    assert_whole(hmac, hmac.put(workers=1))
    assert hmac.clock.pauses == [7.0]
    assert hmac.wire.asked["UploadPart"] == PARTS + 1


def test_u5_slow_down_without_a_time_is_waited_out_too(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", slow_down(), times=3)
    assert_whole(hmac, hmac.put(workers=1))
    assert len(hmac.clock.pauses) == 3


@pytest.mark.parametrize("told", ["soon", "-5", "1e400", "99999999999", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_u5_an_absurd_time_to_wait_is_capped(hmac: Door, told: str) -> None:
    hmac.wire.breaks("HeadObject", slow_down(retry_after=told))
    assert_whole(hmac, hmac.put(SMALL), SMALL)
    assert sum(hmac.clock.pauses) <= 600


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_u5_a_storage_in_trouble_is_asked_again(hmac: Door, status: int) -> None:
    hmac.wire.breaks("PutObject", Refusal(status=status, code="InternalError"), where=of_a_file)
    assert_whole(hmac, hmac.put(SMALL), SMALL)


def test_u5_a_storage_that_stays_in_trouble_ends_in_an_error(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", slow_down(), times=ALWAYS)
    with pytest.raises(Unavailable, match=r"SlowDown|503"):
        hmac.put(workers=1)
    tries = Counter(request.query["partNumber"] for request in hmac.wire.of("UploadPart"))
    assert max(tries.values()) == 6


# --- U6: the answer to complete is lost -------------------------------------------------------------------------------


def test_u6_where_the_answer_to_complete_is_lost_nothing_is_sent_again(door: Door) -> None:
    door.wire.breaks("CompleteMultipartUpload", LostAnswer())
    assert_whole(door, door.put())
    assert (door.wire.asked["UploadPart"], door.wire.asked["CreateMultipartUpload"]) == (PARTS, 1)


def test_u6_where_complete_never_arrived_it_is_asked_again(hmac: Door) -> None:
    hmac.wire.breaks("CompleteMultipartUpload", Reset(after=0))
    assert_whole(hmac, hmac.put())
    assert (hmac.wire.asked["UploadPart"], hmac.wire.asked["CreateMultipartUpload"]) == (PARTS, 1)


# --- U7: an error inside a good answer --------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["CompleteMultipartUpload", "UploadPart", "CreateMultipartUpload"])
def test_u7_an_error_in_an_answer_that_says_200_is_an_error(hmac: Door, operation: str) -> None:
    hmac.wire.breaks(operation, ERROR_IN_OK)
    assert_whole(hmac, hmac.put())


def test_u7_an_error_that_stays_in_the_answer_to_complete_is_no_success(hmac: Door) -> None:
    hmac.wire.breaks("CompleteMultipartUpload", ERROR_IN_OK, times=ALWAYS)
    with pytest.raises(Unavailable):
        hmac.put()
    assert hmac.bucket.files() == []


# --- U9: the upload is gone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["UploadPart", "CompleteMultipartUpload"])
def test_u9_an_upload_that_somebody_aborted_is_begun_anew(hmac: Door, at: str) -> None:
    hmac.wire.breaks(at, Before(happens=hmac.bucket.abort_uploads))
    assert_whole(hmac, hmac.put(workers=1))
    assert hmac.wire.asked["CreateMultipartUpload"] == 2


def test_u9_uploads_that_are_aborted_again_and_again_end_in_an_error(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", Before(happens=hmac.bucket.abort_uploads), times=ALWAYS)
    with pytest.raises((Unavailable, UploadIntegrityError)):
        hmac.put(workers=1)
    assert hmac.wire.asked["CreateMultipartUpload"] <= 3
    assert_nothing_stored(hmac.bucket)


# --- U12: the name is taken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [b"somebody's own", flipped(SMALL, 3)], ids=["other size", "same size"])
def test_u12_an_object_with_other_content_is_not_overwritten(hmac: Door, other: bytes) -> None:
    hmac.bucket.put(key_for(SMALL), other)
    ref = hmac.put(SMALL)
    assert (hmac.bucket.key_of(ref), hmac.bucket.content_of(ref)) == (key_for(SMALL, 32), SMALL)
    assert hmac.bucket.content(key_for(SMALL)) == other


def test_u12_the_longest_name_is_taken_last(hmac: Door) -> None:
    for digits in (16, 32):
        hmac.bucket.put(key_for(SMALL, digits), b"other")
    assert hmac.bucket.key_of(hmac.put(SMALL)) == key_for(SMALL, 64)


def test_u12_without_a_free_name_nothing_is_overwritten(hmac: Door) -> None:
    for digits in (16, 32, 64):
        hmac.bucket.put(key_for(SMALL, digits), b"other")
    with pytest.raises(UploadIntegrityError):
        hmac.put(SMALL)
    assert [hmac.bucket.content(key) for key in hmac.bucket.files()] == [b"other"] * 3


def test_u12_an_object_that_was_put_there_by_hand_is_used_if_it_is_right(hmac: Door) -> None:
    hmac.bucket.put(key_for(SMALL), SMALL)
    assert_whole(hmac, hmac.put(SMALL), SMALL)


# --- U13: sizes at the edges ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "parts"), [(0, 0), (1, 0), (PART, 0), (PART + 1, 2), (2 * PART, 2)])
def test_u13_every_size_comes_out_whole(hmac: Door, size: int, parts: int) -> None:
    content = noise(size, seed=size)
    ref = hmac.put(content)
    assert_whole(hmac, ref, content)
    assert hmac.wire.asked["UploadPart"] == parts


def test_u13_a_file_larger_than_an_object_may_be_is_refused_with_the_limit(hmac: Door, tmp_path: Path) -> None:
    too_large = 5 * 2**40 + 1
    path = tmp_path / "huge.jsonl"
    with path.open("wb") as file:
        file.truncate(too_large)  # a hole, which takes no room
    huge = DataRef(uri=path.as_uri(), sha256="0" * 64, rows=1, size_bytes=too_large)
    with pytest.raises((PlanError, DataError), match="5 TiB"):
        hmac.store().put(huge, "train", owner=RUN)
    assert hmac.wire.asked["UploadPart"] == 0


# --- U14: the file changes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [CONTENT, SMALL], ids=["parts", "one piece"])
@pytest.mark.parametrize("change", ["shrinks", "grows", "differs"])
def test_u14_a_file_that_is_no_longer_what_was_checked_is_not_stored(hmac: Door, content: bytes, change: str) -> None:
    data = hmac.file(content)
    changed = {"shrinks": content[:-1], "grows": content + b"\n", "differs": flipped(content, len(content) - 1)}
    hmac.file(changed[change])
    with pytest.raises(InputChangedError, match=r"train\.jsonl"):
        hmac.store().put(data, "train", owner=RUN)
    assert_nothing_stored(hmac.bucket)


@pytest.mark.parametrize("size", [0, PART - 1, PART + 1])
def test_u14_a_file_that_shrinks_while_it_is_sent_is_not_stored(hmac: Door, tmp_path: Path, size: int) -> None:
    data = hmac.file()
    shrink = Instead(happens=lambda: truncate(tmp_path / "train.jsonl", size), after=1000)
    hmac.wire.breaks("UploadPart", shrink)
    with pytest.raises(InputChangedError, match=r"train\.jsonl"):
        hmac.store(workers=1).put(data, "train", owner=RUN)
    assert_nothing_stored(hmac.bucket)
    assert hmac.store().list(RUN) == ()


@pytest.mark.parametrize("at", [PART - 1, PART + 1, len(CONTENT) - 1])
def test_u14_a_file_that_is_written_to_while_it_is_sent_is_stored_as_it_was_checked_or_not_at_all(
    hmac: Door, tmp_path: Path, at: int
) -> None:
    data = hmac.file()
    hmac.wire.breaks("UploadPart", Instead(happens=lambda: write_at(tmp_path / "train.jsonl", at), after=1000))
    try:
        ref = hmac.store(workers=1).put(data, "train", owner=RUN)
    except InputChangedError:
        assert_nothing_stored(hmac.bucket)
    else:
        assert_whole(hmac, ref)


def test_u14_a_file_that_is_gone_is_said_to_be(hmac: Door, tmp_path: Path) -> None:
    gone = ref_to(tmp_path / "gone.jsonl", CONTENT)
    with pytest.raises(DataError, match=r"gone\.jsonl"):
        hmac.store().put(gone, "train", owner=RUN)


def truncate(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


def write_at(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes([CONTENT[at] ^ 1]))


# --- U15: a slow link -------------------------------------------------------------------------------------------------


def test_u15_a_link_on_which_a_part_takes_longer_than_the_time_limit_is_no_fault(hmac: Door) -> None:
    # Fifty times as fast as 50 kB/s, with time limits that are fifty times as short.
    hmac.wire.breaks("UploadPart", Slow(bytes_per_second=2_500_000), times=ALWAYS)
    told: list[int] = []
    store = hmac.store(workers=1, patience={"connect_seconds": 5 / 50, "read_seconds": 30 / 50})
    store.put(hmac.file(CONTENT[: PART + 1]), "train", owner=RUN, watch=lambda done, size: told.append(done))
    assert hmac.wire.asked["UploadPart"] == 2
    assert told == sorted(told) and len(told) > 10


def test_u15_the_watch_is_told_of_every_part_of_the_way(hmac: Door) -> None:
    told: list[tuple[int, int | None]] = []
    hmac.store().put(hmac.file(), "train", owner=RUN, watch=lambda done, size: told.append((done, size)))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert len({done for done, _ in told}) > 2 * PARTS
    assert {size for _, size in told} == {len(CONTENT)}


class Stop(Exception):
    """What a watch raises here."""


@pytest.mark.parametrize("after", [0, PART, len(CONTENT) - 1])
def test_a_watch_that_ends_the_transfer_leaves_nothing_behind(hmac: Door, after: int) -> None:
    def stop(done: int, size: int | None) -> None:
        if done > after:
            raise Stop

    with pytest.raises(Stop):
        hmac.store().put(hmac.file(), "train", owner=RUN, watch=stop)
    assert hmac.bucket.files() == []
