"""Answers of a base with or without an adapter: batched, streamed, scored. Knows prompts as rendered text only."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from wxtuning.engine.adapter import read_adapter
from wxtuning.engine.data import Row
from wxtuning.engine.errors import EngineError, translate
from wxtuning.engine.forward import Forward, cache_bytes, can_share
from wxtuning.engine.lora import active, add_lora
from wxtuning.engine.model import Base, load_base, threads_for
from wxtuning.engine.prompt import read_prompt
from wxtuning.engine.session import Session, open_session

StopReason = Literal["eos_token", "max_tokens", "stop_sequence"]


CACHE_BYTES = 256 * 2**20
"""What the keys and values of prompts that are answered together may take."""
_MANY, _FEW = 64, 16


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `tokens` counts what was generated, the end token too; `input_tokens` the prompt, not virtual ones.

    `text` has no special tokens, no leading space and ends before the stop sequence that ended it.
    """

    text: str
    tokens: int
    stop_reason: StopReason
    input_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    max_new_tokens: int
    stop: tuple[str, ...]
    temperature: float
    top_p: float
    seed: int


@dataclass(slots=True)
class _Loaded:
    """A base and the LoRA adapters that were injected into it, shared by the generators on it."""

    base: Base
    shares: bool
    token_bytes: int
    wrapped: Any = None
    names: Iterator[int] = field(default_factory=itertools.count)


