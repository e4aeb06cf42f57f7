"""Answers: the same batched, alone, streamed, reloaded, and as transformers gives them."""

from __future__ import annotations

import math

import pytest
import torch

from tests.engine.conftest import METHODS, ROWS, config_for, run_folder
from wxtuning.engine import EngineError, Generator, tune
from wxtuning.engine.model import load_base

PROMPTS = [f"Input: the order {number} was {'great ' * (number % 5)}late Output:" for number in range(9)]


@pytest.fixture(scope="module")
def tuned(models, tmp_path_factory):
    """Adapter folders by (class, method)."""
    home = tmp_path_factory.mktemp("tuned")
    found = {}
    for name, model in models.items():
        for method in METHODS:
            folder = run_folder(home / f"{name}-{method}")
            tune(config_for(model, method, num_epochs=1), folder)
            found[model, method] = folder / "adapter"
    return found


def texts(generator, prompts, **wishes):
    return [answer.text for answer in generator.generate(prompts, max_new_tokens=12, **wishes)]


def greedy_by_transformers(model, prompts):
    base = load_base(model, device="cpu")
    answers = []
    for prompt in prompts:
        ids = base.tokens.prompts([prompt])
        made = base.model.generate(torch.tensor(ids), max_new_tokens=12, do_sample=False, pad_token_id=0)[0]
        answers.append(base.tokens.text(made.tolist() if base.seq2seq else made.tolist()[len(ids[0]) :]))
    return answers


def test_a_batch_answers_as_transformers_does_one_by_one(model):
    answers = texts(Generator.load(model, device="cpu"), PROMPTS, batch_size=4)
    assert answers == greedy_by_transformers(model, PROMPTS)
    assert len(set(answers)) > 1


@pytest.mark.parametrize("method", METHODS)
def test_a_tuned_model_answers_the_same_in_every_batch(model, method, tuned):
    generator = Generator.load(model, tuned[model, method], device="cpu")
    alone = [texts(generator, [prompt])[0] for prompt in PROMPTS]
    assert texts(generator, PROMPTS, batch_size=16) == alone
    assert texts(generator, PROMPTS[::-1], batch_size=2) == alone[::-1]


@pytest.mark.parametrize("method", METHODS)
def test_answers_do_not_depend_on_how_much_is_read_at_once(model, method, tuned, monkeypatch):
    generator = Generator.load(model, tuned[model, method], device="cpu")
    at_once = texts(generator, PROMPTS)
    monkeypatch.setattr("wxtuning.engine.model.AT_ONCE_ON_CPU", 30)
    monkeypatch.setattr("wxtuning.engine.cache.ROOM", 3)
    assert texts(generator, PROMPTS) == at_once
    monkeypatch.setattr("wxtuning.engine.generate.CACHE_BYTES", 1)
    assert texts(generator, PROMPTS) == at_once


@pytest.mark.parametrize("method", METHODS)
def test_an_adapter_changes_the_answers_and_the_base_stays(model, method, tuned):
    bare = Generator.load(model, device="cpu")
    before = bare.losses([(prompt, "good") for prompt in PROMPTS])
    changed = bare.with_adapter(tuned[model, method])
    assert changed.losses([(prompt, "good") for prompt in PROMPTS]) != before
    assert bare.losses([(prompt, "good") for prompt in PROMPTS]) == before
    assert changed.without_adapter().losses([(prompt, "good") for prompt in PROMPTS]) == before


@pytest.mark.parametrize("method", METHODS)
def test_reloaded_from_disk_it_answers_identically(model, method, tuned):
    first = Generator.load(model, tuned[model, method], device="cpu")
    again = Generator.load(model, tuned[model, method], device="cpu")
    assert first.generate(PROMPTS, max_new_tokens=12) == again.generate(PROMPTS, max_new_tokens=12)


