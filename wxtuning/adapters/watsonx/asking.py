"""Questions to deployments and base models, and their answers. Knows prompts and parameters; deploys nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from wxtuning.adapters.watsonx.deployments import DEPLOYMENTS, place_of
from wxtuning.adapters.watsonx.faults import BACKEND, CutOff, Missing
from wxtuning.adapters.watsonx.listed import entity_of
from wxtuning.adapters.watsonx.service import Json, Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.errors import DataError, Unavailable
from wxtuning.ports import Answer, Decoding
from wxtuning.snippets import Snippets, snippets_of_service
from wxtuning.spec import Method
from wxtuning.status import DeploymentRef
from wxtuning.tokens import rendered

AT_ONCE = 8
"""Questions at a time, as the official SDK has it."""

GENERATION, STREAM = "text/generation", "text/generation_stream"
TOKENIZATION = "/ml/v1/text/tokenization"
UNFINISHED = "not_finished"

SHORT_TOKENS = 512
"""Prompt and answer of so many tokens together fit every model."""

REMOVED = "The deployment may have been removed. Run the experiment again: only what is missing is done."

END_TOKENS = 2
"""Tokens that stand for no byte of a prompt, at its ends."""


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
        """
        for number, text in enumerate(inputs, start=1):
            self._check_fits(ref, number, text, decoding)
        ask = partial(self._answer, ref, parameters(decoding))
        if len(inputs) <= 1:
            return tuple(map(ask, inputs))
        with ThreadPoolExecutor(min(AT_ONCE, len(inputs)), thread_name_prefix="wxtuning-ask") as threads:
            answers = [threads.submit(ask, text) for text in inputs]
            try:
                return tuple(answer.result() for answer in answers)
            finally:
                # After a failure nobody waits for the others.
                threads.shutdown(wait=False, cancel_futures=True)

    def stream(self, ref: DeploymentRef, text: str, decoding: Decoding) -> Iterator[str]:
        """The answer in pieces, as they come.

        Raises:
            CutOff: if the stream ends before the answer does; holds what came.
            DataError: as for `generate`.
        """
        self._check_fits(ref, 1, text, decoding)
        path, body = self._request(ref, STREAM, text, parameters(decoding))
        came, reason = "", ""
        try:
            with _explained(), closing(self._service.stream(path, body)) as events:
                for event in events:
                    result = _result(event)
                    came += (piece := str(result.get("generated_text", "")))
                    reason = str(result.get("stop_reason", "")).lower()
                    if piece:
                        yield piece
        except Unavailable as cause:
            if not came:
                raise
            raise CutOff(f"the stream broke off after {len(came)} characters: {cause.args[0]}", came=came) from cause
        if reason in ("", UNFINISHED):
            raise CutOff(f"the stream ended after {len(came)} characters, before the answer did", came=came)

    def _answer(self, ref: DeploymentRef, parameters: Json, text: str) -> Answer:
        path, body = self._request(ref, GENERATION, text, parameters)
        with _explained():
            result = _result(self._service.ask(path, body))
        return Answer(
            text=str(result.get("generated_text", "")),
            tokens=int(result.get("generated_token_count") or 0),
            input_tokens=int(result.get("input_token_count") or 0),
            stop_reason=str(result.get("stop_reason", "")),
        )

    def _request(self, ref: DeploymentRef, verb: str, text: str, parameters: Json) -> tuple[str, Json]:
        """Where to ask, and what."""
        if not ref.id.startswith("base/"):
            return f"/ml/v1/deployments/{place_of(ref)[1]}/{verb}", {"input": text, "parameters": parameters}
        model, template = self._model(ref)
        body = {"model_id": model, "input": rendered(template, text), "parameters": parameters}
        body |= self._service.container.query
        return f"/ml/v1/{verb}", body

    def _check_fits(self, ref: DeploymentRef, number: int, text: str, decoding: Decoding) -> None:
        if _most_tokens(text, number) + decoding.max_new_tokens <= SHORT_TOKENS:
            return  # asks nobody: nearly every prompt is so short
        model, template = self._model(ref)
        most, prompt = self._context_tokens(model), rendered(template, text)
        if most is None or _most_tokens(prompt, number) + decoding.max_new_tokens <= most:
            return
        tokens = self._count(model, prompt)
        if tokens + decoding.max_new_tokens > most:
            raise DataError(
                f"input {number} has {tokens:,} tokens; with up to {decoding.max_new_tokens:,} of the answer that is "
                f"more than the {most:,} that {model} takes",
                hint="Shorten it, or ask for a shorter answer with max_new_tokens.",
            )

    def _model(self, ref: DeploymentRef) -> tuple[str, str]:
        """The base model that answers, and the template that its prompts are rendered with."""
        if ref.id.startswith("base/"):
            model, template = json.loads(ref.id.removeprefix("base/"))
            return model, template
        if ref not in self._behind:
            place, identity = place_of(ref)
            entity = entity_of(self._service.get(f"{DEPLOYMENTS}/{identity}", within=place))
            self._behind[ref] = str(entity.get("base_model_id", "")), str(entity.get("verbalizer") or "{{input}}")
        return self._behind[ref]

    def _count(self, model: str, prompt: str) -> int:
        answer = self._service.ask(TOKENIZATION, {"model_id": model, "input": prompt, **self._service.container.query})
        return int(answer.get("result", {}).get("token_count") or 0)


@contextmanager
def _explained() -> Iterator[None]:
    """Says what to do where the service knows no such deployment."""
    try:
        yield
    except Missing as missing:
        missing.hint = missing.hint or REMOVED
        raise


def _most_tokens(text: str, number: int) -> int:
    try:
        return len(text.encode()) + END_TOKENS
    except UnicodeEncodeError as cause:
        raise DataError(
            f"input {number} holds half a character, {text[cause.start]!r}, which cannot be sent",
            hint="Read the text again in its right encoding.",
        ) from cause


def base(method: Method, template: str) -> DeploymentRef:
    """The untuned model behind a method, asked with a template."""
    return DeploymentRef(BACKEND, f"base/{json.dumps([method.model, template])}")


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
    match answer:
        case {"results": [dict(result), *_]}:
            return result
        case {"results": []} | {"system": _}:
            return {}
    raise Unavailable(
        f"the service answered without a result: {sorted(answer)}", backend=BACKEND, hint="Ask again later."
    )  # fmt: skip
