"""Data sets of the Hub, read by the real libraries from a server that speaks its protocol."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import wxtuning as wx
from tests.hub import client
from tests.hub.files import FORMATS, TWO_CONFIGS, TWO_SPLITS, card, csv, jsonl, pairs, parquet
from tests.hub.server import Fault
from wxtuning.rows.verdict import FileError

BOTH_WAYS = pytest.mark.parametrize("streaming", [False, True], ids=["copied", "streamed"])
SECRET = "hf_verySecretToken"


def test_what_is_said_without_asking_is_the_id(publish, ask, hub):
    name = publish({"train.jsonl": jsonl(pairs(2))})
    _, before, _ = ask(client.pins, name)
    assert before == name


@BOTH_WAYS
@pytest.mark.parametrize("file", FORMATS)
def test_every_format_gives_the_rows_as_they_were_written(publish, ask, file, streaming):
    name = publish({file: FORMATS[file](pairs(30))})
    assert ask(client.rows, name, streaming=streaming) == pairs(30)


@BOTH_WAYS
def test_files_of_one_split_are_read_one_after_the_other(publish, ask, streaming):
    name = publish({f"data/train-0000{part}-of-00003.parquet": parquet(pairs(5 + part)) for part in range(3)})
    assert ask(client.rows, name, streaming=streaming) == [*pairs(5), *pairs(6), *pairs(7)]


def test_only_the_files_of_the_split_are_fetched(publish, ask, hub):
    name = publish(
        {"README.md": TWO_SPLITS, "data/train-0.jsonl": jsonl(pairs(3)), "data/test-0.jsonl": jsonl(pairs(2))}
    )
    assert ask(client.rows, name, split="test") == pairs(2)
    assert not hub.asked("data/train-0.jsonl")


@BOTH_WAYS
def test_a_value_that_is_no_text_stays_what_it_is(publish, ask, streaming):
    rows = [{"prompt": 7, "response": None, "tags": ["a"], "more": {"deep": 1.5}}]
    for file in ("train.parquet", "train.jsonl"):
        assert ask(client.rows, publish({file: FORMATS[file](rows)}), streaming=streaming) == rows


@BOTH_WAYS
def test_a_csv_cell_is_text_as_written(publish, ask, streaming):
    name = publish({"train.csv": b"a,b,c\nNA,null,007\n"})
    assert ask(client.rows, name, streaming=streaming) == [{"a": "NA", "b": "null", "c": "007"}]


@BOTH_WAYS
def test_a_bad_row_is_yielded_as_the_reason_with_its_place(publish, ask, streaming):
    good = b'{"a": "x"}\n'
    name = publish({"train/1.jsonl": good * 2, "train/2.jsonl": good + b'\n{"a": "x", "a": "y"}\n' + good})
    assert ask(client.rejects, name, streaming=streaming) == [(4, "duplicate_key", 3, "train/2.jsonl")]
    name = publish({"train.jsonl": good + b'{"a": "x'})
    assert ask(client.rejects, name, streaming=streaming) == [(2, "truncated", 2, "")]


@BOTH_WAYS
def test_an_image_is_kept_as_it_is_stored(publish, ask, streaming):
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    rows = [
        {"text": "a", "image": {"bytes": file.getvalue(), "path": "a.png"}},
        {"text": "b", "image": {"bytes": b"?", "path": None}},
    ]
    features = card("dataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: image\n    dtype: image")
    name = publish({"README.md": features, "data/train-0.parquet": parquet(rows)})
    assert ask(client.rows, name, streaming=streaming) == rows


# --- pinned -------------------------------------------------------------------------------------------------------


def test_the_fingerprint_holds_commit_configuration_and_split(publish, ask, hub):
    name = publish({"train.jsonl": jsonl(pairs(2))})
    commit = hub.repositories[name].commit()
    fingerprint, _, described = ask(client.pins, name)
    assert fingerprint == f"{name}@{commit}/default/train"
    assert described == f"{name}@{commit[:12]} (train)"


def test_the_columns_are_part_of_the_fingerprint(publish, ask):
    fingerprint, *_ = ask(client.pins, publish({"train.jsonl": jsonl(pairs(2))}), columns=["prompt"])
    assert fingerprint.endswith("/default/train?columns=prompt")


def test_a_source_stays_at_its_commit_when_the_branch_moves_on(publish, ask, hub):
    name = publish({"train.jsonl": jsonl(pairs(2))})
    ask(client.Twice.first, name)
    was = hub.repositories[name].files
    publish({"train.jsonl": jsonl(pairs(9))}, name=name, older={"v1": was})
    assert ask(client.Twice.again, name) == pairs(2)
    assert ask(client.rows, name) == pairs(9)


@BOTH_WAYS
def test_a_revision_is_a_tag_or_a_commit(publish, ask, hub, streaming):
    name = publish({"train.jsonl": jsonl(pairs(9))}, older={"v1": {"train.jsonl": jsonl(pairs(2))}})
    commit = hub.repositories[name].commit("v1")
    for revision in ("v1", commit):
        assert ask(client.rows, name, revision=revision, streaming=streaming) == pairs(2)


def test_an_unknown_revision_lists_those_that_are(publish, ask):
    name = publish({"train.jsonl": jsonl(pairs(9))}, older={"v1.0": {"train.jsonl": jsonl(pairs(2))}})
    with pytest.raises(FileError, match=r"has no revision 'v1.1'; did you mean 'v1.0'\?\n.*main, v1.0") as caught:
        ask(client.rows, name, revision="v1.1")
    assert caught.value.code == "not_found"


@BOTH_WAYS
def test_a_plan_pins_the_commit_and_is_the_same_when_made_again(publish, ask, hub, streaming):
    name = publish({"train.parquet": parquet(pairs(500))})
    commit = hub.repositories[name].commit()
    first = ask(client.plan, name, limit=100, streaming=streaming)
    assert first[:3] == (f"{name}@{commit[:12]} (train)", f"{name}@{commit}/default/train", 100)
    assert ask(client.plan, name, limit=100, streaming=streaming) == first


# --- no more than is needed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "share"), [("train.parquet", 0.1), ("train.jsonl", 0.25), ("train.csv", 0.25)])
def test_a_limit_on_a_stream_leaves_the_rest_where_it_is(publish, ask, hub, file, share):
    content = FORMATS[file](pairs(20_000, length=200))
    name = publish({file: content})
    assert len(ask(client.rows, name, streaming=True, limit=50)) == 50
    assert 0 < hub.sent_of(name) < share * len(content)


def test_a_limit_on_a_stream_leaves_later_files_alone(publish, ask, hub):
    name = publish({f"data/train-0000{part}-of-00002.jsonl": jsonl(pairs(30)) for part in range(2)})
    ask(client.rows, name, streaming=True, limit=10)
    assert not hub.sent.get(f"{name}/data/train-00001-of-00002.jsonl")


def test_other_columns_of_a_streamed_parquet_file_are_not_sent(publish, ask, hub):
    name = publish({"train.parquet": parquet(pairs(20_000, length=200), group=20_000)})
    rows = ask(client.rows, name, streaming=True, columns=["response"])
    assert rows[-1] == {"response": "answer 19999"}
    assert hub.sent_of(name) < 0.05 * len(hub.repositories[name].files["train.parquet"])


@BOTH_WAYS
@pytest.mark.parametrize("file", FORMATS)
def test_only_the_columns_asked_for_are_in_the_rows(publish, ask, file, streaming):
    name = publish({file: FORMATS[file](pairs(3))})
    rows = ask(client.rows, name, columns=["response"], streaming=streaming)
    assert rows == [{"response": f"answer {number}"} for number in range(3)]


def test_what_was_read_once_is_not_sent_again(publish, ask, hub):
    name = publish(
        {"README.md": TWO_SPLITS, "data/train-0.jsonl": jsonl(pairs(3)), "data/test-0.jsonl": jsonl(pairs(2))}
    )
    ask(client.rows, name, split="train")
    hub.forget()
    ask(client.rows, name, split="train")
    assert hub.asked(name) == [("GET", f"/api/datasets/{name}")]


# --- what is not there --------------------------------------------------------------------------------------------


def test_the_guides_misspelt_id_is_answered_with_the_right_one(publish, ask):
    publish({"train.jsonl": jsonl(pairs(2))}, name="alespalla/chatbot_instruction_prompts")
    publish({"train.jsonl": jsonl(pairs(2))}, name="alespalla/other")
    with pytest.raises(FileError, match="did you mean 'alespalla/chatbot_instruction_prompts'") as caught:
        ask(client.rows, "alespalla/chatbot_instructions_prompts", split="train")
    assert caught.value.code == "not_found"


def test_a_wrong_owner_is_answered_by_the_name(publish, ask):
    publish({"train.jsonl": jsonl(pairs(2))}, name="somebody/tickets-of-a-shop")
    with pytest.raises(FileError, match="did you mean 'somebody/tickets-of-a-shop'"):
        ask(client.rows, "somebodi/tickets-of-a-shop")


def test_an_id_like_no_other_is_answered_without_a_guess(ask):
    with pytest.raises(FileError, match=r"the Hub has no data set 'zzz/qqq'\n.*HF_TOKEN"):
        ask(client.rows, "zzz/qqq")


def test_that_a_guess_could_not_be_looked_up_is_said(hub, ask):
    hub.faults = [Fault("GET", "^/api/datasets$", times=99, status=404)]
    with pytest.raises(FileError, match="whether another was meant could not be looked up"):
        ask(client.rows, "zzz/qqq")


def test_a_wrong_split_lists_those_that_are_with_their_sizes(publish, ask):
    info = "dataset_info:\n  splits:\n  - name: train\n    num_examples: 3000\n  - name: test\n    num_examples: 20"
    files = {"README.md": card(info), "data/train-0.jsonl": jsonl(pairs(3)), "data/test-0.jsonl": jsonl(pairs(2))}
    with pytest.raises(
        FileError, match=r"no split 'trian'; did you mean 'train'\?\n.*train \(3,000 rows\), test \(20 rows\)"
    ):
        ask(client.rows, publish(files), split="trian")


def test_several_splits_need_a_word(publish, ask):
    name = publish({"train.jsonl": jsonl(pairs(3)), "test.jsonl": jsonl(pairs(2))})
    with pytest.raises(FileError, match=r"has 2 splits, and none is named\n.*split= with one of: train, test"):
        ask(client.rows, name)


@pytest.mark.parametrize("split", ["train[:10%]", "train+test"])
def test_parts_and_sums_of_splits_are_refused(publish, ask, split):
    name = publish({"train.jsonl": jsonl(pairs(3)), "test.jsonl": jsonl(pairs(2))})
    with pytest.raises(FileError, match="is a part or a sum of splits; wxtuning takes one whole split"):
        ask(client.rows, name, split=split)


def test_a_configuration_is_chosen_by_name(publish, ask):
    name = publish({"README.md": TWO_CONFIGS, "plain/a.jsonl": jsonl(pairs(3)), "chatty/b.jsonl": jsonl(pairs(2))})
    assert ask(client.rows, name, name="chatty") == pairs(2)
    with pytest.raises(FileError, match=r"has 2 configurations, and none is named\n.*name= with one of: plain, chatty"):
        ask(client.rows, name)
    with pytest.raises(FileError, match=r"has no configuration 'chaty'; did you mean 'chatty'\?"):
        ask(client.rows, name, name="chaty")


@BOTH_WAYS
@pytest.mark.parametrize("file", FORMATS)
def test_a_wrong_column_lists_those_that_are(publish, ask, file, streaming):
    name = publish({file: FORMATS[file](pairs(3))})
    with pytest.raises(FileError, match="no column 'promt'; did you mean 'prompt'") as caught:
        ask(client.rows, name, columns=["promt"], streaming=streaming)
    assert caught.value.code == "missing_column"
    assert "'prompt', 'response'" in caught.value.hint


# --- refused ------------------------------------------------------------------------------------------------------


def test_L36_a_data_set_that_is_a_program_is_refused(publish, ask, tmp_path):
    canary = tmp_path / "canary"
    name = publish({"script-set.py": f"open({str(canary)!r}, 'w')".encode()}, name="owner/script-set")
    with pytest.raises(FileError, match=r"is a program .* wxtuning runs no code of a data set") as caught:
        ask(client.rows, name)
    assert caught.value.code == "unsupported_format"
    assert not canary.exists()


def test_L36_an_older_copy_does_not_stand_in_for_a_program(publish, ask):
    name = publish({"train.jsonl": jsonl(pairs(9))}, name="owner/turned-set")
    ask(client.load_with_datasets, name)
    publish({"turned-set.py": b""}, name=name)
    with pytest.raises(FileError, match="wxtuning runs no code of a data set"):
        ask(client.rows, name)


def test_L36_remote_code_cannot_be_asked_for():
    with pytest.raises(TypeError, match="trust_remote_code"):
        wx.TuningExperiment("x").load("owner/set", trust_remote_code=True)


def test_files_without_rows_are_refused_by_name(publish, ask):
    with pytest.raises(FileError, match=r"keeps rows in 'train/a.txt', expected a file of \.parquet.*\.tsv"):
        ask(client.rows, publish({"train/a.txt": b"words"}))


def test_an_empty_data_set_is_an_error(publish, ask):
    with pytest.raises(FileError) as caught:
        ask(client.rows, publish({"README.md": card("license: mit")}))
    assert caught.value.code == "unsupported_format"


def test_a_card_with_its_own_way_of_reading_is_refused(publish, ask):
    own = card("configs:\n- config_name: default\n  data_files: train.csv\n  sep: '|'")
    with pytest.raises(FileError, match=r"read with sep='\|', which wxtuning does not do"):
        ask(client.rows, publish({"README.md": own, "train.csv": b"a|b\n1|2\n"}))


@pytest.mark.parametrize("path", [f"{'../' * 20}{{}}/secret.jsonl", "/{}/secret.jsonl"])
def test_a_card_cannot_reach_a_file_of_this_machine(publish, ask, ask_offline, tmp_path, path):
    (tmp_path / "secret.jsonl").write_bytes(jsonl(pairs(2)))
    place = path.format(str(tmp_path).strip("/"))
    name = publish({"README.md": card(f"configs:\n- config_name: default\n  data_files: {place}"), "a.jsonl": b"{}"})
    ask(client.download, name)
    for asked in (ask, ask_offline):
        with pytest.raises(FileError, match=f"the card of {name} takes rows from outside of it"):
            asked(client.rows, name)


def test_a_card_cannot_reach_another_data_set(publish, ask):
    other = publish({"train.jsonl": jsonl(pairs(2))})
    there = f"configs:\n- config_name: default\n  data_files: hf://datasets/{other}/train.jsonl"
    name = publish({"README.md": card(there), "a.jsonl": b"{}"})
    with pytest.raises(FileError, match=f"{name} cannot be read as a data set: Data files don't belong to {name}"):
        ask(client.rows, name)


@pytest.mark.parametrize(
    "text", ["configs: [", "configs: 3", "configs:\n- data_files: 3", "- a\n- b", "\x00", "configs:\n- {}"]
)
def test_a_card_that_makes_no_sense_is_an_error_of_ours(publish, ask, text):
    with pytest.raises(wx.DataError):
        ask(client.rows, publish({"README.md": card(text), "train.jsonl": b"", "test.jsonl": b""}))


@BOTH_WAYS
@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table", b"\x00" * 100])
def test_a_file_that_is_none_of_its_kind_is_an_error_of_ours(publish, ask, content, streaming):
    for file in FORMATS:
        name = publish({file: content})
        try:
            ask(client.rows, name, streaming=streaming)
        except FileError as error:
            assert file.rpartition("/")[2] in str(error) or name in str(error)


@BOTH_WAYS
def test_a_split_without_rows_is_an_error(publish, ask, streaming):
    with pytest.raises(FileError, match=r"the split 'train' of .* holds no rows") as caught:
        ask(client.rows, publish({"train.jsonl": b"\n"}), streaming=streaming)
    assert caught.value.code == "empty_dataset"


@BOTH_WAYS
def test_two_columns_of_one_name_are_an_error_and_none_is_lost(publish, ask, streaming):
    file = io.BytesIO()
    pq.write_table(pa.table([["x"], ["y"]], names=["a", "a"]), file)
    with pytest.raises(FileError, match="'a'") as caught:
        ask(client.rows, publish({"train.parquet": file.getvalue()}), streaming=streaming)
    assert caught.value.code == "duplicate_column"


@BOTH_WAYS
def test_a_file_that_the_hub_has_lost_is_an_error_of_ours(publish, ask, hub, streaming):
    name = publish({"train.jsonl": jsonl(pairs(2))})
    ask(client.pins, name)
    commit = hub.repositories[name].commit()
    hub.repositories[name].lost = {"train.jsonl"}
    with pytest.raises(wx.WxTuningError, match=name):
        ask(client.rows, name, streaming=streaming, revision=commit)


@BOTH_WAYS
def test_a_damaged_parquet_file_is_named(publish, ask, streaming):
    content = parquet(pairs(2_000, length=50))
    name = publish({"train.parquet": content[:5_000] + b"\xff" * 500 + content[5_500:]})
    with pytest.raises(FileError, match=r"train\.parquet") as caught:
        ask(client.rows, name, streaming=streaming)
    assert caught.value.code == "invalid_parquet"


# --- who may ------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_a_private_data_set_is_read_with_its_token_which_follows_to_no_other_host(publish, ask, hub, streaming):
    content = parquet(pairs(1_000, length=50))
    name = publish({"train.parquet": content}, token=SECRET)
    assert ask(client.with_token, SECRET, name, streaming=streaming) == pairs(1_000, length=50)
    assert hub.sent_of(name) >= len(content) - 100
    assert not hub.leaks


def test_without_a_token_a_private_data_set_is_not_told_from_a_missing_one(publish, ask):
    with pytest.raises(FileError, match=r"the Hub has no data set 'owner/hidden'.*\n.*private.*HF_TOKEN"):
        ask(client.rows, publish({"train.jsonl": b""}, name="owner/hidden", token=SECRET))


def test_a_wrong_token_is_no_secret_of_the_message(publish, ask):
    name = publish({"train.jsonl": jsonl(pairs(2))}, token=SECRET)
    with pytest.raises(wx.NotAuthorized, match="HF_TOKEN") as caught:
        ask(client.with_token, "wrong", name)
    assert caught.value.backend == "hub"
    assert "wrong," in caught.value.hint and "Bearer" not in str(caught.value)


@BOTH_WAYS
def test_a_gated_data_set_says_where_to_ask(publish, ask, streaming):
    name = publish({"train.jsonl": jsonl(pairs(2))}, gated=True)
    with pytest.raises(wx.NotAuthorized, match=r"only for people whom its owner has let in\n.*Ask for access"):
        ask(client.rows, name, streaming=streaming)


# --- the Hub in trouble -------------------------------------------------------------------------------------------


def test_a_cut_download_is_taken_up_again(publish, ask, hub):
    content = parquet(pairs(2_000, length=50))
    name = publish({"train.parquet": content})
    hub.faults = [Fault("GET", "^/cdn/", cut=50_000)]
    assert ask(client.rows, name) == pairs(2_000, length=50)
    assert hub.sent_of(name) > len(content)


def test_a_cut_stream_loses_no_row(publish, ask, hub):
    name = publish({"train.parquet": parquet(pairs(2_000, length=50))})
    hub.faults = [Fault("GET", "^/cdn/", cut=50_000)]
    assert ask(client.rows, name, streaming=True) == pairs(2_000, length=50)


@pytest.mark.parametrize("path", ["^/api/datasets/owner/", "^/cdn/"])
def test_a_passing_fault_of_the_hub_is_survived(publish, ask, hub, path):
    name = publish({"train.parquet": parquet(pairs(2_000, length=50))})
    hub.faults = [Fault("GET", path, status=503)]
    assert ask(client.rows, name) == pairs(2_000, length=50)


@pytest.mark.parametrize("path", ["^/api/datasets/owner/[^/]*$", "^/cdn/"])
def test_a_lasting_fault_of_the_hub_is_unavailable(publish, ask, hub, path):
    name = publish({"train.parquet": parquet(pairs(2_000, length=50))})
    hub.faults = [Fault("GET", path, times=99, status=500)]
    with pytest.raises(wx.Unavailable, match=rf"did not give {name} \(HTTP 500\)"):
        ask(client.rows, name)
    assert 99 - hub.faults[0].times == 3


def test_a_full_disk_is_named_and_leaves_no_half_copy(publish, ask):
    name = publish({"train.parquet": parquet(pairs(2_000, length=50))})
    with pytest.raises(wx.AdapterError, match=r"no copy of .* can be kept on this machine: File too large"):
        ask(client.with_small_files, 20_000, name)
    assert ask(client.rows, name) == pairs(2_000, length=50)


# --- without the Hub ----------------------------------------------------------------------------------------------


@pytest.fixture(params=["ask_offline", "ask_cut_off"])
def ask_alone(request):
    return request.getfixturevalue(request.param)


@BOTH_WAYS
def test_what_was_read_once_is_read_without_the_hub(publish, ask, ask_alone, streaming):
    files = {
        "README.md": TWO_SPLITS,
        "data/train-0.parquet": parquet(pairs(9)),
        "data/test-0.parquet": parquet(pairs(2)),
    }
    name = publish(files)
    ask(client.rows, name, split="train")
    assert ask_alone(client.rows, name, split="train", streaming=streaming) == pairs(9)


def test_the_pin_is_the_same_without_the_hub(publish, ask, ask_alone):
    name = publish({"train.jsonl": jsonl(pairs(2))})
    assert ask(client.pins, name) == ask_alone(client.pins, name)


def test_what_another_tool_has_fetched_whole_is_read_without_the_hub(publish, ask, ask_alone):
    name = publish(
        {"README.md": TWO_SPLITS, "data/train-0.jsonl": jsonl(pairs(9)), "data/test-0.jsonl": jsonl(pairs(2))}
    )
    ask(client.download, name)
    assert ask_alone(client.rows, name, split="test") == pairs(2)


def test_a_part_of_a_data_set_is_not_taken_for_the_whole(publish, ask, ask_offline):
    name = publish(
        {"README.md": TWO_SPLITS, "data/train-0.jsonl": jsonl(pairs(9)), "data/test-0.jsonl": jsonl(pairs(2))}
    )
    ask(client.download, name, "README.md")
    with pytest.raises(wx.Unavailable, match=f"{name} is not on this machine"):
        ask_offline(client.rows, name, split="test")


def test_another_split_than_the_one_on_this_machine_is_unavailable(publish, ask, ask_offline):
    name = publish(
        {"README.md": TWO_SPLITS, "data/train-0.jsonl": jsonl(pairs(9)), "data/test-0.jsonl": jsonl(pairs(2))}
    )
    ask(client.rows, name, split="train")
    with pytest.raises(wx.Unavailable, match=f"{name} is not on this machine"):
        ask_offline(client.rows, name, split="test")


def test_the_variable_that_forbids_asking_is_named(ask_offline):
    with pytest.raises(wx.Unavailable, match=r"HF_HUB_OFFLINE forbids asking the Hub\n.*could not be looked up"):
        ask_offline(client.rows, "owner/never-seen")


def test_a_hub_that_nobody_reaches_is_unavailable(ask_cut_off):
    with pytest.raises(wx.Unavailable, match=r"the Hub cannot be reached.*\n.*could not be looked up"):
        ask_cut_off(client.rows, "owner/never-seen")


# --- manners ------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_nothing_is_printed_and_no_switch_of_the_libraries_is_left_turned(publish, ask, hub, streaming):
    files = {f"data/train-{part:05}-of-00020.parquet": parquet(pairs(400, length=50)) for part in range(20)}
    name = publish(files)
    hub.faults = [Fault("GET", "^/cdn/", status=503)]
    assert ask(client.traces, name, streaming=streaming) == ("", [])


def test_nothing_is_printed_without_the_hub(publish, ask, ask_alone):
    name = publish({"train.jsonl": jsonl(pairs(2))})
    ask(client.rows, name)
    assert ask_alone(client.traces, name) == ("", [])


def test_a_program_that_starts_without_the_hub_prints_nothing(publish, ask, hub, homes):
    name = publish({"train.jsonl": jsonl(pairs(2))})
    ask(client.rows, name)
    program = f"from wxtuning import registry; print(len(list(registry.source({name!r}).rows())))"
    environment = {**os.environ, **homes, "HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("2\n", "")


# --- objects of datasets ------------------------------------------------------------------------------------------


def test_a_stream_that_datasets_has_opened_is_read(publish, ask):
    assert ask(client.streamed_object, publish({"train.jsonl": jsonl(pairs(50))}), 20) == pairs(50)[:20]


def test_what_datasets_itself_has_cached_is_read_without_the_hub(publish, ask, ask_alone):
    name = publish({"train.jsonl": jsonl(pairs(9)), "test.jsonl": jsonl(pairs(2))})
    ask(client.load_with_datasets, name)
    assert ask_alone(client.rows, name, split="test") == pairs(2)


def test_a_single_file_that_another_tool_has_fetched_is_not_taken_for_the_data_set(publish, ask, ask_offline):
    name = publish({"train-1.jsonl": jsonl(pairs(9)), "train-2.jsonl": jsonl(pairs(2))})
    ask(client.download, name, "train-1.jsonl")
    with pytest.raises(wx.Unavailable, match=f"{name} is not on this machine"):
        ask_offline(client.rows, name)


def test_the_csv_of_a_data_set_with_two_files_has_one_header_each(publish, ask):
    name = publish({"train/1.csv": csv(pairs(2)), "train/2.csv": csv(pairs(3))})
    assert ask(client.rows, name) == [*pairs(2), *pairs(3)]