def test_adapters_of_both_methods_share_one_base(model, tuned):
    bare = Generator.load(model, device="cpu")
    together = {method: bare.with_adapter(tuned[model, method]) for method in METHODS}
    twice = {method: bare.with_adapter(tuned[model, method]) for method in METHODS}
    for method in METHODS:
        alone = texts(Generator.load(model, tuned[model, method], device="cpu"), PROMPTS)
        assert texts(together[method], PROMPTS) == alone == texts(twice[method], PROMPTS)


@pytest.mark.parametrize("method", METHODS)
def test_peft_gives_the_logits_that_we_train_and_serve(model, method, tuned):
    from peft import PeftModel

    ours = Generator.load(model, tuned[model, method], device="cpu").losses([(PROMPTS[3], "good bad")])
    base = load_base(model, device="cpu")
    ids = base.tokens.prompts([PROMPTS[3]])
    answer = base.tokens.answers(["good bad"], [PROMPTS[3]])
    theirs = peft_model(PeftModel, base, tuned[model, method])
    with torch.no_grad():
        if base.seq2seq:
            loss = theirs(input_ids=torch.tensor(ids), labels=torch.tensor(answer)).loss
        else:
            labels = torch.tensor([[-100] * len(ids[0]) + answer[0]])
            whole = torch.tensor([ids[0] + answer[0]])
            loss = theirs(input_ids=whole, attention_mask=torch.ones_like(whole), labels=labels).loss
    assert ours[0][1] == len(answer[0])
    assert ours[0][0] / ours[0][1] == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", METHODS)
def test_peft_generates_what_we_generate(model, method, tuned):
    from peft import PeftModel

    base = load_base(model, device="cpu")
    theirs = peft_model(PeftModel, base, tuned[model, method])
    ours = texts(Generator.load(model, tuned[model, method], device="cpu"), PROMPTS[:3])
    for prompt, text in zip(PROMPTS, ours, strict=False):
        ids = torch.tensor(base.tokens.prompts([prompt]))
        made = theirs.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, pad_token_id=0
        )[0].tolist()
        assert base.tokens.text(made if base.seq2seq else made[ids.shape[1] :]) == text


def peft_model(loader, base, folder):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT calls transformers in ways that transformers deprecates
        return loader.from_pretrained(base.model, folder).eval()


@pytest.mark.parametrize("method", METHODS)
def test_our_config_is_the_one_peft_would_write(causal_and_seq2seq, method, tuned, tmp_path):
    import json

    from peft import PeftConfig

    folder = tuned[causal_and_seq2seq, method]
    PeftConfig.from_pretrained(folder).save_pretrained(tmp_path)
    theirs, ours = (json.loads((path / "adapter_config.json").read_text()) for path in (tmp_path, folder))
    assert {**theirs, "target_modules": sorted(theirs.get("target_modules", []))} == {
        **ours,
        "target_modules": sorted(ours.get("target_modules", [])),
    }
    assert ours["inference_mode"] is True


@pytest.mark.parametrize("stop", [(), ("e",), ("at", "zzz")])
def test_a_stream_is_the_answer_in_pieces(model, stop):
    generator = Generator.load(model, device="cpu")
    for prompt in PROMPTS[:4]:
        (answer,) = generator.generate([prompt], max_new_tokens=12, stop=stop)
        assert "".join(generator.stream(prompt, max_new_tokens=12, stop=stop)) == answer.text


