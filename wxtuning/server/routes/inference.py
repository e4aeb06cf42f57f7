"""Text generation and tokenization as watsonx offers them, for deployments and for base models.

A deployment gets the bare input and renders it with the template its model was tuned with; a base model gets the input
as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wxtuning.server.answering import deployments, generation
from wxtuning.server.answering.answers import Ask
from wxtuning.server.answering.deployments import Served, ask_of
from wxtuning.server.answering.generation import Wish, wish
from wxtuning.server.errors import invalid
from wxtuning.server.fields import PLACED, Field, Missing, Table, anything, flag, none_of, read, text
from wxtuning.server.routing import JSON, Call, Handler, Route, Stream
from wxtuning.server.trainings.quotes import quoted


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A generation request, read: what is asked, and of which model in the callers' words."""

    model_id: str
    input: str
    wish: Wish
    ask: Ask


def _text(value: Any, place: str, _call: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"{place} is {quoted(value)}; expected a text", target=place, code="json_type_error")
    return value


def _parameters(value: Any, place: str, _call: str) -> JSON:
    if not isinstance(value or {}, Mapping):
        raise invalid(f"{place} is {quoted(value)}; expected an object", target=place, code="json_type_error")
    return value or {}


DEPLOYMENTS, BASES = "/ml/v1/deployments/{id}/text", "/ml/v1/text"
OF_DEPLOYMENT: Table = {
    "input": Field(_text, Missing.REFUSED),
    "parameters": Field(_parameters, {}),
    **none_of("moderations", "crypto"),
}
OF_BASE: Table = {**PLACED, "model_id": text(), **OF_DEPLOYMENT}
# The SDK sends a model's parameters of generation along with every question for its tokens.
OF_TOKENS: Table = {**dict.fromkeys(generation.PARAMETERS, anything()), "return_tokens": flag(default=False)}


def of_deployment(call: Call) -> JSON:
    return _answered(call, _of_deployment(call, "generation"))


def stream_of_deployment(call: Call) -> Stream:
    return _streamed(call, _of_deployment(call, "generation_stream"))


def of_base(call: Call) -> JSON:
    return _answered(call, _of_base(call, "generation"))


def stream_of_base(call: Call) -> Stream:
    return _streamed(call, _of_base(call, "generation_stream"))


def tokenize(call: Call) -> JSON:
    """The tokens of an input as a base model reads it."""
    named = f"POST {BASES}/tokenization"
    body = read(call.body, OF_BASE, call=named)
    parameters = read(body["parameters"], OF_TOKENS, call=named, place="parameters.")
    model, answers = call.house.catalog.path(body["model_id"]), call.house.answers
    found: dict[str, Any] = {"token_count": answers.count_tokens(model, [body["input"]])[0]}
    if parameters["return_tokens"]:
        found["tokens"] = answers.tokens(model, body["input"])
    return {"model_id": body["model_id"], "result": found}


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


def _of_deployment(call: Call, verb: str) -> _Asked:
    body = read(call.body, OF_DEPLOYMENT, call=f"POST {DEPLOYMENTS}/{verb}")
    return _asked(call, body, deployments.served(call.house, deployments.find(call.house, call.path["id"])))


def _of_base(call: Call, verb: str) -> _Asked:
    body = read(call.body, OF_BASE, call=f"POST {BASES}/{verb}")
    served = deployments.base(call.house, body["model_id"])
    call.container  # noqa: B018  # the service wants to know who pays
    return _asked(call, body, served)


def _asked(call: Call, body: JSON, served: Served) -> _Asked:
    wished = wish(body["parameters"])
    ask = ask_of(
        served,
        body["input"],
        decoding=wished.decoding,
        seconds=wished.seconds,
        last_tokens=wished.last_tokens,
        gone=call.gone,
    )
    return _Asked(model_id=served.model_id, input=body["input"], wish=wished, ask=ask)


def _route(path: str, handler: Handler) -> Route:
    return Route(method="POST", path=path, handler=handler, place="answers")


ROUTES = (
    _route(f"{DEPLOYMENTS}/generation", of_deployment),
    _route(f"{DEPLOYMENTS}/generation_stream", stream_of_deployment),
    _route(f"{BASES}/generation", of_base),
    _route(f"{BASES}/generation_stream", stream_of_base),
    _route(f"{BASES}/tokenization", tokenize),
)
