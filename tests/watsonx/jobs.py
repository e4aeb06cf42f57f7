"""Small jobs for tests of how they are started and watched, and what the server itself says of them."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from tests.server.processes import Running
from tests.server.sdk_tuning import ENDED, MODEL, rows
from wxtuning.ports import TuningRequest
from wxtuning.spec import LoRA, PromptTuning
from wxtuning.status import DataRef

VERSION = "2026-10-14"
TRAININGS, FINE_TUNINGS = "/ml/v4/trainings", "/ml/v1/fine_tunings"
CREATE = f"POST {TRAININGS}"
LIST = f"GET {TRAININGS}"
SHOW = f"GET {TRAININGS}/{{id}}"


def data(folder: Path, count: int) -> DataRef:
    """The first rows of the demonstration data, as a file of this machine."""
    content = "".join(json.dumps(row) + "\n" for row in rows(count)).encode()
    file = folder / f"train-{count}.jsonl"
    file.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return DataRef(uri=file.as_uri(), sha256=digest, rows=count, size_bytes=len(content))


def request(
    folder: Path, *, count: int = 2, lora: bool = False, name: str = "comments", **method: Any
) -> TuningRequest:
    """What to tune; two rows are too few, so that such a job is accepted and fails at once, without any work."""
    asked = {"num_epochs": 1, "max_input_tokens": 64, "max_output_tokens": 8, **method}
    tuned = LoRA(model=MODEL, **asked) if lora else PromptTuning(model=MODEL, **asked)
    return TuningRequest(
        name="comments", method=tuned, train=data(folder, count), tags=("mine",), task="classification"
    )


def listed(running: Running, key: str, path: str = TRAININGS) -> list[str]:
    """The ids of the jobs with this key, as the server itself lists them."""
    found = asked(running, path, **{"tag.value": f"wxtuning.{key}"})
    return [each["metadata"]["id"] for each in found["resources"]]


def asked(running: Running, path: str, **query: str) -> Any:
    with running.http() as http:
        answer = http.get(path, params={"version": VERSION, "project_id": running.project, **query})
        assert answer.status_code == 200, answer.text
        return answer.json()


def ended(running: Running, identity: str, path: str = TRAININGS, seconds: float = 60.0) -> dict[str, Any]:
    """Wait for a job's end; its status then."""
    until = time.monotonic() + seconds
    while (status := asked(running, f"{path}/{identity}")["entity"]["status"])["state"] not in ENDED:
        assert time.monotonic() < until, f"still {status} after {seconds} seconds"
        time.sleep(0.05)
    return status
