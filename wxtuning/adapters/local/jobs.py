"""Jobs of this machine, each a folder `jobs/KEY`: started, watched and stopped. Knows nothing of what answers."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxtuning import engine
from wxtuning.adapters.local.faults import BACKEND, plain, translated
from wxtuning.adapters.local.models import config_of, name_of
from wxtuning.errors import AdapterError, DataError
from wxtuning.folder import home_folder, sha256_of, write_atomically
from wxtuning.ports import Store, TuningRequest
from wxtuning.status import DataRef, JobRef, JobState, JobStatus, Metric
from wxtuning.stored import file_of

CONFIG, ADAPTER, WEIGHTS = "config.json", "adapter", "adapter_model.safetensors"
LOG_BYTES = 20_000

_STATES = {state.word: state for state in JobState}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuned:
    """What answers: the folder of an adapter, with the name of the model and the template it was tuned with."""

    adapter: Path
    model: str
    template: str


class Jobs:
    """The jobs under a home folder.

    Args:
        home: As `Local` takes it.
    """

    def __init__(self, home: str | Path | None) -> None:
        self._home = home

    def submit(self, request: TuningRequest, key: str) -> JobRef:
        """Start a worker in the job's folder, or see to it that the one for this key goes on."""
        folder = self.folder(key)
        if not (folder / CONFIG).is_file():
            _fill(folder, request)
        if engine.read_status(folder)["state"] != JobState.COMPLETED.word:
            with translated():
                engine.start(folder)
        return JobRef(BACKEND, key)

    def find(self, key: str) -> JobRef | None:
        return JobRef(BACKEND, key) if (self.folder(key) / CONFIG).is_file() else None

    def status(self, job: JobRef) -> JobStatus:
        told = engine.read_status(self._known(job))
        return JobStatus(
            state=_STATES.get(told["state"], JobState.RUNNING),
            word=told["state"],
            message=told.get("message") or "",
            hint=told.get("hint") or "",
            step=int(told.get("step") or 0),
            steps=int(told.get("steps") or 0),
            loss=told.get("loss"),
            warnings=tuple(told.get("warnings") or ()),
            interrupted=told.get("code") == "worker_died",
        )

    def metrics(self, job: JobRef) -> tuple[Metric, ...]:
        return tuple(_metric(point) for point in engine.read_metrics(self._known(job)))

    def logs(self, job: JobRef) -> str:
        log = self._known(job) / "log.txt"
        return log.read_bytes()[-LOG_BYTES:].decode(errors="replace") if log.is_file() else ""

    def cancel(self, job: JobRef) -> None:
        engine.cancel(self._known(job))

    def tuned(self, job: JobRef) -> Tuned:
        """What the job left.

        Raises:
            AdapterError: if there is no such job, or no adapter of it yet.
        """
        folder = self._known(job)
        if not (folder / ADAPTER / WEIGHTS).is_file():
            raise AdapterError(f"job {job} has no adapter yet", backend=BACKEND, hint="Wait until it is completed.")
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return Tuned(adapter=folder / ADAPTER, model=name_of(config["model"]), template=config["verbalizer"])

    def folder(self, key: str) -> Path:
        """Where the job of this key lies, or would."""
        return home_folder(self._home) / "jobs" / plain(key)

    def _known(self, job: JobRef) -> Path:
        folder = self.folder(job.id)
        if not (folder / CONFIG).is_file():
            raise AdapterError(
                f"there is no job {job} under {folder.parent}", backend=BACKEND, hint="`wxtuning runs` lists what is."
            )
        return folder


def _fill(folder: Path, request: TuningRequest) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _take(request.train, request.store, folder / "train.jsonl")
    if request.validation:
        _take(request.validation, request.store, folder / "validation.jsonl")
    # Written last: a folder with a config is a whole job.
    write_atomically(folder / CONFIG, config_of(request.method).to_json().encode())


def _take(data: DataRef, store: Store | None, file: Path) -> None:
    if store:
        return store.get(data, file)
    shutil.copyfile(file_of(data), file)
    if sha256_of(file) != data.sha256:
        raise DataError(f"{data.uri} changed after it was checked", hint="Run the same line again.")


def _metric(point: dict[str, Any]) -> Metric:
    names = ("loss", "validation_loss", "learning_rate", "tokens")
    return Metric(step=point["step"], epoch=point["epoch"], **{name: point.get(name) for name in names})
