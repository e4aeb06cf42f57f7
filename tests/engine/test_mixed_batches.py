"""Several adapters, prompts and wishes in one batch: each answer is what its model gives alone."""

from __future__ import annotations

import itertools

import pytest
import torch

from tests.engine.conftest import METHODS, config_for, run_folder
from wxtuning.engine import Batch, Decoding, EngineError, Generator, Request, generate_mixed, tune
from wxtuning.engine.model import load_base
from wxtuning.engine.session import open_session

PROMPTS = [f"Input: the order {number} was {'great ' * (number % 5)}late Output:" for number in range(6)]
SIZES = (3, 7)


@pytest.fixture(scope="module")
def adapters(models, tmp_path_factory):
    """Adapter folders by model: soft prompts of two lengths, and two LoRA adapters."""
    home = tmp_path_factory.mktemp("mixed")
    found = {}
    for name, model in models.items():
        wanted = [("prompt_tuning", {"num_virtual_tokens": size}) for size in SIZES]
        wanted += [("lora", {"seed": seed}) for seed in (1, 2)]
        for number, (method, values) in enumerate(wanted):
            folder = run_folder(home / f"{name}-{number}")
            tune(config_for(model, method, num_epochs=1, **values), folder)
            found.setdefault(model, []).append((method, folder / "adapter"))
    return found


def voices(model, adapters, *, methods=tuple(METHODS), dtype="float32"):
    """Generators on one base: the bare one, and one for each adapter."""
    bare = Generator.load(model, device="cpu", dtype=dtype)
    return [bare, *(bare.with_adapter(folder) for method, folder in adapters[model] if method in methods)]


def requests_to(generators, decodings):
    """Every generator is asked every prompt; the decodings take turns."""
    turns = itertools.cycle(decodings)
    return [
        Request(generator=generator, prompt=prompt, decoding=next(turns))
        for prompt in PROMPTS
        for generator in generators
    ]


def alone(request):
    return generate_mixed([request])[0]


GREEDY = Decoding(max_new_tokens=10)
WISHES = (GREEDY, Decoding(max_new_tokens=3), Decoding(max_new_tokens=12, stop=("e", "at")))


def test_soft_prompts_of_different_lengths_share_a_batch(model, adapters):
    asked = requests_to(voices(model, adapters, methods=("prompt_tuning",)), WISHES)
    answers = generate_mixed(asked)
    assert answers == [alone(request) for request in asked]
    assert len({answer.text for answer in answers}) > len(PROMPTS)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.05)])
def test_logits_in_a_mixed_batch_are_those_alone_up_to_rounding(model, adapters, dtype, tolerance):
    asked = requests_to(voices(model, adapters, methods=("prompt_tuning",), dtype=dtype), [GREEDY])
    tokens = [5, 7, 11]
    together = logits_after(asked, tokens)
    by_itself = torch.cat([logits_after([request], tokens) for request in asked], dim=1)
    assert torch.allclose(together, by_itself, atol=tolerance * float(by_itself.abs().max()), rtol=0)


def logits_after(requests, tokens):
    """The logits (steps x rows x vocabulary) when every row goes on with the same tokens."""
    generator = requests[0].generator
    with torch.inference_mode():
        session = open_session(
            generator.base_model,
            [request.ids() for request in requests],
            [request.generator.soft for request in requests],
            shares=generator.shares,
        )
        found = [session.logits]
        for token in tokens:
            session.step([token] * len(requests))
            found.append(session.logits)
    return torch.stack(found).float()


def test_lora_rows_and_soft_prompts_are_answered_as_alone(model, adapters):
    asked = requests_to(voices(model, adapters), WISHES)
    assert generate_mixed(asked) == [alone(request) for request in asked]


def test_a_mixed_answer_is_what_the_generator_itself_gives(model, adapters):
    generators = voices(model, adapters)
    answers = generate_mixed(requests_to(generators, [GREEDY]))
    for place, generator in enumerate(generators):
        assert answers[place :: len(generators)] == generator.generate(PROMPTS, max_new_tokens=10)


def test_rows_of_one_lora_only_share_its_batch(llama, adapters):
    bare, *tuned = voices(llama, adapters)
    soft, lora, other = tuned[0], tuned[2], tuned[3]
    assert bare.shares_batches(soft) and not bare.shares_batches(lora) and not lora.shares_batches(other)
    assert not bare.shares_batches(Generator.load(llama, device="cpu"))


def test_what_joins_a_running_batch_is_answered_as_alone(llama, adapters):
    asked = requests_to(voices(llama, adapters, methods=("prompt_tuning",)), WISHES)
    batch, made = Batch(asked[0].generator), []
    for request in asked:
        assert batch.takes([request], [request.ids()])
        made += batch.add([request])
        batch.step()
    while batch.rows:
        batch.step()
    assert [row.answer() for row in made] == [alone(request) for request in asked]


