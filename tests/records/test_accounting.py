"""No row is lost and none invented, whatever the rows and whatever is done with them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from wxtuning.records import convert, jsonl
from wxtuning.rows.verdict import Reject
from wxtuning.spec import Cleaning, Mapping

LABELS = ("praise", "complaint")
texts = st.one_of(
    st.sampled_from(["a", " a", "A", "b\u0301", "", " ", "\u200b", "\0", "\ud800", "don‚Äôt", "x@y.org"]),  # noqa: RUF001
    st.text(max_size=20),
    st.text(alphabet="ab ", max_size=60),
)
outputs = st.one_of(st.sampled_from([*LABELS, "Praise", "prase", ""]), texts)
values = st.one_of(texts, st.none(), st.integers(), st.lists(st.text(max_size=2), max_size=2))
rows = st.one_of(
    st.fixed_dictionaries({"input": texts, "output": outputs}),
    st.dictionaries(st.sampled_from(["input", "output", "other"]), values, max_size=3),
    st.none(),
    st.just(Reject(number=1, field="", code="invalid_json", message="no JSON")),
)
cleanings = st.builds(
    Cleaning,
    **dict.fromkeys(
        ("fix_mojibake", "normalize", "strip", "drop_empty", "drop_duplicates", "fix_labels", "flag_personal"),
        st.booleans(),
    ),
    near_duplicates=st.sampled_from(["auto", "warn", "drop", "keep"]),
    conflicts=st.sampled_from(["keep", "drop"]),
    min_characters=st.integers(0, 3),
    max_characters=st.one_of(st.none(), st.integers(1, 30)),
)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.lists(rows, max_size=25), cleanings, st.sampled_from([(), LABELS]))
def test_every_row_is_kept_or_removed_once_or_rejected(items, cleaning, labels):
    converted = convert(items, Mapping(), cleaning, labels)
    report = converted.report
    fates = [record.number for record in converted.records]
    fates += [number for numbers in report.removed.values() for number in numbers]
    fates += {reject.number for reject in report.rejected}
    assert sorted(fates) == list(range(1, len(items) + 1))
    assert (report.read, report.kept) == (len(items), len(converted.records))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.lists(rows, max_size=25), cleanings, st.sampled_from([(), LABELS]))
def test_what_is_kept_can_be_written_and_carries_only_known_labels(items, cleaning, labels):
    records = convert(items, Mapping(), cleaning, labels).records
    assert jsonl(records).count(b"\n") == len(records)
    assert not labels or {record.label for record in records} <= set(labels)
    assert [record.number for record in records] == sorted(record.number for record in records)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.lists(st.fixed_dictionaries({"input": texts, "output": texts}), max_size=15), cleanings)
def test_cleaning_what_is_clean_removes_nothing_more(items, cleaning):
    once = convert(items, Mapping(), cleaning).records
    again = convert([{"input": r.input, "output": r.output} for r in once], Mapping(), cleaning).records
    assert [(r.input, r.output) for r in again] == [(r.input, r.output) for r in once]
