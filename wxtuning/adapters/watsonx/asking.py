"""Questions to deployments and base models, and their answers. Knows prompts and parameters; deploys nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from wxtuning.adapters.watsonx.asked import FIELD
from wxtuning.adapters.watsonx.counting import AT_ONCE, END_TOKENS, tokens_of
from wxtuning.adapters.watsonx.deployments import DEPLOYMENTS, place_of
from wxtuning.adapters.watsonx.faults import BACKEND, CutOff, Missing
from wxtuning.adapters.watsonx.listed import entity_of
from wxtuning.adapters.watsonx.service import Json, Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.errors import AdapterError, DataError, Unavailable
from wxtuning.ports import Answer, Decoding
from wxtuning.snippets import Snippets, snippets_of_service
from wxtuning.spec import Method
from wxtuning.status import DeploymentRef
from wxtuning.tokens import rendered
from wxtuning.waiting import abreast

BASE = "base/"
"""What the id of a reference to an untuned model begins with."""

GENERATION, STREAM = "text/generation", "text/generation_stream"

BROKEN_OFF = ("not_finished", "cancelled", "error")
"""Reasons to stop that leave only a part of an answer."""

SHORT_TOKENS = 512
"""Prompt and answer of so many tokens together fit every model."""

REMOVED = "The deployment may have been removed. Run the experiment again: only what is missing is done."
WITHDRAWN = "The service may not offer that model any more; wxtuning.models(backend) lists those that it tunes."


class Asking:
    """Asks what `DeploymentRef`s stand for. A deployment renders a bare input itself; a base model gets the prompt.

    Args:
        service: Who answers.
        context_tokens: The tokens of prompt and answer together that a base model takes; None if that is unknown.
    """

    def __init__(self, service: Service, context_tokens: Callable[[str], int | None]) -> None:
        self._service = service
        self._context_tokens = context_tokens
        self._behind: dict[DeploymentRef, tuple[str, str]] = {}

    def generate(self, ref: DeploymentRef, inputs: Sequence[str], decoding: Decoding) -> tuple[Answer, ...]:
        """One answer for each input, in their order; up to eight are asked at once.

        Raises:
            DataError: if a prompt is longer than the model takes; nothing was asked then.
            AdapterError: what the first question that fails raises, at once: nobody waits for the others.
        """
        asked = _numbered(inputs)
        self._check_fit(ref, asked, decoding.max_new_tokens)
        drawn = parameters(decoding)
        if len(asked) == 1:
            return (self._answer(ref, drawn, asked[0]),)
        return abreast(lambda one: self._answer(ref, drawn, one), asked, most=AT_ONCE)

    def stream(self, ref: DeploymentRef, text: str, decoding: Decoding) -> Iterator[str]:
        """The answer in pieces, as they come.

        Raises:
            CutOff: if the stream ends before the answer does; holds what came.
            DataError: as for `generate`.
        """
        self._check_fit(ref, _numbered([text]), decoding.max_new_tokens)
        path, body = self._request(ref, STREAM, text, parameters(decoding))
        came, reason = "", ""
        try:
            with _explained(_gone(ref)), closing(self._service.stream(path, body)) as events:
                for event in events:
                    result = _piece(event)
                    came += (piece := str(result.get("generated_text") or ""))
                    # What comes after the end of the answer, such as a warning, does not open it again.
                    reason = _reason(result) or reason
                    if piece:
                        yield piece
        except Unavailable as cause:
            if not came:
                raise
            raise CutOff(f"the stream broke off after {len(came)} characters: {cause.args[0]}", came=came) from cause
        if reason.lower() in ("", *BROKEN_OFF):
            raise CutOff(f"the stream ended after {len(came)} characters, before the answer did", came=came)

    def _answer(self, ref: DeploymentRef, parameters: Json, asked: _Input) -> Answer:
        path, body = self._request(ref, GENERATION, asked.text, parameters)
        with _explained(_gone(ref), asked):
            result = _result(self._service.ask(path, body))
        return Answer(
            text=result["generated_text"],
            tokens=_told(result.get("generated_token_count")),
            input_tokens=_told(result.get("input_token_count")),
            stop_reason=_reason(result),
        )

    def _request(self, ref: DeploymentRef, verb: str, text: str, parameters: Json) -> tuple[str, Json]:
        """Where to ask, and what."""
        if not ref.id.startswith(BASE):
            return f"/ml/v1/deployments/{place_of(ref)[1]}/{verb}", {"input": text, "parameters": parameters}
        model, template = self._model(ref)
        body = {"model_id": model, "input": rendered(template, text), "parameters": parameters}
        body |= self._service.container.query
        return f"/ml/v1/{verb}", body

    def _check_fit(self, ref: DeploymentRef, inputs: Sequence[_Input], answer: int) -> None:
        """Refuse what is too long together with an answer of so many tokens."""
        _, template = self._known(ref) or ("", FIELD)
        if max((one.most_tokens(template) + answer for one in inputs), default=0) <= SHORT_TOKENS:
            return  # asks nobody: nearly every prompt is so short
        with _explained(_gone(ref)):
            model, template = self._model(ref)
        most = self._context_tokens(model)
        if most is None:
            return
        doubtful = [one for one in inputs if one.most_tokens(template) + answer > most]
        counts = abreast(lambda one: self._tokens(model, template, one), doubtful, most=AT_ONCE)
        for one, tokens in zip(doubtful, counts, strict=True):
            if tokens + answer > most:
                raise DataError(
                    f"input {one.number} has {tokens:,} tokens; with up to {answer:,} of the answer that is more "
                    f"than the {most:,} that {model} takes",
                    hint="Shorten it, or ask for a shorter answer with max_new_tokens.",
                )

    def _tokens(self, model: str, template: str, asked: _Input) -> int:
        with _explained(WITHDRAWN, asked):
            return tokens_of(self._service, model, rendered(template, asked.text))

    def _model(self, ref: DeploymentRef) -> tuple[str, str]:
        """The base model that answers, and the template that its prompts are rendered with."""
        if known := self._known(ref):
            return known
        place, identity = place_of(ref)
        entity = entity_of(self._service.get(f"{DEPLOYMENTS}/{identity}", within=place))
        found = str(entity.get("base_model_id") or ""), str(entity.get("verbalizer") or FIELD)
        return self._behind.setdefault(ref, found)

    def _known(self, ref: DeploymentRef) -> tuple[str, str] | None:
        """As `_model`, where that takes no request."""
        if ref.id.startswith(BASE):
            model, template = json.loads(ref.id.removeprefix(BASE))
            return model, template
        return self._behind.get(ref)


@dataclass(frozen=True, slots=True)
class _Input:
    """One of the `of` inputs of a call; `number` begins with 1."""

    number: int
    of: int
    text: str

    def most_tokens(self, template: str) -> int:
        """The most tokens that its prompt can have.

        Raises:
            DataError: if it cannot be sent.
        """
        try:
            return len(rendered(template, self.text).encode()) + END_TOKENS
        except UnicodeEncodeError as cause:
            raise DataError(
                f"input {self.number} holds half a character, {cause.object[cause.start]!r}, which cannot be sent",
                hint="Read the text again in its right encoding.",
            ) from cause


def _numbered(inputs: Sequence[str]) -> tuple[_Input, ...]:
    return tuple(_Input(number, len(inputs), text) for number, text in enumerate(inputs, start=1))


def _gone(ref: DeploymentRef) -> str:
    """What to do where the service does not know who is asked."""
    return WITHDRAWN if ref.id.startswith(BASE) else REMOVED


@contextmanager
def _explained(gone: str, asked: _Input | None = None) -> Iterator[None]:
    """Says in an error which of several inputs met it, and what to do where there is no such thing (any more)."""
    try:
        yield
    except AdapterError as error:
        if isinstance(error, Missing):
            error.hint = error.hint or gone
        if asked and asked.of > 1:
            error.args = (f"input {asked.number} of {asked.of}: {error.args[0]}", *error.args[1:])
        raise


def base(method: Method, template: str) -> DeploymentRef:
    """The untuned model behind a method, asked with a template."""
    return DeploymentRef(BACKEND, f"{BASE}{json.dumps([method.model, template])}")


def snippets(ref: DeploymentRef, settings: Settings, *, text: str, max_new_tokens: int) -> Snippets:
    """Code that asks a deployment of the service that the settings name, without a key in it."""
    place, identity = place_of(ref)
    names = ("url", "username", "platform_url", "auth_url")
    told = {name: str(value) for name in names if (value := getattr(settings, name))}
    if settings.ca:
        told["verify"] = str(settings.ca)
    return snippets_of_service(told, place.query, id=identity, text=text, max_new_tokens=max_new_tokens)


def parameters(decoding: Decoding) -> Json:
    """How an answer is drawn, in the service's words."""
    found: dict[str, Any] = {"decoding_method": "greedy", "max_new_tokens": decoding.max_new_tokens}
    if decoding.temperature > 0:
        found |= {"decoding_method": "sample", "temperature": decoding.temperature, "top_p": decoding.top_p}
        if decoding.seed is not None:
            found["random_seed"] = decoding.seed
    if decoding.stop:
        found |= {"stop_sequences": list(decoding.stop), "include_stop_sequence": False}
    return found


def _result(answer: Json) -> Json:
    """What a whole answer says. What holds no text is none: it must not pass for one that is empty."""
    match answer:
        case {"results": [{"generated_text": str(text)} as result, *_]}:
            if (reason := _reason(result)).lower() in BROKEN_OFF:
                raise Unavailable(
                    f"the service broke off its answer after {len(text)} characters ({reason})",
                    backend=BACKEND,
                    hint="Ask again later.",
                )
            return dict(result)
    raise _nothing(answer)


def _piece(event: Json) -> Json:
    """What an event of a stream says; some hold only warnings."""
    match event:
        case {"results": [dict(result), *_]}:
            return result
        case {"results": []} | {"system": _}:
            return {}
    raise _nothing(event)


def _nothing(answer: Json) -> Unavailable:
    return Unavailable(
        f"the service answered without a generated text; its answer holds {', '.join(sorted(answer)) or 'nothing'}",
        backend=BACKEND,
        hint="Ask again later.",
    )


def _reason(result: Json) -> str:
    return str(result.get("stop_reason") or "")


def _told(count: object) -> int:
    """A number of tokens; 0 where the service does not tell it."""
    return count if isinstance(count, int) else 0
