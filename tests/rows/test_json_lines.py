"""JSON Lines under the row policy; each test names its row of section L of the promises."""

from __future__ import annotations

import json

import pytest

from tests.rows.conftest import GOOD
from wxtuning.rows.files import open_rows
from wxtuning.rows.policy import check
from wxtuning.rows.validation import validate
from wxtuning.rows.verdict import Reject


def row(**fields: object) -> bytes:
    return json.dumps({"input": "question", "output": "answer", **fields}).encode()


def test_l1_a_byte_order_mark_is_dropped_with_a_warning(judged):
    verdict = judged(b"\xef\xbb\xbf" + GOOD)
    assert (verdict["valid"], verdict["file_error"], verdict["warnings"]) == ([1], None, ["bom"])


def test_l1_a_byte_order_mark_inside_the_file_is_no_json(rejected):
    assert rejected(b"\xef\xbb\xbf" + row())[1] == "invalid_json"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
def test_l2_line_numbers_stay_true_with_any_line_end_and_blank_lines(judged, end, last):
    lines = [b"", row(input="a"), b"  \t", b"", b"[]", row(input="b")]
    verdict = judged(end.join(lines) + end * last)
    assert verdict["valid"] == [1, 3]
    assert verdict["rejected"] == [{"record": 2, "line": 5, "field": None, "code": "not_an_object"}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_l3_wide_encodings_are_a_file_error(judged, encoding):
    verdict = judged(GOOD.decode().encode(encoding))
    assert verdict["file_error"]["code"] == "invalid_encoding"
    assert "Save it as UTF-8" in verdict["file_error"]["message"]
    assert verdict["valid"] == verdict["rejected"] == []


def test_l4_one_latin_1_row_is_rejected_and_the_rest_kept(rejected):
    assert rejected('{"input": "café", "output": "x"}'.encode("latin-1")) == ("input", "invalid_utf8")


@pytest.mark.parametrize(
    "bad", [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf5\x80\x80\x80", b"\xff"]
)
def test_l5_overlong_and_cesu_bytes_reject_the_row(rejected, bad):
    assert rejected(b'{"input": "x", "output": "' + bad + b'"}') == ("output", "invalid_utf8")


@pytest.mark.parametrize("nul", [b"\0", b"\\u0000"], ids=["raw", "escaped"])
@pytest.mark.parametrize("field", ["input", "output", "note"])
def test_l6_a_nul_rejects_the_row_and_its_field_is_named(rejected, nul, field):
    assert rejected(row(**{field: "a%b"}).replace(b"%", nul)) == (field, "nul_char")


def test_l6_a_nul_outside_of_any_text_rejects_the_row(rejected):
    assert rejected(row() + b"\0") == (None, "nul_char")


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00", "\\ud83d\\ud83d", "x\\uDFFF"])
def test_l7_half_of_a_character_pair_rejects_the_row(rejected, half):
    assert rejected(b'{"input": "' + half.encode() + b'", "output": "x"}') == ("input", "lone_surrogate")


def test_l7_a_whole_pair_is_the_character(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(rb'{"input": "\ud83d\ude00", "output": "x"}')
    assert [dict(row) for row in open_rows(file).rows()] == [{"input": "😀", "output": "x"}]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("NaN", "non_finite"),
        ("Infinity", "non_finite"),
        ("-Infinity", "non_finite"),
        ("1e999", "non_finite"),
        ("-1e999", "non_finite"),
        ('[1, {"x": NaN}]', "non_finite"),
        ("9" * 5000, "number_too_long"),
        ("-" + "9" * 5000, "number_too_long"),
        ("0." + "1" * 5000, "number_too_long"),
    ],
)
def test_l8_numbers_that_are_none_reject_the_row_in_any_field(rejected, number, code):
    assert rejected(b'{"input": "x", "output": "y", "score": ' + number.encode() + b"}") == ("score", code)


@pytest.mark.parametrize(
    "text", ['{"input": "a", "input": "a", "output": "b"}', '{"input": "a", "\\u0069nput": "c", "output": "b"}']
)
def test_l9_a_key_that_stands_twice_rejects_the_row_also_escaped(rejected, text):
    assert rejected(text.encode()) == ("input", "duplicate_key")


def test_l9_a_key_that_stands_twice_in_an_inner_object_rejects_the_row(rejected):
    assert rejected(b'{"input": "a", "output": "b", "meta": [{"x": 1, "x": 2}]}') == ("meta", "duplicate_key")


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"input": [', '{"a": "x", "b": [{"c":'])
def test_l10_100_000_brackets_reject_the_row(rejected, opening):
    assert rejected((opening.encode() * 100_000)[:1_000_000]) == (None, "nesting_too_deep")


@pytest.mark.parametrize(("levels", "is_valid"), [(63, True), (64, False)])
def test_l10_a_row_may_be_64_levels_deep(judged, levels, is_valid):
    verdict = judged(b'{"input": "a", "output": "b", "x": ' + b"[" * levels + b"]" * levels + b"}")
    assert verdict["valid"] == ([1] if is_valid else [])


def test_l10_brackets_inside_texts_are_no_levels(judged):
    assert judged([row(input="[" * 500), row(input='"[' * 500)])["valid"] == [1, 2]


def test_l11_a_line_of_3_mib_is_rejected_and_the_next_row_kept(rejected):
    assert rejected(row(input="x" * 3 * 1024**2)) == (None, "record_too_long")


@pytest.mark.parametrize(("bytes_", "is_valid"), [(1024**2, True), (1024**2 + 1, False)])
def test_l11_a_record_may_be_one_mebibyte_long(judged, bytes_, is_valid):
    line = row(input="x" * (bytes_ - len(row(input=""))))
    assert len(line) == bytes_
    assert judged([GOOD, line, GOOD])["valid"] == ([1, 2, 3] if is_valid else [1, 3])


@pytest.mark.parametrize("kept", range(1, len(row(note=True))))
def test_l12_a_last_line_that_is_cut_off_is_truncated(judged, kept):
    verdict = judged(GOOD + b"\n" + row(note=True)[:kept])
    assert verdict["valid"] == [1]
    assert [(reject["line"], reject["code"]) for reject in verdict["rejected"]] == [(2, "truncated")]


def test_l12_a_file_cut_inside_a_character_is_truncated(judged):
    cut = '{"input": "é'.encode()[:-1]
    assert judged(GOOD + b"\n" + cut)["rejected"][0]["code"] == "truncated"


@pytest.mark.parametrize("record", [b"[]", b'["a", "b"]', b"1", b"-1.5", b'"text"', b"true", b"null", b"NaN"])
def test_l13_what_is_no_object_rejects_the_row(rejected, record):
    assert rejected(record) == (None, "not_an_object")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("outptu", "'outptu'"),
        ("Output", "'Output'"),
        ("out\u200bput", r"'out\u200bput'"),
        (" output ", "' output '"),
        ("\u043eutput", "'\u043eutput'"),
    ],
)
def test_l14_a_missing_field_is_named_with_the_nearest_one(tmp_path, name, shown):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"input": "a", name: "b"}, ensure_ascii=False), encoding="utf-8")
    [reject] = validate(file).rejected
    assert (reject.field, reject.code) == ("output", "missing_field")
    assert f"the nearest is {shown}" in reject.message


