"""Tuned models for tests of what is done with them: tuned once, then put into the state of a server."""

from __future__ import annotations

import json
import shutil
import uuid
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from tests.server.processes import Running
from wxtuning import tiny
from wxtuning.engine.template import render
from wxtuning.server.answering.deployments import BASE_TYPES
from wxtuning.server.state import State

TEMPLATE = "Input: {{input}} Output:"
TYPES = {"prompt_tuning": "prompt_tune_1.0", "lora": "lora_adapter_1.0", "base": BASE_TYPES[0]}
COMMENTS = [
    "The lamp came in a day and it is lovely.",
    "The box was empty and nobody answers my letters.",
    "A wonderful rice cooker, I use it every day.",
    "It broke after one week.",
    "Never again, the duvet smells of paint.",
    "So quiet and smooth that I forget that it runs.",
]


def tuned(folder: Path, method: str) -> Path:
    """The folder of an adapter that calls comments satisfied or unsatisfied."""
    from wxtuning.engine import TuneConfig, tune

    folder.mkdir()
    with tiny.demonstration_file().open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, 100)]
    pairs = ({"input": row["comment"], "output": row["satisfaction"]} for row in rows)
    (folder / "train.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    rates = {"prompt_tuning": 0.1, "lora": 0.005}
    config = TuneConfig(
        model=str(tiny.model_folder()), method=method, num_epochs=3, num_virtual_tokens=10, batch_size=16,
        learning_rate=rates[method], verbalizer=TEMPLATE, threads=1,
    )  # fmt: skip
    tune(config, folder)
    return folder / "adapter"


def put(running: Running, adapter: Path | None, *, method: str = "prompt_tuning", container: str = "") -> str:
    """Give a running server a model, as a training of its own would leave it; returns its id."""
    identity, home = str(uuid.uuid4()), running.home / "server"
    body: dict[str, Any] = {
        "type": TYPES[method], "description": "", "base_model_id": tiny.MODEL_ID, "task_id": "classification",
        "verbalizer": TEMPLATE, "training_id": str(uuid.uuid4()), "training_data_references": [],
    }  # fmt: skip
    if adapter is not None:
        place = home / "models" / identity / "adapter"
        shutil.copytree(adapter, place)
        body["_"] = {"adapter": place.relative_to(home).as_posix(), "template": TEMPLATE}
    container = container or f"project/{running.project}"
    State(home / "server.db").add("model", container=container, name="comments", body=body, id=identity)
    return identity


def alone(adapter: Path | None, texts: list[str] = COMMENTS, **how: Any) -> list[str]:
    """What the engine answers without any server."""
    prompts = [render(TEMPLATE, text) for text in texts] if adapter else texts
    return [answer.text for answer in _generator(adapter).generate(prompts, **{"max_new_tokens": 20, **how})]


@cache
def _generator(adapter: Path | None) -> Any:
    from wxtuning.engine import Generator

    return Generator.load(str(tiny.model_folder()), adapter)


def deployed(running: Running, model: str, **how: Any) -> dict[str, Any]:
    """A deployment of a model in the server's project, as it answers when it was made and looked at once."""
    body = {"name": "comments", "online": {}, "asset": {"id": model}, "project_id": running.project, **how}
    with running.http() as http:
        made = http.post("/ml/v4/deployments?version=2026-01-01", json=body)
        assert made.status_code == 202, made.text
        where = {"version": "2026-01-01", "project_id": running.project}
        found = http.get(f"/ml/v4/deployments/{made.json()['metadata']['id']}", params=where).json()
    return found
