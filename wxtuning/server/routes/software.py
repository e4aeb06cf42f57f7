"""The one software specification that tuned models run with; the SDK asks for its state when it lists models."""

from __future__ import annotations

import uuid
from typing import Any

from wxtuning.server.errors import not_found
from wxtuning.server.paging import page
from wxtuning.server.routing import Call, Route
from wxtuning.server.trainings.models import SOFTWARE

PATH = "/v2/software_specifications"
IDENTITY = str(uuid.uuid5(uuid.NAMESPACE_URL, f"wxtuning:software_specification:{SOFTWARE}"))
SPECIFICATION: dict[str, Any] = {
    "metadata": {
        "name": SOFTWARE,
        "asset_id": IDENTITY,
        "asset_type": "software_specification",
        "href": f"{PATH}/{IDENTITY}",
        "created_at": "2025-01-01T00:00:00.000Z",
    },
    "entity": {"software_specification": {"type": "base", "display_name": SOFTWARE}},
}


def list_all(call: Call) -> dict[str, Any]:
    found = [SPECIFICATION] if call.query.get("name", SOFTWARE) == SOFTWARE else []
    return page(call, PATH, found, lambda one: one)


def show(call: Call) -> dict[str, Any]:
    if call.path["id"] != IDENTITY:
        raise not_found("software specification", call.path["id"])
    return SPECIFICATION


ROUTES = (
    Route(method="GET", path=PATH, handler=list_all, query=("limit", "start", "name")),
    Route(method="GET", path=f"{PATH}/{{id}}", handler=show),
)