def test_l14_a_missing_field_that_nothing_resembles_lists_what_is_there(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"input": "a", "zzz": "b"}')
    [reject] = validate(file).rejected
    assert reject.message == "no field 'output'; fields found: 'input', 'zzz'"


@pytest.mark.parametrize("value", [1, 0.5, True, False, None, [], ["a"], {"a": "b"}])
@pytest.mark.parametrize("field", ["input", "output"])
def test_l15_what_is_no_text_is_never_made_one(rejected, field, value):
    assert rejected(row(**{field: value})) == (field, "wrong_type")


@pytest.mark.parametrize(
    "value", ["", " ", "\t\n", "\u00a0\u2003\u3000", "\u200b", "\u200b \ufeff\u2060", "\u3164", "\u2800"]
)
@pytest.mark.parametrize("field", ["input", "output"])
def test_l16_a_text_with_nothing_to_see_is_empty(rejected, field, value):
    assert rejected(row(**{field: value})) == (field, "empty_field")


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("positve", "'positve'"),
        ("Positive", "'Positive'"),
        ("positive ", "'positive '"),
        ("pos\u200bitive", r"'pos\u200bitive'"),
        ("pоsitive", "'pоsitive'"),  # noqa: RUF001
        ("ｐｏｓｉｔｉｖｅ", "'ｐｏｓｉｔｉｖｅ'"),  # noqa: RUF001
    ],
)
def test_l17_a_label_that_nearly_matches_is_rejected_with_a_suggestion(tmp_path, label, shown):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"input": "a", "output": label}, ensure_ascii=False), encoding="utf-8")
    [reject] = validate(file, labels=["positive", "negative"]).rejected
    assert (reject.field, reject.code) == ("output", "unknown_label")
    assert shown in reject.message
    assert "did you mean 'positive'?" in reject.message


