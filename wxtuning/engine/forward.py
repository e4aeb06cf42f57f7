"""The loss of rows under a base and an adapter, computed at the label positions only.

Three savings, each the same number as the plain way up to rounding:
- the output head multiplies the hidden states of label positions, not of every token;
- what all rows of a batch share at their start (soft prompt, common tokens) is computed once, not once a row;
- a causal row needs no attention mask when it is padded on the right, and its last answer token is never an input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from wxtuning.engine.data import Row
from wxtuning.engine.model import Base

# What a model class may raise when it cannot go on from a cache of ours.
_NOT_SHARED = (RuntimeError, TypeError, ValueError, AttributeError, IndexError, NotImplementedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """How to run rows: on `base`, after the soft prompt, sharing the first `common` prompt tokens where it `shares`.

    `soft()` gives the soft prompt (tokens x width) or None, as it is at the moment of the call.
    """

    base: Base
    soft: Callable[[], torch.Tensor | None]
    shares: bool
    common: int = 0

    def losses(self, rows: Sequence[Row]) -> torch.Tensor:
        """The loss of every answer token of `rows`, row after row: negative log-likelihood in nats, float32, 1-d."""
        run = self._seq2seq if self.base.seq2seq else self._shared if self._worth_sharing(rows) else self._plain
        logits = run(rows).float()
        targets = torch.tensor([token for row in rows for token in row.answer], device=self.base.device)
        return torch.nn.functional.cross_entropy(logits, targets, reduction="none")

    def _worth_sharing(self, rows: Sequence[Row]) -> bool:
        return self.shares and len(rows) > 1 and (self.common > 0 or self.soft() is not None)

    def _plain(self, rows: Sequence[Row]) -> torch.Tensor:
        embedded = _after(self.soft(), self.base.embed(_padded(self.base, [_inputs(row) for row in rows])))
        before = embedded.shape[1] - max(len(_inputs(row)) for row in rows)
        places = _label_places(rows, width=embedded.shape[1], before=before)
        return logits_at(self.base, places, inputs_embeds=embedded, use_cache=False)

    def _shared(self, rows: Sequence[Row]) -> torch.Tensor:
        cache = prefix_cache(self.base, self.soft(), rows[0].prompt[: self.common])
        cache.batch_repeat_interleave(len(rows))
        ids = _padded(self.base, [_inputs(row)[self.common :] for row in rows])
        places = _label_places(rows, width=ids.shape[1], before=-self.common)
        return logits_at(self.base, places, input_ids=ids, past_key_values=cache, use_cache=True)

    def _seq2seq(self, rows: Sequence[Row]) -> torch.Tensor:
        prompts = [row.prompt for row in rows]
        embedded = _after(self.soft(), self.base.embed(_padded(self.base, prompts)))
        mask = right_mask(self.base, [len(prompt) for prompt in prompts], width=embedded.shape[1])
        starts = [(self.base.tokens.start, *row.answer[:-1]) for row in rows]
        width = max(map(len, starts))
        places = [number * width + place for number, row in enumerate(starts) for place in range(len(row))]
        return logits_at(
            self.base,
            places,
            inputs_embeds=embedded,
            attention_mask=mask,
            decoder_input_ids=_padded(self.base, starts),
            use_cache=False,
        )


def logits_at(base: Base, places: Sequence[int], *, keep: dict[str, Any] | None = None, **inputs: Any) -> torch.Tensor:
    """The logits (places x vocabulary) at flat positions of the batch; the head sees no other hidden state.

    The hook sits before the head, so whatever the class does to its logits afterwards (scaling, soft-capping) is done.
    `keep` receives the cache as "past_key_values".
    """
    with _head_only_at(base, places):
        made = base.model(**inputs, return_dict=True)
    if keep is not None:
        keep["past_key_values"] = made.past_key_values
    return made.logits[0]  # type: ignore[no-any-return]  # transformers is untyped here


def prefix_cache(base: Base, soft: torch.Tensor | None, ids: Sequence[int]) -> Any:
    """The keys and values, batch of one, of what every row starts with: the soft prompt, then `ids`."""
    embedded = _after(soft, base.embed(base.ids([list(ids)])))
    with _head_only_at(base, []):
        return base.model(inputs_embeds=embedded, use_cache=True, return_dict=True).past_key_values


def cache_bytes(base: Base) -> int:
    """What the keys and values of one token take in memory."""
    with torch.inference_mode():
        layers = prefix_cache(base, None, (1,)).layers
    return sum(states.nbytes for layer in layers for states in (layer.keys, layer.values))


def can_share(base: Base) -> bool:
    """Whether `base` gives the same logits and gradients from a shared start as from whole rows (tried on two).

    Classes with a state of another kind than keys and values (state-space layers, sliding windows) answer False.
    """
    if base.seq2seq or not _plain_cache(base):
        return False
    rows = (Row((5, 3, 4), (2, 6)), Row((5, 4), (3,)))
    try:
        with torch.enable_grad():
            return _agree(_probe(base, rows, shares=True), _probe(base, rows, shares=False), base.dtype)
    except _NOT_SHARED:
        return False


def right_mask(base: Base, lengths: Sequence[int], *, width: int) -> torch.Tensor:
    """1 where a row padded on the right to `width` has something; what exceeds the longest row stands before all."""
    before = width - max(lengths)
    ends = torch.tensor(lengths, device=base.device)[:, None] + before
    return (torch.arange(width, device=base.device)[None, :] < ends).long()


def _probe(base: Base, rows: Sequence[Row], *, shares: bool) -> tuple[torch.Tensor, torch.Tensor]:
    soft = base.embed(base.ids([[1, 2, 3, 7]]))[0].detach().float().requires_grad_()
    losses = Forward(base=base, soft=lambda: soft, shares=shares, common=1 if shares else 0).losses(rows)
    (gradient,) = torch.autograd.grad(losses.sum(), soft)
    return losses.detach(), gradient


def _agree(
    one: tuple[torch.Tensor, torch.Tensor], other: tuple[torch.Tensor, torch.Tensor], dtype: torch.dtype
) -> bool:
    tolerance = 1e-3 if dtype == torch.float32 else 0.1
    return all(
        bool((a - b).abs().max() <= tolerance * b.abs().max().clamp(min=1e-6)) for a, b in zip(one, other, strict=True)
    )


def _plain_cache(base: Base) -> bool:
    from transformers.cache_utils import DynamicCache, DynamicLayer

    try:
        layers = DynamicCache(config=base.model.config).layers
    except _NOT_SHARED:
        return False
    return all(type(layer) is DynamicLayer for layer in layers)


def _inputs(row: Row) -> tuple[int, ...]:
    return row.prompt + row.answer[:-1]


def _label_places(rows: Sequence[Row], *, width: int, before: int) -> list[int]:
    """Flat positions of the hidden states that predict the answers: each stands one before its token."""
    places: list[int] = []
    for number, row in enumerate(rows):
        first = number * width + before + len(row.prompt) - 1
        places.extend(range(first, first + len(row.answer)))
    return places


def _padded(base: Base, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    width = max(map(len, rows))
    return base.ids([[*row, *[0] * (width - len(row))] for row in rows])


def _after(soft: torch.Tensor | None, embedded: torch.Tensor) -> torch.Tensor:
    if soft is None:
        return embedded
    return torch.cat([soft.to(embedded.dtype).expand(len(embedded), -1, -1), embedded], dim=1)


@contextmanager
def _head_only_at(base: Base, places: Sequence[int]) -> Iterator[None]:
    chosen = torch.tensor(places, dtype=torch.long, device=base.device)

    def pick(_head: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = inputs[0]
        return (hidden.reshape(-1, hidden.shape[-1]).index_select(0, chosen)[None], *inputs[1:])

    hook = base.model.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        yield
    finally:
        hook.remove()
