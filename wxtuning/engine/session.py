"""A batch of prompts in the middle of its answers: the model's cache and the logits of the next tokens."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from wxtuning.engine.forward import logits_at, prefix_cache, right_mask
from wxtuning.engine.model import Base


class Session(Protocol):
    """`logits` (rows x vocabulary) of the next token; `step` takes one token a row; `keep` drops all other rows."""

    logits: torch.Tensor

    def step(self, tokens: Sequence[int]) -> None: ...

    def keep(self, rows: Sequence[int]) -> None: ...


def open_session(base: Base, prompts: Sequence[Sequence[int]], *, soft: torch.Tensor | None, shares: bool) -> Session:
    """The prompts after the soft prompt, read once; rows of different lengths answer as they would alone."""
    kind = _Seq2Seq if base.seq2seq else _Causal
    return kind(base, prompts, soft, shares)


class _Causal:
    """Padding stands on the left and has no position, so the last column predicts in every row.

    Where the base can share, the soft prompt is read once for all rows and stands before the padding.
    """

    def __init__(self, base: Base, prompts: Sequence[Sequence[int]], soft: torch.Tensor | None, shares: bool) -> None:
        self._base = base
        self._takes_positions = "position_ids" in inspect.signature(base.model.forward).parameters
        lengths = [len(prompt) for prompt in prompts]
        width = max(lengths)
        ids = base.ids([[*[0] * (width - len(prompt)), *prompt] for prompt in prompts])
        self._mask = _left_mask(base, lengths, width)
        if soft is not None and shares and len(prompts) > 1:
            self._start_shared(ids, soft)
        else:
            self._start_plain(ids, lengths, soft)

    def step(self, tokens: Sequence[int]) -> None:
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        self._run({"input_ids": self._base.ids([[token] for token in tokens])}, width=1, past=self._past)

    def keep(self, rows: Sequence[int]) -> None:
        chosen = torch.tensor(rows, device=self._base.device)
        self._mask = self._mask[chosen]
        self._past.batch_select_indices(chosen)

    def _start_shared(self, ids: torch.Tensor, soft: torch.Tensor) -> None:
        past = prefix_cache(self._base, soft, ())
        past.batch_repeat_interleave(len(ids))
        self._mask = torch.cat([self._mask.new_ones(len(ids), len(soft)), self._mask], dim=1)
        self._run({"input_ids": ids}, width=ids.shape[1], past=past)

    def _start_plain(self, ids: torch.Tensor, lengths: Sequence[int], soft: torch.Tensor | None) -> None:
        if soft is None:
            self._run({"input_ids": ids}, width=ids.shape[1], past=None)
            return
        embedded = self._base.embed(ids)
        width = len(soft) + ids.shape[1]
        together = embedded.new_zeros(len(ids), width, embedded.shape[-1])
        for row, length in enumerate(lengths):
            together[row, width - length - len(soft) :] = torch.cat(
                [soft.to(embedded.dtype), embedded[row, ids.shape[1] - length :]]
            )
        self._mask = _left_mask(self._base, [length + len(soft) for length in lengths], width)
        self._run({"inputs_embeds": together}, width=width, past=None)

    def _run(self, inputs: dict[str, torch.Tensor], *, width: int, past: Any) -> None:
        rows = len(self._mask)
        if self._takes_positions:
            inputs["position_ids"] = (self._mask.cumsum(dim=1) - 1).clamp(min=0)[:, -width:]
        made: dict[str, Any] = {}
        self.logits = logits_at(
            self._base,
            [row * width + width - 1 for row in range(rows)],
            keep=made,
            **inputs,
            attention_mask=self._mask,
            past_key_values=past,
            use_cache=True,
        )
        self._past = made["past_key_values"]


class _Seq2Seq:
    """The encoder reads soft prompt and prompt once; the decoder goes on from its start token."""

    def __init__(self, base: Base, prompts: Sequence[Sequence[int]], soft: torch.Tensor | None, shares: bool) -> None:
        del shares  # an encoder looks both ways: what stands before depends on what follows
        self._base = base
        lengths = [len(prompt) for prompt in prompts]
        width = max(lengths)
        embedded = base.embed(base.ids([[*prompt, *[0] * (width - len(prompt))] for prompt in prompts]))
        if soft is not None:
            embedded = torch.cat([soft.to(embedded.dtype).expand(len(embedded), -1, -1), embedded], dim=1)
        self._mask = right_mask(base, lengths, width=embedded.shape[1])
        self._encoded = base.model.get_encoder()(inputs_embeds=embedded, attention_mask=self._mask, return_dict=True)
        self._past: Any = None
        self.step([base.tokens.start] * len(prompts))

    def step(self, tokens: Sequence[int]) -> None:
        made: dict[str, Any] = {}
        self.logits = logits_at(
            self._base,
            range(len(tokens)),
            keep=made,
            encoder_outputs=self._encoded,
            attention_mask=self._mask,
            decoder_input_ids=self._base.ids([[token] for token in tokens]),
            past_key_values=self._past,
            use_cache=True,
        )
        self._past = made["past_key_values"]

    def keep(self, rows: Sequence[int]) -> None:
        chosen = torch.tensor(rows, device=self._base.device)
        self._mask = self._mask[chosen]
        self._encoded.last_hidden_state = self._encoded.last_hidden_state[chosen]
        self._past.batch_select_indices(chosen)


def _left_mask(base: Base, lengths: Sequence[int], width: int) -> torch.Tensor:
    begins = width - torch.tensor(lengths, device=base.device)[:, None]
    return (torch.arange(width, device=base.device)[None, :] >= begins).long()
