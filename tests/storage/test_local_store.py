"""A folder as a store."""

from __future__ import annotations

import hashlib
import pickle

import pytest

import wxtuning as wx
from wxtuning.status import DataRef
from wxtuning.stored import file_of
from wxtuning.testing.contracts import StoreContract

LINES = b'{"input": "a", "output": "b"}\n' * 10


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "shared"


@pytest.fixture
def store(folder):
    return wx.LocalStore(folder)


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "train.jsonl"
    file.write_bytes(LINES)
    return DataRef(uri=file.as_uri(), sha256=hashlib.sha256(LINES).hexdigest(), rows=10, size_bytes=len(LINES))


def files(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return wx.LocalStore(tmp_path / "shared")

    def overwrite(self, store, ref, content):
        file_of(ref).write_bytes(content)


def test_a_folder_holds_the_file_and_a_note_of_who_needs_it(store, data, folder):
    store.put(data, "train", owner="run-1")
    file = f"train-{data.sha256[:16]}.jsonl"
    assert files(folder) == [f".owners/run-1/{file}", file]


def test_a_store_that_was_asked_nothing_makes_no_folder(store, folder):
    store.check()
    assert (store.list("run-1"), folder.exists()) == ((), False)


def test_a_release_takes_what_a_killed_run_left(store, data, folder):
    store.put(data, "train", owner="run-1")
    left = folder / ".incoming" / "run-1" / ".train.k1ll3d"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(LINES[:7])
    store.release("run-1")
    assert files(folder) == []


def test_a_file_in_the_place_of_the_folder_is_told(store, folder):
    folder.write_text("not a folder")
    with pytest.raises(wx.NotOffered, match="is no folder"):
        store.check()


def test_a_folder_that_cannot_be_written_is_told(store, folder, monkeypatch):
    folder.mkdir()
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(wx.NotAuthorized, match=f"{folder} cannot be written"):
        store.check()


def test_a_disk_that_is_full_leaves_nothing(store, data, folder, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(wx.WxTuningError, match=f"no room to write .*{data.size_bytes} bytes needed"):
        store.put(data, "train", owner="run-1")
    assert files(folder) == []


def test_a_file_that_is_gone_is_told(store, data, tmp_path):
    (tmp_path / "train.jsonl").unlink()
    with pytest.raises(wx.DataError, match="cannot be read: No such file"):
        store.put(data, "train", owner="run-1")


def test_a_file_outside_the_folder_is_not_its_own(store, data):
    with pytest.raises(wx.NotOffered, match="not in this store"):
        store.delete(data)


def test_a_note_that_is_none_of_ours_is_passed_over(store, data, folder):
    ref = store.put(data, "train", owner="run-1")
    (folder / ".owners" / "run-1" / "odd.jsonl").write_text("no note")
    assert store.list("run-1") == (ref,)


def test_three_names_taken_by_other_content_end_the_search(store, data, folder):
    for _ in range(3):
        file_of(store.put(data, "train", owner="run-1")).write_bytes(b"other")
    with pytest.raises(wx.UploadIntegrityError, match="every name"):
        store.put(data, "train", owner="run-1")


def test_a_store_travels_in_a_pickle(store):
    assert pickle.loads(pickle.dumps(store)) == store
