"""Data assets: create, show, search, change, delete. Their content comes and goes through the routes of attachments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wxtuning.server.data.asset_form import TYPES, data_asset, listed
from wxtuning.server.data.attachments import file_of
from wxtuning.server.errors import Refused, invalid, not_found, not_offered
from wxtuning.server.fields import DESCRIBED, PLACED, Missing, Table, is_on, none_of, number, one_of, part, read, text
from wxtuning.server.house import House
from wxtuning.server.lookup import named
from wxtuning.server.routing import Answer, Call, Route
from wxtuning.server.state import Query, Resource, Transaction
from wxtuning.server.trainings import models
from wxtuning.server.trainings.quotes import quoted

BYTES = "application/octet-stream"
DUPLICATES = ("IGNORE", "REJECT", "REPLACE", "UPDATE")
MOST_RESULTS = 200
BODY: Table = {
    **PLACED,
    "metadata": part(
        {
            "name": text(),
            "description": DESCRIBED["description"],
            "tags": DESCRIBED["tags"],
            "asset_type": one_of("data_asset", default="data_asset"),
            "origin_country": text(default="us"),
            "asset_category": one_of("USER"),
            **none_of("rov", "resource_key", "owner_id", "external_origin", "asset_attributes"),
        },
        default=Missing.REFUSED,
    ),
    "entity": part(
        {"data_asset": part({"mime_type": text(default=BYTES), **none_of("columns", "dataset")}, default={})},
        default={},
    ),
    **none_of("attachments", "relationships"),
}
CHANGES: Table = {"name": text(least=1), "description": DESCRIBED["description"], "tags": DESCRIBED["tags"]}
"""What a patch may change, below `/metadata/`."""
SEARCH: Table = {
    **PLACED,
    "query": text(default="*:*"),
    "limit": number(default=MOST_RESULTS, least=1, most=MOST_RESULTS),
    "bookmark": number(default=0),
    # An answer has all that could be included.
    "include": text(default=""),
    **none_of("sort", "counts", "drilldown"),
}


def create(call: Call) -> Answer:
    """A second asset of the same name is made, unless `duplicate_action` says otherwise."""
    action = call.query.get("duplicate_action", "IGNORE")
    if action not in DUPLICATES:
        raise invalid(f"duplicate_action is {quoted(action)}; expected one of {', '.join(DUPLICATES)}")
    name, body = _asked(call)
    container, key, house = call.container, call.key, call.house
    replaced: tuple[Resource, ...] = ()
    with house.state.transaction() as transaction:
        same = transaction.find(Query(kind="asset", container=container, name=name), limit=1)
        if action == "IGNORE" or not same or transaction.keyed("asset", container, key):
            asset, _ = transaction.add("asset", container=container, name=name, body=body, key=key)
        elif action == "REJECT":
            raise _taken(name)
        else:
            if action == "REPLACE":
                replaced = _emptied(transaction, same[0])
            asset = transaction.renew(same[0], body, key)
    for attachment in replaced:
        file_of(house, attachment).unlink(missing_ok=True)
    return Answer(body=data_asset(house, asset), status=201)


def _taken(name: str) -> Refused:
    message = f"there is a data asset {quoted(name)} already; give another name, or another duplicate_action"
    return Refused(409, "already_exists", message, target="name")


def _emptied(transaction: Transaction, asset: Resource) -> tuple[Resource, ...]:
    """The attachments that an asset no longer has; an update keeps them until there is new content."""
    found = transaction.find(Query(kind="attachment", marks=[("asset", (asset.id,))]))
    for attachment in found:
        transaction.remove(attachment)
    return found


def _asked(call: Call) -> tuple[str, dict[str, Any]]:
    asked = read(call.body, BODY, call="POST /v2/assets")
    metadata = asked["metadata"]
    mime = asked["entity"].get("data_asset", {}).get("mime_type", BYTES)
    kept = {name: metadata[name] for name in ("description", "tags", "origin_country")}
    return metadata["name"], {**kept, "entity": {"data_asset": {"mime_type": mime}}}


def show(call: Call) -> dict[str, Any]:
    return data_asset(call.house, named(call, "asset"))


def change(call: Call) -> dict[str, Any]:
    """A JSON Patch (RFC 6902) of name, description and tags."""
    asset = named(call, "asset")
    changes = [_change(operation) for operation in call.items]

    def applied(now: Resource) -> Resource:
        told = {name: value for name, value in changes if name != "name"}
        return replace(now, name=dict(changes).get("name", now.name), body={**now.body, **told})

    changed = call.house.state.change("asset", asset.id, applied)
    if changed is None:
        raise not_found("asset", asset.id)
    return data_asset(call.house, changed)


def _change(given: Any) -> tuple[str, Any]:
    """A field and its new value."""
    if not isinstance(given, Mapping) or given.get("op") not in ("add", "replace") or "value" not in given:
        raise invalid(f"{quoted(given)} is no operation of a JSON Patch; expected op add or replace, path and value")
    field = str(given.get("path", "")).removeprefix("/metadata/")
    if field not in CHANGES:
        raise invalid(f"path is {quoted(given.get('path'))}; expected /metadata/ with one of {', '.join(CHANGES)}")
    return field, CHANGES[field].read(given["value"], field, "PATCH /v2/assets/{id}")


def delete(call: Call) -> Answer:
    """Deleted is deleted: there is no trash, with or without `purge_on_delete`."""
    is_on(call.query, "purge_on_delete")
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
    with house.state.transaction() as transaction:
        attachments = _emptied(transaction, resource)
        transaction.remove(resource)
    for attachment in attachments:
        file_of(house, attachment).unlink(missing_ok=True)


def search(call: Call) -> dict[str, Any]:
    """`*:*` finds all assets of a type, `asset.name:NAME` those of a name, `asset.tags:TAG` those with a tag."""
    kind = call.path["type"]
    if kind not in TYPES:
        raise not_offered(f"POST /v2/asset_types/{kind}/search; this server has assets of type {', '.join(TYPES)}")
    asked = read(call.body, SEARCH, call=f"POST /v2/asset_types/{kind}/search")
    found = call.house.state.found(TYPES[kind], call.container, **_wanted(asked["query"]))
    start, count = asked["bookmark"], len(found)
    end = start + asked["limit"]
    return {
        "total_rows": count,
        "results": [listed(call.house, one) for one in found[start:end]],
        **({"next": {**call.body, "limit": asked["limit"], "bookmark": str(end)}} if end < count else {}),
    }


def _wanted(query: str) -> dict[str, Any]:
    field, _, value = query.partition(":")
    value = value.strip('"')
    if query == "*:*":
        return {}
    if field == "asset.name" and value:
        return {"name": value}
    if field == "asset.tags" and value:
        return {"marks": [("tag", (value,))]}
    answered = "'*:*', 'asset.name:NAME' and 'asset.tags:TAG'"
    raise invalid(f"query is {quoted(query)}; this server answers {answered}", target="query")


ROUTES = (
    Route(method="POST", path="/v2/assets", handler=create, query=("duplicate_action",)),
    Route(method="GET", path="/v2/assets/{id}", handler=show),
    Route(method="PATCH", path="/v2/assets/{id}", handler=change, takes="list"),
    Route(method="DELETE", path="/v2/assets/{id}", handler=delete, query=("purge_on_delete",)),
    Route(method="POST", path="/v2/asset_types/{type}/search", handler=search),
)
