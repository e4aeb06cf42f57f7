"""One run as a process: `python -m wxtuning.engine.worker FOLDER [--resume]`.

FOLDER/config.json says what, FOLDER/status.json how far. SIGTERM cancels: a checkpoint is saved, the exit code is 0.
A completed folder is left as it is, a canceled one too unless --resume is given; anything else goes on from its
checkpoint. Exit code 1: failed, or another worker has the folder.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wxtuning.engine.config import TuneConfig
from wxtuning.engine.errors import EngineError, translate
from wxtuning.engine.status import CANCEL, CONFIG, held, read_status, write_status

logger = logging.getLogger("wxtuning.engine.worker")

# Status writes a second at most, besides those that change state or stage.
_PER_SECOND = 4.0


@dataclass
class Reporter:
    """The run's status.json, written when state or stage change and a few times a second between."""

    folder: Path
    values: dict[str, Any] = field(default_factory=dict)
    written: float = 0.0

    def begin(self) -> None:
        now = time.time()
        self.values = {"state": "running", "stage": "loading", "step": 0, "steps": 0, "epoch": 0.0, "loss": None}
        self.values |= {"message": "", "code": "", "hint": "", "pid": os.getpid(), "started_at": now}
        self._write()

    def stage(self, stage: str, steps: int) -> None:
        self.values |= {"stage": stage, "steps": steps}
        logger.info("%s, %d steps in all", stage, steps)
        self._write()

    def metric(self, metric: dict[str, Any]) -> None:
        self.values |= {name: metric[name] for name in ("step", "epoch", "loss", "validation_loss") if name in metric}
        if "validation_loss" in metric:
            logger.info("epoch %g: validation loss %.4f", metric["epoch"], metric["validation_loss"])
        if time.monotonic() - self.written >= 1 / _PER_SECOND:
            self._write()

    def end(self, state: str, message: str, **more: Any) -> None:
        self.values |= {"state": state, "message": message, **more}
        logger.info("%s: %s", state, message)
        self._write()

    def _write(self) -> None:
        self.written = time.monotonic()
        write_status(self.folder, self.values)


class Stop:
    """Set by SIGTERM or by a request that was there before the worker."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / CANCEL
        self._signaled = False
        signal.signal(signal.SIGTERM, self._take)

    def __call__(self) -> bool:
        return self._signaled

    def look(self, *, resume: bool) -> None:
        """Heed a request made before the lock was ours; `resume` withdraws it."""
        if resume:
            self._file.unlink(missing_ok=True)
        self._signaled = self._signaled or self._file.exists()

    def _take(self, _number: int, _frame: object) -> None:
        self._signaled = True


def main(arguments: list[str]) -> int:
    """Run the worker for arguments as on the command line; returns the exit code."""
    resume = "--resume" in arguments
    folders = [argument for argument in arguments if argument != "--resume"]
    logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    if len(folders) != 1 or not Path(folders[0]).is_dir():
        logger.error("usage: python -m wxtuning.engine.worker FOLDER [--resume]")
        return 1
    return _work(Path(folders[0]).resolve(), resume=resume)


def _work(folder: Path, *, resume: bool) -> int:
    stop = Stop(folder)
    with held(folder) as ours:
        if not ours:
            logger.error("another worker has %s", folder)
            return 1
        state = read_status(folder)["state"]
        if state == "completed" or (state == "canceled" and not resume):
            logger.info("nothing to do: %s is %s", folder, state)
            return 0
        stop.look(resume=resume)
        return _report(Reporter(folder), stop)


def _report(reporter: Reporter, stop: Stop) -> int:
    """Run to an end that status.json tells, whatever happens."""
    try:
        reporter.begin()
        _tune(reporter, stop)
    except Exception as cause:  # the one place where every fault becomes a status
        logger.exception("failed")
        error = translate(cause)
        return _fail(reporter, error)
    return 0


def _fail(reporter: Reporter, error: EngineError) -> int:
    try:
        reporter.end("failed", str(error), code=error.code, hint=error.hint)
    except OSError as cause:
        # On a full disk the status cannot be written either; the lock goes, so the run reads as died.
        logger.error("the status could not be written: %s", cause)
    return 1


def _tune(reporter: Reporter, stop: Stop) -> None:
    config = _config(reporter.folder)
    if stop():
        reporter.end("canceled", "canceled before the first step")
        return
    # Without it cuBLAS may add in another order every time; it is read when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Nothing loaded here ever becomes garbage, and looking for it would cost a sixth of the start.
    gc.disable()
    from wxtuning.engine.train import tune

    def on_stage(stage: str, steps: int) -> None:
        if stage == "tuning":
            gc.freeze()
            gc.enable()
        reporter.stage(stage, steps)

    result = tune(config, reporter.folder, on_metric=reporter.metric, should_stop=stop, on_stage=on_stage)
    last = {"step": result.steps, "epoch": result.epochs, "loss": result.loss}
    for warning in result.warnings:
        logger.warning(warning)
    if result.stopped:
        reporter.end("canceled", f"canceled after step {result.steps}; the checkpoint is kept", **last)
    else:
        reporter.end("completed", f"tuned in {result.steps} steps", warnings=list(result.warnings), **last)


def _config(folder: Path) -> TuneConfig:
    try:
        config = TuneConfig.from_json((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        text = f"there is no {CONFIG} in {folder}"
        raise EngineError(text, code="bad_config", hint="write TuneConfig.to_json() there") from cause
    logger.info("config %s", asdict(config))
    return config


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
