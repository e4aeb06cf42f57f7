"""Who may store and not remove: told before anything is stored, served all the same, and told what stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wxtuning as wx
from tests.storage.doors import CONTENT, PART, RUN, Door, key_for, noise
from tests.storage.faults import DENIED, Refusal
from tests.storage.no_removing import printed
from tests.storage.wire import ALWAYS, Request
from wxtuning import steps
from wxtuning.errors import NotAuthorized, NotOffered
from wxtuning.status import DataRef
from wxtuning.testing import FakeBackend

LINES = noise(1000)
OTHER = "run-2"


def removes(request: Request) -> bool:
    return request.method == "DELETE"


def forbid_removing(door: Door) -> None:
    door.wire.breaks("*", DENIED, times=ALWAYS, where=removes)


# --- a bucket: before anything is stored ------------------------------------------------------------------------------


def test_who_may_do_everything_is_told_nothing(door: Door) -> None:
    assert door.store(prefix="team").check() == ()
    assert (door.wire.asked["DeleteObject"], door.wire.asked["PutObject"]) == (1, 0)
    assert (door.bucket.all_keys(), door.bucket.uploads()) == ([], [])


@pytest.mark.parametrize(
    ("operation", "right", "stays"),
    [
        ("DeleteObject", "s3:DeleteObject", "the files of every run stay"),
        ("AbortMultipartUpload", "s3:AbortMultipartUpload", "what an upload has sent that is not finished stays"),
    ],
)
def test_a_right_to_remove_that_is_missing_is_told_with_what_stays_and_a_way(
    door: Door, operation: str, right: str, stays: str
) -> None:
    door.wire.breaks(operation, DENIED, times=ALWAYS)
    (told,) = door.store(prefix="team").check()
    assert all(word in told for word in (right, door.bucket.name, stays, "Ask the bucket's owner"))
    assert (door.bucket.all_keys(), door.bucket.uploads()) == ([], [])


def test_all_rights_to_remove_that_are_missing_are_told_at_once(door: Door) -> None:
    forbid_removing(door)
    assert ["Abort" in told for told in door.store().check()] == [True, False]


def test_a_server_that_removes_nothing_is_told_too(hmac: Door) -> None:
    hmac.wire.breaks("DeleteObject", Refusal(status=405, code="MethodNotAllowed"), times=ALWAYS)
    (told,) = hmac.store().check()
    assert "does not offer delete_object: the files of every run stay" in told


def test_the_check_asks_to_remove_nothing_that_could_be_there(hmac: Door) -> None:
    hmac.put(LINES)
    before = hmac.bucket.all_keys()
    hmac.store().check()
    (asked,) = hmac.wire.of("DeleteObject")
    assert (asked.key, hmac.bucket.all_keys()) == (".wxtuning-check", before)


# --- a bucket: storing and giving up ----------------------------------------------------------------------------------


def put(door: Door, content: bytes) -> DataRef:
    return door.put(content)


def write(door: Door, content: bytes) -> DataRef:
    with door.store().writing("train", owner=RUN) as out:
        out.write(content)
    return out.data


@pytest.mark.parametrize("store", [put, write])
@pytest.mark.parametrize("content", [LINES, CONTENT], ids=["small", "large"])
def test_who_may_not_remove_anything_may_store_and_is_warned(
    hmac: Door, store: Callable[[Door, bytes], DataRef], content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    hmac.bucket.put(f".incoming/{RUN}/train", LINES)
    hmac.bucket.begin_upload(f".incoming/{RUN}/train", CONTENT[:PART])
    forbid_removing(hmac)
    ref = store(hmac, content)
    assert (hmac.bucket.content_of(ref), hmac.store().list(RUN)) == (content, (ref,))
    assert "left behind" in caplog.text and "s3:DeleteObject" in caplog.text


def test_an_upload_that_may_not_be_ended_is_told_once_the_file_is_stored(
    hmac: Door, caplog: pytest.LogCaptureFixture
) -> None:
    hmac.bucket.begin_upload(f".incoming/{RUN}/train", CONTENT[:PART])
    hmac.wire.breaks("AbortMultipartUpload", DENIED, times=ALWAYS)
    assert hmac.store().exists(hmac.put(LINES))
    assert "left behind" in caplog.text and "s3:AbortMultipartUpload" in caplog.text


def test_who_may_not_remove_files_gives_none_up_and_is_told_which_stay(door: Door) -> None:
    refs = door.put(LINES), door.put(LINES * 2)
    door.bucket.put(f".incoming/{RUN}/train", LINES)
    before = door.bucket.all_keys()
    forbid_removing(door)
    with pytest.raises(NotAuthorized, match=r"s3:DeleteObject(.|\n)*Then release again") as failure:
        door.store().release(RUN)
    told = str(failure.value)
    assert all(name in told for name in (f".incoming/{RUN}", key_for(LINES), key_for(LINES * 2)))
    assert (door.bucket.all_keys(), set(door.store().list(RUN))) == (before, set(refs))
    door.wire.heals()
    assert set(door.store().release(RUN)) == set(refs)
    assert door.bucket.all_keys() == []


def test_an_upload_that_may_not_be_ended_is_told_when_it_is_given_up(hmac: Door) -> None:
    hmac.bucket.begin_upload(f".incoming/{RUN}/train", CONTENT[:PART])
    hmac.wire.breaks("AbortMultipartUpload", DENIED, times=ALWAYS)
    with pytest.raises(NotAuthorized, match=rf"s3:AbortMultipartUpload.*what stays of '{RUN}': \.incoming/{RUN}\n"):
        hmac.store().release(RUN)


def test_what_may_be_removed_goes_although_something_else_may_not(hmac: Door) -> None:
    locked, free = hmac.put(LINES), hmac.put(LINES * 2)
    hmac.wire.breaks("DeleteObject", DENIED, times=ALWAYS, where=lambda asked: asked.key == key_for(LINES))
    with pytest.raises(NotAuthorized, match=rf"what stays of '{RUN}': {key_for(LINES)}\n"):
        hmac.store().release(RUN)
    assert (hmac.store().exists(locked), hmac.store().exists(free)) == (True, False)
    hmac.wire.heals()
    assert hmac.store().release(RUN) == (locked,)
    assert hmac.bucket.all_keys() == []


def test_a_server_that_removes_nothing_is_named_with_what_stays(hmac: Door) -> None:
    hmac.put(LINES)
    hmac.wire.breaks("DeleteObject", Refusal(status=405, code="MethodNotAllowed"), times=ALWAYS)
    with pytest.raises(NotOffered, match=f"delete_object; what stays of '{RUN}': {key_for(LINES)}"):
        hmac.store().release(RUN)


# --- a run ------------------------------------------------------------------------------------------------------------


def test_a_run_that_leaves_its_files_behind_says_so_in_its_plan_and_comes_to_its_end(
    hmac: Door, rows: list[dict[str, str]]
) -> None:
    forbid_removing(hmac)
    store = hmac.store()
    asked = (
        wx.TuningExperiment("colours", task="classification").load(rows).clean().to_jsonl(input="text", output="colour")
    )
    run = asked.tune(num_epochs=2).wait(every=0.001).on(FakeBackend()).upload(store).run()
    assert [told for told in run.plan.warnings if "the files of every run stay" in told]
    (ref,) = store.list(run.key)
    with pytest.raises(NotAuthorized, match=ref.uri.rpartition("/")[2]):
        store.release(run.key)


# --- a folder ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A store that was used before, and a file beside it."""
    (tmp_path / "train.jsonl").write_bytes(LINES)
    store = wx.LocalStore(tmp_path / "shared")
    store.put(steps.reference(tmp_path / "train.jsonl"), "earlier", owner=OTHER)
    return tmp_path / "shared"


