"""A file is old or new, never half; a run's folder has one worker; the home folder is where it was asked for."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wxtuning.errors import RunLocked, WxTuningError
from wxtuning.folder import home_folder, locked, replacing, scratch, sha256_of, slug, sweep, write_atomically

HOLDER = """
import sys
from pathlib import Path
from wxtuning.folder import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
SMALL_DISK = """
import resource, sys
from pathlib import Path
from wxtuning.errors import WxTuningError
from wxtuning.folder import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(Path(sys.argv[1]), b"x" * int(sys.argv[2]))
except WxTuningError as error:
    print(error)
"""
READ_ONLY = """
import os
from wxtuning.errors import WxTuningError
from wxtuning.folder import home_folder
if os.getuid() == 0:
    os.setuid(65534)
try:
    home_folder()
except WxTuningError as error:
    print(error)
"""


def python(script, *arguments, **settings):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, **settings).stdout


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of the folder `run`."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_file_is_written_with_its_folders(tmp_path):
    file = tmp_path / "a" / "b" / "file"
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    file = tmp_path / "file"
    write_atomically(file, b"old")
    write_atomically(file, b"")
    assert file.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("size", [1_001, 1_000_000])
def test_a_full_disk_leaves_the_old_file_and_says_how_much_was_needed(tmp_path, size):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    said = python(SMALL_DISK, file, size)
    assert f"no room to write {file}: {size:,} bytes needed" in said
    assert "Free some space" in said
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WxTuningError, match="cannot write"):
        write_atomically(tmp_path / "file" / "inner", b"new")


def test_a_folder_in_place_of_the_file_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(WxTuningError, match="cannot write"):
        write_atomically(tmp_path / "run", b"new")
    assert [found.name for found in tmp_path.iterdir()] == ["run"]


def test_an_error_of_the_block_that_writes_comes_out_as_it_is(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(ConnectionResetError, match="the source"), replacing(file) as new:
        new.write(b"half")
        raise ConnectionResetError("the source hung up")
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (b"old", [file])


def test_what_a_dead_writer_left_is_swept_and_what_a_live_one_writes_is_not(tmp_path):
    (tmp_path / ".train.k1ll3d").write_bytes(b"half")
    with scratch(tmp_path, "train") as draft:
        sweep(tmp_path)
        assert list(tmp_path.iterdir()) == [draft.path]


def test_a_hash_is_that_of_the_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"\x00" * 100_000)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"\x00" * 100_000).hexdigest()


def test_a_second_process_on_the_same_run_is_refused_and_told_who_works_on_it(tmp_path, holder):
    with pytest.raises(RunLocked, match=f"run run .* {holder.pid}") as caught, locked(tmp_path / "run"):
        pass
    assert caught.value.hint


def test_a_run_that_this_process_works_on_already_is_not_said_to_be_anothers(tmp_path):
    with (
        locked(tmp_path / "run"),
        pytest.raises(RunLocked, match="already, by this very process") as caught,
        locked(tmp_path / "run"),
    ):
        pass
    assert "once" in caught.value.hint


def test_another_run_is_not_locked(tmp_path, holder):
    with locked(tmp_path / "other"):
        assert (tmp_path / "other").is_dir()


def test_a_lock_goes_with_the_process_that_was_killed(tmp_path, holder):
    holder.kill()
    holder.wait(timeout=60)
    with locked(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()


def test_a_lock_is_given_back_when_the_work_is_done_or_fails(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "run"):
        raise KeyError
    with locked(tmp_path / "run"):
        pass


@pytest.mark.parametrize("run", ["file", "file/run"])
def test_a_file_in_place_of_the_folder_to_be_locked_is_named_and_left_alone(tmp_path, run):
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(WxTuningError, match=f"cannot work in .*/{run}: exp") as caught, locked(tmp_path / run):
        pass
    assert "WXTUNING_HOME" in caught.value.hint
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_an_error_of_the_locked_work_comes_out_as_it_is(tmp_path):
    with pytest.raises(FileExistsError), locked(tmp_path / "run"):
        raise FileExistsError


@pytest.mark.parametrize(
    ("name", "file_name"),
    [
        ("Support tone", "support-tone"),
        ("Größe, étude!", "groe-etude"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\x00b\nc", "a-b-c"),
        ("A--B__c", "a-b-c"),
        ("", "experiment"),
        ("実験", "experiment"),
        ("...", "experiment"),
        ("a" * 39 + " b", "a" * 39),
        ("a" * 99, "a" * 40),
    ],
)
def test_a_name_becomes_a_safe_file_name(name, file_name):
    assert slug(name) == file_name


def test_the_home_folder_is_the_one_named(tmp_path, monkeypatch):
    monkeypatch.setenv("WXTUNING_HOME", str(tmp_path / "environment"))
    assert home_folder(tmp_path / "named") == tmp_path / "named"
    assert home_folder() == tmp_path / "environment"
    assert (tmp_path / "environment").is_dir()


def test_without_a_name_the_home_folder_lies_with_the_user(tmp_path, monkeypatch):
    monkeypatch.delenv("WXTUNING_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_folder() == tmp_path / ".wxtuning"
    assert home_folder("~/mine") == tmp_path / "mine"


def test_a_new_home_folder_is_for_its_owner_alone(tmp_path):
    assert home_folder(tmp_path / "home").stat().st_mode & 0o077 == 0


def test_a_relative_home_folder_stays_where_it_was_when_the_program_moves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert home_folder("here") == Path.cwd() / "here"


def test_a_home_folder_that_cannot_be_made_is_named_with_where_to_name_another(tmp_path, monkeypatch):
    home = tmp_path / "file" / "home"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WxTuningError, match=r"cannot make the folder .*file") as caught:
        home_folder(home)
    assert caught.value.hint == "Name another folder."
    monkeypatch.setenv("WXTUNING_HOME", str(home))
    with pytest.raises(WxTuningError, match=r"cannot make the folder .*file") as caught:
        home_folder()
    assert "WXTUNING_HOME" in caught.value.hint


def test_a_read_only_home_folder_is_refused(tmp_path):
    tmp_path.chmod(0o555)
    said = python(READ_ONLY, env={**os.environ, "WXTUNING_HOME": str(tmp_path)})
    tmp_path.chmod(0o755)
    assert f"the folder {tmp_path}" in said
    assert "WXTUNING_HOME" in said
