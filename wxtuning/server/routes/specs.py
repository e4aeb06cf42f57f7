"""The base models and the tasks of this server."""

from __future__ import annotations

from typing import Any

from wxtuning.server.fields import is_on
from wxtuning.server.paging import page
from wxtuning.server.routing import Call, Route
from wxtuning.server.trainings.catalog import TASKS

SPECS, TASK_LIST = "/ml/v1/foundation_model_specs", "/ml/v1/foundation_model_tasks"


def list_specs(call: Call) -> dict[str, Any]:
    is_on(call.query, "tech_preview")  # read for its value alone: no model here is a preview, so none is added
    found = call.house.catalog.specs(call.query.get("filters", ""))
    return page(call, SPECS, found, lambda spec: spec)


def list_tasks(call: Call) -> dict[str, Any]:
    found = [{"task_id": task, "label": label, "rank": rank} for rank, (task, label) in enumerate(TASKS.items(), 1)]
    return page(call, TASK_LIST, found, lambda task: task)


FILTERS = ("limit", "start", "filters", "tech_preview")

ROUTES = (
    # The SDK fetches both before it has a token.
    Route(method="GET", path=SPECS, handler=list_specs, is_open=True, query=FILTERS),
    Route(method="GET", path=TASK_LIST, handler=list_tasks, is_open=True, query=("limit", "start")),
)
