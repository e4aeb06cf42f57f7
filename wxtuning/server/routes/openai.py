"""The same deployments in OpenAI's form: models, completions, chat completions, streamed or whole.

A model is named by the serving name or the id of a deployment, or by the name of a base model. The api key itself, or
a token, lets a caller in.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from wxtuning.server.answering import completions, deployments
from wxtuning.server.answering.answers import Ask
from wxtuning.server.answering.completions import CHAT, TEXT, Kind
from wxtuning.server.answering.conditions import serving_name
from wxtuning.server.answering.deployments import Served, ask_of
from wxtuning.server.errors import Refused, invalid
from wxtuning.server.routing import JSON, Call, Handler, Place, Route, Stream
from wxtuning.server.state import Resource
from wxtuning.server.trainings.quotes import quoted


def list_models(call: Call) -> JSON:
    found = [_model(resource) for resource in deployments.all_of(call.house) if _is_ready(resource)]
    return {"object": "list", "data": found + [_base(spec["model_id"]) for spec in call.house.catalog.specs("")]}


def show_model(call: Call) -> JSON:
    name = call.path["name"]
    if any(spec["model_id"] == name for spec in call.house.catalog.specs("")):
        return _base(name)
    return _model(_deployment(call, name))


def complete(call: Call) -> JSON | Stream:
    return _answered(call, TEXT, completions.prompts(call.body))


def chat(call: Call) -> JSON | Stream:
    return _answered(call, CHAT, [completions.input_of(call.body)])


def _answered(call: Call, kind: Kind, inputs: list[str]) -> JSON | Stream:
    name = call.body.get("model")
    if not isinstance(name, str) or not name:
        raise invalid(
            f"model is {quoted(name)}; expected the name of a model, GET /v1/models lists them", target="model"
        )
    served, decoding = _served(call, name), completions.decoding(call.body)
    asks = [ask_of(served, text, decoding=decoding, gone=call.gone) for text in inputs]
    if not call.body.get("stream"):
        return completions.answer(kind, name, call.house.answers.generate(asks))
    return _streamed(call, kind, name, asks)


def _streamed(call: Call, kind: Kind, name: str, asks: list[Ask]) -> Stream:
    if len(asks) > 1:
        raise invalid(f"prompt has {len(asks)} texts; a stream answers one", target="prompt")
    pieces = call.house.answers.stream(asks[0])
    options = call.body.get("stream_options") or {}
    with_usage = isinstance(options, dict) and options.get("include_usage") is True

    def chunks() -> Iterator[bytes]:
        return completions.chunks(kind, name, pieces, with_usage=with_usage)

    return Stream(pieces=chunks)


def _served(call: Call, name: str) -> Served:
    house = call.house
    if any(spec["model_id"] == name for spec in house.catalog.specs("")):
        return deployments.base(house, name)
    return deployments.served(house, _deployment(call, name))


def _deployment(call: Call, name: str) -> Resource:
    try:
        return deployments.find(call.house, name)
    except Refused as cause:
        message = f"there is no model {quoted(name)}; GET /v1/models lists serving names, ids and base models"
        raise Refused(404, "model_not_found", message, target="model") from cause


def _is_ready(resource: Resource) -> bool:
    return bool(resource.body["status"]["state"] == "ready")


def _model(resource: Resource) -> dict[str, Any]:
    created = int(datetime.fromisoformat(resource.created_at).timestamp())
    name = serving_name(resource.body) or resource.id
    return {"id": name, "object": "model", "created": created, "owned_by": resource.container or "wxtuning"}


def _base(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "wxtuning"}


def _route(method: str, path: str, handler: Handler, place: Place = "requests") -> Route:
    return Route(method=method, path=path, handler=handler, place=place, token="key", refusal=completions.error)


ROUTES = (
    _route("GET", "/v1/models", list_models),
    _route("GET", "/v1/models/{name:path}", show_model),
    _route("POST", "/v1/completions", complete, "answers"),
    _route("POST", "/v1/chat/completions", chat, "answers"),
)
