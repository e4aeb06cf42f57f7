"""LoRA: /ml/v1/fine_tunings, which only Cloud Pak for Data still has."""

from __future__ import annotations

from typing import Any

from wxtuning.server.errors import not_offered
from wxtuning.server.routing import Answer, Call, Route
from wxtuning.server.trainings import training
from wxtuning.server.trainings.kinds import FINE_TUNING
from wxtuning.server.trainings.parameters import lora
from wxtuning.server.trainings.quotes import quoted


def create(call: Call) -> Answer:
    if call.body.get("type", "fine_tuning") not in ("fine_tuning", "lora"):
        raise not_offered(f"POST /ml/v1/fine_tunings of type {quoted(call.body['type'])}; LoRA is")
    return training.create(call, FINE_TUNING, lora)


def list_all(call: Call) -> dict[str, Any]:
    return training.list_all(call, FINE_TUNING)


def show(call: Call) -> dict[str, Any]:
    return training.show(call, FINE_TUNING)


def end(call: Call) -> Answer:
    return training.end(call, FINE_TUNING)


ROUTES = (
    Route(method="POST", path="/ml/v1/fine_tunings", handler=create, only="cpd"),
    Route(method="GET", path="/ml/v1/fine_tunings", handler=list_all, only="cpd"),
    Route(method="GET", path="/ml/v1/fine_tunings/{id}", handler=show, only="cpd"),
    Route(method="DELETE", path="/ml/v1/fine_tunings/{id}", handler=end, only="cpd"),
)
