"""The deployments of this machine's experiments, as resources of the server: answered, never changed."""

from __future__ import annotations

from wxtuning.adapters.local import Local, LocalDeployment
from wxtuning.server.containers import default
from wxtuning.server.ground import Ground
from wxtuning.server.shown import OWN
from wxtuning.server.state import Resource


def deployments(ground: Ground) -> tuple[Resource, ...]:
    """What `Settings.chain` holds now, the newest first; they belong to the project that the server starts with."""
    if ground.settings.chain is None or not (ground.settings.chain / "deployments").is_dir():
        return ()
    container = f"project/{default(ground, 'project').id}"
    return tuple(_resource(found, container) for found in Local(ground.settings.chain).deployments())


def _resource(found: LocalDeployment, container: str) -> Resource:
    body = {
        "description": f"Made by a run of wxtuning on this machine ({found.job}); it can be deleted there only.",
        "asset": {"id": found.id},
        "online": {"parameters": {"serving_name": found.serving_name}} if found.serving_name else {},
        "deployed_asset_type": "prompt_tune" if found.is_prompt else "lora_adapter",
        "base_model_id": found.model,
        "verbalizer": found.template,
        "status": {"state": "ready"},
        OWN: {"adapter": str(found.adapter), "template": found.template, "path": found.path, "sha256": found.sha256},
    }
    return Resource(
        number=0, kind="deployment", id=found.id, container=container, name=found.name, created_at=found.created_at,
        modified_at=found.created_at, body=body,
    )  # fmt: skip
