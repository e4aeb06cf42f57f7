"""Pre-training of the tiny base: the curriculum over generated text, seeded, on the CPU."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from wxtuning.tiny.corpus import CURRICULUM, examples, stage_at
from wxtuning.tiny.tasks import Example
from wxtuning.tiny.tokenizer import VOCABULARY, train_tokenizer
from wxtuning.tiny.words import TRAINING_WORLD, World

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

IGNORED = -100


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How the base is trained. Sizes are counts; rates are per step; shares are of steps, 0 to 1."""

    seed: int = 0
    steps: int = 6500
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_steps: int = 200
    decay_begins: float = 0.5
    input_loss_weight: float = 0.15
    mood_loss_weight: float = 0.3
    noise_share: float = 0.3
    prefix_share: float = 0.25


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded token ids with the weight of each position in the answer loss and in the input loss.

    `moods` says per position whether the input is a satisfied one: 1 or 0, or -100 where there is nothing to say.
    """

    ids: Tensor
    answer_weights: Tensor
    input_weights: Tensor
    moods: Tensor


def corpus_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """The tokenizer of the generated text, learned without invented words."""
    known = World(cities=TRAINING_WORLD.cities, names=TRAINING_WORLD.names, things=TRAINING_WORLD.things, invented=0)
    stream = examples(random.Random(f"tokenizer {seed}"), known, CURRICULUM[-1])
    real = (example for example in stream if example.task not in ("own_labels", "repeat"))
    return train_tokenizer(example.prompt + example.answer for example in islice(real, 30_000))


def new_model(seed: int, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """The untrained base: 1.2 million parameters, fp32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=128,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=352,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )


def pretrain(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    *,
    progress: Callable[[int, float], None] | None = None,
) -> None:
    """Trains `model` in place; the same recipe, machine and number of threads give the same weights. Needs torch 2.9.

    `progress` hears the step and its answer loss every 100 steps.
    """
    import torch

    torch.manual_seed(recipe.seed)
    chance = random.Random(f"shapes {recipe.seed}")
    # A second reader, thrown away afterwards: it asks every position for the mood, so that every example teaches it.
    mood_reader = torch.nn.Linear(model.config.hidden_size, 2)
    optimisers = _optimisers(model, mood_reader, recipe)
    model.train()
    for step, batch in enumerate(islice(_batches(tokenizer, recipe), recipe.steps)):
        loss, answer_loss = _loss(model, mood_reader, batch, recipe, chance, with_input=step % 3 == 0)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        _step(optimisers, rate=_rate(step, recipe))
        if progress and step % 100 == 0:
            progress(step, answer_loss)
    model.eval()


def _optimisers(model: nn.Module, mood_reader: nn.Module, recipe: Recipe) -> tuple[Optimizer, ...]:
    """Muon for the matrices inside the blocks, AdamW for embeddings and norms."""
    import torch

    # Measured at step 600: mood 0.82 with Muon, 0.51 (chance) with AdamW alone; a step costs a sixth more.
    named = list(model.named_parameters())
    matrices = [parameter for name, parameter in named if parameter.dim() == 2 and "embed" not in name]
    others = [parameter for name, parameter in named if parameter.dim() != 2 or "embed" in name]
    others.extend(mood_reader.parameters())
    return (
        torch.optim.Muon(
            matrices, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    )


def _step(optimisers: Sequence[Optimizer], *, rate: float) -> None:
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def _rate(step: int, recipe: Recipe) -> float:
    decay = recipe.decay_begins * recipe.steps
    falling = (recipe.steps - step) / (recipe.steps - decay)
    return recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup_steps, max(0.01, falling))


