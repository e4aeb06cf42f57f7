"""A tuned model that answers, in the user's own terms: plain inputs in, plain texts or labels out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Protocol, overload, runtime_checkable

from wxtuning.errors import DataError, NotOffered
from wxtuning.ports import Answer, Decoding, Deployer
from wxtuning.snippets import Snippets
from wxtuning.status import DeploymentRef


@runtime_checkable
class _OffersSnippets(Protocol):
    def snippets(self, ref: DeploymentRef, text: str, max_new_tokens: int) -> Snippets: ...


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Where the tuned model answers.

    `max_new_tokens` is the limit it was tuned with. `words` maps each label to what the model writes for it; an answer
    that is one of the words is given back as its label.
    """

    name: str
    ref: DeploymentRef
    max_new_tokens: int
    words: Mapping[str, str]
    deployer: Deployer = field(repr=False)

    @overload
    def generate(self, text: str, **decoding: Any) -> str: ...

    @overload
    def generate(self, text: Iterable[str], **decoding: Any) -> list[str]: ...

    def generate(self, text: str | Iterable[str], **decoding: Any) -> str | list[str]:
        """Answer one input with a text, or many, in batches, with a list in their order.

        Args:
            text: Bare inputs; they are rendered with the template the model was tuned with.
            decoding: `max_new_tokens`, `temperature` (0: greedy), `top_p`, `stop` (one text or several), `seed`.

        Raises:
            DataError: for inputs that are no texts; nothing was asked then.
        """
        answers = [self._label(answer.text) for answer in self.answers(text, **decoding)]
        return answers[0] if isinstance(text, str) else answers

    def answers(self, texts: str | Iterable[str], **decoding: Any) -> tuple[Answer, ...]:
        """The answers as the model wrote them, with token counts and the reason each one ended; see `generate`."""
        return self.deployer.generate(self.ref, _texts(texts, "input"), self._decoding(decoding))

    def stream(self, text: str, **decoding: Any) -> Iterator[str]:
        """The answer to one input in pieces, as the model writes them."""
        if not isinstance(text, str):
            raise DataError(f"found a {type(text).__name__}, expected one text", hint="generate() takes several.")
        return self.deployer.stream(self.ref, text, self._decoding(decoding))

    def snippets(self, text: str = "Where is my order?") -> Snippets:
        """Code that asks this deployment, with curl, ibm-watsonx-ai and, through `wxtuning serve`, openai; print it.

        Args:
            text: The input that the code sends.

        Raises:
            NotOffered: if its backend has none.
        """
        if not isinstance(self.deployer, _OffersSnippets):
            name = self.deployer.name
            raise NotOffered(f"{name} has no snippets", backend=name, hint="The local backend and watsonx have them.")
        return self.deployer.snippets(self.ref, text, self.max_new_tokens)

    def delete(self) -> None:
        """Remove the deployment; the run and its adapter stay."""
        self.deployer.delete(self.ref)

    def _decoding(self, given: Mapping[str, Any]) -> Decoding:
        asked = {"max_new_tokens": self.max_new_tokens, **given}
        return Decoding(**{**asked, "stop": _texts(asked.get("stop") or (), "stop")})

    def _label(self, answer: str) -> str:
        return {word: label for label, word in self.words.items()}.get(answer.strip(), answer)


def _texts(given: str | Iterable[str], what: str) -> tuple[str, ...]:
    """One text or several."""
    if isinstance(given, str):
        return (given,)
    # Of a dict only the names would be asked, and a set has no order for the answers.
    if not isinstance(given, Iterable) or isinstance(given, Mapping | Set | bytes | bytearray):
        raise DataError(f"{what}: found a {type(given).__name__}, expected a text or a list of texts")
    texts = tuple(given)
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise DataError(f"{what} {number}: found a {type(text).__name__}, expected a text")
    return texts
