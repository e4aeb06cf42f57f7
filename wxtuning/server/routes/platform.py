"""Projects and spaces over HTTP: create, show, list, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wxtuning.server.containers import CONTAINERS, default
from wxtuning.server.errors import Refused
from wxtuning.server.fields import DESCRIBED, Missing, Table, anything, flag, none_of, part, read, text
from wxtuning.server.paging import page
from wxtuning.server.routing import JSON, Answer, Call, Route
from wxtuning.server.shown import public
from wxtuning.server.state import Resource

ADDRESSES = {"project": "/transactional/v2/projects", "space": "/v2/spaces"}
BODY: Table = {
    "name": text(most=255),
    "description": text(default=Missing.LEFT_OUT, most=10_000),
    "tags": DESCRIBED["tags"],
    "type": text(default=Missing.LEFT_OUT),
    # Callers have to name a store and a service; what they get is this server's own.
    "storage": part(),
    "compute": anything(),
}
BODIES: Mapping[str, Table] = {
    "project": {
        **BODY, "generator": text(default=Missing.LEFT_OUT), "public": flag(),
        **none_of("tools", "enforce_members", "settings", "catalog", "members"),
    },
    "space": {**BODY, "stage": part(), **none_of("settings", "members")},
}  # fmt: skip
OWN = ("name", "storage", "compute")
"""What is not kept of a body: the name stands beside it."""
FILTERS = ("limit", "start", "name", "summary", "include")


def create_project(call: Call) -> Answer:
    made = _made(call, "project")
    return Answer(status=201, body={"location": f"/v2/projects/{made.id}"})


def create_space(call: Call) -> Answer:
    made = _made(call, "space")
    return Answer(status=202, body=_shown(call, made))


def get_project(call: Call) -> JSON:
    return _shown(call, call.house.resource("project", call.path["id"]))


def get_space(call: Call) -> JSON:
    return _shown(call, call.house.resource("space", call.path["id"]))


def list_projects(call: Call) -> JSON:
    return _listed(call, "project")


def list_spaces(call: Call) -> JSON:
    return _listed(call, "space")


def delete_project(call: Call) -> Answer:
    _remove(call, "project")
    return Answer(status=204, body=None)


def delete_space(call: Call) -> Answer:
    _remove(call, "space")
    return Answer(status=202, body=None)


def _made(call: Call, kind: str) -> Resource:
    asked = read(call.body, BODIES[kind], call=f"POST {ADDRESSES[kind]}")
    body = {name: value for name, value in asked.items() if name not in OWN}
    made, _ = call.house.state.add(kind, container="", name=asked["name"], body=body, key=call.key)
    return made


def _listed(call: Call, kind: str) -> JSON:
    found = call.house.state.found(kind, name=call.query.get("name"))
    return page(call, f"/v2/{CONTAINERS[kind]}", found, lambda one: _shown(call, one))


def _remove(call: Call, kind: str) -> None:
    """Remove an empty project or space; what it holds is never removed with it."""
    found = call.house.resource(kind, call.path["id"])
    if found.id == default(call.house, kind).id:
        raise Refused(409, "conflict", f"the {kind} {found.id} is the one that this server starts with; it stays")
    with call.house.state.transaction() as transaction:
        if held := transaction.held(f"{kind}/{found.id}"):
            what = ", ".join(f"{count} of the kind {name}" for name, count in held.items())
            raise Refused(409, "not_empty", f"the {kind} {found.id} still holds {what}; remove these first")
        transaction.remove(found)


def _shown(call: Call, resource: Resource) -> dict[str, Any]:
    identity = {"id": resource.id} if resource.kind == "space" else {"guid": resource.id}
    return {
        "metadata": {
            **identity, "url": f"/v2/{CONTAINERS[resource.kind]}/{resource.id}", "created_at": resource.created_at,
            "updated_at": resource.modified_at, "creator_id": call.house.tokens.keys.username,
        },
        "entity": {
            "name": resource.name, **public(resource.body), **_status(resource), "storage": _storage(call, resource),
        },
    }  # fmt: skip


def _status(resource: Resource) -> Mapping[str, Any]:
    return {"status": {"state": "active"}} if resource.kind == "space" else {}


def _storage(call: Call, resource: Resource) -> Mapping[str, Any]:
    """Where the container's files lie; on IBM Cloud its keys are shown to those who ask for `credentials`."""
    if call.house.settings.platform == "cpd":
        return {"type": "assetfiles", "guid": resource.id}
    from wxtuning.server.data.storage import storage_of

    found = dict(storage_of(call.house, f"{resource.kind}/{resource.id}", call.url))
    if "credentials" not in call.query.get("include", ""):
        properties = found.get("properties", {})
        found["properties"] = {name: value for name, value in properties.items() if name != "credentials"}
    return found


ROUTES = (
    Route(method="POST", path=ADDRESSES["project"], handler=create_project),
    Route(method="DELETE", path=f"{ADDRESSES['project']}/{{id}}", handler=delete_project),
    Route(method="GET", path="/v2/projects", handler=list_projects, query=FILTERS),
    Route(method="GET", path="/v2/projects/{id}", handler=get_project, query=("include",)),
    Route(method="POST", path=ADDRESSES["space"], handler=create_space),
    Route(method="GET", path="/v2/spaces", handler=list_spaces, query=FILTERS),
    Route(method="GET", path="/v2/spaces/{id}", handler=get_space, query=("include",)),
    Route(method="DELETE", path="/v2/spaces/{id}", handler=delete_space),
)
