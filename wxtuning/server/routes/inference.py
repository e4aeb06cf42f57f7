"""Text generation and tokenization as watsonx offers them, for deployments and for base models.

A deployment gets the bare input and renders it with the template its model was tuned with; a base model gets the input
as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wxtuning.server.answering import deployments, generation
from wxtuning.server.answering.answers import Ask
from wxtuning.server.answering.deployments import Served, ask_of
from wxtuning.server.answering.generation import Wish, wish
from wxtuning.server.errors import invalid
from wxtuning.server.routing import JSON, Call, Handler, Route, Stream
from wxtuning.server.trainings.quotes import quoted


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A generation request, read: what is asked, and of which model in the callers' words."""

    model_id: str
    input: str
    wish: Wish
    ask: Ask


def of_deployment(call: Call) -> JSON:
    return _answered(call, _of_deployment(call))


def stream_of_deployment(call: Call) -> Stream:
    return _streamed(call, _of_deployment(call))


def of_base(call: Call) -> JSON:
    return _answered(call, _of_base(call))


def stream_of_base(call: Call) -> Stream:
    return _streamed(call, _of_base(call))


def tokenize(call: Call) -> JSON:
    """The tokens of an input as a base model reads it."""
    model_id, text = _model_id(call), _input(call)
    model, answers = call.house.catalog.path(model_id), call.house.answers
    parameters = call.body.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise invalid(f"parameters is {quoted(parameters)}; expected an object", target="parameters")
    found: dict[str, Any] = {"token_count": answers.count_tokens(model, [text])[0]}
    if parameters.get("return_tokens"):
        found["tokens"] = answers.tokens(model, text)
    return {"model_id": model_id, "result": found}


def _answered(call: Call, request: _Asked) -> JSON:
    (answered,) = call.house.answers.generate([request.ask])
    before = request.input if "input_text" in request.wish.returned else ""
    result = generation.result(answered, request.wish, before=before)
    answers, model = call.house.answers, request.ask.model
    if "generated_tokens" in request.wish.returned:
        result["generated_tokens"] = [{"text": text} for text in answers.texts(model, answered.ids)]
    if "input_tokens" in request.wish.returned:
        tokens = answers.tokens(model, request.ask.prompt)[-request.wish.last_tokens :]
        result["input_tokens"] = [{"text": text} for text in tokens]
    return generation.answer(request.model_id, [result], request.wish.warnings)


def _streamed(call: Call, request: _Asked) -> Stream:
    answers = call.house.answers
    pieces = answers.stream(request.ask)
    count = answers.input_tokens(request.ask)

    def events() -> Iterator[bytes]:
        return generation.events(request.model_id, pieces, request.wish, count)

    return Stream(pieces=events)


def _of_deployment(call: Call) -> _Asked:
    return _asked(call, deployments.served(call.house, deployments.find(call.house, call.path["id"])))


def _of_base(call: Call) -> _Asked:
    served = deployments.base(call.house, _model_id(call))
    call.container  # noqa: B018  # the service wants to know who pays
    return _asked(call, served)


def _asked(call: Call, served: Served) -> _Asked:
    text, wished = _input(call), wish(call.body)
    ask = ask_of(
        served, text, decoding=wished.decoding, seconds=wished.seconds, last_tokens=wished.last_tokens, gone=call.gone
    )
    return _Asked(model_id=served.model_id, input=text, wish=wished, ask=ask)


def _model_id(call: Call) -> str:
    model_id = call.body.get("model_id")
    if not isinstance(model_id, str) or not model_id:
        raise invalid(f"model_id is {quoted(model_id)}; expected the name of a base model", target="model_id")
    return model_id


def _input(call: Call) -> str:
    text = call.body.get("input")
    if not isinstance(text, str):
        raise invalid(f"input is {quoted(text)}; expected a text", target="input", code="json_type_error")
    return text


_OF_DEPLOYMENT = "/ml/v1/deployments/{id}/text"


def _route(path: str, handler: Handler) -> Route:
    return Route(method="POST", path=path, handler=handler, place="answers")


ROUTES = (
    _route(f"{_OF_DEPLOYMENT}/generation", of_deployment),
    _route(f"{_OF_DEPLOYMENT}/generation_stream", stream_of_deployment),
    _route("/ml/v1/text/generation", of_base),
    _route("/ml/v1/text/generation_stream", stream_of_base),
    _route("/ml/v1/text/tokenization", tokenize),
)
