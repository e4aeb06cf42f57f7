"""Deployments over HTTP: create, show, list, change, delete; and the prompt templates that are not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wxtuning.server.answering import deployments
from wxtuning.server.errors import invalid, not_found, not_offered
from wxtuning.server.lookup import part, text, texts
from wxtuning.server.paging import page
from wxtuning.server.routing import JSON, Answer, Call, Route
from wxtuning.server.state import Resource

PATH = "/ml/v4/deployments"
KEPT = (
    "online", "asset", "description", "tags", "custom", "base_deployment_id", "hardware_spec", "hardware_request",
)  # fmt: skip
"""What a deployment keeps of the request that made it."""
REFUSED = ("prompt_template", "batch", "r_shiny", "virtual", "detached", "foundation_model")
CHANGES = ("name", "description", "tags", "custom", "asset", "online/parameters")


def create(call: Call) -> Answer:
    for name in REFUSED:
        if name in call.body:
            raise not_offered(f"POST {PATH} with {name}")
    if "online" not in call.body:
        raise invalid("online is missing; expected {} or serving parameters", target="online")
    texts(call.body, "tags"), part(call.body, "custom"), text(call.body, "description", default="", most=10_000)
    model = _model(call, part(call.body, "asset"))
    made = deployments.create(
        call.house, call.container, text(call.body, "name"), model,
        {name: call.body[name] for name in KEPT if name in call.body}, call.key,
    )  # fmt: skip
    state = "initializing" if made.body["status"]["state"] == "ready" else ""
    return Answer(body=deployments.shown(made, call.url, state=state), status=202)


def show(call: Call) -> JSON:
    return deployments.shown(_named(call), call.url)


def list_all(call: Call) -> JSON:
    """Those of a project or space; with `conflict=true` only whether a serving name is free, wherever it is used."""
    name = call.query.get("serving_name")
    if call.query.get("conflict") == "true":
        deployments.check_serving_name(call.house, name or "")
        return page(call, PATH, (), _shown(call))
    found = deployments.all_of(call.house, call.container)
    for field, wanted in (("asset_id", _asset), ("serving_name", _serving_name), ("name", _name)):
        if given := call.query.get(field):
            found = tuple(one for one in found if wanted(one) == given)
    return page(call, PATH, found, _shown(call))


def change(call: Call) -> Answer:
    """A JSON Patch (RFC 6902), as far as the SDK sends it."""
    found = _named(call)
    name, body, status = found.name, dict(found.body), 200
    for operation in call.items:
        field, value = _operation(operation)
        if field == "name":
            name = text({"name": value}, "name")
        elif field == "asset":
            body, status = deployments.with_model(call.house, body, _model(call, part({"asset": value}, "asset"))), 202
        elif field == "online/parameters":
            body, status = {**body, "online": {**body["online"], "parameters": value}}, 202
        else:
            body = {key: kept for key, kept in body.items() if key != field} | ({field: value} if value else {})
    texts(body, "tags"), part(body, "custom"), text(body, "description", default="", most=10_000)
    changed = deployments.change(call.house, found, body, name=name)
    return Answer(body=deployments.shown(changed, call.url), status=status)


def delete(call: Call) -> Answer:
    deployments.remove(call.house, _named(call))
    return Answer(body=None, status=204)


def prompt(call: Call) -> JSON:
    """The SDK asks for everything that it deploys whether it is a prompt template; here nothing is."""
    raise not_found("prompt template", call.path["id"])


def _named(call: Call) -> Resource:
    container, found = call.container, deployments.find(call.house, call.path["id"])
    if found.container != container:
        raise not_found("deployment", call.path["id"])
    return found


def _model(call: Call, asset: Mapping[str, Any]) -> Resource:
    identity = text(asset, "id")
    found = call.house.state.get("model", identity)
    if found is None or found.container != call.container:
        raise not_found("model in this project or space with the id", identity)
    return found


def _operation(given: Any) -> tuple[str, Any]:
    if not isinstance(given, Mapping) or given.get("op") not in ("add", "replace", "remove"):
        raise invalid(f"{given!r} is no operation of a JSON Patch; expected op add, replace or remove")
    field = str(given.get("path", "")).lstrip("/").removeprefix("metadata/").removeprefix("entity/")
    if field not in CHANGES:
        raise invalid(f"path is {given.get('path')!r}; of a deployment {', '.join(CHANGES)} can be changed")
    return field, None if given["op"] == "remove" else given.get("value")


def _shown(call: Call) -> Any:
    return lambda one: deployments.shown(one, call.url)


def _asset(resource: Resource) -> str:
    return str(resource.body["asset"]["id"])


def _serving_name(resource: Resource) -> str:
    return deployments.serving_name(resource.body)


def _name(resource: Resource) -> str:
    return resource.name


ROUTES = (
    Route(method="POST", path=PATH, handler=create),
    Route(method="GET", path=PATH, handler=list_all),
    Route(method="GET", path=f"{PATH}/{{id}}", handler=show),
    Route(method="PATCH", path=f"{PATH}/{{id}}", handler=change, takes="list"),
    Route(method="DELETE", path=f"{PATH}/{{id}}", handler=delete),
    Route(method="GET", path="/wx/v1/prompts/{id}", handler=prompt),
)
