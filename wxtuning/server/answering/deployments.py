"""Deployments: made of models, found by id or serving name, and what answers behind each. Knows no HTTP."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxtuning.engine.template import FIELD, render
from wxtuning.folder import sha256_of
from wxtuning.server.answering import chain
from wxtuning.server.answering.adapters import WEIGHTS, fault_of
from wxtuning.server.answering.answers import Ask
from wxtuning.server.errors import Refused, invalid, not_found
from wxtuning.server.house import House
from wxtuning.server.shown import OWN, metadata, own, public
from wxtuning.server.state import Resource

KIND = "deployment"
SERVING_NAME = re.compile(r"[A-Za-z0-9_]{1,36}")
"""No hyphen, so that a serving name is never taken for an id."""
BASE_TYPES = ("base_foundation_model_1.0", "custom_foundation_model_1.0", "curated_foundation_model_1.0")
# Two requests for the same serving name must not both find it free.
_NAMING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Served:
    """What answers under an id or a serving name.

    Args:
        id: Of the deployment.
        model_id: The base model as callers know it.
        model: What the engine loads.
        adapter: The folder of the PEFT adapter; None for a base as it came.
        sha256: Of the adapter's weights as they were deployed.
        template: What the bare input is rendered with.
    """

    id: str
    model_id: str
    model: str
    adapter: Path | None
    template: str
    sha256: str = ""

    def prompt(self, text: str) -> str:
        """The input as it reaches the model."""
        # A tuned model never saw spaces at the end of a prompt; what a base model gets is the caller's own matter.
        return text if self.adapter is None else render(self.template, text)


def create(house: House, container: str, name: str, model: Resource, asked: Mapping[str, Any], key: str) -> Resource:
    """Deploy a model; with a key that was used before, the deployment of then comes back.

    Raises:
        Refused: if the serving name is taken or none, or the base deployment does not fit.
    """
    with _NAMING:
        if known := house.state.keyed(KIND, container, key):
            return known
        check_serving_name(house, serving_name(asked))
        _check_base_deployment(house, container, asked, model)
        body = {**asked, **_from_model(house, model)}
        return house.state.add(KIND, container=container, name=name, body=body, key=key)[0]


def change(house: House, resource: Resource, body: Mapping[str, Any], *, name: str) -> Resource:
    """Replace what callers may change of a deployment.

    Raises:
        Refused: if the serving name is taken or none, or the deployment is none of this server's own.
    """
    _check_own(house, resource)
    with _NAMING:
        if serving_name(body) != serving_name(resource.body):
            check_serving_name(house, serving_name(body))
        return house.state.change(resource, body, name=name)


def with_model(house: House, body: Mapping[str, Any], model: Resource) -> dict[str, Any]:
    """The body of a deployment when another model takes the place of its own."""
    return {**body, "asset": {"id": model.id}, **_from_model(house, model)}


def remove(house: House, resource: Resource) -> None:
    """Remove a deployment; its model stays.

    Raises:
        Refused: if the deployment is none of this server's own.
    """
    _check_own(house, resource)
    house.state.remove(resource)


def all_of(house: House, container: str | None = None) -> tuple[Resource, ...]:
    """The deployments of a container, or all, the newest first; then those of this machine's experiments."""
    of_chain = chain.deployments(house)
    return house.state.all(KIND, container) + tuple(
        found for found in of_chain if container is None or found.container == container
    )


def find(house: House, identity: str) -> Resource:
    """The deployment with this id or serving name, in any container.

    Raises:
        Refused: if there is none.
    """
    if found := house.state.get(KIND, identity) or _named(house, identity):
        return found
    raise not_found("deployment with the id or serving name", identity)


def served(house: House, resource: Resource) -> Served:
    """What answers behind a deployment.

    Raises:
        Refused: if it is not ready, or its base model is none of this server's.
    """
    state = resource.body["status"]["state"]
    if state != "ready":
        raise Refused(409, "deployment_not_ready", f"deployment {resource.id} is {state}; it answers once it is ready")
    internal, model_id = own(resource), resource.body["base_model_id"]
    adapter = internal.get("adapter")
    return Served(
        id=resource.id,
        model_id=model_id,
        model=internal.get("path") or house.catalog.path(model_id),
        adapter=house.settings.home / adapter if adapter else None,
        template=internal["template"],
        sha256=internal.get("sha256", ""),
    )


def base(house: House, model_id: str) -> Served:
    """A base model that answers by itself.

    Raises:
        Refused: `model_not_supported`.
    """
    return Served(id=model_id, model_id=model_id, model=house.catalog.path(model_id), adapter=None, template=FIELD)


def ask_of(served: Served, text: str, **how: Any) -> Ask:
    """What the model behind `served` is asked with a bare input; `how` as in `Ask`."""
    return Ask(
        model=served.model, adapter=served.adapter, sha256=served.sha256, prompt=served.prompt(text), **how
    )  # fmt: skip


