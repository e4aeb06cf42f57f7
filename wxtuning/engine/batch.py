"""Answers in the making that share a model: rows join and leave between two tokens (continuous batching).

Each row has its own soft prompt, or none, and its own decoding. Knows one base; LoRA rows share a batch with rows of
the same LoRA only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch

from wxtuning.engine.answer import Answer, Making
from wxtuning.engine.cache import Soft
from wxtuning.engine.choosing import choose
from wxtuning.engine.decoding import Decoding
from wxtuning.engine.errors import EngineError, translate
from wxtuning.engine.model import Base, threads_for
from wxtuning.engine.session import Session, open_session


class AdaptedModel(Protocol):
    """What a batch must know of a generator: a base with one adapter, `soft` or `lora`, or with none.

    `shares` says whether rows go on from keys and values that were made elsewhere; `room` is the positions left after
    so many tokens; `switch_in` lets the base answer with the LoRA adapter, for who holds its lock.
    """

    @property
    def base_model(self) -> Base: ...

    @property
    def soft(self) -> Soft | None: ...

    @property
    def lora(self) -> str | None: ...

    @property
    def shares(self) -> bool: ...

    def prompt_ids(self, prompts: Sequence[str], *, last: int = 0) -> list[list[int]]: ...

    def room(self, length: int) -> int: ...

    def most_rows(self, columns: int) -> int: ...

    def shares_batches(self, other: AdaptedModel) -> bool: ...

    def switch_in(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt (rendered text) for one generator.

    `last_tokens` keeps only so many tokens at the end of the prompt; 0 keeps all. `number` tells draws of the same
    seed apart.
    """

    generator: AdaptedModel
    prompt: str
    decoding: Decoding
    last_tokens: int = 0
    number: int = 0

    def ids(self) -> list[int]:
        """The prompt's tokens.

        Raises:
            EngineError: `too_long` if they leave no position for an answer.
        """
        return self.generator.prompt_ids([self.prompt], last=self.last_tokens)[0]


class Batch:
    """Rows that are answered together. Not for several threads at once; other batches on the base take turns with it.

    Args:
        generator: One with the base, and the LoRA adapter or none, that all rows will have.
    """

    def __init__(self, generator: AdaptedModel) -> None:
        self._generator = generator
        self._session: Session | None = None
        self._widest = 0
        self.rows: list[Making] = []

    @property
    def columns(self) -> int:
        """How wide the rows are now, padding included."""
        return self._session.columns if self.rows and self._session else 0

    def takes(self, requests: Sequence[Request], ids: Sequence[Sequence[int]]) -> bool:
        """Whether all these rows can be added now: they fit, and rows may join those here."""
        if not all(self._generator.shares_batches(request.generator) for request in requests):
            return False
        if self.rows and not (self._session and self._session.joinable):
            return False
        columns = [_columns(request, row) for request, row in zip(requests, ids, strict=True)]
        widest = max([self._widest, *columns] if self.rows else columns)
        rows = len(self.rows) + len(requests)
        return rows == 1 or rows <= self._generator.most_rows(widest)

    def add(self, requests: Sequence[Request], ids: Sequence[Sequence[int]] = ()) -> list[Making]:
        """Read the prompts and make the first token of each; `ids` are the requests' own, if the caller has them.

        Raises:
            EngineError: `too_long`, before anything runs; out_of_memory, device_lost.
        """
        ids = ids or [request.ids() for request in requests]
        new = [_making(request, row) for request, row in zip(requests, ids, strict=True)]
        with self._turn():
            session = open_session(
                self._generator.base_model,
                ids,
                [request.generator.soft for request in requests],
                shares=self._generator.shares,
            )
            alive = _taken(session, new)
            if alive and self._session and self.rows:
                self._session.join(session)
            elif alive:
                self._session = session
        self.rows += alive
        columns = [_columns(request, row) for request, row in zip(requests, ids, strict=True)]
        self._widest = max(self._widest if len(self.rows) > len(alive) else 0, *columns)
        return new

    def step(self) -> None:
        """One more token for every row; those that end leave."""
        if not self.rows or self._session is None:
            return
        with self._turn():
            self._session.step([row.ids[-1] for row in self.rows])
            self.rows = _taken(self._session, self.rows)

    def drop(self, rows: Collection[Making]) -> None:
        """Let rows go that nobody waits for."""
        kept = [place for place, row in enumerate(self.rows) if row not in rows]
        if len(kept) < len(self.rows) and kept and self._session:
            with self._turn():
                self._session.keep(kept)
        self.rows = [self.rows[place] for place in kept]

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The base to ourselves, with our adapter in it."""
        with turn(self._generator):
            yield


@contextmanager
def turn(generator: AdaptedModel) -> Iterator[None]:
    """The base of a generator to ourselves, with its LoRA adapter in it or none."""
    base = generator.base_model
    with base.lock, threads_for(base), torch.inference_mode():
        try:
            generator.switch_in()
            yield
        except (RuntimeError, MemoryError) as cause:
            raise translate(cause) from cause


def generate_mixed(requests: Sequence[Request]) -> list[Answer]:
    """The answers in the order of the requests, of several adapters on one base or several, batched together.

    Each is what its generator would answer alone.

    Raises:
        EngineError: `too_long`, naming the request, before anything runs.
    """
    ids = [_named(number, request) for number, request in enumerate(requests)]
    answers: dict[int, Answer] = {}
    left = sorted(range(len(requests)), key=lambda number: len(ids[number]))
    while left:
        batch, part = Batch(requests[left[0]].generator), _together(left, requests, ids)
        made = batch.add([requests[number] for number in part], [ids[number] for number in part])
        while batch.rows:
            batch.step()
        answers.update((number, row.answer()) for number, row in zip(part, made, strict=True))
        left = [number for number in left if number not in answers]
    return [answers[number] for number in range(len(requests))]


def _named(number: int, request: Request) -> list[int]:
    try:
        return request.ids()
    except EngineError as cause:
        text = str(cause).replace("prompt 0", f"prompt {number}", 1)
        raise EngineError(text, code=cause.code, hint=cause.hint) from cause


def _together(left: Sequence[int], requests: Sequence[Request], ids: Sequence[Sequence[int]]) -> list[int]:
    """The first of those left, and those after it that share a batch with it; the rows get wider as we go."""
    first = requests[left[0]].generator
    part: list[int] = []
    columns = 0
    for number in left:
        if not first.shares_batches(requests[number].generator):
            continue
        columns = max(columns, _columns(requests[number], ids[number]))
        if part and len(part) >= first.most_rows(columns):
            break
        part.append(number)
    return part


def _making(request: Request, ids: Sequence[int]) -> Making:
    generator = request.generator
    room = generator.room(len(ids))
    return Making(generator.base_model.tokens, ids, request.decoding, room=room, number=request.number)


def _columns(request: Request, ids: Sequence[int]) -> int:
    return len(request.generator.soft or ()) + len(ids) + request.decoding.max_new_tokens


def _taken(session: Session, rows: Sequence[Making]) -> list[Making]:
    """Give each row its next token; those that go on, which the session keeps."""
    for row, token in zip(rows, choose(session.logits, rows), strict=True):
        row.take(token)
    kept = [place for place, row in enumerate(rows) if row.reason is None]
    if kept and len(kept) < len(rows):
        session.keep(kept)
    return [rows[place] for place in kept]
