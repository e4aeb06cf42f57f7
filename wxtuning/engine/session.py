"""A batch of prompts in the middle of its answers: the model's cache and the logits of the next tokens."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers.cache_utils import DynamicLayer

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


@dataclass(frozen=True, slots=True)
class _Read:
    """Prompts of like length that were read together: their cache, and the logits of what comes next."""

    rows: int
    past: Any
    logits: torch.Tensor


class _Causal:
    """Columns from the left: a shared soft prompt, padding that has no position, the prompts, the answers.

    So the last column predicts in every row.
    """

    def __init__(self, base: Base, prompts: Sequence[Sequence[int]], soft: torch.Tensor | None, shares: bool) -> None:
        self._base = base
        self._takes_positions = "position_ids" in inspect.signature(base.model.forward).parameters
        self.logits: torch.Tensor
        self._mask: torch.Tensor
        self._past: Any
        if shares:
            self._read_in_parts(prompts, soft)
        else:
            self._read_whole(prompts, soft)

    def step(self, tokens: Sequence[int]) -> None:
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        ids = self._base.ids([[token] for token in tokens])
        self.logits, self._past = self._run({"input_ids": ids}, self._mask, width=1, past=self._past)

    def keep(self, rows: Sequence[int]) -> None:
        chosen = torch.tensor(rows, device=self._base.device)
        self._mask = self._mask[chosen]
        self._past.batch_select_indices(chosen)

    def _read_in_parts(self, prompts: Sequence[Sequence[int]], soft: torch.Tensor | None) -> None:
        """The soft prompt once, the prompts a few at a time: the processor's caches hold no more."""
        prefix = None if soft is None else prefix_cache(self._base, soft, ())
        before = 0 if soft is None else len(soft)
        parts = [self._read(part, prefix, before) for part in _parts(prompts, most=self._base.at_once or _AT_ONCE)]
        self.logits = torch.cat([part.logits for part in parts])
        self._past = _joined(parts, before)
        self._mask = _left_mask(self._base, list(map(len, prompts)), before)

    def _read(self, prompts: Sequence[Sequence[int]], prefix: Any, before: int) -> _Read:
        past = copy.deepcopy(prefix)
        if past is not None:
            past.batch_repeat_interleave(len(prompts))
        ids = _padded(self._base, prompts)
        mask = _left_mask(self._base, list(map(len, prompts)), before)
        logits, past = self._run({"input_ids": ids}, mask, width=ids.shape[1], past=past)
        return _Read(len(prompts), past, logits)

    def _read_whole(self, prompts: Sequence[Sequence[int]], soft: torch.Tensor | None) -> None:
        ids, lengths = _padded(self._base, prompts), list(map(len, prompts))
        inputs, width = {"input_ids": ids}, ids.shape[1]
        if soft is not None:
            # A state that runs through the padding must not stand between soft prompt and prompt.
            embedded = self._base.embed(ids)
            together = embedded.new_zeros(len(ids), len(soft) + width, embedded.shape[-1])
            for row, length in enumerate(lengths):
                part = torch.cat([soft.to(embedded.dtype), embedded[row, width - length :]])
                together[row, width - length :] = part
            inputs, width = {"inputs_embeds": together}, together.shape[1]
            lengths = [length + len(soft) for length in lengths]
        self._mask = _left_mask(self._base, lengths)
        self.logits, self._past = self._run(inputs, self._mask, width=width, past=None)

    def _run(
        self, inputs: dict[str, torch.Tensor], mask: torch.Tensor, *, width: int, past: Any
    ) -> tuple[torch.Tensor, Any]:
        if self._takes_positions:
            inputs["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -width:]
        made: dict[str, Any] = {}
        logits = logits_at(
            self._base,
            [row * width + width - 1 for row in range(len(mask))],
            keep=made,
            **inputs,
            attention_mask=mask,
            past_key_values=past,
            use_cache=True,
        )
        return logits, made["past_key_values"]


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


class _Roomy(DynamicLayer):  # type: ignore[misc]  # transformers is untyped here
    """Keys and values with room behind them: a step writes its column where a plain layer copies all columns."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, *, length: int) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self._room = [keys, values]
        self._show(length)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        first, last = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
        if last > self._room[0].shape[-2]:
            self._room = [_longer(self.keys, last + ROOM), _longer(self.values, last + ROOM)]
        for room, states in zip(self._room, (key_states, value_states), strict=True):
            room[..., first:last, :] = states
        self._show(last)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        self._room = [room[indices] for room in self._room]
        self._show(self.keys.shape[-2])

    def _show(self, length: int) -> None:
        self.keys, self.values = (room[..., :length, :] for room in self._room)


# Columns that a cache grows by.
ROOM = 32
# Tokens that are read at once where the device sets no limit: enough to fill any of today's.
_AT_ONCE = 16_384


def _longer(states: torch.Tensor, columns: int) -> torch.Tensor:
    longer = states.new_empty(*states.shape[:-2], columns, states.shape[-1])
    longer[..., : states.shape[-2], :] = states
    return longer


def _joined(parts: Sequence[_Read], before: int) -> Any:
    """One cache of all parts, each padded on the left, behind the first `before` columns, to the widest."""
    past = parts[0].past
    length = max(part.past.get_seq_length() for part in parts)
    of_layer = list(zip(*(part.past.layers for part in parts), strict=True))
    past.layers = [_moved(layers, before, length) for layers in of_layer]
    return past


def _moved(layers: Sequence[Any], before: int, length: int) -> _Roomy:
    keys, values = (_stacked([getattr(layer, name) for layer in layers], before) for name in _STATES)
    for layer in layers:
        layer.reset()  # so that not every layer's states are held twice at the end
    return _Roomy(keys, values, length=length)


_STATES = ("keys", "values")


def _stacked(parts: Sequence[torch.Tensor], before: int) -> torch.Tensor:
    rows, width = sum(map(len, parts)), max(part.shape[-2] for part in parts)
    stacked = parts[0].new_empty(rows, parts[0].shape[1], width + ROOM, parts[0].shape[-1])
    for place, part in zip(torch.split(stacked, list(map(len, parts))), parts, strict=True):
        begins = width - part.shape[-2] + before
        place[..., :before, :] = part[..., :before, :]
        place[..., before:begins, :] = 0  # attention multiplies it by 0, so it must be a number
        place[..., begins:width, :] = part[..., before:, :]
    return stacked


def _parts(prompts: Sequence[Sequence[int]], *, most: int) -> Iterator[Sequence[Sequence[int]]]:
    """Neighbours together as long as they are at most `most` tokens with their padding; at least one a part."""
    first = 0
    for end in range(1, len(prompts) + 1):
        widest = max(map(len, prompts[first : end + 1]))
        if end == len(prompts) or widest * (end + 1 - first) > most:
            yield prompts[first:end]
            first = end


def _padded(base: Base, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
    width = max(map(len, prompts))
    return base.ids([[*[0] * (width - len(prompt)), *prompt] for prompt in prompts])


def _left_mask(base: Base, lengths: Sequence[int], before: int = 0) -> torch.Tensor:
    """1 where a row padded on the left has something, after `before` columns that all rows have."""
    begins = max(lengths) - torch.tensor(lengths, device=base.device)[:, None]
    mask = (torch.arange(max(lengths), device=base.device)[None, :] >= begins).long()
    return torch.cat([mask.new_ones(len(mask), before), mask], dim=1)
