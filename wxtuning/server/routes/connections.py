"""Connections to object stores, and the types of them. What a connection says is called only when a job needs it."""

from __future__ import annotations

import uuid
from typing import Any

from wxtuning.server.data.asset_form import connection
from wxtuning.server.errors import invalid, not_found
from wxtuning.server.lookup import named, part, text
from wxtuning.server.paging import page
from wxtuning.server.routing import Answer, Call, Route

OFFERED = {
    "bluemixcloudobjectstorage": "IBM Cloud Object Storage (infrastructure)",
    "cloudobjectstorage": "IBM Cloud Object Storage",
    "generics3": "Generic S3",
}
# The SDK asks for the id of this one before it creates a connection of any type.
KNOWN = {**OFFERED, "bigquery": "Google BigQuery"}
PROPERTIES = ("bucket", "url", "access_key", "secret_key", "api_key", "iam_url", "resource_instance_id")


def create(call: Call) -> Answer:
    kind = _type(text(call.body, "datasource_type"))
    if kind not in OFFERED:
        raise invalid(
            f"datasource_type {kind} is not offered by this server; expected one of {', '.join(OFFERED)}",
            target="datasource_type",
        )
    body: dict[str, Any] = {
        "datasource_type": _id(kind),
        "description": text(call.body, "description", default="", most=10_000),
        "origin_country": text(call.body, "origin_country", default="US"),
        "properties": dict(part(call.body, "properties")),
    }
    _check(body["properties"])
    name = text(call.body, "name")
    made, _ = call.house.state.add("connection", container=call.container, name=name, body=body, key=call.key)
    return Answer(body=connection(call.house, made), status=201)


def _check(properties: dict[str, Any]) -> None:
    # Their values are secrets, so no message quotes one.
    if wrong := [name for name in PROPERTIES if not isinstance(properties.get(name, ""), str)]:
        raise invalid(f"properties.{wrong[0]} is no text; expected one", target=wrong[0])
    has_pair = properties.get("access_key") and properties.get("secret_key")
    if not properties.get("url") or not (has_pair or properties.get("api_key")):
        raise invalid("properties lack url, or access_key with secret_key, or api_key; expected the keys of the store")


def show(call: Call) -> dict[str, Any]:
    return connection(call.house, named(call, "connection"))


def list_all(call: Call) -> dict[str, Any]:
    found = call.house.state.all("connection", call.container)
    return page(call, "/v2/connections", found, lambda one: connection(call.house, one))


def delete(call: Call) -> Answer:
    call.house.state.remove(named(call, "connection"))
    return Answer(body=None, status=204)


def show_type(call: Call) -> dict[str, Any]:
    kind = _type(call.path["id"])
    shown = _shown_type(kind)
    if call.query.get("connection_properties", "").lower() == "true":
        shown["entity"]["properties"] = {"connection": [{"name": name} for name in PROPERTIES]}
    return shown


def list_types(call: Call) -> dict[str, Any]:
    return page(call, "/v2/datasource_types", list(OFFERED), _shown_type)


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
    Route(method="POST", path="/v2/connections", handler=create),
    Route(method="GET", path="/v2/connections", handler=list_all),
    Route(method="GET", path="/v2/connections/{id}", handler=show),
    Route(method="DELETE", path="/v2/connections/{id}", handler=delete),
    Route(method="GET", path="/v2/datasource_types", handler=list_types),
    Route(method="GET", path="/v2/datasource_types/{id}", handler=show_type),
)
