"""What is scored was never trained on: not the same row, and no near twin of it."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from wxtuning import steps
from wxtuning.errors import LeakageError
from wxtuning.records import Record, convert, groups_of, held_out, sampled
from wxtuning.spec import NO_CLEANING, Cleaning, Mapping

WORDS = [f"{first}{last}" for first in "bdfgklmnprst" for last in ("an", "ip", "ole", "ura", "ek", "ost")]


def rows(count, *, seed=0, labels=("a", "b")):
    dice = random.Random(seed)
    return [
        Record(number=number, input=" ".join(dice.choices(WORDS, k=25)), output=label, label=label)
        for number in range(1, count + 1)
        for label in [dice.choice(labels)]
    ]


def twin(record, number):
    return record._replace(number=number, input=f"Well, {record.input}!")


def test_near_twins_never_stand_on_two_sides():
    records = rows(200)
    records += [twin(record, 200 + record.number) for record in records[:80]]
    for seed in range(5):
        kept, test = held_out(records, 0.3, seed=seed, by_label=True)
        kept, validation = held_out(kept, 0.2, seed=seed + 1, by_label=True)
        steps.fence(kept, test)
        steps.fence(kept, validation)
        steps.fence(validation, test)


def test_rows_added_elsewhere_move_no_other_row():
    records = rows(300)
    before = set(held_out(records, 60, seed=1, by_label=False)[1])
    after = set(held_out([*records, *rows(3, seed=9)], 60, seed=1, by_label=False)[1])
    assert len(before - after) <= 3


def test_groups_that_are_known_are_not_looked_for_again():
    records = rows(50)
    names = groups_of(records)
    assert held_out(records, 10, seed=0, by_label=False, groups=names) == held_out(records, 10, seed=0, by_label=False)


def test_a_group_has_one_name_whatever_other_rows_there_are():
    records = [*rows(20), twin(rows(20)[4], 21)]
    names = groups_of(records)
    assert names[4] == names[20]
    assert groups_of(records[4:])[0] == names[4]


def test_a_file_scored_on_its_own_training_rows_is_stopped():
    # As in a published LoRA sample: train on a file, then score data.sample(n=200, random_state=42) of the same file.
    import pandas as pd

    frame = pd.DataFrame([{"input": record.input, "output": record.output} for record in rows(400)])
    train = convert(frame.to_dict("records"), Mapping(), Cleaning()).records
    scored = convert(frame.sample(n=200, random_state=42).to_dict("records"), Mapping(), Cleaning()).records
    with pytest.raises(LeakageError, match="200 rows to be scored were trained on: rows 1, 2, 3"):
        steps.fence(train, scored)


def test_a_test_file_with_near_twins_of_training_rows_is_stopped():
    train = rows(50)
    test = [*rows(10, seed=5), twin(train[3], 11)]
    with pytest.raises(LeakageError, match="1 rows to be scored were nearly trained on: rows 11"):
        steps.fence(train, test)


def test_a_test_file_of_other_rows_passes():
    steps.fence(rows(100), rows(100, seed=7))
    steps.fence([], rows(5))
    steps.fence(rows(5), [])


def converted(records):
    found = [{"input": record.input, "output": record.output} for record in records]
    return convert(found, Mapping(), NO_CLEANING)


def test_a_sample_has_its_size_and_the_labels_in_proportion():
    found = converted([*rows(60, labels=("a",)), *rows(30, seed=1, labels=("b",)), *rows(10, seed=2, labels=("c",))])
    drawn = sampled(found, 20, seed=0, by_label=True)
    assert Counter(record.label for record in drawn.records) == {"a": 12, "b": 6, "c": 2}


def test_a_sample_accounts_for_the_rows_it_leaves():
    report = sampled(converted(rows(50)), 20, seed=0, by_label=False).report
    assert report.read == report.kept + sum(map(len, report.removed.values())) == 50
    assert len(report.removed["not in the sample"]) == 30


def test_the_seed_chooses_the_sample_and_the_order_of_the_rows_does_not():
    records = rows(60)
    mixed = random.Random(3).sample(records, len(records))
    first, again, other = (
        {record.input for record in sampled(converted(given), 20, seed=seed, by_label=True).records}
        for given, seed in ((records, 0), (mixed, 0), (records, 1))
    )
    assert first == again != other


def test_a_sample_larger_than_the_data_is_the_data():
    found = converted(rows(5))
    assert sampled(found, 10, seed=0, by_label=True) is found