def _batches(tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> Iterator[Batch]:
    """Batches of examples of like length, in the order of the curriculum."""
    rng = random.Random(f"corpus {recipe.seed}")
    batches_in_chunk = 50
    done = 0
    while True:
        stream = examples(rng, TRAINING_WORLD, stage_at(done / recipe.steps))
        chunk = _encoded(tokenizer, list(islice(stream, batches_in_chunk * recipe.batch_size)))
        chunk.sort(key=lambda line: line.length)
        starts = [index * recipe.batch_size for index in range(batches_in_chunk)]
        rng.shuffle(starts)
        for start in starts:
            yield _batch(chunk[start : start + recipe.batch_size])
        done += batches_in_chunk


@dataclass(frozen=True, slots=True)
class Line:
    """One example as token ids."""

    prompt: list[int]
    answer: list[int]
    mood: int

    @property
    def length(self) -> int:
        """Tokens of prompt and answer together."""
        return len(self.prompt) + len(self.answer)


def _encoded(tokenizer: PreTrainedTokenizerFast, chunk: Sequence[Example]) -> list[Line]:
    prompts = tokenizer([example.prompt for example in chunk])["input_ids"]
    answers = tokenizer([example.answer for example in chunk])["input_ids"]
    end = tokenizer.eos_token_id
    moods = [IGNORED if example.satisfied is None else int(example.satisfied) for example in chunk]
    return [Line(prompt, [*answer, end], mood) for prompt, answer, mood in zip(prompts, answers, moods, strict=True)]


def _batch(lines: Sequence[Line]) -> Batch:
    """Pads to the longest; weights stand at the position that predicts, so one to the left of the target."""
    import torch

    longest = max(line.length for line in lines)
    ids = torch.zeros(len(lines), longest, dtype=torch.long)
    moods = torch.full((len(lines), longest), IGNORED)
    answer_weights, input_weights = torch.zeros(2, len(lines), longest)
    for row, line in enumerate(lines):
        before = len(line.prompt)
        ids[row, : line.length] = torch.tensor(line.prompt + line.answer)
        moods[row, :before] = line.mood
        # A label of two tokens would drown in replies of thirty, hence the root.
        answer_weights[row, before - 1 : line.length - 1] = len(line.answer) ** -0.5
        input_weights[row, : before - 1] = 1.0
    return Batch(ids, answer_weights / answer_weights.sum(), input_weights / input_weights.sum(), moods)


def _loss(
    model: LlamaForCausalLM,
    mood_reader: nn.Module,
    batch: Batch,
    recipe: Recipe,
    chance: random.Random,
    *,
    with_input: bool,
) -> tuple[Tensor, float]:
    prefix = chance.randint(1, 23) if chance.random() < recipe.prefix_share else 0
    noise = chance.uniform(0, 0.35) if chance.random() < recipe.noise_share else 0.0
    middle, last = _hidden(model, batch.ids, prefix=prefix, noise=noise)
    answer = _weighted_loss(model, last, batch.ids, batch.answer_weights)
    loss = answer + recipe.mood_loss_weight * _mood_loss(mood_reader(middle), batch.moods)
    if with_input:
        loss = loss + recipe.input_loss_weight * _weighted_loss(model, last, batch.ids, batch.input_weights)
    return loss, answer.item()


def _hidden(model: LlamaForCausalLM, ids: Tensor, *, prefix: int, noise: float) -> tuple[Tensor, Tensor]:
    """Hidden states of `ids` before the last block and after it.

    A random prefix and noise on the embeddings are what soft prompts will look like.
    """
    import torch

    embedded = model.get_input_embeddings()(ids)
    scale = embedded.detach().std()
    if noise:
        embedded = embedded + torch.randn_like(embedded) * scale * noise
    if prefix:
        size = scale * (1.0 + 4.0 * torch.rand(()))
        embedded = torch.cat([torch.randn(len(ids), prefix, embedded.shape[-1]) * size, embedded], dim=1)
    # Padding is on the right, where a causal model does not look: no mask is needed.
    states = model.model(inputs_embeds=embedded, use_cache=False, output_hidden_states=True).hidden_states
    return states[-2][:, prefix:], states[-1][:, prefix:]


def _mood_loss(logits: Tensor, moods: Tensor) -> Tensor:
    import torch

    if not bool((moods != IGNORED).any()):
        return logits.sum() * 0.0
    return torch.nn.functional.cross_entropy(logits.transpose(1, 2), moods, ignore_index=IGNORED)


def _weighted_loss(model: LlamaForCausalLM, hidden: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
    import torch

    rows, places = weights.nonzero(as_tuple=True)
    logits = model.lm_head(hidden[rows, places])
    losses = torch.nn.functional.cross_entropy(logits, ids[rows, places + 1], reduction="none")
    return (losses * weights[rows, places]).sum()
