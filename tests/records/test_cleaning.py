"""Each cleaning step does what its name says, tells which rows it touched, and can be turned off."""

from __future__ import annotations

import unicodedata

import pytest

from wxtuning.records import convert
from wxtuning.records.mojibake import repaired
from wxtuning.rows.verdict import FileRow, Reject
from wxtuning.spec import NO_CLEANING, Cleaning, Mapping

LABELS = ("praise", "complaint")


def converted(*pairs, labels=(), **steps):
    rows = [{"input": text, "output": answer} for text, answer in pairs]
    return convert(rows, Mapping(), Cleaning(**steps), labels)


@pytest.mark.parametrize(
    ("damaged", "meant"),
    [
        ("If you don‚Äôt see", "If you don’t see"),  # noqa: RUF001
        ("## üõ†Ô∏è Before You Begin", "## 🛠️ Before You Begin"),
        ("## \uf8ffüõ†Ô∏è Before You Begin", "## 🛠️ Before You Begin"),
        ("## \uf8ffüîß How to Tune", "## 🔧 How to Tune"),
        ("l’humanitÃ©", "l’humanité"),  # noqa: RUF001
        ("I said â€œhiâ€\x9d", "I said “hi”"),
    ],
)
def test_text_that_was_read_in_the_wrong_encoding_is_repaired(damaged, meant):
    found = converted((damaged, "x"))
    assert found.records[0].input == meant
    assert found.report.changed == {"mojibake repaired": (1,)}
    assert converted((damaged, "x"), fix_mojibake=False).records[0].input == damaged


@pytest.mark.parametrize(
    "text",
    [
        "größe, Öß, naïve café — “ok” … € 5 – ½",  # noqa: RUF001
        "日本語のテキスト",
        "👩‍👩‍👧 שלום\u2028end",
        "Zażółć gęślą jaźń",
        "Її мати; Он её видел",
        "Ελληνικά απόψε",
        "ＡＢＣ ﬁne",  # noqa: RUF001
        "an apple \uf8ff logo",
    ],
)
def test_text_in_any_language_is_kept_byte_for_byte(text):
    assert repaired(text) == text
    assert converted((text, text)).report.changed == {}


def test_composed_characters_are_written_in_one_way():
    found = converted(("cafe\u0301", "x"), ("café", "y"))
    assert [record.input for record in found.records] == ["café", "café"]
    assert found.report.changed == {"characters composed (NFC)": (1,)}
    kept = converted(("cafe\u0301", "x"), normalize=False).records[0].input
    assert not unicodedata.is_normalized("NFC", kept)


@pytest.mark.parametrize("blank", ["", " \n", "\u3000", "\u200b", "\ufeff \u2060"])
@pytest.mark.parametrize("field", ["input", "output"])
def test_a_text_with_nothing_to_see_is_removed_or_without_cleaning_rejected(blank, field):
    row = {"input": "a", "output": "b", field: blank}
    assert convert([row], Mapping(), Cleaning()).report.removed == {f"empty {field}": (1,)}
    assert [r.code for r in convert([row], Mapping(), NO_CLEANING).report.rejected] == ["empty_field"]


def test_of_rows_that_are_the_same_the_first_is_kept():
    found = converted(("a", "x"), ("b", "x"), ("a", "x"), (" a", "x"))
    assert [record.number for record in found.records] == [1, 2]
    assert found.report.removed == {"exact duplicate": (3, 4)}


def test_duplicates_that_stay_are_warned_about():
    found = converted(("a", "x"), ("a", "x"), drop_duplicates=False)
    assert len(found.records) == 2
    assert "1 rows repeat the input and output of an earlier one" in found.report.warnings


def test_an_input_with_two_outputs_is_flagged_or_removed_on_both_sides():
    pairs = [("a", "x"), ("b", "x"), ("a", "y"), ("a", "x")]
    kept, dropped = converted(*pairs), converted(*pairs, conflicts="drop")
    assert kept.report.flagged == {"same input, different output": (1, 3)}
    assert "1 inputs stand in the data with different outputs" in kept.report.warnings
    assert [record.number for record in dropped.records] == [2]
    assert dropped.report.removed["same input, different output"] == (1, 3)


