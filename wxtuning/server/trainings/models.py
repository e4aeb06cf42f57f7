"""Tuned models: stored from a run, shown, promoted to a space. Each has a folder of its own with its adapter."""

from __future__ import annotations

import shutil
import uuid
from typing import Any

from wxtuning.server.errors import Refused
from wxtuning.server.ground import Ground
from wxtuning.server.shown import OWN, metadata, own
from wxtuning.server.state import Key, Query, Resource
from wxtuning.server.trainings.kinds import KINDS
from wxtuning.server.trainings.parameters import before_answer
from wxtuning.server.trainings.results import job_folder

SOFTWARE = "watsonx-textgen-fm-1.0"
BASE_TYPE = "base_foundation_model_1.0"
"""The type of a base model that is stored as it came, to be deployed for adapters."""


def store(ground: Ground, training: Resource, *, name: str, key: Key | None = None, **described: Any) -> Resource:
    """Make a model of a run's adapter; the run may be deleted afterwards.

    Args:
        key: With a key that was used before, the model of then comes back.
        described: Description, tags and the like, as the model shows them.

    Raises:
        Refused: if the run has no adapter.
    """
    adapter = job_folder(ground, training) / "adapter"
    if not (adapter / "adapter_model.safetensors").is_file():
        raise Refused(409, "conflict", f"run {training.id} has no model yet; wait until it is completed")
    asked = training.body[KINDS[training.kind].parameters]
    body = {
        "description": "",
        **described,
        "type": KINDS[training.kind].model_type,
        "base_model_id": asked["base_model"]["model_id"],
        "task_id": asked["task_id"],
        "verbalizer": asked["verbalizer"],
        "training_id": training.id,
        "training_data_references": training.body["training_data_references"],
    }
    return _add(ground, training.container, name, body, adapter.relative_to(ground.folder()).as_posix(), key)


def store_base(
    ground: Ground, container: str, model_id: str, *, name: str, key: Key | None = None, **described: Any
) -> Resource:
    """Make a model asset of a base model of the catalogue; arguments as of `store`.

    Raises:
        Refused: if the server has no such model.
    """
    ground.catalog.spec(model_id)
    told = {"type": BASE_TYPE, "base_model_id": model_id, "training_data_references": []}
    body = {"description": "", **described, **told}
    return ground.state.add("model", container=container, name=name, body=body, key=key)[0]


def promote(ground: Ground, model: Resource, space: Resource, *, description: str, key: Key | None) -> Resource:
    """A copy of a model in a space, with an adapter of its own."""
    container, body = f"space/{space.id}", {**model.body, "description": description}
    if model.body["type"] == BASE_TYPE:
        return ground.state.add("model", container=container, name=model.name, body=body, key=key)[0]
    return _add(ground, container, model.name, body, own(model)["adapter"], key)


def _add(ground: Ground, container: str, name: str, body: dict[str, Any], adapter: str, key: Key | None) -> Resource:
    """`adapter` is copied first: a model that can be found is whole."""
    if known := ground.state.keyed("model", container, key):
        return known
    identity = str(uuid.uuid4())
    folder = ground.folder("models", identity)
    shutil.copytree(ground.folder() / adapter, folder / "adapter")
    internal = {"adapter": f"models/{identity}/adapter", "template": before_answer(body["verbalizer"])}
    made, is_new = ground.state.add(
        "model", container=container, name=name, body={**body, OWN: internal}, id=identity, key=key
    )
    if not is_new:
        shutil.rmtree(folder)
    return made


def shown(model: Resource) -> dict[str, Any]:
    """A model as the service answers it."""
    body = model.body
    return {
        "metadata": metadata(model, "description", "tags"),
        "entity": {
            "name": model.name,
            "type": body["type"],
            "software_spec": {"name": SOFTWARE},
            **({"custom": body["custom"]} if "custom" in body else {}),
            **_origin(body),
            "training_data_references": body["training_data_references"],
            "content_import_state": "completed",
        },
        "system": {"warnings": []},
    }


def _origin(body: dict[str, Any]) -> dict[str, Any]:
    base = {"model_id": body["base_model_id"]}
    if body["type"] == BASE_TYPE:
        return {"foundation_model": base}
    told = {name: body[name] for name in ("task_id", "verbalizer")}
    return {"training": {"id": body["training_id"], "base_model": base, **told}}


def remove(ground: Ground, model: Resource) -> None:
    """Remove a model; its folder stays as long as a deployment answers with it."""
    with ground.state.transaction() as transaction:
        transaction.remove(model)
        is_used = transaction.count(Query(kind="deployment", marks=[("model", (model.id,))])) > 0
    if not is_used:
        shutil.rmtree(ground.folder("models", model.id), ignore_errors=True)


def sweep(ground: Ground) -> None:
    """Remove what is left of models that are gone. Only for a server that does nothing else yet."""
    used = ground.state.ids("model") | ground.state.values("deployment", "model")
    for folder in ground.folder("models").iterdir():
        if folder.name not in used:
            shutil.rmtree(folder, ignore_errors=True)
