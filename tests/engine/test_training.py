"""What a run promises: it learns, it counts right, it stops right, it says what it did."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import METHODS, ROWS, adapter_bytes, config_for, make_tokenizer, run_folder, write_rows
from wxtuning.engine import EngineError, read_metrics, tune
from wxtuning.engine.data import Row, common_prefix, windows
from wxtuning.engine.forward import Forward, can_share
from wxtuning.engine.model import load_base
from wxtuning.engine.optimiser import AdamW, learning_rate
from wxtuning.engine.prompt import new_prompt


@pytest.mark.parametrize("method", METHODS)
def test_every_class_learns_with_every_method(model, method, folder):
    result = tune(config_for(model, method, num_epochs=12), folder)
    assert result.loss < 0.95 * result.first_loss
    assert result.warnings == ()
    assert result.steps == 36 and result.epochs == 12


@pytest.mark.parametrize("method", METHODS)
def test_tuning_in_bfloat16_goes_the_way_of_float32(model, method, tmp_path):
    narrow, full = run_folder(tmp_path / "narrow"), run_folder(tmp_path / "full")
    tune(config_for(model, method, dtype="bfloat16"), narrow)
    tune(config_for(model, method, dtype="float32"), full)
    losses = [[metric["loss"] for metric in read_metrics(folder)] for folder in (narrow, full)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]


def test_the_curve_has_a_line_for_every_step_and_every_validation(llama, tmp_path):
    folder, heard = run_folder(tmp_path / "run", validation=ROWS[:6]), []
    tune(config_for(llama), folder, on_metric=heard.append)
    curve = read_metrics(folder)
    assert curve == heard
    steps = [metric for metric in curve if "loss" in metric]
    assert [metric["step"] for metric in steps] == [1, 2, 3, 4, 5, 6]
    assert set(steps[0]) == {"step", "epoch", "loss", "learning_rate", "tokens", "seconds"}
    assert [metric["step"] for metric in curve if "validation_loss" in metric] == [3, 6]
    assert steps[-1]["epoch"] == 2.0


def test_the_validation_loss_is_the_mean_over_its_answer_tokens(causal_and_seq2seq, tmp_path):
    from wxtuning.engine import Generator

    folder = run_folder(tmp_path / "run", validation=ROWS[:5])
    config = config_for(causal_and_seq2seq)
    result = tune(config, folder)
    tuned = Generator.load(causal_and_seq2seq, folder / "adapter", device="cpu")
    losses = tuned.losses([(f"Input: {row['input']} Output:", row["output"]) for row in ROWS[:5]])
    assert result.validation_loss == pytest.approx(sum(a for a, _ in losses) / sum(n for _, n in losses), rel=1e-4)


@pytest.mark.parametrize("split", [(4, 2), (2, 4)])
def test_accumulated_batches_are_one_batch(causal_and_seq2seq, tmp_path, split):
    whole, parts = run_folder(tmp_path / "whole"), run_folder(tmp_path / "parts")
    size, times = split
    tune(config_for(causal_and_seq2seq, batch_size=8, accumulate_steps=1), whole)
    tune(config_for(causal_and_seq2seq, batch_size=size, accumulate_steps=times), parts)
    for one, other in zip(read_metrics(whole), read_metrics(parts), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-4)
        assert one["tokens"] == other["tokens"]


def test_gradients_of_parts_add_up_to_the_gradient_of_the_whole(llama):
    base = load_base(llama, device="cpu")
    rows = [Row(tuple(range(5, 8 + size)), tuple(range(9, 10 + size % 3))) for size in range(8)]
    count = sum(len(row.answer) for row in rows)

    def gradient(parts: list[list[Row]]) -> torch.Tensor:
        adapter = new_prompt(base, config_for(llama))
        forward = Forward(base=base, soft=adapter.soft, shares=True, common=2)
        for part in parts:
            (forward.losses(part).sum() / count).backward()
        return adapter.soft().grad

    whole = gradient([rows])
    assert torch.allclose(whole, gradient([rows[:4], rows[4:]]), atol=1e-6)
    assert torch.allclose(whole, gradient([rows[:2], rows[2:4], rows[4:6], rows[6:]]), atol=1e-6)


def test_a_shared_start_gives_the_losses_of_whole_rows(models):
    for name in ("llama", "gpt2", "granite"):
        base = load_base(models[name], device="cpu")
        assert can_share(base)
        soft = new_prompt(base, config_for(models[name])).soft
        rows = [Row((5, 6, 7), (8, 9)), Row((5, 6, 10, 11), (12,)), Row((5, 6, 13), (14, 15, 1))]
        shared = Forward(base=base, soft=soft, shares=True, common=2).losses(rows)
        plain = Forward(base=base, soft=soft, shares=False).losses(rows)
        assert torch.allclose(shared, plain, atol=1e-5)


def test_losses_are_those_of_the_class_itself(models):
    for name in ("llama", "gpt2", "granite"):
        base = load_base(models[name], device="cpu")
        row = Row((5, 6, 7), (8, 9, 1))
        ids = torch.tensor([[*row.prompt, *row.answer]])
        theirs = base.model(input_ids=ids, labels=torch.tensor([[-100, -100, -100, 8, 9, 1]])).loss
        ours = Forward(base=base, soft=lambda: None, shares=False).losses([row, Row((3,), (4,))])[:3]
        assert float(ours.mean()) == pytest.approx(float(theirs), rel=1e-5)


def test_seq2seq_losses_are_those_of_the_class_itself(models):
    base = load_base(models["t5"], device="cpu")
    theirs = base.model(input_ids=torch.tensor([[5, 6, 7]]), labels=torch.tensor([[8, 9, 1]])).loss
    ours = Forward(base=base, soft=lambda: None, shares=False).losses(
        [Row((5, 6, 7), (8, 9, 1)), Row((3, 4, 5, 6), (4,))]
    )
    assert float(ours[:3].mean()) == pytest.approx(float(theirs), rel=1e-5)


def test_a_window_of_state_is_not_shared(tmp_path):
    from transformers import MistralConfig, MistralForCausalLM

    folder = tmp_path / "sliding"
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = MistralConfig(vocab_size=320, num_key_value_heads=2, sliding_window=4, **shape)
    MistralForCausalLM(config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    assert not can_share(load_base(str(folder), device="cpu"))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes(llama, tmp_path, method):
    one, other = run_folder(tmp_path / "one"), run_folder(tmp_path / "other")
    for folder in (one, other):
        tune(config_for(llama, method, lora_dropout=0.1), folder)
    assert adapter_bytes(one) == adapter_bytes(other)


def test_another_seed_gives_other_bytes(llama, tmp_path):
    one, other = run_folder(tmp_path / "one"), run_folder(tmp_path / "other")
    tune(config_for(llama, seed=1), one)
    tune(config_for(llama, seed=2), other)
    assert adapter_bytes(one) != adapter_bytes(other)


def test_a_run_leaves_the_random_state_and_the_settings_of_the_process_alone(llama, folder):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    tune(config_for(llama, "lora", lora_dropout=0.1, num_epochs=1), folder)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_loss_that_is_no_number_stops_the_run_with_its_step(llama, tmp_path):
    folder = run_folder(tmp_path / "run")
    with pytest.raises(EngineError, match="loss of step") as caught:
        tune(config_for(llama, "lora", learning_rate=1e30, num_epochs=9, warmup_ratio=0.0), folder)
    assert caught.value.code == "nan_loss"
    assert "learning_rate" in caught.value.hint
    assert not (folder / "adapter").exists()


def test_a_run_that_learns_nothing_says_so(llama, folder):
    result = tune(config_for(llama, learning_rate=1e-12), folder)
    assert "nothing was learned" in result.warnings[0]


def test_early_stopping_keeps_the_best_epoch(llama, tmp_path):
    opposite = [{**row, "output": "three three three"} for row in ROWS[:6]]
    folder = run_folder(tmp_path / "run", validation=opposite)
    result = tune(config_for(llama, num_epochs=30, early_stopping_patience=2), folder)
    validated = [metric["validation_loss"] for metric in read_metrics(folder) if "validation_loss" in metric]
    assert len(validated) == result.best_epoch + 2 < 30
    assert result.validation_loss == min(validated)

    from wxtuning.engine import Generator

    pairs = [(f"Input: {row['input']} Output:", row["output"]) for row in opposite]
    losses = Generator.load(llama, folder / "adapter", device="cpu").losses(pairs)
    assert sum(loss for loss, _ in losses) / sum(count for _, count in losses) == pytest.approx(
        min(validated), rel=1e-4
    )


def test_early_stopping_without_validation_is_refused(llama, folder):
    with pytest.raises(EngineError, match=r"validation\.jsonl") as caught:
        tune(config_for(llama, early_stopping_patience=2), folder)
    assert caught.value.code == "bad_config"


def test_cut_rows_are_counted_and_told(llama, tmp_path):
    rows = [*ROWS, {"input": "great " * 200, "output": "good " * 50}]
    folder = run_folder(tmp_path / "run", rows)
    result = tune(config_for(llama, max_input_tokens=40), folder)
    assert (result.cut_prompts, result.cut_answers) == (1, 1)
    assert any("1 of 25 inputs in train.jsonl were cut to 40 tokens" in text for text in result.warnings)
    assert any("1 of 25 outputs in train.jsonl were cut to 16 tokens" in text for text in result.warnings)


def test_rows_too_long_for_the_model_are_refused(llama, tmp_path):
    folder = run_folder(tmp_path / "run", [{"input": "great " * 400, "output": "good"}])
    with pytest.raises(EngineError, match="model takes 256") as caught:
        tune(config_for(llama, max_input_tokens=300), folder)
    assert caught.value.code == "too_long"


def test_a_finished_folder_returns_its_result_at_once(llama, folder):
    first = tune(config_for(llama), folder)
    before = adapter_bytes(folder)
    heard = []
    assert tune(config_for(llama), folder, on_metric=heard.append) == first
    assert heard == [] and adapter_bytes(folder) == before


def test_a_finished_folder_refuses_other_parameters(llama, folder):
    tune(config_for(llama), folder)
    with pytest.raises(EngineError) as caught:
        tune(config_for(llama, learning_rate=0.2), folder)
    assert caught.value.code == "checkpoint_mismatch"


def test_result_json_holds_the_result(llama, folder):
    result = tune(config_for(llama), folder)
    written = json.loads((folder / "result.json").read_text())
    assert written["adapter"] == "adapter"
    assert written["loss"] == result.loss
    assert written["parameters"] == 4 * 32


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_without_rows_is_refused(llama, folder, content):
    (folder / "train.jsonl").write_text(content)
    with pytest.raises(EngineError) as caught:
        tune(config_for(llama), folder)
    assert caught.value.code == "no_rows"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"input": "a"}', "line 1: output is not a text"),
        ('{"input": 5, "output": "b"}', "line 1: input is not a text"),
        ('{"input": "a", "output": "  "}', "line 1: output is empty"),
        ("[1]", "line 1 is not an object"),
        ("{broken", "line 1 is not JSON"),
    ],
)
def test_a_bad_row_is_named(llama, folder, line, told):
    (folder / "train.jsonl").write_text(line + "\n")
    with pytest.raises(EngineError, match=told) as caught:
        tune(config_for(llama), folder)
    assert caught.value.code == "bad_row"


def test_one_row_is_enough(causal_and_seq2seq, tmp_path):
    folder = run_folder(tmp_path / "run", ROWS[:1])
    assert tune(config_for(causal_and_seq2seq, num_epochs=3), folder).steps == 3


def test_an_empty_input_is_a_row(causal_and_seq2seq, tmp_path):
    folder = run_folder(tmp_path / "run", [{"input": "", "output": "good"}, {"input": "x", "output": "bad"}])
    assert tune(config_for(causal_and_seq2seq, verbalizer="{{input}}"), folder).steps == 2


def test_windows_hold_every_row_once_and_like_lengths_together():
    lengths = [(7 * number) % 60 + 5 for number in range(64)]
    cut = windows(lengths, size=8, seed=3, epoch=1)
    assert sorted(number for window in cut for number in window) == list(range(64))
    assert all(max(lengths[n] for n in window) - min(lengths[n] for n in window) <= 16 for window in cut)
    assert cut == windows(lengths, size=8, seed=3, epoch=1)
    assert cut != windows(lengths, size=8, seed=3, epoch=2)


def test_a_common_prefix_leaves_every_prompt_a_token():
    assert common_prefix([Row((1, 2, 3), (4,)), Row((1, 2, 5), (4,))]) == 2
    assert common_prefix([Row((1, 2), (4,)), Row((1, 2), (4,))]) == 1
    assert common_prefix([Row((1,), (4,)), Row((2, 2), (4,))]) == 0


def test_adamw_steps_as_that_of_torch():
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in "ab")
    optimiser = AdamW({"x": ours}, weight_decay=0.1)
    reference = torch.optim.AdamW([theirs], lr=0.05, weight_decay=0.1)
    for number in range(1, 20):
        gradient = torch.randn(5, 3, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        optimiser.step(number, 0.05)
        reference.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_gradients_are_clipped_to_their_common_norm():
    parameters = {name: torch.zeros(4, requires_grad=True) for name in "ab"}
    for tensor in parameters.values():
        tensor.grad = torch.full((4,), 3.0)
    optimiser = AdamW(parameters, weight_decay=0.0)
    assert optimiser.clip(1.0) == pytest.approx(math.sqrt(72))
    assert float(torch.cat([t.grad for t in parameters.values()]).norm()) == pytest.approx(1.0, rel=1e-4)


def test_the_learning_rate_rises_and_falls_in_straight_lines():
    rates = [learning_rate(step, 10, highest=1.0, warmup_ratio=0.2) for step in range(1, 11)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])


def test_text_initialisation_is_the_embedding_of_the_text(model):
    base = load_base(model, device="cpu")
    ids = base.tokens.plain("great order")
    soft = new_prompt(base, config_for(model, init_method="text", init_text="great order", num_virtual_tokens=len(ids)))
    embedded = base.embed(torch.tensor([ids]))[0]
    assert torch.equal(soft.soft().detach(), embedded)


def test_text_initialisation_repeats_and_cuts_as_peft_does(llama):
    base = load_base(llama, device="cpu")
    ids = base.tokens.plain("great order")
    for size in (len(ids) - 1, 2 * len(ids) + 1):
        soft = new_prompt(base, config_for(llama, init_method="text", init_text="great order", num_virtual_tokens=size))
        expected = (ids * 3)[:size]
        assert torch.equal(soft.soft().detach(), base.embed(torch.tensor(expected)))


def test_random_initialisation_has_the_scale_of_the_base(llama):
    base = load_base(llama, device="cpu")
    soft = new_prompt(base, config_for(llama, num_virtual_tokens=100)).soft().detach()
    assert float(soft.std()) == pytest.approx(float(base.embedding.weight.std()), rel=0.1)


def test_a_validation_split_without_early_stopping_changes_no_byte(llama, tmp_path):
    with_it, without = run_folder(tmp_path / "with", validation=ROWS[:4]), run_folder(tmp_path / "without")
    tune(config_for(llama), with_it)
    tune(config_for(llama), without)
    name = "adapter_model.safetensors"
    assert adapter_bytes(with_it)[name] == adapter_bytes(without)[name]


def test_more_validation_rows_are_no_other_run_for_the_adapter_but_for_the_digest(llama, tmp_path):
    folder = run_folder(tmp_path / "run")
    tune(config_for(llama), folder)
    write_rows(folder / "validation.jsonl", ROWS[:3])
    with pytest.raises(EngineError) as caught:
        tune(config_for(llama), folder)
    assert caught.value.code == "checkpoint_mismatch"


def test_the_folder_of_a_model_may_be_named_as_a_text(llama, folder):
    result = tune(replace(config_for(llama), num_epochs=1), Path(str(folder)))
    assert json.loads((result.adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == llama