class Generator:
    """A loaded base that answers, with one adapter or none. Safe to call from several threads; they take turns."""

    def __init__(self, loaded: _Loaded, *, soft: torch.Tensor | None = None, lora: str | None = None) -> None:
        self._loaded = loaded
        self._soft = soft
        self._lora = lora

    @classmethod
    def load(
        cls,
        model: str,
        adapter: Path | None = None,
        *,
        device: str = "auto",
        dtype: str = "auto",
        revision: str | None = None,
    ) -> Generator:
        """The base `model` (folder or hub id), with the PEFT adapter in folder `adapter` if one is given.

        Raises EngineError: model_not_found, bad_model, unsupported_model, bad_adapter, wrong_base.
        """
        base = load_base(model, revision=revision, device=device, dtype=dtype)
        with threads_for(base):
            shares = can_share(base)
            token_bytes = cache_bytes(base) if shares else 0
        bare = cls(_Loaded(base=base, shares=shares, token_bytes=token_bytes))
        return bare if adapter is None else bare.with_adapter(adapter)

    def with_adapter(self, folder: Path) -> Generator:
        """Another generator on the same base, with the adapter in `folder`.

        Raises EngineError: bad_adapter, wrong_base.
        """
        folder, loaded = Path(folder), self._loaded
        config, tensors = read_adapter(folder)
        if config["peft_type"] == "PROMPT_TUNING":
            return Generator(loaded, soft=read_prompt(folder, loaded.base, config, tensors))
        with loaded.base.lock:
            name = f"adapter_{next(loaded.names)}"
            loaded.wrapped = add_lora(loaded.base, loaded.wrapped, name, folder, config, tensors)
        return Generator(loaded, lora=name)

    def without_adapter(self) -> Generator:
        """Another generator on the same base, which answers as the base came."""
        return Generator(self._loaded)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text as a prompt, with the special tokens the tokenizer adds, without virtual tokens."""
        return [len(ids) for ids in self._loaded.base.tokens.prompts(texts)]

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int | None = None,
        batch_size: int | None = None,
    ) -> list[Answer]:
        """The answers, in the order of the prompts; they do not depend on how prompts share batches.

        batch_size is the most prompts that are answered together; None takes up to 64, as many as CACHE_BYTES hold.

        temperature 0 takes the likeliest token each time; above 0 draws, from the likeliest tokens that together reach
        top_p, prompt i from its own stream of (seed, i). No seed means 0 for the first call of everyone: draws repeat.
        Answers end early where the model's last position is reached (stop_reason max_tokens).

        Raises EngineError `too_long` before anything runs, for a prompt that leaves no position for an answer.
        """
        wish = _wish(max_new_tokens, stop, temperature, top_p, seed)
        ids = self._checked_ids(prompts)
        answers: dict[int, Answer] = {}
        left = sorted(range(len(ids)), key=lambda number: len(ids[number]))
        while left:
            size = batch_size or self._together([len(ids[number]) for number in left], max_new_tokens)
            part, left = left[:size], left[size:]
            with self._turn():
                answers.update(zip(part, self._batch(part, [ids[number] for number in part], wish), strict=True))
        return [answers[number] for number in range(len(ids))]

    def stream(
        self,
        prompt: str,
        *,
        max_new_tokens: int,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int | None = None,
    ) -> Iterator[str]:
        """The same text as `generate`, in pieces as they are made; no piece ever has to be taken back."""
        wish = _wish(max_new_tokens, stop, temperature, top_p, seed)
        ids = self._checked_ids([prompt])
        return self._pieces(ids[0], wish)

    def losses(self, pairs: Sequence[tuple[str, str]], *, batch_size: int = 16) -> list[tuple[float, int]]:
        """For each (prompt, answer): the summed loss of the answer in nats, and its tokens with the end token.

        exp(sum of losses / sum of tokens) is the perplexity. Raises EngineError `too_long`.
        """
        tokens = self._loaded.base.tokens
        prompts = [prompt for prompt, _ in pairs]
        answers = tokens.answers([answer for _, answer in pairs], prompts)
        rows = [Row(tuple(p), tuple(a)) for p, a in zip(self._checked_ids(prompts), answers, strict=True)]
        self._check_room([row.length for row in rows])
        found: dict[int, tuple[float, int]] = {}
        ordered = sorted((n for n in range(len(rows)) if rows[n].answer), key=lambda number: rows[number].length)
        for start in range(0, len(ordered), batch_size):
            part = ordered[start : start + batch_size]
            with self._turn():
                found.update(zip(part, self._losses([rows[number] for number in part]), strict=True))
        return [found.get(number, (0.0, 0)) for number in range(len(rows))]

    @property
    def base(self) -> str:
        """The folder or hub id of the base."""
        return self._loaded.base.name

    def _losses(self, rows: Sequence[Row]) -> list[tuple[float, int]]:
        forward = Forward(base=self._loaded.base, soft=lambda: self._soft, shares=self._loaded.shares)
        losses = torch.split(forward.losses(rows), [len(row.answer) for row in rows])
        return [(float(part.sum()), len(part)) for part in losses]

    def _batch(self, numbers: Sequence[int], ids: Sequence[list[int]], wish: _Wish) -> list[Answer]:
        session, choose = self._open(ids), _chooser(wish, numbers, self._loaded.base.device)
        rows = [_Making(self._loaded.base, wish, len(prompt), self._room(len(prompt))) for prompt in ids]
        alive = list(range(len(rows)))
        while True:
            chosen = choose(session.logits, alive)
            for place, token in zip(alive, chosen, strict=True):
                rows[place].take(token)
            kept = [index for index, place in enumerate(alive) if rows[place].reason is None]
            if not kept:
                return [row.answer() for row in rows]
            if len(kept) < len(alive):
                session.keep(kept)
                alive, chosen = [alive[index] for index in kept], [chosen[index] for index in kept]
            session.step(chosen)

    def _together(self, lengths: Sequence[int], new: int) -> int:
        """How many of the first prompts to answer together; `lengths` ascend, so each new one widens all before it."""
        if not self._loaded.shares:
            return _FEW
        a_row = ((length + self._virtual + new) * self._loaded.token_bytes for length in lengths[:_MANY])
        return max(1, sum((number + 1) * size <= CACHE_BYTES for number, size in enumerate(a_row)))

    def _pieces(self, ids: list[int], wish: _Wish) -> Iterator[str]:
        base = self._loaded.base
        row, sent = _Making(base, wish, len(ids), self._room(len(ids))), ""
        with self._turn():
            session, choose = self._open([ids]), _chooser(wish, [0], base.device)
        while True:
            with self._turn():
                row.take(*(chosen := choose(session.logits, [0])))
            ready = row.settled()
            if len(ready) > len(sent) and ready.startswith(sent):
                yield ready[len(sent) :]
                sent = ready
            if row.reason is not None:
                return
            with self._turn():
                session.step(chosen)

    def _open(self, ids: Sequence[list[int]]) -> Session:
        return open_session(self._loaded.base, ids, soft=self._soft, shares=self._loaded.shares)

    def _checked_ids(self, prompts: Sequence[str]) -> list[list[int]]:
        if isinstance(prompts, str):
            raise TypeError("prompts is one text, expected a sequence of texts")
        ids = self._loaded.base.tokens.prompts(prompts)
        self._check_room([len(row) + 1 for row in ids])
        return ids

    def _check_room(self, lengths: Sequence[int]) -> None:
        over = [(length, number) for number, length in enumerate(lengths) if self._room(length) < 0]
        if over:
            length, number = max(over)
            text = (
                f"prompt {number} needs {length + self._virtual} positions, the model has {self._loaded.base.longest}"
            )
            raise EngineError(text, code="too_long", hint="shorten the prompt")

    def _room(self, length: int) -> int:
        """Positions left after `length` tokens and the virtual ones."""
        limit = self._loaded.base.longest
        return 10**9 if limit is None or self._loaded.base.seq2seq else limit - self._virtual - length

    @property
    def _virtual(self) -> int:
        return 0 if self._soft is None else len(self._soft)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The base to ourselves, with our adapter in it."""
        loaded = self._loaded
        with loaded.base.lock, active(loaded.wrapped, self._lora), threads_for(loaded.base), torch.inference_mode():
            try:
                yield
            except (RuntimeError, MemoryError) as cause:
                raise translate(cause) from cause


