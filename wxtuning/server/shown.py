"""Resources as they are shown: metadata as the service writes it, and nothing of the server's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wxtuning.server.state import Resource

OWN = "_"
"""The key of a body under which the server keeps what it never shows."""


def metadata(resource: Resource, *also: str) -> dict[str, Any]:
    """Id, times, name and container of a resource, and those of the fields `also` that its body has."""
    return {
        "id": resource.id,
        "created_at": resource.created_at,
        "modified_at": resource.modified_at,
        "name": resource.name,
        **container_id(resource.container),
        **{name: resource.body[name] for name in also if name in resource.body},
    }


def container_id(container: str) -> dict[str, str]:
    """`project/ID` as `{"project_id": ID}`, a space likewise; empty for what belongs to neither."""
    kind, _, identity = container.partition("/")
    return {f"{kind}_id": identity} if identity else {}


def public(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without what is the server's own."""
    return {name: value for name, value in body.items() if name != OWN}


def own(resource: Resource) -> dict[str, Any]:
    """What the server keeps with a resource and never shows."""
    return dict(resource.body.get(OWN, {}))