def told(shared: Path, *free: str) -> dict[str, Any]:
    """What a process is told that may remove something in these folders of a store only."""
    for each in free:
        (shared / each).mkdir(exist_ok=True)
    found: dict[str, Any] = json.loads(printed(PROGRAM.format(folder=str(shared)), *(shared / each for each in free)))
    return found


PROGRAM = """
import json
import wxtuning as wx
from wxtuning import steps
store, told = wx.LocalStore({folder!r}), {{}}
def tell(what, act):
    try:
        told[what] = act()
    except wx.WxTuningError as error:
        told[what] = f"{{type(error).__name__}}: {{error}}"
tell("check", store.check)
tell("put", lambda: store.put(steps.reference("{folder}/../train.jsonl"), "train", owner="run-1").uri)
tell("release", lambda: [ref.uri for ref in store.release("run-1")])
tell("list", lambda: [ref.uri for ref in store.list("run-1")])
tell("check again", store.check)
print(json.dumps(told))
"""


def test_a_folder_that_keeps_what_was_put_there_is_told_before_and_after(shared: Path) -> None:
    found = told(shared, ".owners", ".incoming", ".wxtuning-check")
    assert "nothing can be removed from the folder" in found["check"][0] and str(shared) in found["check"][0]
    assert found["check again"] == found["check"]
    assert found["release"].startswith("NotAuthorized: ") and f"what stays of '{RUN}': train-" in found["release"]
    assert found["list"] == [found["put"]]
    assert [*(shared / ".wxtuning-check").iterdir()] == []


def test_a_folder_in_which_nothing_gets_its_name_is_refused_before_anything_is_put(shared: Path) -> None:
    found = told(shared)
    assert found["check"].startswith("NotAuthorized: ") and str(shared) in found["check"]
    assert found["put"].startswith("WxTuningError: cannot write")


def test_a_folder_that_lets_everything_go_is_left_as_it_was(shared: Path) -> None:
    before = sorted(shared.rglob("*"))
    assert wx.LocalStore(shared).check() == ()
    assert sorted(shared.rglob("*")) == before


def test_what_a_check_left_where_nothing_could_be_removed_goes_with_the_next_that_may(shared: Path) -> None:
    told(shared, ".owners", ".incoming", ".wxtuning-check")
    assert wx.LocalStore(shared).check() == ()
    assert not (shared / ".wxtuning-check").exists()
