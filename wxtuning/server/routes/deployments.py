"""Deployments over HTTP: create, show, list, change, delete; and the prompt templates that are not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from wxtuning.server.answering import deployments
from wxtuning.server.answering.conditions import serving_name
from wxtuning.server.errors import HERE, invalid, not_found
from wxtuning.server.fields import (
    DESCRIBED,
    PLACED,
    Missing,
    Table,
    anything,
    is_on,
    none_of,
    number,
    part,
    read,
    text,
)  # fmt: skip
from wxtuning.server.paging import page
from wxtuning.server.routing import JSON, Answer, Call, Route
from wxtuning.server.state import Resource
from wxtuning.server.tags import fits
from wxtuning.server.trainings.quotes import quoted

PATH = "/ml/v4/deployments"
ASSET = part({"id": text(), **none_of("rev")}, default=Missing.REFUSED)
# The serving name is looked at by whoever gives it.
PARAMETERS: Table = {"serving_name": anything(), **none_of("foundation_model")}
CHANGES: Table = {**DESCRIBED, "asset": ASSET, "online/parameters": part(PARAMETERS)}
"""What a JSON Patch may name."""
BODY: Table = {
    **DESCRIBED,
    **PLACED,
    "online": part({"parameters": part(PARAMETERS)}, default=Missing.REFUSED),
    "asset": ASSET,
    "base_model_id": text(default=Missing.LEFT_OUT),
    "base_deployment_id": text(default=Missing.LEFT_OUT),
    # Both say which machine of the service is meant; here there is one.
    "hardware_spec": part({"id": text(default=""), "name": text(default=""), "num_nodes": number()}),
    "hardware_request": part({"size": text(default=""), "num_nodes": number()}),
    **none_of(
        "batch", "compute", "detached", "foundation_model", "hybrid_pipeline_hardware_specs", "owner",
        "prompt_template", "prompt_variables", "r_shiny", "virtual", "wml_instance_id",
    ),
}  # fmt: skip
KEPT = ("online", "description", "tags", "custom", "base_deployment_id", "hardware_spec", "hardware_request")
"""What a deployment keeps of the request that made it."""
FILTERS = ("limit", "start", "asset_id", "serving_name", "name", "state", "tag.value", "conflict")


def create(call: Call) -> Answer:
    asked = read(call.body, BODY, call=f"POST {PATH}")
    model = _model(call, asked["asset"]["id"])
    if (base := asked.get("base_model_id", model.body["base_model_id"])) != model.body["base_model_id"]:
        message = f"base_model_id is {quoted(base)}; the model {model.id} is of {model.body['base_model_id']}"
        raise invalid(message, target="base_model_id")
    kept = {name: asked[name] for name in KEPT if name in call.body}
    made = deployments.create(call.house, call.container, asked["name"], model, kept, call.key)
    state = "initializing" if made.body["status"]["state"] == "ready" else ""
    return Answer(body=deployments.shown(made, call.url, state=state), status=202)


def show(call: Call) -> JSON:
    return deployments.shown(_named(call), call.url)


def list_all(call: Call) -> JSON | Answer:
    """Those of a project or space; with `conflict=true` only whether a serving name is free, wherever it is used."""
    if is_on(call.query, "conflict"):
        if others := call.query.keys() - {"conflict", "serving_name", "version"}:
            raise invalid(
                f"conflict is asked with serving_name alone; found {', '.join(sorted(others))}", target="conflict"
            )
        deployments.check_serving_name(call.house, call.query.get("serving_name", ""))
        return Answer(body=None, status=204)
    found = deployments.all_of(call.house, call.container)
    for field, value_of in FILTERED.items():
        if given := call.query.get(field):
            found = tuple(one for one in found if value_of(one) == given)
    tags = call.query_list("tag.value")
    return page(call, PATH, [one for one in found if fits(one.body.get("tags", ()), tags)], _shown(call))


def change(call: Call) -> Answer:
    """A JSON Patch (RFC 6902), as far as the SDK sends it."""
    found, changes = _named(call), [_change(call, operation) for operation in call.items]

    def applied(now: Resource) -> Resource:
        for change in changes:
            now = change(now)
        return now

    changed = deployments.change(call.house, found, applied)
    is_deployed_anew = any(changed.body.get(name) != found.body.get(name) for name in ("asset", "online"))
    return Answer(body=deployments.shown(changed, call.url), status=202 if is_deployed_anew else 200)


def _change(call: Call, given: Any) -> Callable[[Resource], Resource]:
    """What an operation of a patch does to a deployment."""
    field, values = _operation(given)
    if field == "name":
        return lambda now: replace(now, name=values["name"])
    if field == "asset":
        taken = deployments.from_model(call.house, _model(call, values["asset"]["id"]))
        return lambda now: replace(now, body=deployments.with_model(now.body, taken))
    if field == "online/parameters":
        parameters = values.get(field, {})
        return lambda now: replace(now, body={**now.body, "online": {**now.body["online"], "parameters": parameters}})
    return lambda now: replace(now, body={name: now.body[name] for name in now.body if name != field} | values)


def _operation(given: Any) -> tuple[str, dict[str, Any]]:
    """The field that an operation names, with its new value; with none, if it is to be removed."""
    if not isinstance(given, Mapping) or given.get("op") not in ("add", "replace", "remove"):
        raise invalid(f"{quoted(given)} is no operation of a JSON Patch; expected op add, replace or remove")
    field = str(given.get("path", "")).lstrip("/").removeprefix("metadata/").removeprefix("entity/")
    removes = given["op"] == "remove"
    if field not in CHANGES or (removes and field in ("name", "asset")):
        able = f"of a deployment {', '.join(CHANGES)} can be changed, and all but name and asset removed"
        raise invalid(f"path is {quoted(given.get('path'))}; {able}", target="path")
    value = {} if removes else {field: given.get("value")}
    return field, read(value, {field: replace(CHANGES[field], default=Missing.LEFT_OUT)}, call=f"PATCH {PATH}/{{id}}")


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


def _model(call: Call, identity: str) -> Resource:
    found = call.house.state.get("model", identity)
    if found is None or found.container != call.container:
        raise not_found("model", identity, where=HERE)
    return found


def _shown(call: Call) -> Any:
    return lambda one: deployments.shown(one, call.url)


def _asset(resource: Resource) -> str:
    return str(resource.body["asset"]["id"])


def _serving_name(resource: Resource) -> str:
    return serving_name(resource.body)


def _name(resource: Resource) -> str:
    return resource.name


def _state(resource: Resource) -> str:
    return str(resource.body["status"]["state"])


FILTERED = {"asset_id": _asset, "serving_name": _serving_name, "name": _name, "state": _state}

ROUTES = (
    Route(method="POST", path=PATH, handler=create),
    Route(method="GET", path=PATH, handler=list_all, query=FILTERS),
    Route(method="GET", path=f"{PATH}/{{id}}", handler=show),
    Route(method="PATCH", path=f"{PATH}/{{id}}", handler=change, takes="list"),
    Route(method="DELETE", path=f"{PATH}/{{id}}", handler=delete),
    Route(method="GET", path="/wx/v1/prompts/{id}", handler=prompt, query=("prompt_id",)),
)
