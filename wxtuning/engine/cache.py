"""The keys and values that rows go on from: soft prompts side by side, rows joined, room for the columns to come."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from wxtuning.engine.forward import prefix_cache
from wxtuning.engine.model import Base

# Columns that a cache grows by.
ROOM = 32


class Soft:
    """A soft prompt (tokens x width) and, once it was read, its keys and values, which all its rows begin with."""

    def __init__(self, vectors: torch.Tensor) -> None:
        self.vectors = vectors
        self._prefix: Any = None

    def __len__(self) -> int:
        return len(self.vectors)

    def prefix(self, base: Base) -> Any:
        if self._prefix is None:
            self._prefix = prefix_cache(base, self.vectors, ())
        return self._prefix


class Prefixes:
    """The keys and values that rows begin with, side by side; the shorter ones, and none, padded on the left."""

    def __init__(self, base: Base, softs: Sequence[Soft | None]) -> None:
        self._base = base
        self._kinds = list({id(soft): soft for soft in softs}.values())
        places = {id(soft): place for place, soft in enumerate(self._kinds)}
        self._of_row = torch.tensor([places[id(soft)] for soft in softs], device=base.device)
        self.width = max(len(soft or ()) for soft in self._kinds)
        lengths = torch.tensor([len(soft or ()) for soft in self._kinds], device=base.device)
        self._mask = (torch.arange(self.width, device=base.device)[None, :] >= self.width - lengths[:, None]).long()
        self._past = self._side_by_side() if self.width else None

    def mask(self, rows: range) -> torch.Tensor:
        return self._mask[self._of_row[rows.start : rows.stop]]

    def past(self, rows: range) -> Any:
        if self._past is None:
            return None
        past = copy.copy(self._past)
        past.layers = [copy.copy(layer) for layer in self._past.layers]
        past.batch_select_indices(self._of_row[rows.start : rows.stop])
        return past

    def _side_by_side(self) -> Any:
        caches = [None if soft is None else soft.prefix(self._base) for soft in self._kinds]
        first = next(cache for cache in caches if cache is not None)
        past = copy.copy(first)
        past.layers = [copy.copy(layer) for layer in first.layers]
        for number, layer in enumerate(past.layers):
            for name in _STATES:
                found = [None if cache is None else getattr(cache.layers[number], name) for cache in caches]
                setattr(layer, name, _filled(found, self.width))
        return past


def _filled(parts: Sequence[torch.Tensor | None], width: int) -> torch.Tensor:
    """The states of one row each, stacked; what is missing on the left is 0."""
    like = next(part for part in parts if part is not None)
    stacked = like.new_zeros(len(parts), like.shape[1], width, like.shape[-1])
    for place, part in enumerate(parts):
        if part is not None:
            stacked[place, :, width - part.shape[-2] :] = part[0]
    return stacked


class Roomy(DynamicLayer):  # type: ignore[misc]  # transformers is untyped here
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

    def cut(self, columns: int) -> None:
        """Drop the first columns."""
        length = self.keys.shape[-2] - columns
        self._room = [room[..., columns:, :] for room in self._room]
        self._show(length)

    def _show(self, length: int) -> None:
        self.keys, self.values = (room[..., :length, :] for room in self._room)


def _longer(states: torch.Tensor, columns: int) -> torch.Tensor:
    longer = states.new_empty(*states.shape[:-2], columns, states.shape[-1])
    longer[..., : states.shape[-2], :] = states
    return longer


def joined(pasts: Sequence[Any], before: int) -> Any:
    """One cache of all, each padded on the left, behind the first `before` columns, to the widest."""
    length = max(past.get_seq_length() for past in pasts)
    of_layer = list(zip(*(past.layers for past in pasts), strict=True))
    pasts[0].layers = [_moved(layers, before, length) for layers in of_layer]
    return pasts[0]


def _moved(layers: Sequence[Any], before: int, length: int) -> Roomy:
    keys, values = (_stacked([getattr(layer, name) for layer in layers], before) for name in _STATES)
    for layer in layers:
        layer.reset()  # so that not every layer's states are held twice at the end
    return Roomy(keys, values, length=length)


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
