"""Data assets: create, show, search, delete. Their content comes and goes through the routes of attachments."""

from __future__ import annotations

from typing import Any

from wxtuning.server.data.asset_form import SHOWN, TYPES, data_asset
from wxtuning.server.data.attachments import attachments_of, remove
from wxtuning.server.errors import Refused, invalid, not_found, not_offered
from wxtuning.server.house import House
from wxtuning.server.lookup import named, part, text, texts
from wxtuning.server.routing import Answer, Call, Route
from wxtuning.server.state import Resource
from wxtuning.server.trainings import models
from wxtuning.server.trainings.quotes import quoted

DUPLICATES = ("IGNORE", "REJECT", "REPLACE", "UPDATE")
MOST_RESULTS = 200


def create(call: Call) -> Answer:
    """A second asset of the same name is made, unless `duplicate_action` says otherwise."""
    action, name = call.query.get("duplicate_action", "IGNORE"), text(part(call.body, "metadata"), "name")
    if action not in DUPLICATES:
        raise invalid(f"duplicate_action is {quoted(action)}; expected one of {', '.join(DUPLICATES)}")
    same = call.house.state.all("asset", call.container, name=name)
    if same and action == "REJECT":
        message = f"there is a data asset {quoted(name)} already; give another name, or another duplicate_action"
        raise Refused(409, "already_exists", message, target="name")
    asset = _renewed(call, same[0], action) if same and action != "IGNORE" else _new(call, name)
    return Answer(body=data_asset(call.house, asset), status=201)


def _new(call: Call, name: str) -> Resource:
    return call.house.state.add("asset", container=call.container, name=name, body=_asked(call), key=call.key)[0]


def _renewed(call: Call, asset: Resource, action: str) -> Resource:
    """The asset that was there, as it is asked for now; to update keeps its content until there is a new one."""
    if action == "REPLACE":
        for attachment in attachments_of(call.house, asset):
            remove(call.house, attachment)
    return call.house.state.change(asset, {**asset.body, **_asked(call)})


def _asked(call: Call) -> dict[str, Any]:
    metadata, entity = part(call.body, "metadata"), part(call.body, "entity")
    kind = metadata.get("asset_type", "data_asset")
    if kind != "data_asset":
        raise invalid(
            f"asset_type is {quoted(kind)}; this server makes assets of type 'data_asset' only", target="asset_type"
        )
    mime = text(part(entity, "data_asset"), "mime_type", default="application/octet-stream")
    return {
        "description": text(metadata, "description", default="", most=10_000),
        "tags": texts(metadata, "tags"),
        "entity": {"data_asset": {"mime_type": mime}},
    }


def show(call: Call) -> dict[str, Any]:
    return data_asset(call.house, named(call, "asset"))


def delete(call: Call) -> Answer:
    """Deleted is deleted: there is no trash, with or without `purge_on_delete`."""
    house, identity = call.house, call.path["id"]
    kinds = ("asset", "model", "connection")
    found = next((one for kind in kinds if (one := house.state.get(kind, identity))), None)
    if found is None or found.container != call.container:
        raise not_found("asset", identity)
    if found.kind == "model":
        models.remove(house, found)
    else:
        _remove(house, found)
    return Answer(body=None, status=204)


def _remove(house: House, resource: Resource) -> None:
    if resource.kind == "asset":
        for attachment in attachments_of(house, resource):
            remove(house, attachment)
    house.state.remove(resource)


def search(call: Call) -> dict[str, Any]:
    """`*:*` finds all assets of a type, `asset.name:NAME` those of a name."""
    kind = call.path["type"]
    if kind not in TYPES:
        raise not_offered(f"POST /v2/asset_types/{kind}/search; this server has assets of type {', '.join(TYPES)}")
    found = call.house.state.all(TYPES[kind], call.container, name=_wanted(call))
    limit, start = _number(call, "limit", MOST_RESULTS), _number(call, "bookmark", 0)
    if not 1 <= limit <= MOST_RESULTS:
        raise invalid(f"limit is {limit}; expected a whole number from 1 to {MOST_RESULTS}", target="limit")
    end = start + limit
    return {
        "total_rows": len(found),
        "results": [SHOWN[kind](call.house, one) for one in found[start:end]],
        **({"next": {**call.body, "limit": limit, "bookmark": str(end)}} if end < len(found) else {}),
    }


def _wanted(call: Call) -> str | None:
    query = text(call.body, "query", default="*:*")
    if query == "*:*":
        return None
    if query.startswith("asset.name:"):
        return query.removeprefix("asset.name:").strip('"')
    raise invalid(f"query is {quoted(query)}; this server answers '*:*' and 'asset.name:NAME'", target="query")


def _number(call: Call, name: str, default: int) -> int:
    value = call.body.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise invalid(f"{name} is {quoted(value)}; expected a whole number", target=name)
    return value


ROUTES = (
    Route(method="POST", path="/v2/assets", handler=create),
    Route(method="GET", path="/v2/assets/{id}", handler=show),
    Route(method="DELETE", path="/v2/assets/{id}", handler=delete),
    Route(method="POST", path="/v2/asset_types/{type}/search", handler=search),
)
