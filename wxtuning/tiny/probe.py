"""Asks a base and tunes prompts on it: the one place where `tiny` meets a tuning loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

VIRTUAL_TOKENS = 20
LEARNING_RATE = 0.1
BATCH_SIZE = 16


class Probe:
    """A base loaded once, frozen, in fp32 on the CPU."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)
        self._embed = self._model.get_input_embeddings()

    def answers(self, prompts: Sequence[str], soft: Tensor | None = None) -> list[str]:
        """The greedy answer to each prompt, at most 32 tokens, with `soft` (tokens x width) before the prompt."""
        found: list[str] = []
        for start in range(0, len(prompts), 50):
            found += self._answers(prompts[start : start + 50], soft)
        return found

    def _answers(self, prompts: Sequence[str], soft: Tensor | None) -> list[str]:
        import torch

        rows = [self._embed(torch.tensor(self._tokenizer(prompt)["input_ids"])) for prompt in prompts]
        if soft is not None:
            rows = [torch.cat([soft, row]) for row in rows]
        longest = max(len(row) for row in rows)
        embedded = torch.stack([torch.nn.functional.pad(row, (0, 0, longest - len(row), 0)) for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        made = self._model.generate(
            inputs_embeds=embedded, attention_mask=mask, max_new_tokens=32, do_sample=False, pad_token_id=0
        )
        return [str(self._tokenizer.decode(ids, skip_special_tokens=True)) for ids in made]

    def tune(self, pairs: Sequence[tuple[str, str]], *, seed: int, epochs: int) -> Tensor:
        """A soft prompt (tokens x width) learned from (prompt, answer) pairs, from a random start."""
        import torch

        rng = torch.Generator().manual_seed(seed)
        soft = torch.randn(VIRTUAL_TOKENS, self._model.config.hidden_size, generator=rng).requires_grad_()
        optimiser = torch.optim.AdamW([soft], lr=LEARNING_RATE)
        steps = epochs * -(-len(pairs) // BATCH_SIZE)
        warmup = max(1.0, 0.06 * steps)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: min((step + 1) / warmup, (steps - step) / (steps - warmup))
        )
        for _ in range(epochs):
            order = torch.randperm(len(pairs), generator=rng).tolist()
            for start in range(0, len(order), BATCH_SIZE):
                self._loss([pairs[index] for index in order[start : start + BATCH_SIZE]], soft).backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_([soft], 1.0)
                optimiser.step()
                optimiser.zero_grad()
                schedule.step()
        return soft.detach()

    def _loss(self, pairs: Sequence[tuple[str, str]], soft: Tensor) -> Tensor:
        import torch

        prompts = [self._tokenizer(prompt)["input_ids"] for prompt, _ in pairs]
        answers = [[*self._tokenizer(answer)["input_ids"], self._tokenizer.eos_token_id] for _, answer in pairs]
        longest = max(len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True))
        ids = torch.zeros(len(pairs), longest, dtype=torch.long)
        labels = torch.full((len(pairs), longest), -100)
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
            labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
        embedded = torch.cat([soft.expand(len(pairs), -1, -1), self._embed(ids)], dim=1)
        logits = self._model(inputs_embeds=embedded, use_cache=False).logits[:, len(soft) - 1 : -1]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