def serving_name(body: Mapping[str, Any]) -> str:
    """The serving name in the body of a deployment, empty if it has none.

    Raises:
        Refused: if `online` is no object, or the name is no text.
    """
    online = body.get("online", {})
    parameters = (online.get("parameters") or {}) if isinstance(online, Mapping) else None
    if not isinstance(parameters, Mapping):
        raise invalid(f"online is {online!r}; expected an object, with an object `parameters` or none", target="online")
    name = parameters.get("serving_name", "")
    if not isinstance(name, str) or (name and not SERVING_NAME.fullmatch(name)):
        message = f"serving_name is {name!r}; expected 1 to 36 letters, digits and underscores"
        raise invalid(message, target="online.parameters.serving_name")
    return name


def check_serving_name(house: House, name: str) -> None:
    """Raises Refused (409) if a deployment has this serving name; empty is always free."""
    if name and (taken := _named(house, name)):
        message = f"the serving name {name!r} is taken by deployment {taken.id}; choose another one"
        raise Refused(409, "serving_name_conflict", message, target="online.parameters.serving_name")


def shown(resource: Resource, url: str, *, state: str = "") -> dict[str, Any]:
    """A deployment as the service answers it; `state` in place of its own, if given."""
    entity = public(resource.body)
    for name in ("description", "tags"):
        entity.pop(name, None)
    status = {**entity["status"], **({"state": state} if state else {})}
    names = [resource.id, *filter(None, [serving_name(resource.body)])]
    return {
        "metadata": metadata(resource, "description", "tags"),
        "entity": {**entity, "name": resource.name, "status": {**status, "inference": _addresses(url, names)}},
    }


def _addresses(url: str, names: list[str]) -> list[dict[str, Any]]:
    roots = [f"{url}/ml/v1/deployments/{name}/text" for name in names]
    whole = [{"url": f"{root}/generation"} for root in roots]
    return whole + [{"url": f"{root}/generation_stream", "sse": True} for root in roots]


def _from_model(house: House, model: Resource) -> dict[str, Any]:
    """What a deployment takes over from its model, whose folder stays as long as the deployment."""
    internal, kind = own(model), model.body["type"]
    is_base = kind in BASE_TYPES
    template = FIELD if is_base else internal.get("template") or model.body.get("verbalizer") or FIELD
    return {
        "deployed_asset_type": "foundation_model" if is_base else kind.rpartition("_")[0],
        "base_model_id": model.body["base_model_id"],
        **({} if is_base else {"verbalizer": model.body.get("verbalizer", FIELD)}),
        "status": _status(house, model, internal.get("adapter")),
        OWN: {"adapter": internal.get("adapter"), "template": template, "sha256": _digest(house, internal)},
    }


def _status(house: House, model: Resource, adapter: str | None) -> dict[str, Any]:
    fault = (fault_of(house.settings.home / adapter) if adapter else "") or _fault_of_base(house, model)
    if not fault:
        return {"state": "ready", "message": {"level": "info", "text": "The deployment answers."}}
    refusal = Refused(400, "deployment_failed", fault)
    return {"state": "failed", "failure": {"trace": refusal.trace, "errors": refusal.body()["errors"]}}


def _digest(house: House, internal: Mapping[str, Any]) -> str:
    weights = house.settings.home / internal.get("adapter", "") / WEIGHTS
    return sha256_of(weights) if weights.is_file() else ""


def _fault_of_base(house: House, model: Resource) -> str:
    try:
        house.catalog.spec(model.body["base_model_id"])
    except Refused as refusal:
        return refusal.message
    return ""


def _check_base_deployment(house: House, container: str, asked: Mapping[str, Any], model: Resource) -> None:
    identity = asked.get("base_deployment_id")
    if identity is None:
        return
    found = house.state.get(KIND, identity) if isinstance(identity, str) else None
    if found is None or found.container != container or found.body["deployed_asset_type"] != "foundation_model":
        message = f"base_deployment_id is {identity!r}; expected the id of a deployed base model in the same place"
        raise invalid(message, target="base_deployment_id")
    if found.body["base_model_id"] != model.body["base_model_id"]:
        message = (
            f"the adapter was tuned on {model.body['base_model_id']}, deployment {identity} serves "
            f"{found.body['base_model_id']}; deploy it on its own base"
        )
        raise invalid(message, target="base_deployment_id")


def _check_own(house: House, resource: Resource) -> None:
    if house.state.get(KIND, resource.id) is None:
        message = f"deployment {resource.id} was made by a run of wxtuning on this machine; delete or change it there"
        raise Refused(403, "user_authorization_failed", message)


def _named(house: House, name: str) -> Resource | None:
    return next((one for one in all_of(house) if name in (one.id, serving_name(one.body))), None)
