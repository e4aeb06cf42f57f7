"""Connections to object stores, and the types of them. What a connection says is called only when a job needs it."""

from __future__ import annotations

import uuid
from typing import Any

from wxtuning.server.data.asset_form import connection, connection_listed
from wxtuning.server.errors import invalid, not_found
from wxtuning.server.fields import DESCRIBED, PLACED, Field, Table, is_on, none_of, part, read, text
from wxtuning.server.lookup import named
from wxtuning.server.paging import page
from wxtuning.server.routing import Answer, Call, Route

PATH, TYPES = "/v2/connections", "/v2/datasource_types"
OFFERED = {
    "bluemixcloudobjectstorage": "IBM Cloud Object Storage (infrastructure)",
    "cloudobjectstorage": "IBM Cloud Object Storage",
    "generics3": "Generic S3",
}
# The SDK asks for the id of this one before it creates a connection of any type.
KNOWN = {**OFFERED, "bigquery": "Google BigQuery"}
PROPERTIES = ("bucket", "url", "access_key", "secret_key", "api_key", "iam_url", "resource_instance_id")


def _secret(value: Any, place: str, _call: str) -> str:
    # The values of these are secrets, so no message quotes one.
    if not isinstance(value, str):
        raise invalid(f"{place} is no text; expected one", target=place)
    return value


BODY: Table = {
    **PLACED,
    "name": text(),
    "description": DESCRIBED["description"],
    "datasource_type": text(),
    "origin_country": text(default="US"),
    "properties": part(dict.fromkeys(PROPERTIES, Field(_secret)), default={}),
    **none_of("flags", "interaction_properties", "gateway_id", "owner_id", "ref_asset_id", "tags"),
}


def create(call: Call) -> Answer:
    body = read(call.body, BODY, call=f"POST {PATH}")
    kind = _type(body["datasource_type"])
    if kind not in OFFERED:
        raise invalid(
            f"datasource_type {kind} is not offered by this server; expected one of {', '.join(OFFERED)}",
            target="datasource_type",
        )
    _check(body["properties"])
    kept = {name: body[name] for name in ("description", "origin_country", "properties")}
    made, _ = call.house.state.add(
        "connection", container=call.container, name=body["name"], body={"datasource_type": _id(kind), **kept},
        key=call.key,
    )  # fmt: skip
    return Answer(body=connection(made), status=201)


def _check(properties: dict[str, Any]) -> None:
    has_pair = properties.get("access_key") and properties.get("secret_key")
    if not properties.get("url") or not (has_pair or properties.get("api_key")):
        raise invalid("properties lack url, or access_key with secret_key, or api_key; expected the keys of the store")


def show(call: Call) -> dict[str, Any]:
    return connection(named(call, "connection"))


def list_all(call: Call) -> dict[str, Any]:
    found = call.house.state.found("connection", call.container)
    return page(call, PATH, found, connection_listed)


def delete(call: Call) -> Answer:
    call.house.state.remove(named(call, "connection"))
    return Answer(body=None, status=204)


def show_type(call: Call) -> dict[str, Any]:
    kind = _type(call.path["id"])
    shown = _shown_type(kind)
    if is_on(call.query, "connection_properties"):
        shown["entity"]["properties"] = {"connection": [{"name": name} for name in PROPERTIES]}
    return shown


def list_types(call: Call) -> dict[str, Any]:
    return page(call, TYPES, list(OFFERED), _shown_type)


def _type(given: str) -> str:
    for kind in KNOWN:
        if given in (kind, _id(kind)):
            return kind
    raise not_found("datasource type", given)


def _shown_type(kind: str) -> dict[str, Any]:
    entity = {"name": kind, "type": "file", "label": KNOWN[kind], "status": "active"}
    return {"metadata": {"asset_id": _id(kind)}, "entity": entity}


def _id(kind: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"wxtuning:datasource_type:{kind}"))


ROUTES = (
    Route(method="POST", path=PATH, handler=create),
    Route(method="GET", path=PATH, handler=list_all, query=("limit", "start")),
    Route(method="GET", path=f"{PATH}/{{id}}", handler=show),
    Route(method="DELETE", path=f"{PATH}/{{id}}", handler=delete),
    Route(method="GET", path=TYPES, handler=list_types, query=("limit", "start")),
    Route(method="GET", path=f"{TYPES}/{{id}}", handler=show_type, query=("connection_properties",)),
)
