"""One answer: while its tokens come, and when it is done. Knows tokens and stop texts; knows no batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wxtuning.engine.choosing import stream_of
from wxtuning.engine.decoding import Decoding
from wxtuning.engine.tokens import Tokens

StopReason = Literal["eos_token", "max_tokens", "stop_sequence"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `tokens` counts what was generated, the end token too; `input_tokens` the prompt, not virtual ones.

    `text` has no special tokens, no leading space and ends before the stop sequence that ended it.
    """

    text: str
    tokens: int
    stop_reason: StopReason
    input_tokens: int


class Making:
    """One answer while its tokens come. `reason` is None until it ends.

    Args:
        tokens: The base's tokens.
        prompt: The ids of the prompt.
        decoding: How the answer is made.
        room: The most tokens that the model has positions for.
        number: Which stream of draws of the seed it takes.
    """

    def __init__(self, tokens: Tokens, prompt: Sequence[int], decoding: Decoding, *, room: int, number: int) -> None:
        self._tokens = tokens
        self._limit = min(decoding.max_new_tokens, room)
        self.prompt = prompt
        self.decoding = decoding
        self.draws = stream_of(decoding, number)
        self.ids: list[int] = []
        self.ends = tokens.ends
        self.stopped_by = ""
        self.reason: StopReason | None = None
        self._before_stop = ""

    @property
    def seen(self) -> Sequence[int]:
        """What a repetition is measured against: the decoder's tokens, for a causal model the prompt's too."""
        return [self._tokens.start, *self.ids] if self._tokens.seq2seq else [*self.prompt, *self.ids]

    def take(self, token: int) -> None:
        self.ids.append(token)
        if token in self.ends:
            self.reason = "eos_token"
        elif self.decoding.stop and self._cut():
            self.reason = "stop_sequence"
        elif len(self.ids) >= self._limit:
            self.reason = "max_tokens"

    def settled(self) -> str:
        """The text so far without what a later token may still change."""
        text = self.text()
        if self.reason is not None:
            return text
        text = text.rstrip("\ufffd")
        stops = self.decoding.stop
        held = max((size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size])), default=0)
        return text[: len(text) - held]

    def answer(self) -> Answer:
        return Answer(self.text(), len(self.ids), self.reason or "max_tokens", len(self.prompt))

    def text(self) -> str:
        """The text so far."""
        return self._before_stop if self.reason == "stop_sequence" else self._tokens.text(self.ids)

    def _cut(self) -> bool:
        text = self._tokens.text(self.ids)
        places = [(place, stop) for stop in self.decoding.stop if (place := text.find(stop)) >= 0]
        if not places:
            return False
        first, self.stopped_by = min(places)
        self._before_stop = text[:first]
        return True
