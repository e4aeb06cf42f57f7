"""CSV and TSV under the row policy; each test names its row of section L of the promises."""

from __future__ import annotations

import csv
import io

import pytest

from wxtuning.rows.files import open_rows


@pytest.fixture
def table(judged):
    return lambda content, name="rows.csv", **options: judged(content, name=name, **options)


def cells(tmp_path, content: bytes, name: str = "rows.csv") -> list[list[object]]:
    file = tmp_path / name
    file.write_bytes(content)
    return [list(row.values()) for row in open_rows(file).rows()]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
def test_l2_any_line_end_is_one_and_a_blank_line_is_no_record(table, end, last):
    lines = [b"", b"input,output", b"a,b", b"", b'"two', b'lines",c', b"short", b"d,e"]
    verdict = table(end.join(lines) + end * last)
    assert verdict["valid"] == [1, 2, 4]
    assert verdict["rejected"] == [{"record": 3, "line": 7, "field": None, "code": "wrong_column_count"}]


@pytest.mark.parametrize(("cell", "code"), [(b"caf\xe9", "invalid_utf8"), (b"a\0b", "nul_char"), (b"", "empty_field")])
def test_l4_l6_l16_a_bad_cell_rejects_its_row_and_names_the_column(table, cell, code):
    verdict = table(b"input,output\na,b\nc," + cell + b"\nd,e\n")
    assert verdict["valid"] == [1, 3]
    assert verdict["rejected"] == [{"record": 2, "line": 3, "field": "output", "code": code}]


@pytest.mark.parametrize("content", [b'"a,b\nc,d\n', b'a,"b\nc,d\n' + b"e,f\n" * 300_000, b'a,"b""\nc,d\n', b'a,"'])
def test_l23_a_quote_that_is_never_closed_is_a_file_error(table, content):
    error = table(b"input,output\n" + content)["file_error"]
    assert error["code"] == "unclosed_quote"
    assert "line 2" in error["message"]


def test_l24_short_and_long_rows_are_rejected_not_shifted(table):
    verdict = table(b"input,output,note\na,b,c\na,b\na,b,c,d\na,b,\n")
    assert verdict["valid"] == [1, 4]
    assert [reject["code"] for reject in verdict["rejected"]] == ["wrong_column_count"] * 2


@pytest.mark.parametrize("text", ["NA", "null", "NaN", "007", "1e5", "True", "-", " x ", "=1+1", "None", "1,5"])
def test_l25_every_cell_is_text_as_written(tmp_path, text):
    quoted = f'"{text}"' if "," in text else text
    assert cells(tmp_path, f"input,output\n{quoted},b\n".encode()) == [[text, "b"]]


@pytest.mark.parametrize(
    ("header", "code", "said"),
    [
        (b"what is it,a fruit", "missing_column", "input,output"),
        (b"input,input,output", "duplicate_column", "'input' twice"),
        (b" input ,output", "missing_column", "' input '"),
        (b"Input,output", "missing_column", "'Input'"),
        (b"input;output", "missing_column", "separated by ';'"),
        (b"input\toutput", "missing_column", "separated by '\\t'"),
        (b"inp\xfft,output", "invalid_utf8", "header"),
        (b'"input"x,output', "invalid_csv", "header"),
    ],
)
def test_l26_a_header_that_does_not_name_the_columns_is_a_clear_file_error(table, header, code, said):
    error = table(header + b"\na,b\n")["file_error"]
    assert error["code"] == code
    assert said in error["message"]


def test_l26_a_cell_of_200_kb_is_read_whole_and_no_limit_of_others_is_changed(tmp_path):
    before = csv.field_size_limit()
    assert cells(tmp_path, b"input,output\n" + b"x" * 200_000 + b",b\n") == [["x" * 200_000, "b"]]
    assert csv.field_size_limit() == before


def test_l11_a_record_of_3_mib_is_rejected_and_the_next_row_kept(table):
    long = b'"' + b"x\n" * 1_600_000 + b'"'
    verdict = table(b"input,output\na,b\n" + long + b",b\nc,d\n" + b"y" * 3 * 1024**2 + b",b\ne,f\n")
    assert verdict["valid"] == [1, 3, 5]
    assert [reject["code"] for reject in verdict["rejected"]] == ["record_too_long"] * 2
    assert verdict["rejected"][1]["line"] == 1_600_005


def test_text_behind_a_closing_quote_rejects_the_row(table):
    assert table(b'input,output\n"a"x,b\nc,d\n')["rejected"][0]["code"] == "invalid_csv"


def test_a_quote_inside_a_cell_without_quotes_is_text(tmp_path):
    assert cells(tmp_path, b'input,output\n5" disk,b\n') == [['5" disk', "b"]]


def test_tabs_separate_the_cells_of_tsv(tmp_path):
    assert cells(tmp_path, b"input\toutput\na,b\tc\n", "rows.tsv") == [["a,b", "c"]]


def test_what_the_csv_module_writes_is_read_as_it_was(tmp_path):
    rows = [["a,b", 'say "hi"'], ["two\nlines", "c\r\nd"], ['"', '""'], [" ", "e,\n"], ["", "x"]]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["input", "output"], *rows])
    assert cells(tmp_path, out.getvalue().encode()) == rows


@pytest.mark.parametrize("content", [b"", b"input,output\n", b"input,output\n\n\n"])
def test_a_table_without_rows_is_a_file_error(table, content):
    assert table(content)["file_error"]["code"] == "empty_dataset"


def test_l1_a_byte_order_mark_is_no_part_of_the_first_name(table):
    verdict = table(b"\xef\xbb\xbfinput,output\na,b\n")
    assert (verdict["valid"], verdict["warnings"]) == ([1], ["bom"])


def test_l3_wide_encodings_are_a_file_error(table):
    assert table("input,output\na,b\n".encode("utf-16"))["file_error"]["code"] == "invalid_encoding"