def test_a_batch_that_is_never_empty_does_not_get_wider_for_ever(llama, adapters, monkeypatch):
    monkeypatch.setattr("wxtuning.engine.cache.ROOM", 4)
    generator = voices(llama, adapters)[1]
    request = Request(generator=generator, prompt=PROMPTS[0], decoding=Decoding(max_new_tokens=9))
    expected, batch, made = alone(request), Batch(generator), []
    for _ in range(30):
        made += batch.add([request])
        for _ in range(4):
            batch.step()
    widest = len(generator.prompt_ids([request.prompt])[0]) + SIZES[1] + 9
    assert batch.columns <= widest + 2 * 4
    assert {row.answer() for row in made if row.reason} == {expected}


def test_a_dropped_row_leaves_the_others_as_they_were(causal_and_seq2seq, adapters):
    asked = requests_to(voices(causal_and_seq2seq, adapters, methods=("prompt_tuning",)), [GREEDY])[:6]
    batch = Batch(asked[0].generator)
    made = batch.add(asked)
    batch.step()
    batch.drop([made[0], made[4]])
    while batch.rows:
        batch.step()
    left = [place for place in range(6) if place not in (0, 4)]
    assert [made[place].answer() for place in left] == [alone(asked[place]) for place in left]
    assert made[0].reason is None


def test_a_decoder_that_has_begun_takes_no_more_rows(models, adapters):
    generator = voices(models["t5"], adapters)[1]
    request = Request(generator=generator, prompt=PROMPTS[0], decoding=GREEDY)
    batch = Batch(generator)
    assert batch.takes([request], [request.ids()])
    batch.add([request])
    assert not batch.takes([request], [request.ids()])


def test_draws_of_a_row_depend_on_its_seed_alone(llama, adapters):
    warm = [Decoding(max_new_tokens=8, temperature=1.5, top_p=0.9, seed=seed) for seed in (1, 2)]
    asked = requests_to(voices(llama, adapters), [*warm, GREEDY])
    answers = generate_mixed(asked)
    assert answers == [alone(request) for request in asked]
    assert answers == generate_mixed(asked[::-1])[::-1]


def test_the_likeliest_of_one_is_greedy(llama):
    generator = Generator.load(llama, device="cpu")
    drawn = Decoding(max_new_tokens=8, temperature=1.5, top_k=1, seed=3)
    asked = [Request(generator=generator, prompt=PROMPTS[0], decoding=decoding) for decoding in (drawn, GREEDY)]
    first, second = generate_mixed(asked)
    assert second.text.startswith(first.text) and first.text


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_a_penalty_gives_what_transformers_gives(models, name):
    generator = Generator.load(models[name], device="cpu")
    decoding = Decoding(max_new_tokens=12, repetition_penalty=1.7)
    asked = [Request(generator=generator, prompt=prompt, decoding=decoding) for prompt in PROMPTS]
    assert [answer.text for answer in generate_mixed(asked)] == [
        penalised_by_transformers(models[name], prompt) for prompt in PROMPTS
    ]


def penalised_by_transformers(model, prompt):
    base = load_base(model, device="cpu")
    ids = base.tokens.prompts([prompt])
    made = base.model.generate(
        torch.tensor(ids), max_new_tokens=12, do_sample=False, repetition_penalty=1.7, pad_token_id=0
    )[0].tolist()
    return base.tokens.text(made if base.seq2seq else made[len(ids[0]) :])


def test_an_answer_does_not_end_before_its_least_tokens(llama, tmp_path):
    folder = run_folder(tmp_path / "run")
    tune(config_for(llama, "lora", num_epochs=30), folder)
    generator = Generator.load(llama, folder / "adapter", device="cpu")
    prompt = "Input: the order 3 was great  Output:"
    short, long = generate_mixed(
        [
            Request(generator=generator, prompt=prompt, decoding=Decoding(max_new_tokens=12, min_new_tokens=least))
            for least in (0, 9)
        ]
    )
    assert short.stop_reason == "eos_token" and short.tokens < 9 <= long.tokens


def test_only_the_last_tokens_of_a_prompt_are_read(llama):
    generator = Generator.load(llama, device="cpu")
    whole = generator.prompt_ids([PROMPTS[4]])[0]
    request = Request(generator=generator, prompt=PROMPTS[4], decoding=GREEDY, last_tokens=5)
    assert request.ids() == whole[-5:]
    assert generate_mixed([request])[0].input_tokens == 5


def test_a_prompt_that_is_too_long_is_named_before_anything_runs(llama):
    generator = Generator.load(llama, device="cpu")
    asked = [Request(generator=generator, prompt=text, decoding=GREEDY) for text in ("fine", "great " * 300)]
    with pytest.raises(EngineError, match="prompt 1 needs") as caught:
        generate_mixed(asked)
    assert caught.value.code == "too_long"


@pytest.mark.parametrize("wish", [{"min_new_tokens": 11}, {"top_k": -1}, {"repetition_penalty": 0.0}])
def test_a_decoding_that_cannot_be_is_refused(wish):
    with pytest.raises(EngineError) as caught:
        Decoding(max_new_tokens=10, **wish)
    assert caught.value.code == "bad_config"
