"""Completed jobs without tuning: written into the state of a running server, as a training of its own would be."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.server import models
from tests.server.processes import Running
from wxtuning import tiny
from wxtuning.server.state import State
from wxtuning.status import JobRef


def completed(running: Running, adapter: Path | None, *, method: str = "prompt_tuning") -> JobRef:
    """A job that is completed, and its model stored."""
    model = models.put(running, adapter, method=method)
    if method == "lora":
        return job(running, "fine_tuning", tuned_model={"id": model, "name": "comments"})
    return job(running, "training", model_id=model)


def job(running: Running, kind: str, *, state: str = "completed", **told: Any) -> JobRef:
    """A job in a state, with what else the service tells of it."""
    asked = {"base_model": {"model_id": tiny.MODEL_ID}, "task_id": "classification", "verbalizer": models.TEMPLATE}
    body = {
        "description": "", "tags": [], "auto_update_model": True, "training_data_references": [],
        "parameters" if kind == "fine_tuning" else "prompt_tuning": asked,
        "results_reference": {"type": "container", "location": {"path": "default_tuning_output"}},
        "status": {"state": state}, **told,
    }  # fmt: skip
    container = f"project/{running.project}"
    made, _ = State(running.home / "server" / "server.db").add(kind, container=container, name="comments", body=body)
    return JobRef("watsonx", f"fine_tunings/{made.id}" if kind == "fine_tuning" else made.id)


def unstored(running: Running, adapter: Path, *, kind: str = "training") -> JobRef:
    """A job that is completed, and was told not to store its model; what it tuned lies in its folder."""
    folder = "wx_prompt_tune" if kind == "training" else "wx_fine_tune"
    results = {
        "cloud": {"type": "container", "location": {"path": "default_tuning_output"}},
        "cpd": {"type": "fs", "location": {"path": f"/projects/{running.project}/assets/{folder}"}},
    }
    made = job(running, kind, auto_update_model=False, results_reference=results[running.ready["platform"]])
    shutil.copytree(adapter, running.home / "server" / "jobs" / made.id.removeprefix("fine_tunings/") / "adapter")
    return made


def amend(running: Running, job: JobRef, **told: Any) -> None:
    """Change what the service tells of a job."""
    state = State(running.home / "server" / "server.db")
    kind = "fine_tuning" if job.id.startswith("fine_tunings/") else "training"
    identity = job.id.removeprefix("fine_tunings/")
    assert state.change(kind, identity, lambda found: replace(found, body={**found.body, **told})) is not None