def test_l17_without_labels_any_output_is_one(judged):
    assert judged([row(output="positive"), row(output="positve")], labels=())["valid"] == [1, 2]


def test_l18_a_single_class_and_a_rare_class_are_warnings(judged):
    same = [row(input=f"q{n}", output="yes") for n in range(99)]
    assert judged(same, labels=())["warnings"] == ["single_class"]
    assert judged([*same, row(output="no")], labels=["yes", "no"])["warnings"] == ["class_imbalance"]
    assert judged([*same, row(output="no")])["warnings"] == []


def test_l19_duplicates_and_conflicts_are_warnings_with_counts(tmp_path):
    file = tmp_path / "rows.jsonl"
    lines = [row(input="a"), row(input="b"), row(input="a"), row(input="a"), row(input="b", output="other")]
    file.write_bytes(b"\n".join(lines))
    said = validate(file).warnings
    assert said["duplicate_row"] == "rows that repeat an earlier one, input and output: 2"
    assert said["conflicting_rows"] == "inputs that stand in the data with different outputs: 1"
    assert list(said) == ["duplicate_row", "conflicting_rows"]


def test_l19_rows_are_compared_by_their_texts_not_by_how_they_are_written(judged):
    same = [b'{"input": "a\\u00e9", "output": "b"}', '{"output":"b",  "input":"aé", "id": 3}'.encode()]
    assert judged(same)["warnings"] == ["extra_field", "duplicate_row"]


@pytest.mark.parametrize("text", ["👩‍👩‍👧‍👦", "שלום עולם", "a\u2028b\u2029c", "e\u0301", "a\x7f", "\ue000", "ﬁ"])
def test_l20_text_is_kept_character_for_character(tmp_path, text):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"input": text, "output": text}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [dict(row) for row in open_rows(file).rows()] == [{"input": text, "output": text}]
    assert validate(file).is_clean


@pytest.mark.parametrize("control", "\u202a\u202e\u2066\u2069")
def test_l21_characters_that_change_direction_are_a_warning(judged, control):
    assert judged([GOOD, row(input=f"a{control}b")])["warnings"] == ["bidi_control"]


def test_l22_one_bad_row_among_10_000_is_named_by_its_line(judged):
    lines = [row(input=str(number)) for number in range(10_000)]
    lines[6_789] = b'{"input": "a"}'
    verdict = judged([b"", *lines])
    assert verdict["rejected"] == [{"record": 6790, "line": 6791, "field": "output", "code": "missing_field"}]
    assert len(verdict["valid"]) == 9_999


