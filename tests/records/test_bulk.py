"""Rows converted as columns: the same lines and the same report as row by row."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wxtuning.errors import DataError
from wxtuning.records import bulk, convert_file, reading, streaming
from wxtuning.records.hashes import SeenHashes
from wxtuning.rows.files import open_rows
from wxtuning.spec import NO_CLEANING, Cleaning, Mapping

PIECES = [
    "", " ", "\t", "\u3000", "\x1c", "\u200b", "\u3164", "a", "good", "Good ", "bad", "long " * 30,
    "naïve", "nai\u0308ve", "donâ€™t", "größer", "“quoted”", "Привет", "漢字", "🛠️", '"', "\\", "\u2028", "\x7f",
    "\u202e", "x@y.example", "+49 170 1234567", "10.0.0.1", "fe80::1", "12:30:45", "DE89370400440532013000",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=4).map("".join) | st.text(max_size=12)
ROWS = st.lists(st.tuples(TEXTS | st.none(), TEXTS), min_size=1, max_size=40)
CLEANINGS = [
    Cleaning(),
    Cleaning(max_characters=40, min_characters=3),
    Cleaning(drop_empty=False, drop_duplicates=False),
    Cleaning(strip=False, normalize=False, fix_mojibake=False, flag_personal=False),
    NO_CLEANING,
]


def both_ways(table, mapping, cleaning, labels=(), kind="parquet"):
    """Lines and report as columns, and row by row."""
    found = []
    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        file, to = Path(home) / f"rows.{kind}", Path(home) / "out.jsonl"
        if kind == "parquet":
            pq.write_table(table, file)
        else:
            file.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
        patch.setattr(bulk, "TABLE_ROWS", 7)
        patch.setattr(streaming, "TABLE_ROWS", 5)
        patch.setattr(reading, "ROWS", 7)
        for is_possible in (lambda: True, lambda: False):
            patch.setattr(bulk, "is_possible", is_possible)
            report = convert_file(open_rows(file), mapping, cleaning, to, labels)
            found.append((to.read_bytes(), report))
    return found


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
@pytest.mark.parametrize("cleaning", CLEANINGS)
@settings(deadline=None, derandomize=True, max_examples=50)
@given(rows=ROWS)
def test_columns_and_rows_give_the_same_lines_and_the_same_report(cleaning, kind, rows):
    table = pa.table({"q": [text for text, _ in rows], "a": [answer for _, answer in rows]})
    columns, single = both_ways(table, Mapping(input="q", output="a"), cleaning, kind=kind)
    assert columns == single


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rows=ROWS, fixed=st.booleans())
def test_labels_are_judged_alike(rows, fixed):
    table = pa.table({"input": [text or "x" for text, _ in rows], "output": [answer for _, answer in rows]})
    mapping = Mapping(label_map={"good": "yes", "bad": "no"})
    columns, single = both_ways(table, mapping, Cleaning(fix_labels=fixed), ("good", "bad"))
    assert columns == single


def test_a_column_that_is_no_text_is_rejected_row_by_row():
    columns, single = both_ways(pa.table({"input": [1, 2], "output": ["a", "b"]}), Mapping(), Cleaning())
    assert columns == single
    assert [reject.code for reject in columns[1].rejected] == ["wrong_type", "wrong_type"]


@pytest.mark.parametrize("with_columns", [True, False])
def test_a_missing_column_is_told_at_once(tmp_path, with_columns, monkeypatch):
    pq.write_table(pa.table({"prompt": ["a"], "output": ["b"]}), tmp_path / "rows.parquet")
    monkeypatch.setattr(bulk, "is_possible", lambda: with_columns)
    with pytest.raises(DataError, match="no column"):
        convert_file(open_rows(tmp_path / "rows.parquet"), Mapping(), Cleaning(), tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_set_of_hashes_knows_what_it_was_given():
    numbers, known, seen = np.random.default_rng(0), SeenHashes(), set()
    for _ in range(40):
        hashes = numbers.integers(0, 2_000, 50).astype("u8") * np.uint64(2**53 + 1)
        for is_new, word in zip(known.new(hashes, hashes + 1).tolist(), hashes.tolist(), strict=True):
            assert is_new == (word not in seen)
            seen.add(word)


def test_hashes_that_share_their_first_word_are_told_apart_by_the_second():
    known, same = SeenHashes(), np.array([7, 7], "u8")
    assert known.new(same, np.array([1, 2], "u8")).tolist() == [True, True]
    assert known.new(same, np.array([1, 3], "u8")).tolist() == [False, True]
