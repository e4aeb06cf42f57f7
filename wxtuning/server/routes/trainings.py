"""Prompt tuning: /ml/v4/trainings."""

from __future__ import annotations

from typing import Any

from wxtuning.server.fields import Table, none_of, only, part
from wxtuning.server.routing import Answer, Call, Route
from wxtuning.server.trainings import training
from wxtuning.server.trainings.kinds import PROMPT_TUNING
from wxtuning.server.trainings.parameters import prompt_tuning

PATH = PROMPT_TUNING.path
BODY: Table = {
    **training.BODY,
    "prompt_tuning": part(default={}),
    "type": only("prompt_tuning"),
    **none_of("fine_tuning", "pipeline", "experiment", "model_definition", "federated_learning"),
}


def create(call: Call) -> Answer:
    return training.create(call, PROMPT_TUNING, BODY, prompt_tuning)


def list_all(call: Call) -> dict[str, Any]:
    return training.list_all(call, PROMPT_TUNING)


def show(call: Call) -> dict[str, Any]:
    return training.show(call, PROMPT_TUNING)


def end(call: Call) -> Answer:
    return training.end(call, PROMPT_TUNING)


ROUTES = (
    Route(method="POST", path=PATH, handler=create),
    Route(method="GET", path=PATH, handler=list_all, query=training.FILTERS),
    Route(method="GET", path=f"{PATH}/{{id}}", handler=show),
    Route(method="DELETE", path=f"{PATH}/{{id}}", handler=end, query=("hard_delete",)),
)
