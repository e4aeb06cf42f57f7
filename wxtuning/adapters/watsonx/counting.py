"""Tokens as a service counts them, a request for each text. Knows no limits and no answers."""

from __future__ import annotations

from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.adapters.watsonx.service import Service
from wxtuning.errors import NotOffered, Unavailable
from wxtuning.spec import Method
from wxtuning.tokens import Counts, Pairs, TokenBound, XRay, rendered
from wxtuning.waiting import abreast

TOKENIZATION = "/ml/v1/text/tokenization"

AT_ONCE = 8
"""Requests at a time where many are needed, as the official SDK has it."""

END_TOKENS = 2
"""Tokens that stand for no byte of a text, at its ends."""


def tokens_of(service: Service, model: str, text: str) -> int:
    """How many tokens of a base model a text has.

    Raises:
        Unavailable: if the service does not tell.
    """
    answer = service.ask(TOKENIZATION, {"model_id": model, "input": text, **service.container.query})
    match answer:
        case {"result": {"token_count": int(count)}}:
            return count
    raise Unavailable(
        f"{service.host} counted no tokens: its answer holds {', '.join(sorted(answer)) or 'nothing'}",
        backend=BACKEND,
        hint="Ask again later; only texts that may be too long are counted.",
    )


class ServiceTokenizer:
    """A base model's tokens as the service counts them; what was counted is kept.

    Args:
        service: Who counts.
        method: Whose model and template.
        counted: What is known by now, by model and text; shared by the tokenizers of one service.
    """

    dear = True
    bound = TokenBound(extra=END_TOKENS)

    def __init__(self, service: Service, method: Method, counted: dict[tuple[str, str], int]) -> None:
        self._service = service
        self._method = method
        self._counted = counted

    def count(self, pairs: Pairs) -> tuple[Counts, ...]:
        texts = [(rendered(self._method.verbalizer, text), answer) for text, answer in pairs]
        unknown = dict.fromkeys(text for pair in texts for text in pair if self._key(text) not in self._counted)
        abreast(self._learn, tuple(unknown), most=AT_ONCE)
        return tuple((self._counted[self._key(prompt)], self._counted[self._key(answer)]) for prompt, answer in texts)

    def xray(self, pairs: Pairs) -> tuple[XRay, ...]:
        raise NotOffered(
            "the service does not show the tokens of a row", backend=BACKEND,
            hint="The local backend does, for a model of the same tokenizer.",
        )  # fmt: skip

    def _key(self, text: str) -> tuple[str, str]:
        return self._method.model, text

    def _learn(self, text: str) -> None:
        # Kept by whoever counted it: a failure of another text loses nothing.
        self._counted[self._key(text)] = tokens_of(self._service, self._method.model, text)
