"""Whatever a file holds: no row is lost or invented, and blocks are judged as their lines are one by one."""

from __future__ import annotations

import csv
import io
import json
import string

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather

from tests.rows.conftest import GOOD
from wxtuning.rows.files import open_rows
from wxtuning.rows.jsontext import record_of
from wxtuning.rows.policy import fault_of
from wxtuning.rows.tally import Tally
from wxtuning.rows.validation import validate
from wxtuning.rows.verdict import Fault, FileError, Reject

FEW = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

EDGES = ["a\n", "a\u00a0", "\u00a0a", "\u3000a", "a\u3000", "\u2800", "\u00ad", "\u200b", "漢字", "a\u0301", "\u034f"]

letters = st.text(alphabet=string.ascii_letters + " .,", min_size=1, max_size=12)
signs = st.text(
    alphabet='ab "\\/\n\t\r\0\x7f\x1bé\u00a0\u0301\u034f\u200b\u202e\u2067\u2028\u3000漢字。🙂\ufeffжи[]{}:,',
    max_size=8,
)
texts = (
    letters
    | letters
    | signs
    | st.sampled_from(["yes", "no", "Yes", "", " ", "a", "q" * 9, "a\u202eb", "ж\u2067a", "aéb", *EDGES])
)


@st.composite
def ordinary(draw) -> bytes:
    row = {"input": draw(texts), "output": draw(texts)}
    return json.dumps(row, ensure_ascii=draw(st.booleans())).encode()


@st.composite
def damaged(draw) -> bytes:
    line = bytearray(draw(ordinary()))
    at = draw(st.integers(0, len(line) - 1))
    byte = draw(st.sampled_from(list(b'"\\{}[],: \t\r\0\x01ax9\xc3\xa9\xe2\x80\xff')))
    change = draw(st.sampled_from(["set", "insert", "remove", "cut", "double"]))
    if change == "set":
        line[at] = byte
    elif change == "insert":
        line.insert(at, byte)
    elif change == "remove":
        del line[at]
    elif change == "cut":
        del line[at:]
    else:
        line *= 2
    return bytes(line)


other = st.sampled_from(
    [
        b"",
        GOOD,
        GOOD + b" ",
        b'{"input":"good","output":"row"}',
        b'{"input": "caf\xe9", "output": "b"}',
        b'{"input": "a\tb", "output": "b"}',
        b'{"input": "a\x1f", "output": "b"}',
        b" \t",
        b"[]",
        b"null",
        b'{"output": "b", "input": "a"}',
        b'{"input":"a","output":"b"}',
        b'{"input": "a", "output": "b", "id": "7"}',
        b'{"input": "a", "output": "b", "id": 7}',
        b'{"input": "a", "input": "a", "output": "b"}',
        b'{"input": "a", "output": 1}',
        b'{"input": "a"}',
        b'{"input": "a", "output": "b"} {"input": "a", "output": "b"}',
        b'{"input": "a", "output": NaN}',
        rb'{"input": "\ud800", "output": "b"}',
        rb'{"input": "a\/b", "output": "b\\"}',
    ]
)
some = st.lists(ordinary() | ordinary() | ordinary() | damaged() | other, max_size=30)
lines = some | st.builds(lambda rest: [GOOD, b'{"input": "a", "output": "b"}', *rest], some)
ends = st.sampled_from([b"\n", b"\n", b"\r\n"])


def judged_one_by_one(content: bytes, labels: list[str] | None) -> dict[str, object]:
    """The verdict by the shortest way that the policy can be written down."""
    tally = Tally(["input"], ["output"], counts_labels=labels is not None)
    valid, rejected = [], []
    number = 0
    physical = content.split(b"\n")
    for line, text in enumerate(physical, start=1):
        if not text.strip(b" \t\r\n"):
            continue
        number += 1
        row = record_of(text, is_last=line == len(physical))
        fault = (
            row
            if isinstance(row, Fault)
            else fault_of(row, [["input"], ["output"]], labels=labels or (), label="output")
        )
        if fault:
            reject = {"record": number, "line": line, "field": fault.field or None, "code": fault.code}
            rejected.append(reject)
        else:
            valid.append(number)
            tally.add(row)
    return {"valid": valid, "rejected": rejected, "warnings": tally.warnings()}


@FEW
@given(lines, ends, st.booleans(), st.sampled_from([None, [], ["yes", "no", "a"]]), st.integers(0, 3))
def test_blocks_are_judged_as_their_lines_are(tmp_path, lines, end, is_ended, labels, repeated):
    content = end.join(lines * (repeated + 1)) + end * is_ended
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    verdict = validate(file, labels=labels)
    if verdict.file_error:
        assert verdict.file_error.code in {"empty_dataset", "not_jsonl", "invalid_encoding"}
        return
    found = {key: value for key, value in verdict.to_dict().items() if key != "file_error"}
    assert {**found, "warnings": verdict.warnings} == judged_one_by_one(content, labels)
    assert len(verdict.valid) + len(verdict.rejected) == verdict.read


