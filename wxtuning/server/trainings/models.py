"""Tuned models: stored from a run, shown, promoted to a space. Each has a folder of its own with its adapter."""

from __future__ import annotations

import shutil
import uuid
from typing import Any

from wxtuning.server.errors import Refused
from wxtuning.server.house import House
from wxtuning.server.shown import OWN, metadata, own
from wxtuning.server.state import Resource
from wxtuning.server.trainings.kinds import KINDS
from wxtuning.server.trainings.parameters import before_answer
from wxtuning.server.trainings.results import job_folder

SOFTWARE = "watsonx-textgen-fm-1.0"
BASE_TYPE = "base_foundation_model_1.0"
"""The type of a base model that is stored as it came, to be deployed for adapters."""


def store(house: House, training: Resource, *, name: str, description: str = "", key: str = "") -> Resource:
    """Make a model of a run's adapter; the run may be deleted afterwards.

    Args:
        key: With a key that was used before, the model of then comes back.

    Raises:
        Refused: if the run has no adapter.
    """
    adapter = job_folder(house, training) / "adapter"
    if not (adapter / "adapter_model.safetensors").is_file():
        raise Refused(409, "conflict", f"run {training.id} has no model yet; wait until it is completed")
    asked = training.body[KINDS[training.kind].parameters]
    body = {
        "type": KINDS[training.kind].model_type,
        "description": description,
        "base_model_id": asked["base_model"]["model_id"],
        "task_id": asked["task_id"],
        "verbalizer": asked["verbalizer"],
        "training_id": training.id,
        "training_data_references": training.body["training_data_references"],
    }
    return _add(house, training.container, name, body, adapter.relative_to(house.folder()).as_posix(), key)


def store_base(
    house: House, container: str, model_id: str, *, name: str, description: str = "", key: str = ""
) -> Resource:
    """Make a model asset of a base model of the catalogue.

    Raises:
        Refused: if the server has no such model.
    """
    house.catalog.spec(model_id)
    body = {"type": BASE_TYPE, "description": description, "base_model_id": model_id, "training_data_references": []}
    return house.state.add("model", container=container, name=name, body=body, key=key)[0]


def promote(house: House, model: Resource, space: Resource) -> Resource:
    """A copy of a model in a space, with an adapter of its own."""
    if model.body["type"] == BASE_TYPE:
        return house.state.add("model", container=f"space/{space.id}", name=model.name, body=model.body)[0]
    return _add(house, f"space/{space.id}", model.name, model.body, own(model)["adapter"], "")


def _add(house: House, container: str, name: str, body: dict[str, Any], adapter: str, key: str) -> Resource:
    """`adapter` is copied first: a model that can be found is whole."""
    identity = str(uuid.uuid4())
    folder = house.folder("models", identity)
    shutil.copytree(house.folder() / adapter, folder / "adapter")
    internal = {"adapter": f"models/{identity}/adapter", "template": before_answer(body["verbalizer"])}
    made, is_new = house.state.add(
        "model", container=container, name=name, body={**body, OWN: internal}, id=identity, key=key
    )
    if not is_new:
        shutil.rmtree(folder)
    return made


def shown(model: Resource) -> dict[str, Any]:
    """A model as the service answers it."""
    body = model.body
    return {
        "metadata": metadata(model, "description"),
        "entity": {
            "name": model.name,
            "type": body["type"],
            "software_spec": {"name": SOFTWARE},
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


def remove(house: House, model: Resource) -> None:
    """Remove a model; its folder stays as long as a deployment answers with it."""
    house.state.remove(model)
    if model.id not in _deployed(house):
        shutil.rmtree(house.folder("models", model.id), ignore_errors=True)


def sweep(house: House) -> None:
    """Remove what is left of models that are gone. Only for a server that does nothing else yet."""
    used = {found.id for found in house.state.all("model")} | _deployed(house)
    for folder in house.folder("models").iterdir():
        if folder.name not in used:
            shutil.rmtree(folder, ignore_errors=True)


def _deployed(house: House) -> set[Any]:
    return {found.body.get("asset", {}).get("id") for found in house.state.all("deployment")}