def test_a_stop_sequence_ends_the_answer_before_it(llama):
    generator = Generator.load(llama, device="cpu")
    (whole,) = generator.generate(PROMPTS[:1], max_new_tokens=12)
    stop = whole.text[len(whole.text) // 2 :][:2]
    (cut,) = generator.generate(PROMPTS[:1], max_new_tokens=12, stop=[stop])
    assert cut.text == whole.text[: whole.text.find(stop)]
    assert cut.stop_reason == "stop_sequence"
    assert cut.tokens < whole.tokens


def test_the_end_token_ends_an_answer(tmp_path):
    from tests.engine.conftest import ROWS as rows

    folder = run_folder(tmp_path / "run", rows)
    from tests.engine.conftest import make_model

    model = make_model("llama", tmp_path / "model")
    tune(config_for(model, "lora", num_epochs=30), folder)
    answers = Generator.load(model, folder / "adapter", device="cpu").generate(
        [f"Input: {row['input']} Output:" for row in rows], max_new_tokens=12
    )
    right = [answer for answer, row in zip(answers, rows, strict=True) if answer.text == row["output"]]
    assert len(right) > len(rows) // 2
    assert {answer.stop_reason for answer in right} == {"eos_token"}


def test_counts_are_those_of_the_tokenizer(llama):
    generator = Generator.load(llama, device="cpu")
    (answer,) = generator.generate(PROMPTS[:1], max_new_tokens=5)
    assert answer.tokens == 5 and answer.stop_reason == "max_tokens"
    assert [answer.input_tokens] == generator.count_tokens(PROMPTS[:1])


def test_draws_repeat_with_their_seed_and_do_not_depend_on_the_batch(causal_and_seq2seq):
    generator = Generator.load(causal_and_seq2seq, device="cpu")
    warm = {"temperature": 1.5, "top_p": 0.9, "seed": 3}
    drawn = texts(generator, PROMPTS, **warm)
    assert drawn == texts(generator, PROMPTS, batch_size=3, **warm)
    assert drawn != texts(generator, PROMPTS, **{**warm, "seed": 4})
    assert drawn != texts(generator, PROMPTS)


def test_a_tiny_nucleus_is_greedy(llama):
    generator = Generator.load(llama, device="cpu")
    assert texts(generator, PROMPTS, temperature=1.0, top_p=1e-9, seed=1) == texts(generator, PROMPTS)


def test_losses_are_sums_over_the_answer_and_do_not_depend_on_the_batch(model):
    generator = Generator.load(model, device="cpu")
    pairs = [(prompt, "good " * (number + 1)) for number, prompt in enumerate(PROMPTS)]
    together = generator.losses(pairs)
    alone = [generator.losses([pair])[0] for pair in pairs]
    assert [count for _, count in together] == [count for _, count in alone]
    assert [loss for loss, _ in together] == pytest.approx([loss for loss, _ in alone], rel=1e-4)
    assert all(math.isfinite(loss) and loss > 0 for loss, _ in together)


def test_a_prompt_too_long_for_the_model_is_refused_before_anything_runs(llama):
    generator = Generator.load(llama, device="cpu")
    with pytest.raises(EngineError, match="prompt 1 needs") as caught:
        generator.generate(["fine", "great " * 300], max_new_tokens=5)
    assert caught.value.code == "too_long"


def test_an_answer_ends_where_the_positions_end(models):
    generator = Generator.load(models["gpt2"], device="cpu")
    prompt = "x" * 250
    room = 256 - generator.count_tokens([prompt])[0]
    (answer,) = generator.generate([prompt], max_new_tokens=500)
    assert answer.tokens <= room


def test_no_prompts_give_no_answers(llama):
    assert Generator.load(llama, device="cpu").generate([], max_new_tokens=5) == []


def test_an_empty_prompt_is_answered(model):
    (answer,) = Generator.load(model, device="cpu").generate([""], max_new_tokens=3)
    assert answer.tokens <= 3


def test_braces_in_the_data_are_text(llama, tmp_path):
    rows = [{**row, "input": "{{input}} {0} {x} " + row["input"]} for row in ROWS]
    folder = run_folder(tmp_path / "run", rows)
    assert tune(config_for(llama, num_epochs=1), folder).rows == len(rows)


@pytest.mark.parametrize("wish", [{"temperature": -1.0}, {"top_p": 0.0}, {"stop": ("",)}, {"max_new_tokens": 0}])
def test_impossible_wishes_are_refused(llama, wish):
    with pytest.raises(EngineError) as caught:
        Generator.load(llama, device="cpu").generate(["x"], **{"max_new_tokens": 3, **wish})
    assert caught.value.code == "bad_config"


def test_bfloat16_answers_too(model, tuned):
    generator = Generator.load(model, tuned[model, "prompt_tuning"], device="cpu", dtype="bfloat16")
    assert len(generator.generate(PROMPTS, max_new_tokens=4)) == len(PROMPTS)