def test_rows_outside_the_lengths_are_removed_by_reason():
    found = converted(("ab", "x"), ("a", "x"), ("abcdef", "x"), ("abc", "xxxxxx"), min_characters=2, max_characters=5)
    assert [record.number for record in found.records] == [1]
    assert found.report.removed == {"input too short": (2,), "input too long": (3,), "output too long": (4,)}


@pytest.mark.parametrize("label", ["Praise", "prase", "praise\u200b", "ｐｒａｉｓｅ", "PRAISE "])  # noqa: RUF001
def test_a_near_label_is_rejected_with_a_suggestion_and_on_request_replaced(label):
    asked = {"labels": LABELS, "strip": False, "normalize": False}
    (reject,) = converted(("a", label), **asked).report.rejected
    assert (reject.code, "did you mean 'praise'?" in reject.message) == ("unknown_label", True)
    fixed = converted(("a", label), **asked, fix_labels=True)
    assert fixed.records[0].output == "praise"
    assert fixed.report.changed == {"near labels replaced": (1,)}


@pytest.mark.parametrize("label", ["prais", "zzz"])
def test_a_label_that_is_near_to_two_or_none_is_never_replaced(label):
    found = converted(("a", label), labels=("praise", "praised"), fix_labels=True)
    assert [reject.code for reject in found.report.rejected] == ["unknown_label"]


@pytest.mark.parametrize("label", ["negativ", "Neutral", "positve"])
def test_labels_that_are_alike_among_themselves_can_still_be_told_apart(label):
    found = converted(("a", label), labels=("positive", "negative", "neutral"), fix_labels=True)
    assert found.records == () or found.records[0].output[:3] == label[:3].lower()


def test_near_duplicates_are_flagged_and_only_on_request_removed():
    text = "please send me the invoice for the blue chairs that I ordered in the first week of march"
    pairs = [(text, "yes"), (f"{text}!!", "yes"), (text.replace("blue", "red"), "yes"), (f"{text}.", "no")]
    flagged = converted(*pairs)
    assert flagged.report.flagged["near duplicate"] == (2, 3)
    assert len(flagged.records) == 4
    dropped = converted(*pairs, near_duplicates="drop")
    assert [record.number for record in dropped.records] == [1, 4]
    assert dropped.report.removed == {"near duplicate": (2, 3)}
    assert "near duplicate" not in converted(*pairs, near_duplicates="keep").report.flagged


def test_a_direction_override_is_flagged_and_right_to_left_text_is_not():
    found = converted(("a \u202eb", "x"), ("שלום", "x"))
    assert found.report.flagged == {"direction of the text overridden": (1,)}


def test_a_row_that_its_reader_rejected_is_counted_in_its_place():
    bad = Reject(number=9, field="", code="invalid_json", message="no JSON", line=3)
    report = convert([{"input": "a", "output": "b"}, bad, {"input": "c", "output": "d"}], Mapping(), Cleaning()).report
    assert (report.read, report.kept) == (3, 2)
    assert [(reject.number, reject.line, reject.code) for reject in report.rejected] == [(2, 3, "invalid_json")]


def test_a_reject_knows_the_line_of_its_row():
    rows = [FileRow({"input": "a", "output": "zzz"}, 5), FileRow({"input": 7, "output": "praise"}, 8)]
    found = convert(rows, Mapping(), Cleaning(), LABELS).report.rejected
    assert {(reject.number, reject.line) for reject in found} == {(1, 5), (2, 8)}


@pytest.mark.parametrize("row", [None, 7, "text", ["a"]])
def test_what_is_no_row_is_rejected_and_its_neighbours_are_kept(row):
    report = convert([{"input": "a", "output": "b"}, row], Mapping(), Cleaning()).report
    assert report.kept == 1
    assert [reject.code for reject in report.rejected] == ["not_an_object"]


def test_nothing_is_done_that_was_turned_off():
    text = " don‚Äôt mail a@b.org "  # noqa: RUF001
    report = convert([{"input": text, "output": "x"}] * 2, Mapping(), NO_CLEANING).report
    assert (report.changed, report.removed, report.flagged, report.kept) == ({}, {}, {}, 2)
