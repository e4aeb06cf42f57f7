"""Trainings of both kinds: what a create asks for, what is shown of one, which of them a list asks for."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from wxtuning.server.data.references import check_data, check_results
from wxtuning.server.errors import Refused, invalid
from wxtuning.server.fields import DESCRIBED, PLACED, Table, anything, flag, is_on, none_of, read, text
from wxtuning.server.lookup import named
from wxtuning.server.paging import page
from wxtuning.server.routing import Answer, Call
from wxtuning.server.shown import metadata, public
from wxtuning.server.state import Resource
from wxtuning.server.tags import tagged
from wxtuning.server.trainings import results, tuning
from wxtuning.server.trainings.kinds import FINAL, STATES, Kind
from wxtuning.server.trainings.parameters import Values, model_of
from wxtuning.server.trainings.quotes import quoted

Check = Callable[[Mapping[str, Any], dict[str, Any]], Values]
"""Checks the parameters of a tuning against the specification of its model, and fills in defaults."""

BODY: Table = {
    **DESCRIBED,
    **PLACED,
    "name": text(default=""),
    "auto_update_model": flag(default=False),
    "training_data_references": anything(default=()),
    "results_reference": anything(default=None),
    **none_of("test_data_references", "test_output_data", "hardware_spec", "compute"),
}
"""What both kinds are asked with; each has its own parameters besides."""
KEPT = ("description", "auto_update_model", "custom", "training_data_references", "results_reference")
FILTERS = ("limit", "start", "type", "state", "tag.value")


def create(call: Call, kind: Kind, table: Table, check: Check) -> Answer:
    """Queue a training; the same key twice is one job.

    Raises:
        Refused: naming what cannot be tuned, or if the key was used for something else.
    """
    asked = read(call.body, table, call=kind.create)
    body = _body(call, kind, asked, check)
    name = asked["name"] or f"{kind.context} {uuid.uuid4()}"
    made, is_new = call.house.state.add(kind.name, container=call.container, name=name, body=body, key=call.key)
    if is_new:
        call.house.jobs.submit(made)
    return Answer(body=shown(call, made), status=201)


def _body(call: Call, kind: Kind, asked: Mapping[str, Any], check: Check) -> dict[str, Any]:
    given, container = asked[kind.parameters], call.container
    spec = call.house.catalog.spec(model_of(given, kind.parameters, call=kind.create))
    check_data(call.house, container, asked["training_data_references"], call=kind.create)
    check_results(call.house, container, asked["results_reference"], call=kind.create)
    values = check(given, spec)
    tuning.check(call.house, kind, values)
    return {
        **{name: asked[name] for name in KEPT if name in asked},
        kind.parameters: values,
        "tags": _tags(call, kind, asked["tags"]),
        "status": {"state": "queued"},
    }


def _tags(call: Call, kind: Kind, given: list[str]) -> list[str]:
    """The caller's tags, and that of the experiment in the user interface; a grouped run brings it along."""
    is_grouped = call.headers.get("x-wx-ux", "").lower() == "true"
    return given if is_grouped else [*given, f"{kind.folder}.{uuid.uuid4()}"]


def shown(call: Call, training: Resource) -> dict[str, Any]:
    """A training as the service answers it."""
    body, status = public(training.body), dict(training.body["status"])
    if status["state"] not in FINAL and (metrics := results.recent_metrics(call.house, training)):
        status["metrics"] = metrics
    entity = {
        **body,
        "name": training.name,
        "results_reference": results.results_reference(training),
        "status": status,
    }
    return {"metadata": metadata(training, "description", "tags"), "entity": entity}


def show(call: Call, kind: Kind) -> dict[str, Any]:
    return shown(call, named(call, kind.name))


def list_all(call: Call, kind: Kind) -> dict[str, Any]:
    """The newest first, filtered by `type`, `state` and `tag.value`."""
    state = call.query.get("state")
    if state is not None and state not in STATES:
        raise invalid(f"state is {quoted(state)}; expected one of {', '.join(STATES)}", target="state")
    if call.query.get("type", kind.context) != kind.context:
        return page(call, kind.path, (), lambda one: one)
    marks = [*([("state", (state,))] if state else []), *tagged(call.query_list("tag.value"))]
    found = call.house.state.found(kind.name, call.container, marks=marks)
    return page(call, kind.path, found, lambda one: shown(call, one))


def end(call: Call, kind: Kind) -> Answer:
    """Cancel a training, or with `hard_delete` remove it whatever its state.

    Raises:
        Refused: if it has ended and is not to be removed.
    """
    training = named(call, kind.name)
    if is_on(call.query, "hard_delete"):
        call.house.jobs.remove(training)
        return Answer(body=None, status=204)
    state = training.body["status"]["state"]
    if state in FINAL or not call.house.jobs.cancel(training):
        message = f"Job already completed with state {state}; add hard_delete=true to remove it"
        raise Refused(400, "invalid_request_entity", message)
    return Answer(body=None, status=204)
