"""What `.load` takes: which source reads it, and the rows of what is in memory."""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from threading import Event

import datasets
import httpx2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import wxtuning as wx
from wxtuning import registry
from wxtuning.rows.verdict import FileError, Reject
from wxtuning.spec import Selection

ROWS = [{"text": "a", "colour": "red"}, {"text": "b", "colour": "blue"}]


def rows(value, limit=None, **selection):
    return list(islice(registry.source(value, Selection(**selection)).rows(), limit))


def fingerprint(value, **selection):
    return registry.source(value, Selection(**selection)).fingerprint()


def one_by_one(values):
    yield from values


class Shelf:
    """Neither a sequence nor an iterator, but it can be iterated, again and again."""

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return iter(self.values)


KINDS = {
    "a list": list,
    "a tuple": tuple,
    "a generator": one_by_one,
    "an iterator": iter,
    "an iterable": Shelf,
    "dict views": lambda values: dict(enumerate(values)).values(),
    "a DataFrame": pd.DataFrame,
    "a Dataset": datasets.Dataset.from_list,
    "an IterableDataset": lambda values: datasets.Dataset.from_list(values).to_iterable_dataset(),
    "a DatasetDict": lambda values: datasets.DatasetDict(train=datasets.Dataset.from_list(values)),
    "an IterableDatasetDict": lambda values: datasets.IterableDatasetDict(
        train=datasets.Dataset.from_list(values).to_iterable_dataset()
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
in_memory = pytest.mark.parametrize("name", ["a list", "a tuple", "a DataFrame", "a Dataset", "a DatasetDict"])


@every_kind
def test_every_kind_gives_the_rows_as_they_are(kind):
    assert rows(kind(ROWS)) == ROWS


@every_kind
def test_every_kind_is_read_from_the_start_again(kind):
    source = registry.source(registry.kept(kind(ROWS)))
    assert list(source.rows()) == list(source.rows()) == ROWS


@every_kind
def test_every_kind_gives_only_the_columns_asked_for(kind):
    assert rows(kind(ROWS), columns=["text"]) == [{"text": "a"}, {"text": "b"}]


@every_kind
def test_every_kind_lists_its_columns_when_one_is_wrong(kind):
    with pytest.raises(
        FileError, match=r"has no column 'color'; did you mean 'colour'\?\n.*'text', 'colour'"
    ) as caught:
        rows(kind(ROWS), columns=["text", "color"])
    assert caught.value.code == "missing_column"


@every_kind
def test_every_kind_says_what_it_is_and_reads_nothing_for_it(kind):
    given = kind(ROWS)
    assert registry.source(given).describe()
    assert rows(given) == ROWS


@pytest.mark.parametrize("name", [name for name in KINDS if "Iterable" not in name])
def test_rows_may_be_none_at_all(name):
    assert rows(KINDS[name]([])) == []


# --- rows that are no rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, one_by_one, Shelf])
def test_L13_what_is_no_dict_is_a_rejected_row_and_the_others_stay(kind):
    found = rows(kind([ROWS[0], "a text", None, ["a"], ROWS[1]]))
    assert [item for item in found if not isinstance(item, Reject)] == ROWS
    rejected = [item for item in found if isinstance(item, Reject)]
    assert [(reject.number, reject.code) for reject in rejected] == [(number, "not_an_object") for number in (2, 3, 4)]
    assert "expected a dict, found str 'a text'" in str(rejected[0])


@pytest.mark.parametrize("value", [3, None, b"rows", {"text": ["a"]}, True, object()])
def test_what_holds_no_rows_is_a_plan_error_that_lists_what_does(value):
    with pytest.raises(wx.PlanError, match=f"cannot load rows from {type(value).__name__}; expected .* a Hub id"):
        registry.source(value)


# --- generators ---------------------------------------------------------------------------------------------------


def test_a_generator_is_read_once_and_kept_over_all_plans():
    experiment = wx.TuningExperiment("x").load(one_by_one(ROWS))
    branch = experiment.tune(num_epochs=2)
    first, second = (registry.source(each.spec and each._source) for each in (experiment, branch))
    assert list(first.rows()) == list(second.rows()) == ROWS


def test_loading_a_generator_takes_nothing_from_it():
    taken = []
    wx.TuningExperiment("x").load(taken.append(row) or row for row in ROWS)
    assert taken == []


def test_no_more_is_taken_from_a_generator_without_end_than_is_used():
    numbers = count(1)
    source = registry.source({"n": number} for number in numbers)
    assert list(islice(source.rows(), 3)) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert next(numbers) == 4


def test_two_threads_read_the_same_rows_of_one_generator():
    entered, go_on = Event(), Event()

    def slow():
        entered.set()
        go_on.wait(timeout=10)
        yield from ROWS

    source = registry.source(slow())
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: list(source.rows()))
        entered.wait(timeout=10)
        second = pool.submit(lambda: list(source.rows()))
        with suppress(TimeoutError):  # it waits for the first, and would fail at once if it did not
            second.exception(timeout=0.05)
        go_on.set()
        assert first.result() == second.result() == ROWS


def test_an_error_of_the_users_own_generator_stays_what_it_is():
    def broken():
        yield ROWS[0]
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        rows(broken())


# --- DataFrames ---------------------------------------------------------------------------------------------------


def test_a_missing_value_of_a_frame_is_none_in_every_type():
    frame = pd.DataFrame(
        {
            "text": ["a", None],
            "number": [1.5, np.nan],
            "whole": pd.array([1, None], dtype="Int64"),
            "day": [pd.Timestamp("2026-01-01"), pd.NaT],
            "words": [["a"], ["b", "c"]],
        }
    )
    first, second = rows(frame)
    assert second == {"text": None, "number": None, "whole": None, "day": None, "words": ["b", "c"]}
    assert first["number"] == 1.5 and first["words"] == ["a"]


def test_two_columns_of_one_name_are_an_error_and_none_is_lost():
    with pytest.raises(FileError, match="several columns named 'a'") as caught:
        rows(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    assert caught.value.code == "duplicate_column"


def test_the_index_of_a_frame_is_no_column():
    assert rows(pd.DataFrame(ROWS, index=[7, 7])) == ROWS


# --- datasets -----------------------------------------------------------------------------------------------------


def a_dict():
    parts = {"train": datasets.Dataset.from_list(ROWS * 600), "test": datasets.Dataset.from_list(ROWS)}
    return datasets.DatasetDict(parts)


def test_a_dict_of_several_splits_lists_them_with_their_sizes():
    with pytest.raises(
        FileError, match=r"DatasetDict has 2 splits, and none is named\n.*train \(1,200 rows\), test \(2 rows\)"
    ):
        rows(a_dict())


def test_a_split_of_a_dict_is_chosen_by_name():
    assert rows(a_dict(), split="test") == ROWS
    with pytest.raises(FileError, match=r"no split 'tset'; did you mean 'test'\?"):
        rows(a_dict(), split="tset")


def test_a_selection_of_a_dataset_is_read_in_its_order():
    assert rows(datasets.Dataset.from_list(ROWS).select([1, 0, 1])) == [ROWS[1], ROWS[0], ROWS[1]]


def test_a_format_set_for_training_does_not_change_the_values():
    dataset = datasets.Dataset.from_list([{"n": 1, "text": "a"}]).with_format("numpy")
    assert rows(dataset) == [{"n": 1, "text": "a"}]
    assert type(rows(dataset)[0]["n"]) is int


def test_a_transform_that_the_user_set_is_applied():
    dataset = datasets.Dataset.from_list(ROWS).with_transform(
        lambda batch: {"loud": [t.upper() for t in batch["text"]]}
    )
    assert rows(dataset) == [{"loud": "A"}, {"loud": "B"}]


def pictures():
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    stored = [{"bytes": file.getvalue(), "path": None}, {"bytes": b"broken", "path": "b.png"}]
    features = {
        "text": datasets.Value("string"),
        "image": datasets.Image(),
        "album": datasets.List(datasets.Image()),
        "page": {"sound": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}},
        "mixed": datasets.Json(),
        "label": datasets.ClassLabel(names=["no", "yes"]),
    }
    values = [
        {"text": "a", "image": image, "album": [image], "page": {"sound": image}, "mixed": mixed, "label": 1}
        for image, mixed in zip(stored, ["words", {"deep": [1]}], strict=True)
    ]
    dataset = datasets.Dataset.from_list(values, features=datasets.Features(features))
    # Only a cast makes sound of bytes without a decoder for it.
    return dataset.cast_column("page", {"sound": datasets.Audio()}), values


def test_images_and_sound_are_kept_as_stored_and_nothing_else_is():
    dataset, values = pictures()
    assert rows(dataset) == values


def test_images_and_sound_of_a_stream_are_kept_as_stored_and_nothing_else_is():
    dataset, values = pictures()
    assert rows(dataset.to_iterable_dataset()) == values


def test_a_stream_without_known_columns_is_read():
    assert rows(datasets.IterableDataset.from_generator(one_by_one, gen_kwargs={"values": ROWS})) == ROWS


def breaking():
    yield ROWS[0]
    raise httpx2.ConnectError("gone")


def test_a_stream_whose_hub_goes_away_is_unavailable():
    with pytest.raises(wx.Unavailable):
        rows(datasets.IterableDataset.from_generator(breaking))


# --- fingerprints -------------------------------------------------------------------------------------------------


@in_memory
def test_the_same_rows_have_the_same_fingerprint_in_any_container(name):
    assert fingerprint(KINDS[name](ROWS)) == fingerprint(ROWS)


@pytest.mark.parametrize(
    "other",
    [ROWS[::-1], ROWS[:1], [*ROWS, ROWS[0]], [ROWS[0], {**ROWS[1], "text": "B"}], [ROWS[0], {**ROWS[1], "more": 1}]],
)
def test_other_rows_have_another_fingerprint(other):
    assert fingerprint(other) != fingerprint(ROWS)


def test_the_columns_asked_for_are_part_of_the_fingerprint():
    assert fingerprint(ROWS, columns=["text"]) != fingerprint(ROWS)


def test_the_fingerprint_of_a_generator_is_that_of_what_was_read():
    source = registry.source({"n": number} for number in count())
    list(islice(source.rows(), 3))
    assert source.fingerprint() == fingerprint([{"n": 0}, {"n": 1}, {"n": 2}])


@pytest.mark.parametrize("value", ["\ud800", {1, 2}, 5 + 1j, np.float32(1), b"\xff"])
def test_a_value_that_json_has_no_word_for_has_a_fingerprint(value):
    assert fingerprint([{"a": value}]) == fingerprint([{"a": value}])


def test_keys_that_are_no_text_and_towers_of_brackets_have_a_fingerprint():
    tower: list[object] = []
    for _ in range(100_000):
        tower = [tower]
    assert fingerprint([{(1, 2): "a"}]) != fingerprint([{(1, 3): "a"}])
    assert fingerprint([{"a": tower}]).startswith("sha256:")


def test_where_a_value_lies_in_memory_is_no_part_of_the_fingerprint():
    assert fingerprint([{"a": object()}]) == fingerprint([{"a": object()}])


def test_the_order_of_columns_is_no_part_of_the_fingerprint():
    assert fingerprint([dict(reversed(row.items())) for row in ROWS]) == fingerprint(ROWS)


@pytest.mark.parametrize("name", ["an iterable", "an IterableDataset"])
def test_what_would_have_to_be_read_again_has_no_fingerprint(name):
    assert fingerprint(KINDS[name](ROWS)) == fingerprint(KINDS[name](ROWS), columns=["text"]) == ""


# --- a Source of one's own ----------------------------------------------------------------------------------------


class Own:
    def rows(self):
        return iter(ROWS)

    def describe(self):
        return "my own"


def test_a_source_of_ones_own_is_taken_as_it_is_without_a_fingerprint():
    own = Own()
    assert registry.source(own) is own
    assert rows(own, columns=["text"]) == [{"text": "a"}, {"text": "b"}]
    assert fingerprint(own, columns=["text"]) == ""


# --- texts: paths and ids -----------------------------------------------------------------------------------------

HUB = "HubRows"
FILES = "Files"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("alespalla/chatbot_instruction_prompts", HUB),
        ("owner/set.v2", HUB),
        ("owner/rows.jsonl", FILES),
        ("data/rows.csv.gz", FILES),
        ("data/*.jsonl", FILES),
        ("data/rows-[0-9]", FILES),
        ("rows", FILES),
        ("rows.jsonl", FILES),
        ("./owner/set", FILES),
        ("/owner/set", FILES),
        ("../set", FILES),
        ("a/b/c", FILES),
        ("owner/set\n", FILES),
        ("~/set", FILES),
    ],
)
def test_an_owner_and_a_name_are_a_hub_id_and_everything_else_is_a_path(text, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert type(registry.source(text)).__name__ == kind


def test_what_exists_on_this_machine_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("owner").mkdir()
    Path("owner/set").write_text('{"text": "a"}\n', encoding="utf-8")
    assert rows("owner/set") == [{"text": "a"}]


def test_a_path_object_is_never_a_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert type(registry.source(Path("owner/set"))).__name__ == FILES


# --- what is asked for --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [ROWS, pd.DataFrame(ROWS), "rows.jsonl", one_by_one(ROWS)])
def test_words_that_mean_nothing_for_a_source_are_all_told(value):
    with pytest.raises(wx.PlanError) as caught:
        registry.source(value, Selection(split="train", revision="v1", name="x", streaming=True))
    assert [problem.partition("=")[0] for problem in caught.value.problems] == [
        "split",
        "revision",
        "name",
        "streaming",
    ]
    assert "takes columns=" in caught.value.problems[0] or "take columns=" in caught.value.problems[0]


def test_everything_wrong_with_a_load_is_told_at_once():
    with pytest.raises(wx.PlanError) as caught:
        wx.TuningExperiment("x").load("owner/set", split="", columns="text", limit=0, on_reject="drop")
    assert [problem.split(":")[1].strip() for problem in caught.value.problems] == [
        "selection.split",
        "selection.columns",
        "limit",
        "on_reject",
    ]


def test_a_load_is_kept_in_the_spec():
    spec = wx.TuningExperiment("x").load("owner/set", split="train", columns=["a"], limit=5, on_reject="skip").spec
    assert (spec.selection.split, spec.selection.columns, spec.limit, spec.on_reject) == ("train", ("a",), 5, "skip")


def test_a_second_load_forgets_the_first():
    spec = wx.TuningExperiment("x").load("owner/set", split="train", limit=5).load(ROWS).spec
    assert (spec.selection, spec.limit) == (Selection(), None)


def test_neither_loading_nor_showing_imports_a_vendor_package_or_asks_anybody():
    program = (
        "import sys; import wxtuning as wx; e = wx.TuningExperiment('x').load('owner/set', split='train', limit=3); "
        "e.load(({'a': 1} for _ in range(3)))._repr_html_(); assert 'owner/set' in e._repr_html_(); "
        "print(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"datasets", "huggingface_hub", "pandas", "pyarrow", "httpx2"} & set(done.stdout.split())
