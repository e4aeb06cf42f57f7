"""Tokens as the engine makes them: counted, bounded and shown. Knows one method at a time; trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wxtuning import engine
from wxtuning.adapters.local.faults import translated
from wxtuning.adapters.local.models import config_of, path_of
from wxtuning.engine.data import encoded
from wxtuning.progress import import_tqdm
from wxtuning.spec import Method
from wxtuning.tokens import Pairs, Part, Token, TokenBound, XRay

if TYPE_CHECKING:
    from wxtuning.engine.look import Piece, Seen
    from wxtuning.engine.tokens import Tokens


class LocalTokenizer:
    """The engine's own tokens for one method: counted, bounded and shown by the code that trains."""

    dear = False

    def __init__(self, tokens: Tokens, method: Method) -> None:
        self._tokens = tokens
        self._method = method

    @property
    def bound(self) -> TokenBound | None:
        found = engine.byte_bound(self._tokens)
        return TokenBound(extra=found.extra, nfc=found.nfc) if found else None

    def count(self, pairs: Pairs) -> tuple[tuple[int, int], ...]:
        prompts, answers = encoded(pairs, self._tokens, self._method.verbalizer)
        return tuple((len(prompt), len(answer)) for prompt, answer in zip(prompts, answers, strict=True))

    def xray(self, pairs: Pairs) -> tuple[XRay, ...]:
        with translated():
            return tuple(map(_shown, engine.xray(pairs, self._tokens, config_of(self._method))))


class Tokenizers:
    """The tokenizers of models, each loaded once."""

    def __init__(self) -> None:
        self._loaded: dict[str, Tokens] = {}

    def of(self, method: Method) -> LocalTokenizer:
        """That of the method's model."""
        with translated():
            return LocalTokenizer(self._tokens(path_of(method.model)), method)

    def _tokens(self, path: str) -> Tokens:
        if path not in self._loaded:
            import_tqdm()  # before transformers does, in whose hands it warns
            self._loaded[path] = engine.load_tokens(path)
        return self._loaded[path]


def _shown(seen: Seen) -> XRay:
    virtual = [Token(part="virtual", text="")] * seen.virtual
    start = [seen.start] if seen.start else []
    end = [seen.end] if seen.end else []
    return XRay(
        tokens=(
            *virtual, *_tokens("prompt", seen.prompt), *_tokens("start", start), *_tokens("answer", seen.answer),
            *_tokens("end", end),
        ),
        lost_input=seen.lost_input,
        lost_input_tokens=seen.lost_input_tokens,
        lost_output=seen.lost_output,
        lost_output_tokens=seen.lost_output_tokens,
    )  # fmt: skip


def _tokens(part: Part, pieces: Sequence[Piece]) -> tuple[Token, ...]:
    return tuple(Token(part=part, text=text, id=number) for number, text in pieces)
