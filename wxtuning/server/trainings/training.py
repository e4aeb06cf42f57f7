"""Trainings of both kinds: what a create asks for, what is shown of one, which of them a list asks for."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wxtuning.server.data.references import check_data, check_results
from wxtuning.server.errors import Refused, invalid
from wxtuning.server.lookup import named, part, text, texts
from wxtuning.server.paging import page
from wxtuning.server.routing import Answer, Call
from wxtuning.server.shown import OWN, metadata, own, public
from wxtuning.server.state import Resource
from wxtuning.server.trainings import results
from wxtuning.server.trainings.kinds import FINAL, STATES, Kind
from wxtuning.server.trainings.parameters import Values, model_of
from wxtuning.server.trainings.quotes import quoted

Check = Callable[[Mapping[str, Any], dict[str, Any]], Values]
"""Checks the parameters of a tuning against the specification of its model, and fills in defaults."""


def create(call: Call, kind: Kind, check: Check) -> Answer:
    """Queue a training; the same key twice is one job.

    Raises:
        Refused: naming what cannot be tuned, or if the key was used for something else.
    """
    body = _asked(call, kind, check)
    name = text(call.body, "name", default=f"{kind.context} {uuid.uuid4()}")
    made, is_new = call.house.state.add(kind.name, container=call.container, name=name, body=body, key=call.key)
    if is_new:
        call.house.jobs.submit(made)
    elif own(made)["asked"] != body[OWN]["asked"]:
        message = f"the key was used for run {made.id}, which asks for something else; take another key"
        raise Refused(409, "conflict", message, target="key")
    return Answer(body=shown(call, made), status=201)


def _asked(call: Call, kind: Kind, check: Check) -> dict[str, Any]:
    given, container = part(call.body, kind.parameters), call.container
    spec = call.house.catalog.spec(model_of(given, kind.parameters))
    check_data(call.house, container, call.body.get("training_data_references"))
    check_results(call.house, container, call.body.get("results_reference"))
    return {
        **_described(call),
        kind.parameters: check(given, spec),
        "training_data_references": call.body["training_data_references"],
        "results_reference": call.body["results_reference"],
        "tags": _tags(call, kind),
        "status": {"state": "queued"},
        OWN: {"asked": hashlib.sha256(json.dumps(call.body, sort_keys=True).encode()).hexdigest()},
    }


def _described(call: Call) -> dict[str, Any]:
    stores = call.body.get("auto_update_model", False)
    if not isinstance(stores, bool):
        raise invalid(f"auto_update_model is {quoted(stores)}; expected true or false", target="auto_update_model")
    description = text(call.body, "description", default="", most=10_000)
    custom = {"custom": part(call.body, "custom")} if "custom" in call.body else {}
    return {"description": description, "auto_update_model": stores, **custom}


def _tags(call: Call, kind: Kind) -> list[str]:
    """The caller's tags, and that of the experiment in the user interface; a grouped run brings it along."""
    tags = texts(call.body, "tags")
    is_grouped = call.headers.get("x-wx-ux", "").lower() == "true"
    return tags if is_grouped else [*tags, f"{kind.folder}.{uuid.uuid4()}"]


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
    found = (
        call.house.state.all(kind.name, call.container) if call.query.get("type", kind.context) == kind.context else ()
    )
    wanted = call.query_list("tag.value")
    kept = [one for one in found if _is_wanted(one, state, wanted)]
    return page(call, kind.path, kept, lambda one: shown(call, one))


def _is_wanted(training: Resource, state: str | None, tags: Sequence[str]) -> bool:
    fits = state is None or training.body["status"]["state"] == state
    return fits and all(_has(training.body["tags"], tag) for tag in tags)


def _has(tags: Sequence[str], wanted: str) -> bool:
    """Whether the tags fit a value: a tag, or several joined by ` or ` or by ` and `."""
    if wanted in tags:
        return True
    if " or " in wanted:
        return any(tag in tags for tag in wanted.split(" or "))
    return " and " in wanted and all(tag in tags for tag in wanted.split(" and "))


def end(call: Call, kind: Kind) -> Answer:
    """Cancel a training, or with `hard_delete` remove it whatever its state.

    Raises:
        Refused: if it has ended and is not to be removed.
    """
    training = named(call, kind.name)
    if call.query.get("hard_delete", "").lower() == "true":
        call.house.jobs.remove(training)
        return Answer(body=None, status=204)
    state = training.body["status"]["state"]
    if state in FINAL or not call.house.jobs.cancel(training):
        message = f"Job already completed with state {state}; add hard_delete=true to remove it"
        raise Refused(400, "invalid_request_entity", message)
    return Answer(body=None, status=204)
