"""Model assets: stored from a run, shown, listed, deleted; and the promotion of assets from a project to a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wxtuning.server import private
from wxtuning.server.data.attachments import content_of, file_of
from wxtuning.server.errors import HERE, invalid, not_found
from wxtuning.server.fields import DESCRIBED, PLACED, Missing, Table, anything, none_of, one_of, only, part, read, text
from wxtuning.server.house import House
from wxtuning.server.lookup import named
from wxtuning.server.paging import page
from wxtuning.server.routes.software import IDENTITY
from wxtuning.server.routing import Answer, Call, Route
from wxtuning.server.state import Key, Resource
from wxtuning.server.tags import tagged
from wxtuning.server.trainings import models
from wxtuning.server.trainings.kinds import KINDS
from wxtuning.server.trainings.quotes import quoted

PATH = "/ml/v4/models"
TYPES = (*(kind.model_type for kind in KINDS.values()), models.BASE_TYPE)
BODY: Table = {
    **DESCRIBED,
    **PLACED,
    "type": only(*TYPES, default=Missing.REFUSED),
    "software_spec": part({"name": one_of(models.SOFTWARE), "id": one_of(IDENTITY)}),
    **none_of(
        "domain", "framework", "hyper_parameters", "label_column", "metrics", "model_definition", "model_location",
        "pipeline", "runtime", "schemas", "score", "size", "test_data_references", "transformed_label_column",
    ),
}  # fmt: skip
TOLD = ("base_model", "task_id", "verbalizer")
OF_RUN: Table = {
    **BODY,
    "training": part({"id": text(), **dict.fromkeys(TOLD, anything())}, default=Missing.REFUSED),
    "training_data_references": anything(),
}
OF_BASE: Table = {**BODY, "foundation_model": part({"model_id": text()}, default=Missing.REFUSED)}
PROMOTED: Table = {"projectId": text(), "spaceId": text(), "assetDescription": text(default="", most=10_000)}


def create(call: Call) -> Answer:
    """Store the model of a run, as `model_request_path` of its results says it, or a base model as it came."""
    is_base = call.body.get("type") == models.BASE_TYPE
    asked = read(call.body, OF_BASE if is_base else OF_RUN, call=f"POST {PATH}")
    described = {name: asked[name] for name in ("name", "description", "tags", "custom") if name in asked}
    if is_base:
        base = asked["foundation_model"]["model_id"]
        made = models.store_base(call.house, call.container, base, key=call.key, **described)
    else:
        made = models.store(call.house, _told(call, asked), key=call.key, **described)
    return Answer(body=models.shown(made), status=202)


def _told(call: Call, asked: Mapping[str, Any]) -> Resource:
    """The run whose model is meant; what else is told of the run must be so."""
    run = _run(call, asked["training"]["id"])
    tuning = run.body[KINDS[run.kind].parameters]
    known = {f"training.{name}": tuning[name] for name in TOLD}
    known["training_data_references"] = run.body["training_data_references"]
    told = {**asked, **{f"training.{name}": value for name, value in asked["training"].items()}}
    if wrong := [name for name, value in known.items() if told.get(name, value) != value]:
        message = f"{wrong[0]} is {quoted(told[wrong[0]])}; that of run {run.id} is {quoted(known[wrong[0]])}"
        raise invalid(message, target=wrong[0])
    if KINDS[run.kind].model_type != asked["type"]:
        raise invalid(f"run {run.id} makes a {KINDS[run.kind].model_type}, not a {asked['type']}", target="type")
    return run


def _run(call: Call, identity: str) -> Resource:
    for kind in KINDS:
        found = call.house.state.get(kind, identity)
        if found is not None and found.container == call.container:
            return found
    raise not_found("training", identity, where=HERE)


def show(call: Call) -> dict[str, Any]:
    return models.shown(named(call, "model"))


def list_all(call: Call) -> dict[str, Any]:
    marks = tagged(call.query_list("tag.value"))
    found = call.house.state.found("model", call.container, name=call.query.get("name"), marks=marks)
    return page(call, PATH, found, models.shown)


def delete(call: Call) -> Answer:
    models.remove(call.house, named(call, "model"))
    return Answer(body=None, status=204)


def promote(call: Call) -> dict[str, Any]:
    """A copy of an asset of a project in a space."""
    asked = read(call.body, PROMOTED, call="POST /projects/api/rest/catalogs/assets/{id}/promote")
    house, identity = call.house, call.path["id"]
    project, space = house.resource("project", asked["projectId"]), house.resource("space", asked["spaceId"])
    for kind, copy in (("model", models.promote), ("asset", _copy_of_asset), ("connection", _copy)):
        found = house.state.get(kind, identity)
        if found is not None and found.container == f"project/{project.id}":
            description = asked["assetDescription"] or found.body.get("description", "")
            made = copy(house, found, space, description=description, key=call.key)
            return {"promotedAsset": {"asset_id": made.id, "asset_name": made.name}}
    raise not_found("asset in this project", identity)


def _copy(house: House, resource: Resource, space: Resource, *, description: str, key: Key | None) -> Resource:
    container, body = f"space/{space.id}", {**resource.body, "description": description}
    return house.state.add(resource.kind, container=container, name=resource.name, body=body, key=key)[0]


def _copy_of_asset(house: House, asset: Resource, space: Resource, *, description: str, key: Key | None) -> Resource:
    """The asset with its newest content; both are there, or neither."""
    attachment, file = content_of(house, asset)
    container, body = f"space/{space.id}", {**asset.body, "description": description}
    with house.state.transaction() as transaction:
        copy, is_new = transaction.add("asset", container=container, name=asset.name, body=body, key=key)
        if is_new:
            body = {**attachment.body, "asset_id": copy.id}
            made, _ = transaction.add("attachment", container=container, name=attachment.name, body=body)
            if file is not None:
                private.copy(file, file_of(house, made))
    return copy


ROUTES = (
    Route(method="POST", path=PATH, handler=create),
    Route(method="GET", path=PATH, handler=list_all, query=("limit", "start", "name", "tag.value")),
    Route(method="GET", path=f"{PATH}/{{id}}", handler=show),
    Route(method="DELETE", path=f"{PATH}/{{id}}", handler=delete),
    Route(method="POST", path="/projects/api/rest/catalogs/assets/{id}/promote", handler=promote),
)
