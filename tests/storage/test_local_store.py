"""A folder as a store."""

from __future__ import annotations

import hashlib
import pickle
import signal
import subprocess
import sys

import pytest

import wxtuning as wx
from wxtuning.status import DataRef
from wxtuning.stored import file_of, file_of_address
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
    """What lies in the folder, but for the lock that stays in it."""
    found = (str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in found if file != ".lock")


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return wx.LocalStore(tmp_path / "shared")

    def overwrite(self, store, ref, content):
        file_of(ref).write_bytes(content)

    def kept(self, store):
        return files(file_of_address(store.describe()))

    def abandon(self, store, data, name, owner):
        killed(KILLED_PUTTING, file_of_address(store.describe()), file_of(data), name, owner)


def killed(script, *arguments):
    """Run a script that kills itself."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL


KILLED_PUTTING = """
import os, signal, sys
from wxtuning import LocalStore, steps
folder, file, name, owner = sys.argv[1:]
with LocalStore(folder).writing(name, owner=owner) as out:
    out.write(open(file, "rb").read())
    os.kill(os.getpid(), signal.SIGKILL)
"""


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


def test_the_next_of_the_owner_clears_up_after_a_killed_one_and_leaves_a_live_one_alone(store, data, folder):
    with store.writing("train", owner="run-1") as out:
        out.write(LINES * 2)
        killed(KILLED_PUTTING, folder, file_of(data), "train", "run-1")
        (live, dead) = sorted((folder / ".incoming" / "run-1").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        store.put(data, "train", owner="run-1")
        assert (live.exists(), dead.exists()) == (True, False)
        store.release("run-1")
    assert file_of(out.data).read_bytes() == LINES * 2


def test_processes_that_put_and_give_up_the_same_file_take_it_from_nobody(store, data, folder):
    others = [f"run-{number}" for number in range(2, 5)]
    command = [sys.executable, "-c", PUT_AND_GIVE_UP, str(folder), str(file_of(data)), data.sha256]
    busy = [subprocess.Popen([*command, owner], stdin=subprocess.PIPE, text=True) for owner in others]
    for _ in range(100):
        ref = store.put(data, "train", owner="run-1")
        assert (file_of(ref).read_bytes(), store.list("run-1")) == (LINES, (ref,))
        store.release("run-1")
    for process in busy:
        process.communicate("enough\n", timeout=60)
        assert process.returncode == 0
    assert files(folder) == []


PUT_AND_GIVE_UP = """
import sys, threading
from pathlib import Path
from wxtuning import LocalStore
from wxtuning.status import DataRef
folder, file, sha256, owner = sys.argv[1:]
data = DataRef(uri=Path(file).as_uri(), sha256=sha256, rows=10, size_bytes=Path(file).stat().st_size)
enough = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), enough.set())).start()
store = LocalStore(folder)
while not enough.is_set():
    ref = store.put(data, "train", owner=owner)
    assert store.exists(ref), ref
    store.release(owner)
"""


def test_a_relative_folder_stays_where_it_was_when_the_program_moves(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = wx.LocalStore("shared")
    ref = store.put(data, "train", owner="run-1")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert (store.exists(ref), store.list("run-1"), store.describe()) == (True, (ref,), (tmp_path / "shared").as_uri())


def test_a_folder_may_be_named_by_its_address(folder):
    assert wx.LocalStore(folder.as_uri()) == wx.LocalStore(folder)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("cos://key:s3cret@bucket/x", r"cos://… as its folder(.|\n)*wx\.COS"),
        ("ftp://host/x", "ftp://… as its folder"),
        ("file://elsewhere/shared", "no file of this machine"),
        ("", "no folder"),
        (None, "NoneType"),
        (7, "int"),
        (b"shared", "bytes"),
    ],
)
def test_what_is_no_folder_is_refused(given, said):
    with pytest.raises(wx.PlanError, match=said) as failure:
        wx.LocalStore(given)
    assert "s3cret" not in str(failure.value)


def test_a_store_below_another_is_another(store, data, folder):
    below = wx.LocalStore(folder / "team")
    first, second = store.put(data, "train", owner="run-1"), below.put(data, "train", owner="run-1")
    with pytest.raises(wx.NotOffered, match="not in this store"):
        store.delete(second)
    assert (store.list("run-1"), store.release("run-1")) == ((first,), (first,))
    assert (below.list("run-1"), file_of(second).read_bytes()) == ((second,), LINES)


def test_a_file_that_cannot_be_read_is_told_by_its_own_name(store, data, tmp_path):
    ref = store.put(data, "train", owner="run-1")
    file_of(ref).unlink()
    file_of(ref).mkdir()
    with pytest.raises(wx.Unavailable, match=f"{ref.uri} cannot be used"):
        store.get(ref, tmp_path / "back.jsonl")


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