@pytest.mark.parametrize("cores", [1, 2])
def test_rows_are_told_apart_and_compared_over_many_megabytes(tmp_path, monkeypatch, cores):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(cores), raising=False)
    lines = [row(input=f"{number} {'word' * 2_000}", output="long") for number in range(1_000)]
    lines[100] = lines[200] = row(input="a" * 1_060_000)
    lines[101] = row(input="\\u0041")
    lines[300] = lines[302] = lines[305] = row(input="a" * 7_000_000)
    lines[800] = lines[999] = lines[2]
    lines[801] = lines[900] = b'{"output": "b", "input": "%s"}' % (b"c" * 9_000)
    lines[990] = b'{"input": "a"}'
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"\n".join(lines))
    verdict = validate(file)
    found = [(reject.line, reject.code) for reject in verdict.rejected]
    assert found == [*((line, "record_too_long") for line in (101, 201, 301, 303, 306)), (991, "missing_field")]
    assert verdict.warnings == {"duplicate_row": "rows that repeat an earlier one, input and output: 3"}


def test_l22_1_000_bad_rows_make_a_short_message_with_a_count(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"[]\n" * 900 + b"{}\n" * 100)
    verdict = validate(file)
    assert len(verdict.rejected) == 1_000
    text = str(verdict)
    assert len(text.splitlines()) < 20
    assert "and 995 more" in text
    assert "rejected: not_an_object" in text


@pytest.mark.parametrize(
    "text",
    [
        b'[\n{"input": "a", "output": "b"},\n{"input": "a", "output": "b"}\n]',
        b'[{"input": "a", "output": "b"}]',
        b'{\n  "input": "a",\n  "output": "b"\n}',
    ],
)
def test_l27_json_over_several_lines_is_not_json_lines(judged, text):
    error = judged(text)["file_error"]
    assert error["code"] == "not_jsonl"
    assert "one object" in error["message"]


@pytest.mark.parametrize("content", [b"", b"\n\n \r\n", b"\xef\xbb\xbf"])
def test_a_file_without_rows_is_a_file_error(judged, content):
    assert judged(content)["file_error"]["code"] == "empty_dataset"


def test_an_extra_field_and_white_space_around_a_text_are_warnings(judged):
    assert judged([row(input=" a"), row(id=7)])["warnings"] == ["extra_field", "surrounding_whitespace"]


def test_a_text_may_be_made_of_several_columns_of_which_some_are_empty(judged):
    lines = [b'{"title": "", "body": "b", "output": "x"}', b'{"title": " ", "body": "", "output": "x"}']
    verdict = judged(lines, input=("title", "body"))
    assert verdict["valid"] == [1]
    assert verdict["rejected"][0]["code"] == "empty_field"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"input": "a"}, "missing_field"),
        ({"input": 1, "output": "b"}, "wrong_type"),
        ({"input": "\ud800", "output": "b"}, "lone_surrogate"),
        ({"input": "a\0", "output": "b"}, "nul_char"),
        ({"input": "a", "output": "\u200b"}, "empty_field"),
        ({"input": "a", "output": "Yes"}, "unknown_label"),
    ],
)
def test_rows_in_memory_get_the_verdict_of_rows_in_a_file(rejected, values, code):
    found = check(values, ["input", "output"], number=2, labels=["yes", "row"])
    assert isinstance(found, Reject)
    assert (found.field, found.code) == rejected(json.dumps(values).encode(), labels=["yes", "row"])
    assert found.code == code
    assert check({"input": "a", "output": "yes"}, ["input", "output"], number=1, labels=["yes"]) is None


def test_a_row_knows_its_line(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"\n" + GOOD + b"\n\n[]\n" + GOOD)
    found = list(open_rows(file).rows())
    assert [item.line for item in found] == [2, 4, 5]
    assert [isinstance(item, Reject) for item in found] == [False, True, False]
