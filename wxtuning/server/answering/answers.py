"""What the models of this server answer. Torch is loaded with the first question, not before. Knows no HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wxtuning import engine
from wxtuning.engine import Decoding, EngineError
from wxtuning.engine.look import pieces
from wxtuning.progress import import_tqdm
from wxtuning.server.answering.bases import Bases
from wxtuning.server.answering.failures import Failures
from wxtuning.server.errors import Refused

if TYPE_CHECKING:
    from wxtuning.engine.tokens import Tokens
    from wxtuning.server.answering.batching import Answered, Asking, Batching

SECONDS = 120.0
"""How long an answer may take when the caller names no limit."""
END_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One prompt for one model.

    Args:
        model: What the engine loads: a folder or a Hub id.
        prompt: The text as it reaches the model.
        decoding: How the answer is made.
        adapter: The folder of a PEFT adapter, or None for the base as it came.
        sha256: Of the adapter's weights, which are checked when they are loaded; empty if it does not matter.
        seconds: How long the answer may take, waiting included; then it ends with what there is.
        last_tokens: Only so many tokens at the end of the prompt are read; 0 reads all.
        gone: Says that nobody waits any more.
    """

    model: str
    prompt: str
    decoding: Decoding
    adapter: Path | None = None
    sha256: str = ""
    seconds: float = SECONDS
    last_tokens: int = 0
    gone: Callable[[], bool] = bool


class Answers:
    """Answers of all models, from one thread; safe to be asked from many, whose prompts are batched together.

    Args:
        memory_bytes: What loaded models may take together; see `Bases`.
    """

    def __init__(self, *, memory_bytes: int | None = None) -> None:
        self._failures = Failures()
        self._bases = Bases(memory_bytes, failures=self._failures)
        self._tokens: dict[str, Tokens] = {}
        self._batching: Batching | None = None
        self._turn = threading.Lock()

    def generate(self, asks: Sequence[Ask]) -> list[Answered]:
        """The answers in the order of the asks; a batch is made of what all callers ask at the time.

        Raises:
            Refused: if a prompt is too long, or a model cannot be loaded or run.
        """
        with _translated():
            askings = [self._asking(ask, wants_pieces=False) for ask in asks]
            try:
                batching = self._running()
                for asking in askings:
                    batching.submit(asking)
                return [_end(asking, ask) for asking, ask in zip(askings, asks, strict=True)]
            finally:
                for asking in askings:
                    asking.drop()

    def stream(self, ask: Ask) -> Generator[Answered, None, None]:
        """The answer in pieces; the last one says why it ended. Closing the iterator drops the answer.

        Raises:
            Refused: at once for what is wrong with the request; while it runs, if the model fails.
        """
        with _translated():
            asking = self._asking(ask, wants_pieces=True)
        return self._pieces(asking, ask)

    def input_tokens(self, ask: Ask) -> int:
        """How many tokens of the prompt are read."""
        count = self.count_tokens(ask.model, [ask.prompt])[0]
        return min(count, ask.last_tokens) if ask.last_tokens else count

    def count_tokens(self, model: str, texts: Sequence[str]) -> list[int]:
        """The tokens of each text as a prompt; needs no torch where the tokenizer is a plain file."""
        return [len(ids) for ids in self._tokens_of(model).prompts(texts)]

    def tokens(self, model: str, text: str) -> list[str]:
        """The tokens of a prompt as texts; a character of several tokens stands with the last of them."""
        tokens = self._tokens_of(model)
        return self.texts(model, tokens.prompts([text])[0])

    def texts(self, model: str, ids: Sequence[int]) -> list[str]:
        """What each token adds to the text."""
        return [text for _, text in pieces(ids, self._tokens_of(model))]

    @property
    def loaded(self) -> tuple[str, ...]:
        """The base models in memory, the least recently used one first."""
        return self._bases.loaded

    def stop(self) -> None:
        """Finish what is being answered within a few seconds, then answer no more."""
        if self._batching is not None:
            self._batching.stop(END_SECONDS)
        self._bases.clear()

    def _running(self) -> Batching:
        from wxtuning.server.answering.batching import Batching

        with self._turn:
            self._batching = self._batching or Batching()
            return self._batching

    def _asking(self, ask: Ask, *, wants_pieces: bool) -> Asking:
        from wxtuning.server.answering.batching import Asking

        generator = self._bases.generator(ask.model, ask.adapter, ask.sha256)
        request = engine.Request(
            generator=generator, prompt=ask.prompt, decoding=ask.decoding, last_tokens=ask.last_tokens
        )
        return Asking(request=request, ids=request.ids(), seconds=ask.seconds, gone=ask.gone, wants_pieces=wants_pieces)

    def _pieces(self, asking: Asking, ask: Ask) -> Generator[Answered, None, None]:
        try:
            with _translated():
                self._running().submit(asking)
                while True:
                    piece = _next(asking, ask)
                    yield piece
                    if piece.stop_reason != "not_finished":
                        return
        finally:
            asking.drop()

    def _tokens_of(self, model: str) -> Tokens:
        with _translated(), self._turn:
            if model not in self._tokens:
                import_tqdm()  # before transformers does, in whose hands it warns
                with self._failures.remembered(model):
                    self._tokens[model] = engine.load_tokens(model)
            return self._tokens[model]


def _end(asking: Asking, ask: Ask) -> Answered:
    while True:
        found = _next(asking, ask)
        if found.stop_reason != "not_finished":
            return found


def _next(asking: Asking, ask: Ask) -> Answered:
    from queue import Empty

    while True:
        try:
            found = asking.events.get(timeout=1.0)
        except Empty:
            if ask.gone():
                raise Refused(499, "client_closed_request", "the caller has left") from None
            continue
        if isinstance(found, EngineError):
            raise found
        return found


# What a caller may change is 400; what it cannot is 500, which the official SDK tries four times.
_CODES = {
    "too_long": (400, "invalid_input_argument"),
    "bad_config": (400, "invalid_input_argument"),
    "model_not_found": (400, "model_not_supported"),
    "bad_model": (400, "model_not_supported"),
    "unsupported_model": (400, "model_not_supported"),
    "bad_adapter": (400, "model_not_supported"),
    "wrong_base": (400, "model_not_supported"),
    "io_error": (503, "service_unavailable"),
}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except EngineError as cause:
        status, code = _CODES.get(cause.code, (500, "internal_error"))
        hint = f"; {cause.hint}" if cause.hint else ""
        raise Refused(status, code, f"{cause}{hint}") from cause
