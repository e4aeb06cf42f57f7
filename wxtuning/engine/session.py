"""A batch of prompts in the middle of its answers: the model's cache and the logits of the next tokens."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch

from wxtuning.engine import cache
from wxtuning.engine.cache import Prefixes, Soft
from wxtuning.engine.forward import logits_at, right_mask
from wxtuning.engine.model import Base


class Session(Protocol):
    """`logits` (rows x vocabulary) of the next token; `step` takes one token a row; `keep` drops all other rows.

    `join` adds the rows of another session on the same base behind those here; only where both are `joinable`.
    `columns` is how wide the rows are, padding included.
    """

    logits: torch.Tensor
    joinable: bool

    @property
    def columns(self) -> int: ...

    def step(self, tokens: Sequence[int]) -> None: ...

    def keep(self, rows: Sequence[int]) -> None: ...

    def join(self, other: Any) -> None: ...


def open_session(
    base: Base, prompts: Sequence[Sequence[int]], softs: Sequence[Soft | None], *, shares: bool
) -> Session:
    """Each prompt after its soft prompt, read once; rows of different lengths answer as they would alone."""
    kind = _Seq2Seq if base.seq2seq else _Causal
    return kind(base, prompts, softs, shares)


class _Causal:
    """Columns from the left: the soft prompts, padding that has no position, the prompts, the answers.

    So the last column predicts in every row. Shorter soft prompts have padding before them.
    """

    def __init__(
        self, base: Base, prompts: Sequence[Sequence[int]], softs: Sequence[Soft | None], shares: bool
    ) -> None:
        self._base = base
        self._takes_positions = "position_ids" in inspect.signature(base.model.forward).parameters
        self.joinable = shares
        self.logits: torch.Tensor
        self._mask: torch.Tensor
        self._past: Any
        if shares:
            self._read_in_parts(prompts, softs)
        else:
            self._read_whole(prompts, softs)

    @property
    def columns(self) -> int:
        return self._mask.shape[1]

    def step(self, tokens: Sequence[int]) -> None:
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        ids = self._base.ids([[token] for token in tokens])
        self.logits, self._past = self._run({"input_ids": ids}, self._mask, width=1, past=self._past)

    def keep(self, rows: Sequence[int]) -> None:
        chosen = torch.tensor(rows, device=self._base.device)
        self._mask = self._mask[chosen]
        if self.joinable:
            self._cut_empty_columns()
        self._past.batch_select_indices(chosen)

    def join(self, other: _Causal) -> None:
        width = max(self._mask.shape[1], other._mask.shape[1])
        self._mask = torch.cat([_widened(self._mask, width), _widened(other._mask, width)])
        self._past = cache.joined([self._past, other._past], 0)

    def _cut_empty_columns(self) -> None:
        """Rows that come and go for hours would otherwise leave a column for every step that was ever made."""
        empty = int(self._mask.any(dim=0).int().argmax())
        if empty >= cache.ROOM:
            self._mask = self._mask[:, empty:]
            for layer in self._past.layers:
                layer.cut(empty)

    def _read_in_parts(self, prompts: Sequence[Sequence[int]], softs: Sequence[Soft | None]) -> None:
        """Each soft prompt once, the prompts a few at a time: the processor's caches hold no more."""
        prefixes = Prefixes(self._base, softs)
        parts, first = [], 0
        for part in _parts(prompts, most=self._base.at_once or _AT_ONCE):
            parts.append(self._read(part, prefixes, range(first, first + len(part))))
            first += len(part)
        self.logits = torch.cat([logits for logits, _ in parts])
        self._past = cache.joined([past for _, past in parts], prefixes.width)
        mask = _left_mask(self._base, list(map(len, prompts)))
        self._mask = torch.cat([prefixes.mask(range(len(prompts))), mask], dim=1)

    def _read(self, prompts: Sequence[Sequence[int]], prefixes: Prefixes, rows: range) -> tuple[torch.Tensor, Any]:
        ids = _padded(self._base, prompts)
        mask = torch.cat([prefixes.mask(rows), _left_mask(self._base, list(map(len, prompts)))], dim=1)
        logits, past = self._run({"input_ids": ids}, mask, width=ids.shape[1], past=prefixes.past(rows))
        return logits, past

    def _read_whole(self, prompts: Sequence[Sequence[int]], softs: Sequence[Soft | None]) -> None:
        lengths = [len(prompt) + len(soft or ()) for prompt, soft in zip(prompts, softs, strict=True)]
        self._mask = _left_mask(self._base, lengths)
        width = max(lengths)
        if not any(softs):
            inputs = {"input_ids": _padded(self._base, prompts)}
        else:
            # A state that runs through the padding must not stand between soft prompt and prompt.
            inputs = {"inputs_embeds": _stacked_rows(_embedded(self._base, prompts, softs), width, left=True)}
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

    joinable = False  # its rows begin at the same decoder position

    def __init__(
        self, base: Base, prompts: Sequence[Sequence[int]], softs: Sequence[Soft | None], shares: bool
    ) -> None:
        del shares  # an encoder looks both ways: what stands before depends on what follows
        self._base = base
        lengths = [len(prompt) + len(soft or ()) for prompt, soft in zip(prompts, softs, strict=True)]
        embedded = _stacked_rows(_embedded(base, prompts, softs), max(lengths), left=False)
        self._mask = right_mask(base, lengths, width=embedded.shape[1])
        self._encoded = base.model.get_encoder()(inputs_embeds=embedded, attention_mask=self._mask, return_dict=True)
        self._past: Any = None
        self.step([base.tokens.start] * len(prompts))

    @property
    def columns(self) -> int:
        return self._mask.shape[1]

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

    def join(self, other: _Seq2Seq) -> None:
        raise NotImplementedError("the rows of a decoder begin together")


# Tokens that are read at once where the device sets no limit: enough to fill any of today's.
_AT_ONCE = 16_384


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


def _embedded(base: Base, prompts: Sequence[Sequence[int]], softs: Sequence[Soft | None]) -> list[torch.Tensor]:
    """What each row begins with: the vectors of its soft prompt, then those of its prompt."""
    embedded = torch.split(base.embed(base.ids([list(itertools.chain(*prompts))]))[0], list(map(len, prompts)))
    return [
        part if soft is None else torch.cat([soft.vectors.to(part.dtype), part])
        for part, soft in zip(embedded, softs, strict=True)
    ]


def _stacked_rows(rows: Sequence[torch.Tensor], width: int, *, left: bool) -> torch.Tensor:
    stacked = rows[0].new_zeros(len(rows), width, rows[0].shape[-1])
    for place, row in enumerate(rows):
        begins = width - len(row) if left else 0
        stacked[place, begins : begins + len(row)] = row
    return stacked


def _left_mask(base: Base, lengths: Sequence[int]) -> torch.Tensor:
    """1 where a row padded on the left has something."""
    begins = max(lengths) - torch.tensor(lengths, device=base.device)[:, None]
    return (torch.arange(max(lengths), device=base.device)[None, :] >= begins).long()


def _widened(mask: torch.Tensor, width: int) -> torch.Tensor:
    return torch.cat([mask.new_zeros(len(mask), width - mask.shape[1]), mask], dim=1)
