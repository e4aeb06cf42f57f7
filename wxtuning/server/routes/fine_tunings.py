"""LoRA: /ml/v1/fine_tunings, which only Cloud Pak for Data still has."""

from __future__ import annotations

from typing import Any

from wxtuning.server.fields import Table, none_of, only, part
from wxtuning.server.routing import Answer, Call, Route
from wxtuning.server.trainings import training
from wxtuning.server.trainings.kinds import FINE_TUNING
from wxtuning.server.trainings.parameters import lora

PATH = FINE_TUNING.path
BODY: Table = {
    **training.BODY,
    "parameters": part(default={}),
    "type": only("fine_tuning", "lora"),
    **none_of("pipeline", "experiment", "model_definition"),
}


def create(call: Call) -> Answer:
    return training.create(call, FINE_TUNING, BODY, lora)


def list_all(call: Call) -> dict[str, Any]:
    return training.list_all(call, FINE_TUNING)


def show(call: Call) -> dict[str, Any]:
    return training.show(call, FINE_TUNING)


def end(call: Call) -> Answer:
    return training.end(call, FINE_TUNING)


ROUTES = (
    Route(method="POST", path=PATH, handler=create, only="cpd"),
    Route(method="GET", path=PATH, handler=list_all, only="cpd", query=training.FILTERS),
    Route(method="GET", path=f"{PATH}/{{id}}", handler=show, only="cpd"),
    Route(method="DELETE", path=f"{PATH}/{{id}}", handler=end, only="cpd", query=("hard_delete",)),
)
