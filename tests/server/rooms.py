"""A house without a door: routes called as functions, trainings queued and watched, no HTTP."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.server.sdk_tuning import ENDED, MODEL, rows
from wxtuning.server.house import House
from wxtuning.server.routes import trainings
from wxtuning.server.routing import Call
from wxtuning.server.settings import Settings
from wxtuning.server.state import Resource


def opened(home: Path, **settings: Any) -> House:
    return House(Settings(home=home, **settings))


def project_of(house: House, name: str = "p") -> str:
    """A new project, as `project/ID`."""
    return f"project/{house.state.add('project', container='', name=name, body={})[0].id}"


def call(house: House, container: str = "", body: dict[str, Any] | None = None, **path: str) -> Call:
    kind, _, identity = container.partition("/")
    query = {f"{kind}_id": identity} if identity else {}
    return Call(house=house, method="", url="", path=path, query=query, headers={}, body=body or {})


def dataset(house: House, container: str, content: str | bytes, name: str = "rows.jsonl") -> str:
    """The id of a data asset that holds these bytes."""
    raw = content.encode() if isinstance(content, str) else content
    entity = {"data_asset": {"mime_type": "application/json"}}
    asset, _ = house.state.add("asset", container=container, name=name, body={"entity": entity})
    body = {"asset_id": asset.id, "mime": "application/json", "transfer_complete": True, "size": len(raw)}
    attachment, _ = house.state.add("attachment", container=container, name=name, body=body)
    (house.folder("attachments") / attachment.id).write_bytes(raw)
    return asset.id


def lines(count: int) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows(count))


def queued(house: House, container: str, asset: str, **tuning: Any) -> Resource:
    """A prompt tuning on an asset, as the route makes it."""
    body = {
        "name": "n",
        "auto_update_model": True,
        "prompt_tuning": {"base_model": {"model_id": MODEL}, "task_id": "classification", **tuning},
        "training_data_references": [{"type": "data_asset", "location": {"id": asset}}],
        "results_reference": {"type": "fs", "location": {"path": f"/projects/{container[8:]}/assets/out"}},
    }
    made = trainings.create(call(house, container, body)).body
    return now(house, made["metadata"]["id"])


def now(house: House, identity: str) -> Resource:
    return house.resource("training", identity)


def state_of(house: House, training: Resource) -> str:
    return now(house, training.id).body["status"]["state"]


def when(house: House, training: Resource, *states: str, seconds: float = 60) -> dict[str, Any]:
    """Wait until a training is in one of these states; its status then."""
    until = time.monotonic() + seconds
    while (status := now(house, training.id).body["status"])["state"] not in (states or ENDED):
        assert status["state"] not in ENDED, f"it has ended: {status}"
        assert time.monotonic() < until, f"still {status} after {seconds} seconds"
        time.sleep(0.02)
    return status
