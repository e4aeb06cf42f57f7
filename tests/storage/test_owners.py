"""Who needs a file, as the bucket knows it; and what goes when nobody does."""

from __future__ import annotations

import json

from tests.storage.doors import CONTENT, PART, RUN, Door, key_for, noise
from tests.storage.faults import Cut, TwoAtATime
from tests.storage.wire import ALWAYS

LINES = noise(1000)


def test_a_note_beside_the_files_says_who_needs_which(door: Door) -> None:
    ref = door.put(LINES)
    notes = [key for key in door.bucket.all_keys() if key.startswith(".")]
    assert notes == [f".owners/{RUN}/{key_for(LINES)}"]
    assert json.loads(door.bucket.content(notes[0])) == {
        "sha256": ref.sha256,
        "rows": ref.rows,
        "size_bytes": ref.size_bytes,
    }


def test_the_note_is_there_before_the_file(hmac: Door) -> None:
    hmac.put()
    written = [request.operation for request in hmac.wire.requests if request.method in ("PUT", "POST")]
    assert written.index("PutObject") < written.index("CompleteMultipartUpload")


def test_an_owner_is_told_its_files_and_no_others(door: Door) -> None:
    first, second = door.put(LINES), door.put(LINES * 2)
    door.put(LINES * 3, owner="run-2")
    assert set(door.store().list(RUN)) == {first, second}
    assert door.store().list("run-3") == ()


def test_an_owner_whose_name_begins_like_another_is_another(hmac: Door) -> None:
    hmac.put(LINES, owner="run-10")
    assert hmac.store().list("run-1") == ()
    assert hmac.store().release("run-1") == ()
    assert len(hmac.store().list("run-10")) == 1


def test_more_files_than_one_answer_names_are_all_listed(hmac: Door) -> None:
    names = [f"train-{number:016d}.jsonl" for number in range(7)]
    for number, name in enumerate(names):
        note = {"sha256": f"{number:016d}{'0' * 48}", "rows": 1, "size_bytes": 1}
        hmac.bucket.put(f".owners/{RUN}/{name}", json.dumps(note).encode())
        hmac.bucket.put(name, b"x")
    hmac.wire.breaks("ListObjects", TwoAtATime(), times=ALWAYS)
    assert [hmac.bucket.key_of(ref) for ref in hmac.store().list(RUN)] == names


def test_a_note_of_a_file_that_is_gone_is_not_listed(door: Door) -> None:
    ref = door.put(LINES)
    door.bucket.delete(door.bucket.key_of(ref))
    assert door.store().list(RUN) == ()


def test_a_note_that_is_none_of_ours_is_passed_over(hmac: Door) -> None:
    ref = hmac.put(LINES)
    hmac.bucket.put(f".owners/{RUN}/{key_for(LINES * 2)}", b"not JSON")
    hmac.bucket.put(f".owners/{RUN}/readme.txt", b"hello")
    for name in ("readme.txt", f"deeper/{key_for(LINES)}", f"{RUN}-0123456789abcdef.jsonl"):
        hmac.bucket.put(f".owners/{RUN}/{name}", hmac.bucket.content(f".owners/{RUN}/{key_for(LINES)}"))
    assert hmac.store().list(RUN) == (ref,)


def test_a_file_that_two_need_goes_with_the_second(door: Door) -> None:
    ref = door.put(LINES)
    door.put(LINES, owner="run-2")
    assert door.store().release(RUN) == ()
    assert door.bucket.content_of(ref) == LINES
    assert door.store().release("run-2") == (ref,)
    assert door.bucket.all_keys() == []


def test_giving_up_files_twice_gives_up_nothing_more(hmac: Door) -> None:
    hmac.put(LINES)
    assert len(hmac.store().release(RUN)) == 1
    assert hmac.store().release(RUN) == ()


def test_what_somebody_else_keeps_in_the_bucket_stays(door: Door) -> None:
    others = ["another.jsonl", "train-of-thought.txt", f"deeper/{key_for(LINES)}"]
    for key in others:
        door.bucket.put(key, b"theirs")
    door.bucket.begin_upload("another-upload.jsonl", CONTENT[:PART])
    door.put(LINES)
    door.store().release(RUN)
    assert (door.bucket.all_keys(), door.bucket.uploads()) == (sorted(others), ["another-upload.jsonl"])


def test_an_upload_that_another_run_is_busy_with_is_not_aborted(hmac: Door) -> None:
    store = hmac.store()
    with store.writing("train", owner="run-2") as out:
        out.write(CONTENT)
        hmac.store().release(RUN)
    assert hmac.bucket.content_of(out.data) == CONTENT


def test_a_deleted_file_takes_its_notes_along(hmac: Door) -> None:
    ref = hmac.put(LINES)
    hmac.put(LINES, owner="run-2")
    hmac.store().delete(ref)
    hmac.store().delete(ref)
    assert not hmac.store().exists(ref)
    assert hmac.store().list(RUN) == hmac.store().list("run-2") == ()


def test_a_prefix_keeps_stores_apart(door: Door) -> None:
    one, two = door.store(prefix="team/one/"), door.store(prefix="team/two")
    first = one.put(door.file(LINES), "train", owner=RUN)
    second = two.put(door.file(LINES), "train", owner=RUN)
    assert [door.bucket.key_of(ref) for ref in (first, second)] == door.bucket.files()
    assert door.bucket.files() == [f"team/{each}/{key_for(LINES)}" for each in ("one", "two")]
    assert one.release(RUN) == (first,)
    assert two.exists(second)


def test_a_note_whose_answer_breaks_is_read_again(door: Door) -> None:
    ref = door.put(LINES)
    door.wire.heals()
    door.wire.breaks("GetObject", Cut(after=10))
    assert door.store().list(RUN) == (ref,)
    door.wire.breaks("GetObject", Cut(after=10))
    assert door.put(LINES) == ref
