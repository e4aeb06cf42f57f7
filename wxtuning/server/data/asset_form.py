"""Assets in the form of the service: metadata, entity, attachments. Knows shapes; knows no addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wxtuning.server.data.attachments import attachments_of
from wxtuning.server.ground import Ground
from wxtuning.server.shown import container_id
from wxtuning.server.state import Resource

TYPES = {"data_asset": "asset", "connection": "connection", "wml_model": "model"}
"""The types of assets that the server has, and the kind of resource of each."""
SECRETS = ("secret_key", "api_key")
"""Properties of a connection that open the store."""


def data_asset(ground: Ground, asset: Resource) -> dict[str, Any]:
    attachments = attachments_of(ground, asset)
    size = attachments[0].body["size"] if attachments else 0
    shown = asset_of(asset, "data_asset", size=size)
    return {**shown, "entity": asset.body["entity"], "attachments": [_within(one) for one in attachments]}


def connection(resource: Resource) -> dict[str, Any]:
    body = resource.body
    entity = {name: body[name] for name in ("datasource_type", "description", "origin_country", "properties")}
    return {**asset_of(resource, "connection"), "entity": {"name": resource.name, "flags": [], **entity}}


def connection_listed(resource: Resource) -> dict[str, Any]:
    """A connection as lists show it: without what opens the store."""
    shown = connection(resource)
    properties = {name: value for name, value in shown["entity"]["properties"].items() if name not in SECRETS}
    return {**shown, "entity": {**shown["entity"], "properties": properties}}


def model(resource: Resource) -> dict[str, Any]:
    return {**asset_of(resource, "wml_model"), "entity": {"wml_model": {"type": resource.body["type"]}}}


def listed(ground: Ground, resource: Resource) -> dict[str, Any]:
    """An asset of any type as lists show it."""
    if resource.kind == "asset":
        return data_asset(ground, resource)
    return connection_listed(resource) if resource.kind == "connection" else model(resource)


def asset_of(resource: Resource, type: str, *, size: int = 0) -> dict[str, Any]:
    """What all assets have."""
    changed = int(datetime.fromisoformat(resource.modified_at).timestamp() * 1000)
    return {
        "metadata": {
            **container_id(resource.container),
            "asset_id": resource.id,
            "asset_type": type,
            "asset_category": "USER",
            "asset_state": "available",
            "name": resource.name,
            "description": resource.body.get("description", ""),
            "tags": resource.body.get("tags", []),
            "origin_country": resource.body.get("origin_country", "us"),
            "created_at": resource.created_at,
            "create_time": resource.created_at,
            "size": size,
            "usage": {
                "last_updated_at": resource.modified_at,
                "last_update_time": changed,
                "last_access_time": changed,
            },
        },
        "href": f"/v2/assets/{resource.id}",
    }


def attachment(resource: Resource) -> dict[str, Any]:
    body = resource.body
    remote: dict[str, Any] = {name: body[name] for name in ("connection_id", "connection_path") if name in body}
    return {
        "attachment_id": resource.id,
        "asset_type": "data_asset",
        "name": resource.name,
        "mime": body["mime"],
        "is_remote": bool(remote),
        "created_at": resource.created_at,
        "transfer_complete": body["transfer_complete"],
        "size": body["size"],
        **remote,
    }


def _within(resource: Resource) -> dict[str, Any]:
    shown = attachment(resource)
    return {**shown, "id": resource.id, "content_type": shown["mime"], "remote": shown["is_remote"]}
