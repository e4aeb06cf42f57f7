"""Tokens are counted as the engine counts them, no more of them than needed, and a row is shown as it is trained on."""

from __future__ import annotations

import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wxtuning as wx
from tests.engine.conftest import config_for, make_tokenizer, write_rows
from wxtuning import engine, tokens
from wxtuning.adapters.local import LocalTokenizer
from wxtuning.engine.data import read_rows
from wxtuning.engine.model import tokens_of
from wxtuning.records import Record
from wxtuning.testing import FakeBackend
from wxtuning.tiny import model_folder
from wxtuning.tokens import Room, TokenBound, measured

TEXTS = [
    "the order was great", " two  spaces ", "line\nbreak\n", "日本語のテキスト", "</s> inside", "",
    "na\u00efve caf\u00e9 \U0001f642 \U0001f469\u200d\U0001f469\u200d\U0001f467",
]  # fmt: skip
PAIRS = [(text, answer) for text, answer in zip(TEXTS, [text or "good" for text in reversed(TEXTS)], strict=True)]


def folder_with(tmp_path, tokenizer, kind="llama", **told):
    """A model folder without weights: enough for its tokens."""
    shapes = {
        "llama": {"model_type": "llama", "eos_token_id": 1},
        "t5": {"model_type": "t5", "is_encoder_decoder": True, "decoder_start_token_id": 0, "eos_token_id": 1},
        "qwen2": {"model_type": "qwen2", "eos_token_id": 1},
    }
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(shapes[kind]))
    file = tmp_path / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **told}))
    return str(tmp_path)


def bytelevel(**parts):
    made = make_tokenizer()
    for name, part in parts.items():
        setattr(made.backend_tokenizer, name, part)
    return made


def with_first_token():
    from tokenizers import processors

    return bytelevel(post_processor=processors.TemplateProcessing(single="</s> $A", special_tokens=[("</s>", 1)]))


def closed():
    from tokenizers import processors

    return bytelevel(post_processor=processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)]))


def normalized():
    from tokenizers import normalizers

    return bytelevel(normalizer=normalizers.NFC())


def lower():
    from tokenizers import normalizers

    return bytelevel(normalizer=normalizers.Lowercase())


def prefixed():
    from tokenizers import pre_tokenizers

    return bytelevel(pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True))


def pieced():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [
        "<unk>",
        "</s>",
        "<pad>",
        "▁",
        *(f"▁{word}" for word in ["the", "order", "was", "great"]),
        *"abcdefghiknoprstuxyz",
    ]
    inner = Tokenizer(models.Unigram([(word, -float(place)) for place, word in enumerate(words)], unk_id=0))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="</s>", pad_token="<pad>", unk_token="<unk>")


def both(folder):
    """Ids of prompts and answers by the tokens for counting, and by those that transformers has."""
    verbalizer = "Input: {{input}} Output:"
    return [engine_encoded(PAIRS, made, verbalizer) for made in (engine.load_tokens(folder), tokens_of(folder))]


def engine_encoded(pairs, made, verbalizer):
    from wxtuning.engine.data import encoded

    return encoded(pairs, made, verbalizer)


@pytest.mark.parametrize("make", [make_tokenizer, with_first_token, closed, normalized, lower, prefixed, pieced])
@pytest.mark.parametrize("kind", ["llama", "t5", "qwen2"])
def test_tokens_are_those_that_transformers_makes(make, kind, tmp_path):
    counting, training = both(folder_with(tmp_path, make(), kind))
    assert counting == training


@pytest.mark.parametrize("told", [{"add_bos_token": True, "bos_token": "</s>"}, {"extra_special_tokens": ["great"]}])
def test_a_tokenizer_that_transformers_changes_is_changed_here_too(told, tmp_path):
    counting, training = both(folder_with(tmp_path, make_tokenizer(), **told))
    assert counting == training


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("content", ["{}", "no JSON", '{"model": {"type": "BPE"}}'])
def test_a_damaged_tokenizer_is_an_error_of_ours(kind, content, tmp_path):
    folder = folder_with(tmp_path, make_tokenizer(), kind)
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(wx.AdapterError):
        wx.Local().tokenizer(wx.PromptTuning(folder))


