"""JSON arrays under the row policy; each test names its row of section L of the promises."""

from __future__ import annotations

import json

import pytest

from tests.rows.conftest import GOOD
from wxtuning.rows.files import open_rows


@pytest.fixture
def array(judged):
    return lambda content, **options: judged(content, name="rows.json", **options)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_l2_elements_know_the_line_where_they_start(array, end):
    text = end.join([b"", b"[", GOOD + b",", b"", b"  {", b'"input": "a"', b"}, " + GOOD + b",", b" 7 ]", b""])
    verdict = array(text)
    assert verdict["valid"] == [1, 3]
    assert [(reject["line"], reject["code"]) for reject in verdict["rejected"]] == [
        (5, "missing_field"),
        (8, "not_an_object"),
    ]


@pytest.mark.parametrize(
    ("element", "field", "code"),
    [
        (b'{"input": "a", "output": NaN}', "output", "non_finite"),
        (b'{"input": "a", "output": "b", "n": ' + b"9" * 5000 + b"}", "n", "number_too_long"),
        (b'{"input": "a", "input": "a", "output": "b"}', "input", "duplicate_key"),
        (b'{"input": "\\u0000", "output": "b"}', "input", "nul_char"),
        (b'{"input": "a\0", "output": "b"}', "input", "nul_char"),
        (b'{"input": "\\ud800", "output": "b"}', "input", "lone_surrogate"),
        (b'{"input": "\xe9", "output": "b"}', "input", "invalid_utf8"),
        (b"[" * 100_000 + b"]" * 100_000, None, "nesting_too_deep"),
        (b'{"input": "' + b"x" * 3 * 1024**2 + b'", "output": "b"}', None, "record_too_long"),
        (b'[{"input": "a"}]', None, "not_an_object"),
        (b'"a, [b], {c}"', None, "not_an_object"),
        (b'{"input": "a", "output": 1}', "output", "wrong_type"),
        (b'{"input": "a", "output": ""}', "output", "empty_field"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_l4_to_l16_a_bad_element_costs_no_other(array, element, field, code):
    verdict = array(b"[" + GOOD + b"," + element + b"," + GOOD + b"]")
    assert verdict["valid"] == [1, 3]
    assert verdict["rejected"] == [{"record": 2, "line": 1, "field": field, "code": code}]


@pytest.mark.parametrize("text", ["brackets ] } , { [", 'a "quoted" word', "a \\ and \\\\", "tail\\", "👩‍👩‍👧‍👦\u2028"])
@pytest.mark.parametrize("padding", [0, 1024**2 - 40, 1024**2 - 30, 1024**2 - 25, 1024**2 - 20, 1024**2 - 12])
def test_l20_text_is_kept_wherever_the_blocks_are_cut(tmp_path, text, padding):
    file = tmp_path / "rows.json"
    rows = [{"input": text, "output": text}, {"input": "next", "output": "row"}]
    file.write_bytes(b"[" + b" " * padding + json.dumps(rows, ensure_ascii=False).encode()[1:])
    assert [dict(row) for row in open_rows(file).rows()] == rows


@pytest.mark.parametrize(
    ("content", "code", "hint"),
    [
        (b"[" + GOOD + b"," + GOOD, "truncated", "cut off"),
        (b"[" + GOOD + b', {"input": "a', "truncated", "cut off"),
        (b"[", "truncated", "cut off"),
        (GOOD + b"\n" + GOOD, "not_an_array", "Name it .jsonl"),
        (b'{"rows": [' + GOOD + b"]}", "not_an_array", "jq .rows"),
        (b"7", "not_an_array", "a list of objects"),
        (b'"text"', "not_an_array", "a list of objects"),
        (b"[" + GOOD + b"," + b"]", "invalid_json", "JSON library"),
        (b"[" + GOOD + b",," + GOOD + b"]", "invalid_json", "JSON library"),
        (b"[" + GOOD + GOOD + b"]", "invalid_json", "line 1"),
        (b"[\n" + GOOD + b",\n{'input': 'a'}]", "invalid_json", "line 3"),
        (b"[" + GOOD + b"] x", "invalid_json", "something follows"),
        (b"[" + GOOD + b"}", "invalid_json", "line 1"),
        (b"[" * 100_000, "nesting_too_deep", "64 levels"),
        (b"input,output\na,b\n", "invalid_json", "begins with"),
        (b"[]", "empty_dataset", "rows.json"),
        (b" [ \n ] ", "empty_dataset", "rows.json"),
        (b"", "empty_dataset", "rows.json"),
        (GOOD.decode().encode("utf-16"), "invalid_encoding", "Save it as UTF-8"),
    ],
)
def test_l27_a_broken_array_is_a_file_error_with_a_hint(array, content, code, hint):
    verdict = array(content)
    assert verdict["file_error"]["code"] == code
    assert hint in verdict["file_error"]["message"]
    assert verdict["valid"] == verdict["rejected"] == []


def test_l1_a_byte_order_mark_is_dropped_with_a_warning(array):
    assert array(b"\xef\xbb\xbf[" + GOOD + b"]")["warnings"] == ["bom"]
