"""What a run leaves behind, as the files that the SDK downloads: metrics, log, and the request that stores the model.

They are made when they are asked for, from the folder of the job, so no name given by a caller becomes a path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wxtuning.server.containers import CONTAINERS
from wxtuning.server.data.references import file_named
from wxtuning.server.errors import Refused
from wxtuning.server.ground import Ground
from wxtuning.server.shown import container_id
from wxtuning.server.state import Resource
from wxtuning.server.trainings.kinds import KINDS, Kind
from wxtuning.server.trainings.losses import epochs, lines, recent_epochs
from wxtuning.server.trainings.quotes import quoted

METRICS, LOG, REQUEST, STATUS = "metrics.jsonl", "training.log", "request.json", "training-status.json"
LOG_BYTES = 1_000_000


def job_folder(ground: Ground, training: Resource) -> Path:
    return ground.folder("jobs", training.id)


def results_reference(training: Resource) -> dict[str, Any]:
    """The reference that was asked for, with the places of the run's files; nothing is written into a foreign store."""
    reference: dict[str, Any] = training.body["results_reference"]
    root = results_root(training)
    if not root:
        return reference
    places = {
        "training": f"{root}/{training.id}",
        "training_status": f"{root}/{training.id}/{STATUS}",
        "training_log": f"{root}/{training.id}/{LOG}",
        "assets_path": f"{root}/{training.id}/assets",
        "model_request_path": f"{root}/{training.id}/{REQUEST}",
    }
    return {**reference, "location": {**reference["location"], **places}}


def results_root(training: Resource) -> str:
    """The folder of the runs as callers see it; empty where the results were to go to a store of somebody else."""
    reference = training.body["results_reference"]
    if reference["type"] == "container":
        return file_named(reference["location"])
    if reference["type"] != "fs":
        return ""
    kind, _, identity = training.container.partition("/")
    # The SDK finds the files below this name only.
    return f"/{CONTAINERS[kind]}/{identity}/assets/{KINDS[training.kind].folder}"


def inline_metrics(ground: Ground, training: Resource) -> list[dict[str, Any]]:
    """The mean loss of every epoch so far, as it stands in the status of a run; the file of metrics has every step."""
    return _placed(training, epochs(job_folder(ground, training), _began(training)))


def recent_metrics(ground: Ground, training: Resource) -> list[dict[str, Any]]:
    """As `inline_metrics`, up to a second old: for a run that is asked for again and again."""
    return _placed(training, recent_epochs(job_folder(ground, training), _began(training)))


def _placed(training: Resource, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each with the place of the file, where there is one."""
    kind, root = KINDS[training.kind], results_root(training)
    place = {"context": {kind.context: {"metrics_location": f"{root}/{training.id}/{METRICS}"}}} if root else {}
    return [{**one, **place} for one in found]


def _began(training: Resource) -> str:
    return str(training.body["status"].get("running_at", training.created_at))


def content(ground: Ground, container: str, path: str) -> bytes:
    """The bytes of a run's file; of `path` only the last two names count: the id of the run and the file.

    Raises:
        Refused: if there is no such run in this project or space, or no such file yet.
    """
    *_, identity, name = ["", *path.split("/")]
    training = _run(ground, container, identity)
    if training is None or name not in _MAKERS:
        raise Refused(404, "not_found", f"there is no file {quoted(path)} of a run in this project or space")
    return _MAKERS[name](ground, training)


def _run(ground: Ground, container: str, identity: str) -> Resource | None:
    found = (ground.state.get(kind, identity) for kind in KINDS)
    return next((one for one in found if one is not None and one.container == container), None)


def _metrics(ground: Ground, training: Resource) -> bytes:
    return lines(job_folder(ground, training), _began(training)).encode()


def _log(ground: Ground, training: Resource) -> bytes:
    log = job_folder(ground, training) / "log.txt"
    return log.read_bytes()[-LOG_BYTES:] if log.is_file() else b""


def _status(_ground: Ground, training: Resource) -> bytes:
    return json.dumps(training.body["status"]).encode()


def _request(_ground: Ground, training: Resource) -> bytes:
    """What stores the model of a run when it is sent to the models of the server."""
    kind: Kind = KINDS[training.kind]
    asked: Mapping[str, Any] = training.body[kind.parameters]
    told = {name: asked[name] for name in ("base_model", "task_id", "verbalizer")}
    request = {
        "name": training.name,
        **container_id(training.container),
        "type": kind.model_type,
        "software_spec": {"name": "watsonx-textgen-fm-1.0"},
        "training": {"id": training.id, **told},
        "training_data_references": training.body["training_data_references"],
    }
    return json.dumps(request).encode()


_MAKERS = {METRICS: _metrics, LOG: _log, STATUS: _status, REQUEST: _request}
