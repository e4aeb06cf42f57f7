"""A file of any size becomes the lines that its rows in memory would become, in little memory."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from wxtuning.errors import PlanError
from wxtuning.records import bulk, convert, convert_file, jsonl, streaming
from wxtuning.rows.verdict import Reject
from wxtuning.spec import Cleaning, Mapping

SOME = ["a", " a ", "b", "", "cafe\u0301", "don‚Äôt", "mail x@y.org", "long " * 30, 7, "\ud800"]  # noqa: RUF001


class Rows:
    def __init__(self, values):
        self.values = values

    def rows(self):
        yield from self.values


def some_rows(count, seed=0):
    dice = random.Random(seed)
    rows = [{"input": dice.choice(SOME), "output": dice.choice(["x", "y", " y"])} for _ in range(count)]
    rows[count // 2] = Reject(number=1, field="", code="invalid_json", message="no JSON")
    return rows


@pytest.fixture(autouse=True, params=[True, False], ids=["columns", "rows"])
def as_columns(request, monkeypatch):
    """Each test runs as with polars, and as without it."""
    monkeypatch.setattr(bulk, "is_possible", lambda: request.param)


@pytest.mark.parametrize("labels", [(), ("x",)])
def test_the_lines_and_the_report_are_those_of_rows_in_memory(tmp_path, labels):
    rows, cleaning = some_rows(3000), Cleaning(near_duplicates="keep", max_characters=100)
    mapping = Mapping(label_map={"x": "ex"})
    found = convert(rows, mapping, cleaning, labels)
    report = convert_file(Rows(rows), mapping, cleaning, tmp_path / "out.jsonl", labels)
    assert (tmp_path / "out.jsonl").read_bytes() == jsonl(found.records)
    assert (report.read, report.kept, report.removed) == (3000, found.report.kept, found.report.removed)
    assert (report.changed, report.rejected) == (found.report.changed, found.report.rejected)


def test_many_different_rows_are_all_kept_and_their_copies_removed(tmp_path):
    rows = [{"input": f"row {number}", "output": "x"} for number in range(20_000)]
    report = convert_file(Rows(rows + rows[::2]), Mapping(), Cleaning(), tmp_path / "out.jsonl")
    assert (report.read, report.kept) == (30_000, 20_000)
    assert report.removed["exact duplicate"] == tuple(range(20_001, 30_001))


def test_what_is_not_listed_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "LISTED", 3)
    rows = [{"input": "a", "output": "x"}] * 10 + [{"input": 1, "output": "x"}] * 10
    report = convert_file(Rows(rows), Mapping(), Cleaning(), tmp_path / "out.jsonl")
    assert report.removed == {"exact duplicate": (2, 3, 4)}
    assert (report.count("exact duplicate"), len(report.rejected), report.rejected_rows) == (9, 3, 10)
    assert report.read == report.kept + report.count("exact duplicate") + report.rejected_rows


def test_inputs_with_another_output_are_warned_about(tmp_path):
    rows = [{"input": "a", "output": "x"}, {"input": "a", "output": "y"}, {"input": "a", "output": "y"}]
    report = convert_file(Rows(rows), Mapping(), Cleaning(), tmp_path / "out.jsonl")
    assert "1 rows repeat the input of an earlier one with another output" in report.warnings


@pytest.mark.parametrize("asked", [{"conflicts": "drop"}, {"near_duplicates": "drop"}, {"near_duplicates": "warn"}])
def test_what_needs_all_rows_at_once_is_refused_before_anything_is_written(tmp_path, asked):
    with pytest.raises(PlanError, match="needs all rows in memory"):
        convert_file(Rows([]), Mapping(), Cleaning(**asked), tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    def broken():
        yield {"input": "a", "output": "b"}
        raise ValueError("broken")

    (tmp_path / "out.jsonl").write_bytes(b"old")
    with pytest.raises(ValueError, match="broken"):
        convert_file(Rows(broken()), Mapping(), Cleaning(), tmp_path / "out.jsonl")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("out.jsonl", b"old")]


def test_memory_grows_by_digests_and_not_by_texts(tmp_path):
    def rows(count):
        return ({"input": f"{number} " + "x" * 2000, "output": str(number)} for number in range(count))

    def peak(count):
        tracemalloc.start()
        try:
            convert_file(Rows(rows(count)), Mapping(), Cleaning(), tmp_path / "out.jsonl")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1_000)
    assert peak(12_000) - peak(4_000) < 8_000 * 400
