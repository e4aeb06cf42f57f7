"""Parquet and Arrow files under the row policy; each test names its row of section L of the promises."""

from __future__ import annotations

import gzip
import io
import pickle
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc

from wxtuning.rows.files import open_rows
from wxtuning.rows.validation import validate
from wxtuning.rows.verdict import FileError


def parquet(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def arrow_file(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def arrow_stream(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


FORMATS = {"rows.parquet": parquet, "rows.arrow": arrow_file, "stream.arrow": arrow_stream}


@pytest.fixture(params=FORMATS)
def stored(request, tmp_path):
    """Write a table in each of the formats; the answer is the file."""

    def store(table: pa.Table):
        file = tmp_path / request.param
        file.write_bytes(FORMATS[request.param](table))
        return file

    return store


def texts(count: int = 3) -> pa.Table:
    return pa.table({"input": [f"question {n}" for n in range(count)], "output": [f"answer {n}" for n in range(count)]})


def test_rows_are_read_in_their_order_over_many_batches(stored):
    rows = list(open_rows(stored(texts(10_000))).rows())
    assert rows == texts(10_000).to_pylist()


def test_a_file_in_gzip_is_read_alike(tmp_path):
    file = tmp_path / "rows.parquet.gz"
    file.write_bytes(gzip.compress(parquet(texts())))
    assert list(open_rows(file).rows()) == texts().to_pylist()


def test_dictionaries_and_large_strings_are_texts(stored):
    plain = texts()
    table = pa.table({"input": plain["input"].dictionary_encode(), "output": plain["output"].cast(pa.large_string())})
    assert validate(stored(table)).valid == [1, 2, 3]


def test_l28_nulls_and_other_types_reject_the_row(stored):
    table = pa.table({"input": ["a", None, "c"], "output": pa.array([1, 2, 3])})
    found = [(reject.number, reject.field, reject.code, reject.line) for reject in validate(stored(table)).rejected]
    assert found == [
        (1, "output", "wrong_type", None),
        (2, "input", "wrong_type", None),
        (3, "output", "wrong_type", None),
    ]


def test_l28_a_missing_column_is_a_file_error_that_names_the_nearest(stored):
    error = validate(stored(texts()), output="Output").file_error
    assert error.code == "missing_column"
    assert "'output'" in str(error)


def test_l28_zero_rows_are_a_file_error(stored):
    assert validate(stored(texts(0))).file_error.code == "empty_dataset"


def test_two_columns_of_one_name_are_a_file_error(tmp_path):
    file = tmp_path / "rows.arrow"
    file.write_bytes(arrow_file(pa.table([["a"], ["b"]], names=["input", "input"])))
    assert validate(file).file_error.code == "duplicate_column"


def test_l6_l16_a_nul_or_nothing_rejects_the_row(stored):
    table = pa.table({"input": ["a\0", "b", "c"], "output": ["x", "\u200b", "z"]})
    assert [(r.number, r.field, r.code) for r in validate(stored(table)).rejected] == [
        (1, "input", "nul_char"),
        (2, "output", "empty_field"),
    ]


def test_l11_a_text_of_3_mib_is_rejected_and_the_next_row_kept(stored):
    table = pa.table({"input": ["a", "x" * 3 * 1024**2, "c"], "output": ["x", "y", "z"]})
    verdict = validate(stored(table))
    assert verdict.valid == [1, 3]
    assert verdict.rejected[0].code == "record_too_long"


def test_l29_bytes_that_are_no_utf_8_are_a_damaged_file(stored):
    bad = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")])
    assert validate(stored(pa.table({"input": bad, "output": ["x"]}))).file_error.code == "invalid_parquet"


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_l29_a_cut_file_is_a_damaged_file(stored, kept):
    file = stored(texts(500))
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    assert validate(file).file_error.code == "invalid_parquet"


def test_l29_a_flipped_page_is_a_damaged_file(tmp_path):
    content = bytearray(parquet(texts(500), write_page_checksum=True, use_dictionary=False, compression="none"))
    content[content.index(b"question 7")] ^= 1
    file = tmp_path / "rows.parquet"
    file.write_bytes(content)
    assert validate(file).file_error.code == "invalid_parquet"


@pytest.mark.parametrize("seed", range(150))
def test_l29_whatever_byte_lies_the_answer_is_a_verdict(stored, seed):
    file = stored(texts(50))
    content = bytearray(file.read_bytes())
    rng = random.Random(seed)
    content[rng.randrange(len(content))] = rng.choice((0, 0x7F, 0x80, 0xFF))
    file.write_bytes(content)
    verdict = validate(file)
    assert verdict.file_error or len(verdict.valid) + len(verdict.rejected) == verdict.read


def test_l29_a_footer_that_claims_more_rows_than_can_be_is_not_believed(tmp_path):
    content = parquet(pa.table({"input": ["a"] * 3, "output": ["b"] * 3}))
    file = tmp_path / "rows.parquet"
    footer = content[-8 - int.from_bytes(content[-8:-4], "little") : -8]
    huge = footer.replace(b"\x16\x06", b"\x16\xfe\xff\xff\xff\xff\xff\xff\x0f")  # 3 as a thrift i64, and 2^58
    assert huge != footer
    file.write_bytes(content[: -8 - len(footer)] + huge + len(huge).to_bytes(4, "little") + b"PAR1")
    assert validate(file).file_error.code == "invalid_parquet"


class Planted:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('the pickle was executed')",)


@pytest.mark.parametrize("name", ["arrow.py_extension_type", "somebody.else"])
def test_l30_an_extension_type_with_a_pickle_is_read_as_plain_text(stored, name):
    metadata = {"ARROW:extension:name": name, "ARROW:extension:metadata": pickle.dumps(Planted())}
    fields = [pa.field("input", pa.string(), metadata=metadata), pa.field("output", pa.string())]
    table = texts().cast(pa.schema(fields))
    assert validate(stored(table)).valid == [1, 2, 3]


def test_what_is_no_parquet_is_told_by_name(tmp_path):
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"PK this is something else")
    with pytest.raises(FileError, match=r"rows\.parquet is no readable Parquet file"):
        list(open_rows(file).rows())


def test_a_value_that_python_has_no_type_for_is_told_as_a_file_error(stored):
    years = pa.array([2**50] * 3, pa.timestamp("s"))
    assert validate(stored(texts().append_column("when", years))).file_error.code == "invalid_parquet"
