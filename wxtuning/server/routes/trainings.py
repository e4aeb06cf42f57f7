"""Prompt tuning: /ml/v4/trainings."""

from __future__ import annotations

from typing import Any

from wxtuning.server.errors import not_offered
from wxtuning.server.routing import Answer, Call, Route
from wxtuning.server.trainings import training
from wxtuning.server.trainings.kinds import PROMPT_TUNING
from wxtuning.server.trainings.parameters import prompt_tuning

OTHERS = ("pipeline", "experiment", "model_definition", "federated_learning")
"""What the service trains besides."""


def create(call: Call) -> Answer:
    if asked := [name for name in OTHERS if name in call.body]:
        raise not_offered(f"POST /ml/v4/trainings with {asked[0]}; prompt_tuning is")
    return training.create(call, PROMPT_TUNING, prompt_tuning)


def list_all(call: Call) -> dict[str, Any]:
    return training.list_all(call, PROMPT_TUNING)


def show(call: Call) -> dict[str, Any]:
    return training.show(call, PROMPT_TUNING)


def end(call: Call) -> Answer:
    return training.end(call, PROMPT_TUNING)


ROUTES = (
    Route(method="POST", path="/ml/v4/trainings", handler=create),
    Route(method="GET", path="/ml/v4/trainings", handler=list_all),
    Route(method="GET", path="/ml/v4/trainings/{id}", handler=show),
    Route(method="DELETE", path="/ml/v4/trainings/{id}", handler=end),
)
