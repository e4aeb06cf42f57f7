"""One training from queued to its end: prepare, start the engine's child process, follow it, store the model."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from wxtuning import engine
from wxtuning.engine.errors import EngineError
from wxtuning.server.errors import Refused
from wxtuning.server.ground import Ground
from wxtuning.server.shown import OWN, own
from wxtuning.server.state import Key, Resource
from wxtuning.server.trainings import models
from wxtuning.server.trainings.kinds import PROMPT_TUNING
from wxtuning.server.trainings.results import inline_metrics
from wxtuning.server.trainings.tuning import prepare

logger = logging.getLogger("wxtuning.server.trainings.jobs")

LOOK_SECONDS = 0.2

_DOING = {"running": "tuned", "storing": "stored"}

State = dict[str, Any]


class Ledger:
    """The states of trainings. They are written by several threads, so each change is made to what is there now."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def now(self, training: Resource) -> Resource | None:
        """The training as it is now; None once it is removed."""
        return self._ground.state.get(training.kind, training.id)

    def note(self, training: Resource, state: str, text: str = "", *, level: str = "info", **more: Any) -> None:
        """Write a new state with the time and a message; other parts of the status stay."""
        told = {"message": {"level": level, "text": text}} if text else {}
        self._change(training, lambda body: {**body, "status": {**body["status"], "state": state, **told, **more}})

    def add(self, training: Resource, **values: Any) -> None:
        """Write values beside the status."""
        self._change(training, lambda body: {**body, **values})

    def ask_to_cancel(self, training: Resource) -> None:
        self._change(training, lambda body: {**body, OWN: {**body.get(OWN, {}), "cancel": True}})

    def _change(self, training: Resource, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._ground.state.change(training.kind, training.id, lambda found: replace(found, body=change(found.body)))


class Job:
    """A training while it is worked on.

    Args:
        training: What to run; one that an earlier server began goes on.
        stopping: Set when the server ends; the child process goes on without it.
    """

    def __init__(self, ground: Ground, ledger: Ledger, training: Resource, stopping: Event) -> None:
        self._ground = ground
        self._ledger = ledger
        self._training = training
        self._stopping = stopping

    def run(self) -> None:
        """Come to an end, which is told in the training's status; or leave it as it is, if the server ends."""
        try:
            self._run()
        except Refused as cause:
            self._fail(cause.code, cause.message)
        except EngineError as cause:
            self._fail(cause.code, f"{cause}; {cause.hint}")
        except Exception as cause:  # the thread must live on, whatever one training meets
            logger.exception("training %s", self._training.id)
            self._fail("internal_error", f"the server met {type(cause).__name__} in this run; its log says more")

    def _run(self) -> None:
        if self._is_canceled():
            engine.cancel(self._folder())
            return self._cancel()
        if self._training.body["status"]["state"] == "queued":
            self._ledger.note(self._training, "pending", "the data is being read and checked")
        folder = prepare(self._ground, self._training)
        status = self._follow(folder, _started(folder))
        if self._ledger.now(self._training) is None:
            return  # removed meanwhile: nothing is stored of it
        if status["state"] == "completed":
            self._store()
        elif status["state"] == "canceled":
            self._cancel()
        elif status["state"] == "failed":
            self._fail(status.get("code") or "failed", "; ".join(filter(None, (status["message"], status["hint"]))))

    def _follow(self, folder: Path, pid: int) -> State:
        """The engine's last word; that of now, if the server ends before."""
        told = ""
        while True:
            status = engine.read_status(folder)
            if status["state"] == "queued" and not _lives(pid, folder):
                status = _ended_at_once(folder)
            if status["state"] in ("completed", "failed", "canceled"):
                return status
            told = self._tell(status, told)
            if self._is_canceled():
                engine.cancel(folder)
            if self._stopping.wait(LOOK_SECONDS):
                return {"state": "left"}

    def _tell(self, status: State, told: str) -> str:
        """Write the state that the engine is in, if it is another than before; returns it."""
        state = {"queued": "pending"}.get(status["state"], "storing" if status["stage"] == "saving" else "running")
        if state not in ("pending", told):
            since = datetime.fromtimestamp(status["started_at"], UTC)
            self._ledger.note(self._training, state, "the model is being " + _DOING[state], running_at=_stamp(since))
        return state

    def _store(self) -> None:
        status = engine.read_status(self._folder())
        since = _stamp(datetime.fromtimestamp(status["started_at"], UTC))
        self._ledger.note(self._training, "storing", "the model is being stored", running_at=since)
        if self._training.body["auto_update_model"]:
            # The key makes it one model, also when a server ended between the two lines.
            name = self._training.name
            key = Key(text=f"run/{self._training.id}")
            model = models.store(self._ground, self._training, name=name, key=key)
            named = {"id": model.id, "name": model.name}
            is_prompt = self._training.kind == PROMPT_TUNING.name
            self._ledger.add(self._training, **({"model_id": model.id} if is_prompt else {"tuned_model": named}))
        self._end("completed", status["message"])

    def _cancel(self) -> None:
        self._end("canceled", "canceled on request")

    def _fail(self, code: str, message: str) -> None:
        failure = {"trace": secrets.token_hex(16), "errors": [{"code": code, "message": message}]}
        self._end("failed", message, level="error", failure=failure)

    def _end(self, state: str, text: str, **more: Any) -> None:
        """The last state, with the metrics as they will stay."""
        logger.info("training %s is %s", self._training.id, state)
        if found := self._ledger.now(self._training):
            metrics = inline_metrics(self._ground, found)
            more |= {"completed_at": _stamp(), **({"metrics": metrics} if metrics else {})}
            self._ledger.note(self._training, state, text, **more)

    def _is_canceled(self) -> bool:
        """Whether it was asked to be canceled, or removed."""
        found = self._ledger.now(self._training)
        return found is None or bool(own(found).get("cancel"))

    def _folder(self) -> Path:
        return self._ground.folder("jobs", self._training.id)


def _started(folder: Path) -> int:
    """See to it that the engine works in a folder, unless it has come to an end there; returns its process."""
    status = engine.read_status(folder)
    has_ended = status["state"] in ("completed", "canceled", "failed") and status["code"] != "worker_died"
    return 0 if has_ended else engine.start(folder)


def _lives(pid: int, folder: Path) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return engine.is_alive(folder)
    return True


def _ended_at_once(folder: Path) -> State:
    """What to say of a process that ended before it had begun; it may have begun since we looked."""
    status = engine.read_status(folder)
    if status["state"] != "queued":
        return status
    log = (folder / "log.txt").read_text(errors="replace").strip().splitlines()
    return {
        "state": "failed",
        "code": "worker_died",
        "message": "the tuning process ended before it began",
        "hint": log[-1] if log else "",
    }


def _stamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
