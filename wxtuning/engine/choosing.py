"""From logits to the next token of every row, each by its own rules. Knows nothing of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from wxtuning.engine.decoding import Decoding


class Row(Protocol):
    """What choosing must know of an answer in the making: `seen` are the ids a repetition is measured against."""

    @property
    def decoding(self) -> Decoding: ...

    @property
    def ids(self) -> Sequence[int]: ...

    @property
    def ends(self) -> Sequence[int]: ...

    @property
    def draws(self) -> torch.Generator | None: ...

    @property
    def seen(self) -> Sequence[int]: ...


def stream_of(decoding: Decoding, number: int) -> torch.Generator | None:
    """Where row `number` takes its draws from; None if it draws nothing."""
    if decoding.temperature == 0:
        return None
    # The draws are made on the CPU, so that a seed means the same on every device.
    return torch.Generator().manual_seed(decoding.seed * 1_000_003 + number)


def choose(logits: torch.Tensor, rows: Sequence[Row]) -> list[int]:
    """The next token of each row from its logits (rows x vocabulary)."""
    logits = _ruled(logits, rows)
    chosen = [int(token) for token in logits.argmax(dim=-1).tolist()]
    drawing = [place for place, row in enumerate(rows) if row.draws is not None]
    if drawing:
        for place, token in zip(drawing, _drawn(logits[drawing], [rows[place] for place in drawing]), strict=True):
            chosen[place] = token
    return chosen


def _ruled(logits: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """The logits after the rules that forbid or discourage tokens; those given stay as they are."""
    ruled = [place for place, row in enumerate(rows) if _has_rules(row)]
    if not ruled:
        return logits
    logits = logits.clone()
    for place in ruled:
        _rule(logits[place], rows[place])
    return logits


def _has_rules(row: Row) -> bool:
    return row.decoding.repetition_penalty != 1 or len(row.ids) < row.decoding.min_new_tokens


def _rule(logits: torch.Tensor, row: Row) -> None:
    if (penalty := row.decoding.repetition_penalty) != 1:
        seen = torch.tensor(sorted(set(row.seen)), device=logits.device)
        found = logits[seen]
        logits[seen] = torch.where(found > 0, found / penalty, found * penalty)
    if len(row.ids) < row.decoding.min_new_tokens:
        logits[list(row.ends)] = -torch.inf


def _drawn(logits: torch.Tensor, rows: Sequence[Row]) -> list[int]:
    temperatures = torch.tensor([[row.decoding.temperature] for row in rows])
    shares = torch.softmax(logits.float().cpu() / temperatures, dim=-1)
    tokens = []
    for row, of_row in zip(rows, shares, strict=True):
        kept = _nucleus(_likeliest(of_row, row.decoding.top_k), row.decoding.top_p)
        tokens.append(int(torch.multinomial(kept, 1, generator=row.draws)))
    return tokens


def _likeliest(shares: torch.Tensor, top_k: int) -> torch.Tensor:
    """Shares of the top_k likeliest tokens, together 1, the rest 0 (Fan et al. 2018, arXiv:1805.04833)."""
    if not 0 < top_k < len(shares):
        return shares
    best = shares.topk(top_k)
    return torch.zeros_like(shares).scatter(-1, best.indices, best.values / best.values.sum())


def _nucleus(shares: torch.Tensor, top_p: float) -> torch.Tensor:
    """Shares of the likeliest tokens that together reach top_p, the rest 0 (Holtzman et al. 2020, arXiv:1904.09751)."""
    if top_p >= 1:
        return shares
    ordered, order = shares.sort(dim=-1, descending=True)
    ordered[ordered.cumsum(dim=-1) - ordered >= top_p] = 0
    return torch.zeros_like(shares).scatter(-1, order, ordered)