@FEW
@given(lines, ends, st.booleans())
def test_rows_are_read_as_their_lines_are(tmp_path, lines, end, is_ended):
    content = end.join(lines) + end * is_ended
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    try:
        found = list(open_rows(file).rows())
    except FileError:
        return
    assert_read_one_by_one(found, content)


def assert_read_one_by_one(found: list[object], content: bytes) -> None:
    physical = content.split(b"\n")
    texts = [(number, text) for number, text in enumerate(physical, start=1) if text.strip(b" \t\r\n")]
    assert [item.line for item in found] == [number for number, _ in texts]
    for item, (number, text) in zip(found, texts, strict=True):
        expected = record_of(text, is_last=number == len(physical))
        if isinstance(item, Reject):
            assert (item.field, item.code, item.message) == expected
        else:
            assert dict(item) == expected


CHANGED = '{"input": "say \\"é\\"", "output": "ro\\nw"}'.encode()
MOSTLY_BEYOND_ASCII = '{"input": "скажи \\"é\\"", "output": "ro\\nw"}'.encode()
BYTES = [
    *(bytes([byte]) for byte in b'"\\{}[],: \t\r\0\x01\x1f\x7fanu9\xff'),
    b"",
    "\u202e".encode(),
    "\u00a0".encode(),
]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("labels", [None, ["ro\nw", "row"]])
@pytest.mark.parametrize(("line", "among"), [(CHANGED, GOOD), (MOSTLY_BEYOND_ASCII, MOSTLY_BEYOND_ASCII)])
def test_no_single_change_of_a_line_is_judged_otherwise_among_ordinary_ones(tmp_path, end, labels, line, among):
    places = range(len(line))
    inserted = [line[:at] + byte + line[at:] for at in places for byte in BYTES]
    replaced = [line[:at] + byte + line[at + 1 :] for at in places for byte in BYTES]
    content = end.join(one for change in [GOOD, *inserted, *replaced] for one in (change, among, among)) + end
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    verdict = validate(file, labels=labels)
    expected = judged_one_by_one(content, labels)
    assert verdict.to_dict()["rejected"] == expected["rejected"]
    assert (verdict.valid, verdict.warnings) == (expected["valid"], expected["warnings"])
    assert_read_one_by_one(list(open_rows(file).rows()), content)


@FEW
@given(
    lines,
    st.binary(max_size=60),
    st.sampled_from(["jsonl", "json", "csv", "tsv", "parquet", "arrow", "zip", "tar", "gz", "bin"]),
)
def test_accepted_and_rejected_are_what_was_read_for_every_reader(tmp_path, lines, noise, suffix):
    file = tmp_path / f"rows.{suffix}"
    file.write_bytes(b"\n".join([*lines, noise]))
    items = []
    try:
        items.extend(open_rows(file).rows())
    except FileError as error:
        assert validate(file).file_error.code in {error.code, "missing_column"}
        return
    rejected = [item for item in items if isinstance(item, Reject)]
    assert [items.index(reject) + 1 for reject in rejected] == [reject.number for reject in rejected]
    verdict = validate(file)
    assert verdict.read == len(items) or verdict.file_error
    assert len(verdict.valid) + len(verdict.rejected) == verdict.read


rows = st.lists(st.fixed_dictionaries({"input": texts, "output": texts}), min_size=1, max_size=20)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "tsv"])
@FEW
@given(rows)
def test_every_row_that_was_written_is_read_as_it_was(tmp_path, suffix, rows):
    file = tmp_path / f"rows.{suffix}"
    file.write_bytes(written(rows, suffix))
    found = list(open_rows(file).rows())
    assert len(found) == len(rows)
    for item, row in zip(found, rows, strict=True):
        is_kept = "\0" not in row["input"] + row["output"]
        assert isinstance(item, Reject) != is_kept
        assert not is_kept or dict(item) == row


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@FEW
@given(
    st.lists(st.fixed_dictionaries({"input": texts | st.none(), "output": texts | st.none()}), min_size=1, max_size=20)
)
def test_every_row_of_a_table_is_read_as_it_was_and_judged(tmp_path, suffix, rows):
    table = pa.Table.from_pylist(rows, pa.schema([("input", pa.string()), ("output", pa.string())]))
    file = tmp_path / f"rows.{suffix}"
    (pq.write_table if suffix == "parquet" else feather.write_feather)(table, file)
    assert list(open_rows(file).rows()) == rows
    verdict = validate(file)
    expected = {number: fault_of(row, [["input"], ["output"]]) for number, row in enumerate(rows, start=1)}
    assert verdict.valid == [number for number, fault in expected.items() if fault is None]
    assert len(verdict.valid) + len(verdict.rejected) == verdict.read == len(rows)


def written(rows: list[dict[str, str]], suffix: str) -> bytes:
    if suffix == "jsonl":
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    if suffix == "json":
        return json.dumps(rows, indent=2, ensure_ascii=False).encode()
    out = io.StringIO(newline="")
    delimiter = "," if suffix == "csv" else "\t"
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["input", "output"], *([row["input"], row["output"]] for row in rows)])
    return out.getvalue().encode()
