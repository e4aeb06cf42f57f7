"""Deployments: made of models, found by id or serving name, and what answers behind each. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxtuning.engine.template import FIELD, render
from wxtuning.folder import sha256_of
from wxtuning.server.answering import chain
from wxtuning.server.answering.adapters import WEIGHTS, fault_of
from wxtuning.server.answering.answers import Ask
from wxtuning.server.answering.conditions import (
    KIND,
    answers_to,
    by_name,
    check_model,
    check_name,
    check_unneeded,
    serving_name,
    taken_by,
)  # fmt: skip
from wxtuning.server.errors import Refused, not_found
from wxtuning.server.ground import Ground
from wxtuning.server.shown import OWN, metadata, own, public
from wxtuning.server.state import Key, Resource

OF_MODEL = ("asset", "deployed_asset_type", "base_model_id", "verbalizer", "status", OWN)
"""What a deployment has from its model."""
BASE_TYPES = ("base_foundation_model_1.0", "custom_foundation_model_1.0", "curated_foundation_model_1.0")


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


def create(
    ground: Ground, container: str, name: str, model: Resource, asked: Mapping[str, Any], key: Key | None
) -> Resource:
    """Deploy a model; with a key that was used before, the deployment of then comes back.

    Raises:
        Refused: if the serving name is taken or none, the base deployment does not fit, or the model is gone.
    """
    body, of_chain = with_model(asked, from_model(ground, model)), chain.deployments(ground)
    with ground.state.transaction() as transaction:
        if known := transaction.keyed(KIND, container, key):
            return known
        check_name(transaction, of_chain, serving_name(body))
        check_model(transaction, container, body)
        return transaction.add(KIND, container=container, name=name, body=body, key=key)[0]


def change(ground: Ground, resource: Resource, change: Callable[[Resource], Resource]) -> Resource:
    """Replace what callers may change of a deployment; `change` makes it of the deployment as it is now.

    Raises:
        Refused: as `create`; and if the deployment is none of this server's own, or others need what is to go.
    """
    _check_own(ground, resource)
    of_chain = chain.deployments(ground)
    with ground.state.transaction() as transaction:

        def checked(found: Resource) -> Resource:
            wanted = change(found)
            if serving_name(wanted.body) != serving_name(found.body):
                check_name(transaction, of_chain, serving_name(wanted.body))
            if wanted.body["asset"] != found.body["asset"]:
                check_unneeded(transaction, found)
                check_model(transaction, found.container, wanted.body)
            return wanted

        if (changed := transaction.change(KIND, resource.id, checked)) is None:
            raise not_found(KIND, resource.id)
        return changed


def with_model(body: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a deployment with what it takes over from a model, and nothing of the one that it had before."""
    return {**{name: value for name, value in body.items() if name not in OF_MODEL}, **taken}


def remove(ground: Ground, resource: Resource) -> None:
    """Remove a deployment; its model stays.

    Raises:
        Refused: if the deployment is none of this server's own, or others need it.
    """
    _check_own(ground, resource)
    with ground.state.transaction() as transaction:
        check_unneeded(transaction, resource)
        transaction.remove(resource)


def all_of(ground: Ground, container: str | None = None) -> tuple[Resource, ...]:
    """The deployments of a container, or all, the newest first; then those of this machine's experiments."""
    of_chain = chain.deployments(ground)
    return ground.state.all(KIND, container) + tuple(
        found for found in of_chain if container is None or found.container == container
    )


def find(ground: Ground, identity: str) -> Resource:
    """The deployment with this id or serving name, in any container.

    Raises:
        Refused: if there is none.
    """
    if found := ground.state.get(KIND, identity) or _named(ground, identity):
        return found
    raise not_found("deployment with the id or serving name", identity)


def served(ground: Ground, resource: Resource) -> Served:
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
        model=internal.get("path") or ground.catalog.path(model_id),
        adapter=ground.settings.home / adapter if adapter else None,
        template=internal["template"],
        sha256=internal.get("sha256", ""),
    )


def base(ground: Ground, model_id: str) -> Served:
    """A base model that answers by itself.

    Raises:
        Refused: `model_not_supported`.
    """
    return Served(id=model_id, model_id=model_id, model=ground.catalog.path(model_id), adapter=None, template=FIELD)


def ask_of(served: Served, text: str, **how: Any) -> Ask:
    """What the model behind `served` is asked with a bare input; `how` as in `Ask`."""
    return Ask(
        model=served.model, adapter=served.adapter, sha256=served.sha256, prompt=served.prompt(text), **how
    )  # fmt: skip


def check_serving_name(ground: Ground, name: str) -> None:
    """Raises Refused (409) if a deployment has this serving name; empty is always free."""
    if name and (taken := _named(ground, name)):
        raise taken_by(name, taken)


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


def from_model(ground: Ground, model: Resource) -> dict[str, Any]:
    """What a deployment takes over from its model, whose folder stays as long as the deployment."""
    internal, kind = own(model), model.body["type"]
    is_base = kind in BASE_TYPES
    template = FIELD if is_base else internal.get("template") or model.body.get("verbalizer") or FIELD
    return {
        "asset": {"id": model.id},
        "deployed_asset_type": "foundation_model" if is_base else kind.rpartition("_")[0],
        "base_model_id": model.body["base_model_id"],
        **({} if is_base else {"verbalizer": model.body.get("verbalizer", FIELD)}),
        "status": _status(ground, model, internal.get("adapter")),
        OWN: {"adapter": internal.get("adapter"), "template": template, "sha256": _digest(ground, internal)},
    }


def _status(ground: Ground, model: Resource, adapter: str | None) -> dict[str, Any]:
    fault = (fault_of(ground.settings.home / adapter) if adapter else "") or _fault_of_base(ground, model)
    if not fault:
        return {"state": "ready", "message": {"level": "info", "text": "The deployment answers."}}
    refusal = Refused(400, "deployment_failed", fault)
    return {"state": "failed", "failure": {"trace": refusal.trace, "errors": refusal.body()["errors"]}}


def _digest(ground: Ground, internal: Mapping[str, Any]) -> str:
    weights = ground.settings.home / internal.get("adapter", "") / WEIGHTS
    return sha256_of(weights) if weights.is_file() else ""


def _fault_of_base(ground: Ground, model: Resource) -> str:
    try:
        ground.catalog.spec(model.body["base_model_id"])
    except Refused as refusal:
        return refusal.message
    return ""


def _check_own(ground: Ground, resource: Resource) -> None:
    if ground.state.get(KIND, resource.id) is None:
        message = f"deployment {resource.id} was made by a run of wxtuning on this machine; delete or change it there"
        raise Refused(403, "user_authorization_failed", message)


def _named(ground: Ground, name: str) -> Resource | None:
    own = ground.state.all(KIND, marks=by_name(name).marks)
    return next(iter(own), None) or next((one for one in chain.deployments(ground) if answers_to(one, name)), None)
