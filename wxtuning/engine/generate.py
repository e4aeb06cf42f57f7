"""Answers of a base with or without an adapter: batched, streamed, scored. Knows prompts as rendered text only."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from wxtuning.engine.adapter import read_adapter
from wxtuning.engine.answer import Answer, StopReason
from wxtuning.engine.batch import AdaptedModel, Batch, Request, turn
from wxtuning.engine.cache import Soft
from wxtuning.engine.data import Row
from wxtuning.engine.decoding import Decoding
from wxtuning.engine.errors import EngineError
from wxtuning.engine.forward import Forward, cache_bytes, can_share
from wxtuning.engine.lora import add_lora, switch
from wxtuning.engine.model import Base, load_base, threads_for
from wxtuning.engine.prompt import read_prompt

__all__ = ["Answer", "Generator", "StopReason"]

CACHE_BYTES = 256 * 2**20
"""What the keys and values of prompts that are answered together may take."""
_MANY, _FEW = 64, 16


@dataclass(slots=True)
class _Loaded:
    """A base and the LoRA adapters that were injected into it, shared by the generators on it.

    `switched_in` is the adapter that the base answers with now, None for none; switching walks through all layers.
    """

    base: Base
    shares: bool
    token_bytes: int
    wrapped: Any = None
    switched_in: str | None = ""
    names: Iterator[int] = field(default_factory=itertools.count)


class Generator:
    """A loaded base that answers, with one adapter or none. Safe to call from several threads; they take turns."""

    def __init__(self, loaded: _Loaded, *, soft: Soft | None = None, lora: str | None = None) -> None:
        self._loaded = loaded
        self.soft = soft
        self.lora = lora

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
            return Generator(loaded, soft=Soft(read_prompt(folder, loaded.base, config, tensors)))
        with loaded.base.lock:
            name = f"adapter_{next(loaded.names)}"
            loaded.switched_in = ""  # whatever PEFT leaves it at
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
        decoding = _decoding(max_new_tokens, stop, temperature, top_p, seed)
        ids = self.prompt_ids(prompts)
        asked = [Request(generator=self, prompt=text, decoding=decoding, number=n) for n, text in enumerate(prompts)]
        answers: dict[int, Answer] = {}
        left = sorted(range(len(ids)), key=lambda number: len(ids[number]))
        while left:
            size = batch_size or self._together([len(ids[number]) for number in left], max_new_tokens)
            part, left = left[:size], left[size:]
            batch = Batch(self)
            made = batch.add([asked[number] for number in part], [ids[number] for number in part])
            while batch.rows:
                batch.step()
            answers.update((number, row.answer()) for number, row in zip(part, made, strict=True))
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
        decoding = _decoding(max_new_tokens, stop, temperature, top_p, seed)
        ids = self.prompt_ids([prompt])
        return self._pieces(Request(generator=self, prompt=prompt, decoding=decoding), ids)

    def losses(self, pairs: Sequence[tuple[str, str]], *, batch_size: int = 16) -> list[tuple[float, int]]:
        """For each (prompt, answer): the summed loss of the answer in nats, and its tokens with the end token.

        exp(sum of losses / sum of tokens) is the perplexity. Raises EngineError `too_long`.
        """
        tokens = self._loaded.base.tokens
        prompts = [prompt for prompt, _ in pairs]
        answers = tokens.answers([answer for _, answer in pairs], prompts)
        rows = [Row(tuple(p), tuple(a)) for p, a in zip(self.prompt_ids(prompts), answers, strict=True)]
        self._check_room([row.length for row in rows])
        found: dict[int, tuple[float, int]] = {}
        ordered = sorted((n for n in range(len(rows)) if rows[n].answer), key=lambda number: rows[number].length)
        for start in range(0, len(ordered), batch_size):
            part = ordered[start : start + batch_size]
            with turn(self):
                found.update(zip(part, self._losses([rows[number] for number in part]), strict=True))
        return [found.get(number, (0.0, 0)) for number in range(len(rows))]

    @property
    def base(self) -> str:
        """The folder or hub id of the base."""
        return self._loaded.base.name

    @property
    def base_model(self) -> Base:
        """The base itself."""
        return self._loaded.base

    @property
    def shares(self) -> bool:
        """Whether the base can go on from keys and values that were made elsewhere."""
        return self._loaded.shares

    @property
    def bytes(self) -> int:
        """What the base's weights take in memory, adapters included."""
        return sum(tensor.nbytes for tensor in self._loaded.base.model.parameters())

    def most_rows(self, columns: int) -> int:
        """How many rows of so many columns may be answered together."""
        if not self._loaded.shares:
            return _FEW
        return max(1, min(_MANY, CACHE_BYTES // max(1, columns * self._loaded.token_bytes)))

    def switch_in(self) -> None:
        """Let the base answer with our LoRA adapter, or with none; for who holds its lock."""
        loaded = self._loaded
        if loaded.wrapped is not None and loaded.switched_in != self.lora:
            switch(loaded.wrapped, self.lora)
            loaded.switched_in = self.lora

    def shares_batches(self, other: AdaptedModel) -> bool:
        """Whether rows of both can be answered in one batch."""
        return self.base_model is other.base_model and self.lora == other.lora

    def prompt_ids(self, prompts: Sequence[str], *, last: int = 0) -> list[list[int]]:
        """The tokens of each prompt; only the `last` ones of each, unless that is 0.

        Raises EngineError `too_long` for a prompt that leaves no position for an answer.
        """
        if isinstance(prompts, str):
            raise TypeError("prompts is one text, expected a sequence of texts")
        ids = [row[-last:] for row in self._loaded.base.tokens.prompts(prompts)]
        self._check_room([len(row) + 1 for row in ids])
        return ids

    def room(self, length: int) -> int:
        """Positions left after `length` tokens and the virtual ones."""
        limit = self._loaded.base.longest
        return 10**9 if limit is None or self._loaded.base.seq2seq else limit - self._virtual - length

    def _losses(self, rows: Sequence[Row]) -> list[tuple[float, int]]:
        forward = Forward(base=self._loaded.base, soft=self._vectors, shares=self._loaded.shares)
        losses = torch.split(forward.losses(rows), [len(row.answer) for row in rows])
        return [(float(part.sum()), len(part)) for part in losses]

    def _vectors(self) -> torch.Tensor | None:
        return None if self.soft is None else self.soft.vectors

    def _together(self, lengths: Sequence[int], new: int) -> int:
        """How many of the first prompts to answer together; `lengths` ascend, so each new one widens all before it."""
        fits = (number < self.most_rows(length + self._virtual + new) for number, length in enumerate(lengths))
        return max(1, sum(itertools.takewhile(bool, fits)))

    def _pieces(self, request: Request, ids: Sequence[Sequence[int]]) -> Iterator[str]:
        batch, sent = Batch(self), ""
        (row,) = batch.add([request], ids)
        while True:
            ready = row.settled()
            if len(ready) > len(sent) and ready.startswith(sent):
                yield ready[len(sent) :]
                sent = ready
            if row.reason is not None:
                return
            batch.step()

    def _check_room(self, lengths: Sequence[int]) -> None:
        over = [(length, number) for number, length in enumerate(lengths) if self.room(length) < 0]
        if over:
            length, number = max(over)
            text = (
                f"prompt {number} needs {length + self._virtual} positions, the model has {self._loaded.base.longest}"
            )
            raise EngineError(text, code="too_long", hint="shorten the prompt")

    @property
    def _virtual(self) -> int:
        return len(self.soft or ())


def _decoding(max_new_tokens: int, stop: Sequence[str], temperature: float, top_p: float, seed: int | None) -> Decoding:
    stops = stop if isinstance(stop, str) else tuple(stop)
    return Decoding(
        max_new_tokens=max_new_tokens, stop=stops, temperature=temperature, top_p=top_p, seed=seed or 0,  # type: ignore[arg-type]  # refused there
    )  # fmt: skip
