"""gzip, zip and tar under the row policy; each test names its row of section L of the promises."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from tests.rows.conftest import GOOD
from wxtuning.rows.files import open_rows
from wxtuning.rows.validation import validate

TWO = GOOD + b"\n" + GOOD.replace(b"good", b"other") + b"\n"
CSV = b"input,output\na,b\n"


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w", **fields: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content) if info.isfile() else None)
    return out.getvalue()


def verdict_of(tmp_path, name: str, content: bytes):
    file = tmp_path / name
    file.write_bytes(content)
    return validate(file)


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", TWO), ("a.json", b"[" + GOOD + b"]"), ("a.csv", CSV)])
def test_gzip_is_read_by_the_name_inside_or_by_its_content(tmp_path, name, content):
    count = 2 if content == TWO else 1
    assert verdict_of(tmp_path, f"{name}.gz", gzip.compress(content)).read == count
    assert verdict_of(tmp_path, "noname.gz", gzip.compress(content)).read == count
    assert verdict_of(tmp_path, name, gzip.compress(content)).read == count


def test_a_gzip_of_several_parts_is_read_whole(tmp_path):
    assert verdict_of(tmp_path, "a.jsonl.gz", gzip.compress(TWO) + gzip.compress(TWO)).read == 4


MEMBERS = {"b.csv": CSV, "data/a.jsonl": TWO + b"[]\n", "README.md": b"hello", "__MACOSX/._b.csv": b"x"}


def test_the_members_of_a_zip_are_read_in_sorted_order(tmp_path):
    verdict = verdict_of(tmp_path, "a.zip", zipped(dict(reversed(MEMBERS.items()))))
    assert (verdict.read, verdict.valid) == (4, [1, 2, 3])
    assert [(r.file, r.line) for r in verdict.rejected] == [("a.zip/data/a.jsonl", 3)]


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("noname", "w:gz")]
)
def test_the_members_of_a_tar_are_read_in_their_order(tmp_path, name, mode):
    verdict = verdict_of(tmp_path, name, tarred(MEMBERS, mode))
    assert (verdict.read, verdict.valid) == (4, [1, 2, 3])
    assert [(r.file, r.line) for r in verdict.rejected] == [(f"{name}/data/a.jsonl", 3)]


def test_parquet_and_gzip_inside_an_archive_are_read(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"input": ["a"], "output": ["b"]}), out)
    members = {"a.parquet": out.getvalue(), "b.jsonl.gz": gzip.compress(TWO)}
    assert verdict_of(tmp_path, "a.zip", zipped(members)).read == 3
    assert verdict_of(tmp_path, "a.tar", tarred(members)).read == 3


def test_an_archive_without_rows_is_told(tmp_path):
    assert verdict_of(tmp_path, "a.zip", zipped({"README.md": b"x"})).file_error.code == "unsupported_format"


@pytest.mark.parametrize(
    "name", ["../a.jsonl", "/etc/a.jsonl", "x/../../a.jsonl", "C:\\a.jsonl", "..\\a.jsonl", "\\\\host\\a.jsonl"]
)
def test_l31_a_member_that_points_outside_is_refused(tmp_path, name):
    for archive, content in {"a.zip": zipped({name: TWO}), "a.tar": tarred({name: TWO})}.items():
        verdict = verdict_of(tmp_path, archive, content)
        assert (verdict.read, verdict.file_error.code) == (0, "unsafe_archive")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_l31_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    content = tarred({"a.jsonl": b""}, type=kind, linkname="/etc/passwd")
    assert verdict_of(tmp_path, "a.tar", content).file_error.code == "unsafe_archive"


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_l31_links_and_devices_in_a_zip_are_refused(tmp_path, mode):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a.jsonl")
        info.external_attr = (mode | 0o644) << 16
        archive.writestr(info, "/etc/passwd")
    assert verdict_of(tmp_path, "a.zip", out.getvalue()).file_error.code == "unsafe_archive"


def test_l31_an_encrypted_zip_is_refused(tmp_path):
    content = bytearray(zipped({"a.jsonl": TWO}))
    content[6] |= 1  # the flag in the member's header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    error = verdict_of(tmp_path, "a.zip", bytes(content)).file_error
    assert error.code == "unsafe_archive"
    assert "encrypted" in str(error)


def test_l31_bombs_are_refused(tmp_path):
    bomb = b"x" * 80 * 1024**2
    for name, content in {
        "a.zip": zipped({"a.jsonl": bomb}),
        "a.jsonl.gz": gzip.compress(bomb),
        "a.tar.gz": tarred({"a.jsonl": bomb}, "w:gz"),
    }.items():
        error = verdict_of(tmp_path, name, content).file_error
        assert (error.code, "200 times" in str(error)) == ("unsafe_archive", True)


def test_l31_a_zip_that_lies_about_its_size_is_refused(tmp_path):
    content = bytearray(zipped({"a.jsonl": TWO * 1000}))
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (10).to_bytes(4, "little")
    assert verdict_of(tmp_path, "a.zip", bytes(content)).file_error.code == "unsafe_archive"


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.8])
def test_l31_cut_archives_are_refused(tmp_path, kept):
    contents = {
        "a.jsonl.gz": (gzip.compress(TWO * 1000), "invalid_gzip"),
        "a.zip": (zipped({"a.jsonl": TWO * 1000}), "unsafe_archive"),
        "a.tar.gz": (tarred({"a.jsonl": TWO * 1000}, "w:gz"), "invalid_gzip"),
        "a.tar": (tarred({"a.jsonl": TWO * 1000}), "unsafe_archive"),
    }
    for name, (content, code) in contents.items():
        error = verdict_of(tmp_path, name, content[: int(len(content) * kept)]).file_error
        assert error is not None and error.code == code, (name, error)


def test_what_is_no_gzip_is_told(tmp_path):
    assert verdict_of(tmp_path, "a.jsonl.gz", TWO).file_error.code == "invalid_gzip"


def test_nothing_of_an_archive_is_written_beside_it(tmp_path):
    verdict_of(tmp_path, "a.zip", zipped(MEMBERS))
    verdict_of(tmp_path, "b.tar.gz", tarred(MEMBERS, "w:gz"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.tar.gz"]
    assert len(list(open_rows(tmp_path / "a.zip").rows())) == 4
