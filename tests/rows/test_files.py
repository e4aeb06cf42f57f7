"""Which files are read, and that they stay what they were; each test names its row of section L of the promises."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rows.conftest import GOOD
from wxtuning.adapters.files import Files
from wxtuning.errors import InputChangedError
from wxtuning.rows.files import open_rows
from wxtuning.rows.validation import validate
from wxtuning.rows.verdict import FileError, Reject

OTHER = GOOD.replace(b"good", b"fine")


def refused(path: object) -> tuple[str, str]:
    with pytest.raises(FileError) as caught:
        open_rows(path)
    return caught.value.code, str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes((GOOD + b"\n") * 60_000)
    return path


def test_l32_a_folder_is_refused_with_the_pattern_that_is_meant(tmp_path):
    assert refused(tmp_path) == ("not_a_file", f"{tmp_path} is a folder, expected a file\n  {_PATTERN % tmp_path}")


_PATTERN = "Name a file, or several by a pattern: %s/*.jsonl"


def test_l32_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "rows.jsonl")
    assert refused(tmp_path / "rows.jsonl")[0] == "not_a_file"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_l32_a_device_is_refused(device):
    assert refused(device)[0] == "not_a_file"


def test_l32_a_loop_of_links_is_refused(tmp_path):
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "b.jsonl")
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "a.jsonl")
    assert refused(tmp_path / "a.jsonl")[0] == "not_a_file"


def test_l32_a_missing_file_is_refused_with_the_nearest_name(tmp_path):
    (tmp_path / "train.jsonl").write_bytes(GOOD)
    code, text = refused(tmp_path / "trian.jsonl")
    assert code == "not_found"
    assert f"Did you mean {tmp_path / 'train.jsonl'}?" in text


@pytest.mark.parametrize("name", ["nothing.jsonl", "no/such/folder.jsonl", "*.jsonl", "a\0b.jsonl", "x" * 300, ""])
def test_l32_what_is_not_there_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert refused(name)[0] in {"not_found", "not_a_file"}


def test_a_link_to_a_file_is_read(tmp_path, file):
    (tmp_path / "link.jsonl").symlink_to(file)
    assert validate(tmp_path / "link.jsonl").read == 60_000


def test_the_files_of_a_pattern_are_one_data_set_in_sorted_order(tmp_path):
    (tmp_path / "b.jsonl").write_bytes(b"[]\n" + GOOD)
    (tmp_path / "a.csv").write_bytes(b"input,output\nx,y\nshort\n")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "folder.jsonl").mkdir()
    found = list(open_rows(f"{tmp_path}/*").rows())
    assert [(item.number, item.file, item.line) for item in found if isinstance(item, Reject)] == [
        (2, "a.csv", 3),
        (3, "b.jsonl", 1),
    ]
    verdict = validate(f"{tmp_path}/*.*")
    assert (verdict.valid, verdict.read) == ([1, 4], 4)
    assert {reject["file"] for reject in verdict.to_dict()["rejected"]} == {"a.csv", "b.jsonl"}


def test_a_name_with_signs_of_a_pattern_is_the_file_itself(tmp_path):
    (tmp_path / "rows[1].jsonl").write_bytes(GOOD)
    assert validate(tmp_path / "rows[1].jsonl").valid == [1]


@pytest.mark.parametrize(
    ("name", "content", "count"),
    [
        ("rows.txt", GOOD + b"\n" + GOOD, 2),
        ("rows", b"[" + GOOD + b"]", 1),
        ("rows.dat", b"input,output\na,b\n", 1),
        ("rows.JSONL", GOOD, 1),
        ("rows.txt", b"input\toutput\na\tb\n", 1),
    ],
)
def test_a_format_that_the_name_does_not_tell_is_told_by_the_content(tmp_path, name, content, count):
    (tmp_path / name).write_bytes(content)
    assert len(validate(tmp_path / name).valid) == count


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0", b"just a sentence\n", b"\x80\x04\x95pickle"])
def test_a_content_that_tells_nothing_is_refused(tmp_path, content):
    (tmp_path / "rows.bin").write_bytes(content)
    assert validate(tmp_path / "rows.bin").file_error.code == "unsupported_format"


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten", "is replaced"])
def test_l33_a_file_that_changes_while_it_is_read_is_an_error(file, change):
    rows = open_rows(file).rows()
    next(rows)
    changed(file, change)
    with pytest.raises(InputChangedError, match=r"rows\.jsonl changed while it was in use"):
        list(rows)


def changed(file: Path, change: str) -> None:
    content = file.read_bytes()
    if change == "grows":
        with file.open("ab") as out:
            out.write(GOOD)
    elif change == "shrinks":
        os.truncate(file, len(content) // 2)
    elif change == "is rewritten":
        file.write_bytes(content.replace(GOOD, OTHER))
        os.utime(file, ns=(0, 10**18))
    else:
        file.with_suffix(".new").write_bytes(content.replace(GOOD, OTHER))
        file.with_suffix(".new").replace(file)


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten", "is replaced"])
def test_l34_a_file_that_changed_since_it_was_read_is_an_error(file, change):
    source = Files(file)
    before = source.fingerprint()
    assert before == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    changed(file, change)
    with pytest.raises(InputChangedError):
        next(source.rows())
    with pytest.raises(InputChangedError):
        source.fingerprint()
    with pytest.raises(InputChangedError, match="its hash was sha256:"):
        open_rows(file).verify(before)


def test_l34_a_file_that_was_only_touched_is_the_same(file):
    source = Files(file)
    before = source.fingerprint()
    os.utime(file, ns=(0, 0))
    assert len(list(source.rows())) == 60_000
    open_rows(file).verify(before)
    assert source.fingerprint() == before


def test_a_source_is_read_from_the_start_at_every_call(file):
    source = Files(file)
    assert next(source.rows()) == next(source.rows()) == {"input": "good", "output": "row"}
    assert source.describe() == "rows.jsonl"


def test_several_files_have_one_fingerprint_that_knows_their_order(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    (tmp_path / "b.jsonl").write_bytes(OTHER)
    one = open_rows(f"{tmp_path}/*.jsonl").fingerprint()
    (tmp_path / "a.jsonl").write_bytes(OTHER)
    (tmp_path / "b.jsonl").write_bytes(GOOD)
    assert open_rows(f"{tmp_path}/*.jsonl").fingerprint() != one


PEAK = """
import resource, sys
from wxtuning.rows.validation import validate
validate(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
verdict = validate(sys.argv[2])
print(verdict.read, len(verdict.rejected), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv"])
def test_l35_memory_does_not_grow_with_the_file(tmp_path, ending):
    small, large = tmp_path / f"small{ending}", tmp_path / f"large{ending}"
    write(small, 1_000)
    write(large, 60_000)
    assert large.stat().st_size > 60_000_000
    done = subprocess.run([sys.executable, "-c", PEAK, small, large], capture_output=True, text=True, check=True)
    read, rejected, grown_kib = map(int, done.stdout.split())
    assert (read, rejected) == (60_000, 6)
    assert grown_kib < 24 * 1024


def write(file: Path, count: int) -> None:
    """Rows of about 1 kB, of which each 10,000th is bad."""
    rows = [b'{"input": "%d %s", "output": "%s"}' % (n, b"x" * 900, b"y" if n % 10_000 else b"") for n in range(count)]
    if file.suffix == ".csv":
        rows = [b"input,output"] + [b"%d %s,%s" % (n, b"x" * 1020, b"y" if n % 10_000 else b"") for n in range(count)]
    content = (b"[" + b",\n".join(rows) + b"]") if file.suffix == ".json" else b"\n".join(rows)
    file.write_bytes(content.replace(b"x" * 900, b"x" * 1000))
