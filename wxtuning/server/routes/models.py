"""Model assets: stored from a run, shown, listed, deleted; and the promotion of assets from a project to a space."""

from __future__ import annotations

import shutil
from typing import Any

from wxtuning.server.data.attachments import content_of, file_of
from wxtuning.server.errors import not_found, not_offered
from wxtuning.server.house import House
from wxtuning.server.lookup import named, part, text
from wxtuning.server.paging import page
from wxtuning.server.routing import Answer, Call, Route
from wxtuning.server.state import Resource
from wxtuning.server.trainings import models
from wxtuning.server.trainings.kinds import KINDS
from wxtuning.server.trainings.quotes import quoted

PATH = "/ml/v4/models"


def create(call: Call) -> Answer:
    """Store the model of a run, as `model_request_path` of its results says it, or a base model as it came."""
    types = [*(kind.model_type for kind in KINDS.values()), models.BASE_TYPE]
    if call.body.get("type") not in types:
        raise not_offered(f"POST {PATH} of type {quoted(call.body.get('type'))}; {', '.join(types)} are")
    described = {
        "name": text(call.body, "name"),
        "description": text(call.body, "description", default="", most=10_000),
        "key": call.key,
    }
    if call.body["type"] == models.BASE_TYPE:
        base = text(part(call.body, "foundation_model"), "model_id")
        made = models.store_base(call.house, call.container, base, **described)
    else:
        made = models.store(call.house, _run(call, text(part(call.body, "training"), "id")), **described)
    return Answer(body=models.shown(made), status=202)


def _run(call: Call, identity: str) -> Resource:
    for kind in KINDS:
        found = call.house.state.get(kind, identity)
        if found is not None and found.container == call.container:
            return found
    raise not_found("training in this project or space", identity)


def show(call: Call) -> dict[str, Any]:
    return models.shown(named(call, "model"))


def list_all(call: Call) -> dict[str, Any]:
    found = call.house.state.all("model", call.container, name=call.query.get("name"))
    return page(call, PATH, found, models.shown)


def delete(call: Call) -> Answer:
    models.remove(call.house, named(call, "model"))
    return Answer(body=None, status=204)


def promote(call: Call) -> dict[str, Any]:
    """A copy of an asset of a project in a space."""
    house, identity = call.house, call.path["id"]
    project = house.resource("project", text(call.body, "projectId"))
    space = house.resource("space", text(call.body, "spaceId"))
    for kind, copy in (("model", models.promote), ("asset", _copy_of_asset), ("connection", _copy)):
        found = house.state.get(kind, identity)
        if found is not None and found.container == f"project/{project.id}":
            made = copy(house, found, space)
            return {"promotedAsset": {"asset_id": made.id, "asset_name": made.name}}
    raise not_found("asset in this project", identity)


def _copy(house: House, resource: Resource, space: Resource) -> Resource:
    return house.state.add(
        resource.kind, container=f"space/{space.id}", name=resource.name, body=resource.body
    )[0]  # fmt: skip


def _copy_of_asset(house: House, asset: Resource, space: Resource) -> Resource:
    """The asset with its newest content."""
    attachment, file = content_of(house, asset)
    copy = _copy(house, asset, space)
    body = {**attachment.body, "asset_id": copy.id}
    made, _ = house.state.add("attachment", container=copy.container, name=attachment.name, body=body)
    if file is not None:
        shutil.copyfile(file, file_of(house, made))
    return copy


ROUTES = (
    Route(method="POST", path=PATH, handler=create),
    Route(method="GET", path=PATH, handler=list_all),
    Route(method="GET", path=f"{PATH}/{{id}}", handler=show),
    Route(method="DELETE", path=f"{PATH}/{{id}}", handler=delete),
    Route(method="POST", path="/projects/api/rest/catalogs/assets/{id}/promote", handler=promote),
)
