"""What must be so of a deployment among the others: its name is its own, its model is there, its base serves it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from wxtuning.server.errors import HERE, Refused, invalid, not_found
from wxtuning.server.state import Query, Resource, Transaction
from wxtuning.server.trainings.quotes import quoted

KIND = "deployment"
SERVING_NAME = re.compile(r"[A-Za-z0-9_]{1,36}")
"""No hyphen, so that a serving name is never taken for an id."""


def serving_name(body: Mapping[str, Any]) -> str:
    """The serving name in the body of a deployment, empty if it has none.

    Raises:
        Refused: if `online` is no object, or the name is no text.
    """
    online = body.get("online", {})
    parameters = (online.get("parameters") or {}) if isinstance(online, Mapping) else None
    if not isinstance(parameters, Mapping):
        raise invalid(
            f"online is {quoted(online)}; expected an object, with an object `parameters` or none", target="online"
        )
    name = parameters.get("serving_name", "")
    if not isinstance(name, str) or (name and not SERVING_NAME.fullmatch(name)):
        message = f"serving_name is {quoted(name)}; expected 1 to 36 letters, digits and underscores"
        raise invalid(message, target="online.parameters.serving_name")
    return name


def check_name(transaction: Transaction, of_chain: Sequence[Resource], name: str) -> None:
    """Raises Refused (409) if a deployment of this server or of this machine's experiments has the serving name."""
    if name and (taken := [*transaction.find(by_name(name)), *(one for one in of_chain if answers_to(one, name))]):
        raise taken_by(name, taken[0])


def taken_by(name: str, by: Resource) -> Refused:
    """What is answered to who asks for a serving name that is taken."""
    message = f"the serving name {quoted(name)} is taken by deployment {by.id}; choose another one"
    return Refused(409, "serving_name_conflict", message, target="online.parameters.serving_name")


def by_name(name: str) -> Query:
    """Which deployment has a serving name."""
    return Query(kind=KIND, marks=[("serving_name", (name,))])


def answers_to(resource: Resource, name: str) -> bool:
    """Whether a deployment has this id or serving name."""
    return name in (resource.id, serving_name(resource.body))


def check_model(transaction: Transaction, container: str, body: Mapping[str, Any]) -> None:
    """Raises Refused unless the model is still there and the base deployment, if one is named, serves its base."""
    identity, base, model_id = body["asset"]["id"], body.get("base_deployment_id"), body["base_model_id"]
    if transaction.get("model", identity) is None:
        raise not_found("model", identity, where=HERE)
    if base is None:
        return
    found = transaction.get(KIND, base)
    if found is None or found.container != container or found.body["deployed_asset_type"] != "foundation_model":
        message = f"base_deployment_id is {quoted(base)}; expected the id of a deployed base model in the same place"
        raise invalid(message, target="base_deployment_id")
    if found.body["base_model_id"] != model_id:
        served = found.body["base_model_id"]
        message = f"the adapter was tuned on {model_id}, deployment {base} serves {served}; deploy it on its own base"
        raise invalid(message, target="base_deployment_id")


def check_unneeded(transaction: Transaction, resource: Resource) -> None:
    """Raises Refused (409), naming them, if adapters are deployed on this deployment."""
    if needing := transaction.find(Query(kind=KIND, marks=[("base_deployment", (resource.id,))])):
        named = ", ".join(one.id for one in needing)
        message = f"deployment {resource.id} is the base of {named}; delete these first"
        raise Refused(409, "conflict", message)