class _Making:
    """One answer while its tokens come."""

    def __init__(self, base: Base, wish: _Wish, input_tokens: int, room: int) -> None:
        self._tokens = base.tokens
        self._wish = wish
        self._limit = min(wish.max_new_tokens, room)
        self._input_tokens = input_tokens
        self.ids: list[int] = []
        self.text = ""
        self.reason: StopReason | None = None

    def take(self, token: int) -> None:
        self.ids.append(token)
        if token in self._tokens.ends:
            self.reason = "eos_token"
        elif self._wish.stop and self._cut():
            self.reason = "stop_sequence"
        elif len(self.ids) >= self._limit:
            self.reason = "max_tokens"

    def settled(self) -> str:
        """The text so far without what a later token may still change."""
        text = self._text()
        if self.reason is not None:
            return text
        text = text.rstrip("\ufffd")
        held = max(
            (size for stop in self._wish.stop for size in range(1, len(stop)) if text.endswith(stop[:size])), default=0
        )
        return text[: len(text) - held]

    def answer(self) -> Answer:
        return Answer(self._text(), len(self.ids), self.reason or "max_tokens", self._input_tokens)

    def _cut(self) -> bool:
        text = self._tokens.text(self.ids)
        places = [place for stop in self._wish.stop if (place := text.find(stop)) >= 0]
        if places:
            self.text = text[: min(places)]
        return bool(places)

    def _text(self) -> str:
        return self.text if self.reason == "stop_sequence" else self._tokens.text(self.ids)


def _wish(max_new_tokens: int, stop: Sequence[str], temperature: float, top_p: float, seed: int | None) -> _Wish:
    if max_new_tokens < 1 or temperature < 0 or not 0 < top_p <= 1 or isinstance(stop, str) or "" in stop:
        text = f"max_new_tokens {max_new_tokens}, temperature {temperature}, top_p {top_p}, stop {stop!r}"
        hint = "at least 1; at least 0; above 0 to 1; a sequence of texts that are not empty"
        raise EngineError(f"cannot generate with {text}", code="bad_config", hint=hint)
    return _Wish(max_new_tokens=max_new_tokens, stop=tuple(stop), temperature=temperature, top_p=top_p, seed=seed or 0)


def _chooser(
    wish: _Wish, numbers: Sequence[int], device: torch.device
) -> Callable[[torch.Tensor, Sequence[int]], list[int]]:
    """What picks the next token of the rows at `places` of the batch from their logits."""
    if wish.temperature == 0:
        return lambda logits, _places: [int(token) for token in logits.argmax(dim=-1).tolist()]
    # The draws are made on the CPU, so that a seed means the same on every device.
    streams = [torch.Generator().manual_seed(wish.seed * 1_000_003 + number) for number in numbers]

    def draw(logits: torch.Tensor, places: Sequence[int]) -> list[int]:
        shares = _nucleus(torch.softmax(logits.float().cpu() / wish.temperature, dim=-1), wish.top_p)
        drawn = (torch.multinomial(row, 1, generator=streams[place]) for row, place in zip(shares, places, strict=True))
        return [int(token) for token in drawn]

    return draw


def _nucleus(shares: torch.Tensor, top_p: float) -> torch.Tensor:
    """Shares of the likeliest tokens that together reach top_p, the rest 0 (Holtzman et al. 2020, arXiv:1904.09751)."""
    if top_p >= 1:
        return shares
    ordered, order = shares.sort(dim=-1, descending=True)
    ordered[ordered.cumsum(dim=-1) - ordered >= top_p] = 0
    return torch.zeros_like(shares).scatter(-1, order, ordered)