def test_the_embedded_model_is_counted_without_torch(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys, wxtuning as wx; print(wx.Local().tokenizer(wx.PromptTuning()).count([('a', 'b')])); "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("((")


TINY = engine.load_tokens(str(model_folder()))


@settings(max_examples=300, deadline=None)
@given(st.text(), st.text(min_size=1))
def test_no_text_has_more_tokens_than_its_bytes_allow(text, answer):
    tokenizer = LocalTokenizer(TINY, wx.PromptTuning(verbalizer="{{input}}"))
    ((prompt, reply),) = tokenizer.count([(text, answer)])
    assert prompt <= tokenizer.bound.most(text)
    assert reply <= tokenizer.bound.most(answer)


@pytest.mark.parametrize(
    ("make", "bound"),
    [
        (make_tokenizer, engine.tokenizer.ByteBound(extra=2, nfc=False)),
        (normalized, engine.tokenizer.ByteBound(extra=2, nfc=True)),
        (lower, None),
        (prefixed, None),
        (pieced, None),
    ],
)
def test_bytes_bound_tokens_only_where_nothing_lengthens_a_text(make, bound, tmp_path):
    assert engine.byte_bound(engine.load_tokens(folder_with(tmp_path, make()))) == bound


def test_a_text_that_normalisation_may_lengthen_has_no_bound():
    assert TokenBound(extra=2, nfc=True).most("\u0958") is None
    assert TokenBound(extra=2, nfc=True).most("cafe") == 6
    assert TokenBound(extra=2).most("é") == 4


def lines(count, seed=0):
    rng = random.Random(seed)
    words = (" ".join(["word"] * max(1, round(rng.lognormvariate(2, 0.8)))) for _ in range(2 * count))
    return tuple(Record(number=n, input=next(words), output=next(words), label="") for n in range(1, count + 1))


ROOM = Room(template="Input: {{input}} Output:", inputs=30, outputs=20)


def counted(records, room=ROOM, **how):
    backend = FakeBackend()
    tokenizer = backend.tokenizer(wx.PromptTuning(verbalizer=room.template))
    return measured(records, room, tokenizer, **how), sum(backend.counted)


def test_every_row_of_a_small_data_set_is_counted():
    report, calls = counted(lines(200))
    assert (report.exact, report.counted, calls) == (True, 200, 200)
    assert report.tokens_per_epoch == report.tokens_at_most


def test_lengths_are_those_of_the_rows():
    records = lines(200)
    report, _ = counted(records)
    sizes = sorted(len(record.input.split()) + 2 for record in records)
    inputs = report.inputs
    assert (inputs.least, inputs.median, inputs.p95, inputs.most) == (sizes[0], sizes[99], sizes[189], sizes[-1])
    assert inputs.cut == tuple(r.number for r in records if len(r.input.split()) + 2 > 30)
    assert inputs.lost == sum(size - 30 for size in sizes if size > 30)
    assert sum(rows for _, _, rows in inputs.histogram) == 200
    assert [low for low, _, _ in inputs.histogram] == list(range(0, sizes[-1] + 1, inputs.histogram[1][0]))


def test_what_is_cut_is_exact_also_where_short_rows_are_not_counted():
    records = lines(40_000)
    room = Room(template="{{input}}", inputs=250, outputs=250)
    (quick, calls), (full, all_calls) = counted(records, room), counted(records, room, exact=True)
    assert calls < all_calls == 40_000
    assert (quick.inputs.cut, quick.outputs.cut, quick.inputs.lost) == (
        full.inputs.cut,
        full.outputs.cut,
        full.inputs.lost,
    )
    assert not quick.exact
    assert full.exact


def test_estimates_are_near_and_bounds_hold():
    records = lines(40_000)
    room = Room(template="{{input}}", inputs=250, outputs=250)
    (quick, _), (full, _) = counted(records, room), counted(records, room, exact=True)
    assert quick.tokens_per_epoch == pytest.approx(full.tokens_per_epoch, rel=0.03)
    assert quick.inputs.median == pytest.approx(full.inputs.median, abs=1)
    assert full.tokens_per_epoch <= quick.tokens_at_most
    assert "about" in quick.table().text()
    assert "about" not in full.table().text()


def test_a_sample_is_the_same_at_every_call():
    records = lines(20_000)
    room = Room(template="{{input}}", inputs=250, outputs=250)
    assert counted(records, room) == counted(records, room)


def test_rows_longer_than_the_model_are_found_even_when_each_part_fits():
    records = lines(20_000)
    room = Room(template="{{input}}", inputs=250, outputs=250, both=60)
    report, _ = counted(records, room)
    assert report.beyond == tuple(r.number for r in records if len(r.input.split()) + len(r.output.split()) + 1 > 60)


def test_all_rows_are_counted_where_bytes_do_not_bound_tokens():
    backend = FakeBackend()
    tokenizer = type(backend.tokenizer(wx.PromptTuning()))(wx.PromptTuning(), bound=None)
    assert measured(lines(12_000), ROOM, tokenizer).exact


LONG = ("It broke on the first day, 🙂 naïve. I want my money back and nothing else.", "unsatisfied, very much so")


def xrayed(pair, method):
    return wx.Local().tokenizer(method).xray([pair])[0]


def test_an_xray_spells_out_the_prompt_and_the_answer():
    row = xrayed(LONG, wx.PromptTuning(num_virtual_tokens=3, max_input_tokens=99, max_output_tokens=99))
    assert row.text("prompt") == f"Input: {LONG[0]} Output:"
    assert row.text("answer") == f" {LONG[1]}"
    assert [token.part for token in row.tokens][:4] == ["virtual"] * 3 + ["prompt"]
    assert row.tokens[-1].part == "end"
    assert row.in_loss == sum(token.part in ("answer", "end") for token in row.tokens)
    assert not row.lost_input and not row.lost_output


def test_an_xray_holds_the_ids_that_training_reads(tmp_path):
    write_rows(tmp_path / "train.jsonl", [{"input": LONG[0], "output": LONG[1]}])
    config = config_for(str(model_folder()), max_input_tokens=14, max_output_tokens=4)
    row = read_rows(tmp_path / "train.jsonl", tokens_of(config.model), config).rows[0]
    seen = xrayed(LONG, wx.PromptTuning(max_input_tokens=14, max_output_tokens=4))
    assert tuple(token.id for token in seen.tokens if token.part == "prompt") == row.prompt
    assert tuple(token.id for token in seen.tokens if token.in_loss) == row.answer


def test_an_xray_shows_what_is_cut():
    row = xrayed(LONG, wx.PromptTuning(max_input_tokens=14, max_output_tokens=4))
    prompt = row.text("prompt")
    assert prompt.startswith("Input: It broke") and prompt.endswith(" Output:")
    kept = prompt.removeprefix("Input: ").removesuffix(" Output:")
    assert (kept + row.lost_input) == LONG[0]
    assert row.text("end") == ""
    assert row.text("answer") + row.lost_output == f" {LONG[1]}"
    assert (
        row.lost_output_tokens == xrayed(LONG, wx.PromptTuning(max_input_tokens=99, max_output_tokens=99)).in_loss - 4
    )
    assert "cut off the output" in str(row)


def test_low_rank_tuning_has_no_tuned_vectors_in_the_row():
    row = xrayed(LONG, wx.LoRA(max_input_tokens=99, max_output_tokens=99))
    assert row.tokens[0].part == "prompt"


def test_a_decoder_starts_with_a_token_of_its_own(tmp_path):
    method = wx.PromptTuning(folder_with(tmp_path, make_tokenizer(), "t5"), num_virtual_tokens=2, max_output_tokens=99)
    row = xrayed(("the order", "good"), method)
    assert list(dict.fromkeys(token.part for token in row.tokens)) == ["virtual", "prompt", "start", "answer", "end"]
    assert row.text("answer") == "good"


def test_pieces_of_a_tokenizer_that_drops_the_first_space_join_to_the_text(tmp_path):
    made = engine.load_tokens(folder_with(tmp_path, pieced(), "t5"))
    row = LocalTokenizer(made, wx.PromptTuning(verbalizer="{{input}}", max_output_tokens=99)).xray(
        [("the order", "was great")]
    )
    assert row[0].text("prompt").split() == ["the", "order"]
    assert row[0].text("answer") == "was great"


def test_nothing_in_a_row_comes_to_life_in_a_terminal_or_a_notebook():
    row = xrayed(
        ("<script>alert(1)</script>\x1b[31m", "[bold]x[/bold]"),
        wx.PromptTuning(max_output_tokens=99, max_input_tokens=99),
    )
    assert "\x1b" not in str(row)
    assert "<script>" not in row._repr_html_()
    assert "\x1b" not in row._repr_html_()
    assert row.text("answer") == " [bold]x[/bold]"
    assert "│[│bo│ld│]│" in str(row)


def test_a_token_report_shows_itself():
    report, _ = counted(lines(200))
    text = str(report)
    assert re.search(r"input +\d+ +\d+ +\d+ +\d+ +30 ", text)
    assert "all 200 rows are counted" in text
    assert "<table>" in report._repr_html_()
    assert set(report.inputs.bars) <= set(tokens.BARS)
