"""Rows become training lines or are accounted for; what is held out was never trained on."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from wxtuning.records import Record, columns_of, convert, held_out, jsonl, label_counts, with_labels
from wxtuning.spec import NO_CLEANING, Cleaning, Mapping

CLEAN = Cleaning()
LABELS = ("praise", "complaint")
ROWS = [
    {"input": " a ", "output": "praise"},
    {"input": "a", "output": "praise"},
    {"input": "", "output": "praise"},
    {"input": "b", "output": "  "},
    {"input": "c", "output": "prase"},
    {"input": 7, "output": "praise"},
    {"output": "praise"},
    {},
    {"input": "d", "output": "complaint"},
]


def record(number, label="", text=None):
    return Record(number=number, input=text or f"text {number}", output=label, label=label)


def labelled(**sizes):
    labels = [label for label, size in sizes.items() for _ in range(size)]
    return [record(number, label) for number, label in enumerate(labels, start=1)]


def one(row, mapping, cleaning=NO_CLEANING, labels=()):
    return convert([row], mapping, cleaning, labels)


def test_columns_are_mapped_by_name():
    found = one({"q": "why", "a": "so", "other": 1}, Mapping(input="q", output="a")).records
    assert [(r.number, r.input, r.output, r.label) for r in found] == [(1, "why", "so", "so")]


def test_a_template_joins_several_columns():
    row = {"title": "Hi", "body": "{title}", "y": "x"}
    assert one(row, Mapping(input="{title}: {body}, {{{title}}}", output="y")).records[0].input == "Hi: {title}, {Hi}"


def test_a_template_may_make_the_output():
    assert one({"input": "x", "a": "1", "b": "2"}, Mapping(output="{a}-{b}")).records[0].output == "1-2"


@pytest.mark.parametrize(
    "template",
    ["{a.__class__}", "{a.__class__.__mro__}", "{a[0]}", "{a[__class__]}", "{}", "{ }", "{", "}", "{a", "a}", "{{a}"],
)
def test_a_template_names_columns_and_reaches_no_further(template):
    with pytest.raises(ValueError, match=r"template|format string|expected"):
        columns_of(template)
    with pytest.raises(ValueError, match=r"template|format string|expected"):
        one({"a": "x", "output": "y"}, Mapping(input=template))


def test_a_column_named_twice_is_read_once():
    assert columns_of("{a} {b} {a}") == ("a", "b")
    assert columns_of("plain.name") == ("plain.name",)


def test_a_label_is_learned_as_its_word_and_kept_as_itself():
    found = one({"input": "x", "output": "1"}, Mapping(label_map={"1": "praise"}), labels=("1",)).records[0]
    assert (found.output, found.label) == ("praise", "1")


def test_every_row_is_kept_removed_or_rejected():
    report = convert(ROWS, Mapping(), CLEAN, LABELS).report
    assert (report.read, report.kept) == (9, 2)
    assert report.changed == {"surrounding white space stripped": (1, 4)}
    assert report.removed == {"exact duplicate": (2,), "empty input": (3,), "empty output": (4,)}
    assert {(r.number, r.code) for r in report.rejected} == {
        (5, "unknown_label"),
        (6, "wrong_type"),
        (7, "missing_field"),
        (8, "missing_field"),
    }


@pytest.mark.parametrize("seed", range(20))
def test_no_row_is_lost_whatever_the_rows_are(seed):
    dice = random.Random(seed)
    rows = dice.choices(ROWS, k=dice.randint(0, 50))
    cleaning = Cleaning(**{step: dice.random() < 0.5 for step in ("strip", "drop_empty", "drop_duplicates")})
    converted = convert(iter(rows), Mapping(), cleaning, LABELS)
    report = converted.report
    fates = [r.number for r in converted.records] + [n for rows in report.removed.values() for n in rows]
    assert sorted([*fates, *{r.number for r in report.rejected}]) == list(range(1, report.read + 1))
    assert report.read == len(rows)


def test_no_rows_make_no_records():
    assert convert([], Mapping(), CLEAN).report.read == 0


def test_without_cleaning_nothing_is_changed_and_empty_rows_are_rejected():
    rows = [{"input": " a ", "output": "x"}, {"input": " a ", "output": "x"}, {"input": " ", "output": "x"}]
    converted = convert(rows, Mapping(), NO_CLEANING)
    assert [r.input for r in converted.records] == [" a ", " a "]
    assert [(r.number, r.field, r.code) for r in converted.report.rejected] == [(3, "input", "empty_field")]


@pytest.mark.parametrize("value", [None, 1, 1.5, True, ["a"], b"a"])
def test_a_value_that_is_no_text_is_rejected_by_type(value):
    reject = one({"input": "x", "output": value}, Mapping()).report.rejected[0]
    assert (reject.field, reject.code) == ("output", "wrong_type")
    assert type(value).__name__ in str(reject)


def test_a_missing_column_is_answered_with_those_found():
    reject = one({"text": "x", "output": "y"}, Mapping()).report.rejected[0]
    assert str(reject) == "row 1, input: no field 'input'; fields found: 'text', 'output'"


@pytest.mark.parametrize("label", ["prase", "Praise", "PRAISES", " praise"])
def test_a_label_that_is_nearly_right_is_answered_with_the_right_one(label):
    reject = one({"input": "x", "output": label}, Mapping(), labels=LABELS).report.rejected[0]
    assert reject.code == "unknown_label"
    assert reject.message.endswith("did you mean 'praise'?")


def test_a_label_far_from_all_gets_no_suggestion():
    message = one({"input": "x", "output": "zzz"}, Mapping(), labels=LABELS).report.rejected[0].message
    assert "did you mean" not in message
    assert message.startswith("'zzz' is none of the labels 'praise', 'complaint'")


def test_what_a_reject_quotes_is_short_and_inert():
    message = one({"input": "x", "output": "\x1b[31m" + "x" * 500}, Mapping(), labels=LABELS).report.rejected[0].message
    assert "\x1b" not in message
    assert len(message) < 140


def test_inputs_with_different_outputs_are_warned_about():
    rows = [{"input": "a", "output": "praise"}, {"input": "a", "output": "complaint"}]
    assert "1 inputs" in convert(rows, Mapping(), CLEAN).report.warnings[0]


def test_a_report_counts_labels_and_is_plain_json():
    converted = convert(ROWS, Mapping(), CLEAN, LABELS)
    report = with_labels(converted, ("praise", "complaint", "other"))
    assert report.labels == {"praise": 1, "complaint": 1, "other": 0}
    assert json.loads(json.dumps(report.to_dict()))["removed"]["exact duplicate"] == [2]
    assert "removed: exact duplicate" in report.table().text()


def test_labels_are_counted_the_most_frequent_first():
    assert list(label_counts(labelled(a=1, b=3)).items()) == [("b", 3), ("a", 1)]


def test_lines_are_json_in_utf8_with_a_newline_after_each():
    written = jsonl([record(1, "größe"), record(2, "a\nb\u2028")])
    assert "größe".encode() in written
    assert [json.loads(line)["output"] for line in written.split(b"\n")[:-1]] == ["größe", "a\nb\u2028"]


@pytest.mark.parametrize(("size", "count"), [(0.1, 10), (0.25, 25), (0.5, 50), (1, 1), (10, 10), (99, 99)])
def test_as_many_rows_are_held_out_as_asked_for(size, count):
    kept, out = held_out(labelled(a=100), size, seed=0, by_label=False)
    assert (len(kept), len(out)) == (100 - count, count)


@pytest.mark.parametrize("size", [0.1, 10])
def test_each_label_gives_its_proportional_part(size):
    _, out = held_out(labelled(a=60, b=30, c=10), size, seed=0, by_label=True)
    assert Counter(r.label for r in out) == {"a": 6, "b": 3, "c": 1}


def test_both_parts_stand_in_the_order_of_the_records_and_nothing_is_lost():
    rows = labelled(a=20, b=20)
    kept, out = held_out(rows, 0.3, seed=0, by_label=True)
    assert sorted([*kept, *out], key=lambda r: r.number) == rows
    assert [r.number for r in out] == sorted(r.number for r in out)
    assert [r.number for r in kept] == sorted(r.number for r in kept)


@pytest.mark.parametrize("by_label", [True, False])
def test_the_order_of_the_rows_does_not_choose_who_is_held_out(by_label):
    rows = labelled(a=40, b=20)
    mixed = random.Random(1).sample(rows, len(rows))
    first, second = (held_out(order, 0.2, seed=3, by_label=by_label)[1] for order in (rows, mixed))
    assert set(first) == set(second)


def test_the_seed_chooses_who_is_held_out():
    rows = labelled(a=50)
    first, again, other = (held_out(rows, 0.2, seed=seed, by_label=False)[1] for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("by_label", [True, False])
def test_inputs_that_differ_in_case_and_white_space_stay_together(seed, by_label):
    ways = ("Text {}", "text  {}", " TEXT\n{} ")
    rows = [record(i, "ab"[i % 2], way.format(i // 3)) for i, way in enumerate(ways * 20)]
    kept, out = held_out(rows, 0.3, seed=seed, by_label=by_label)
    assert out
    assert not {r.fence for r in kept} & {r.fence for r in out}


def test_asking_for_more_than_there_is_holds_everything_out():
    assert held_out(labelled(a=3), 100, seed=0, by_label=False)[0] == ()


def test_nothing_is_held_out_of_nothing():
    assert held_out([], 0.5, seed=0, by_label=True) == ((), ())


@pytest.mark.parametrize("size", [1, 2, 3, 10, 0.05, 0.1])
def test_as_many_rows_are_held_out_as_were_asked_for_however_the_labels_divide(size):
    rows = [{"input": f"row {number}", "output": "abc"[number % 3]} for number in range(30)]
    found = convert(rows, Mapping(), Cleaning()).records
    wanted = round(30 * size) if size < 1 else size
    assert len(held_out(found, size, seed=0, by_label=True)[1]) == wanted


def test_half_of_a_character_pair_is_a_reject_and_no_crash():
    found = convert([{"input": "\ud800", "output": "x"}], Mapping(), Cleaning())
    assert [reject.code for reject in found.report.rejected] == ["lone_surrogate"]


@pytest.mark.parametrize("template", ["{a!r}", "{a:>10}", "{{a}}", "{a:{b}}"])
def test_a_template_that_would_format_or_name_nothing_is_refused(template):
    with pytest.raises(ValueError, match="is no template"):
        columns_of(template)
