"""A run seen from outside its process: is it alive, how far is it, start it, cancel it. Loads no torch."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from wxtuning.engine.errors import EngineError
from wxtuning.engine.files import write_atomically
from wxtuning.engine.metrics import read_metrics

__all__ = ["read_status", "write_status", "read_metrics", "is_alive", "start", "cancel", "held"]

STATUS, LOCK, LOG, CONFIG, CANCEL = "status.json", "worker.lock", "log.txt", "config.json", "cancel.requested"
FINAL = ("completed", "failed", "canceled")

_OWNER_ALONE = 0o077
"""The rights of others that a worker's files do not have."""

_PASSED = (
    "PATH", "HOME", "USER", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT",
    "PYTHONHASHSEED", "PYTHONPATH", "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "XDG_CACHE_HOME",
)  # fmt: skip
_PASSED_FAMILIES = (
    "HF_",
    "CUDA_",
    "NVIDIA_",
    "OMP_",
    "MKL_",
    "OPENBLAS_",
    "KMP_",
    "TORCH_",
    "PYTORCH_",
    "NCCL_",
    "MALLOC_",
)


def read_status(folder: Path) -> dict[str, Any]:
    """What the worker last said, as a dict.

    Keys: state (queued, running, completed, failed, canceled), stage, step, steps, epoch, loss, message, code, hint,
    pid, started_at, updated_at (seconds since 1970). A folder nobody started is queued. A worker that died without a
    word reads as failed with code `worker_died`.
    """
    status = _read(folder)
    if status.get("state") != "running" or is_alive(folder):
        return status
    # It may have ended between the two looks: what it wrote last counts.
    status = _read(folder)
    return {**status, **_DIED} if status.get("state") == "running" else status


def is_alive(folder: Path) -> bool:
    """Whether a worker holds the folder's lock. A killed worker's lock is gone with it."""
    import fcntl

    try:
        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def start(folder: Path, python: str = sys.executable, *, resume: bool = False) -> int:
    """Start a worker for the folder's config.json in a session of its own and return its pid.

    It outlives this process, writes to log.txt, and gets of the environment only what it needs: no keys but HF_TOKEN.
    Where one is alive, that one's pid is returned. `resume` lets a canceled run go on; others always do.

    Raises EngineError `io_error` when no process can be started.
    """
    folder = Path(folder).resolve()
    if is_alive(folder):
        return _holder(folder)
    if _read(folder)["state"] not in ("completed", "canceled"):
        write_status(folder, _QUEUED)
    command = [python, "-P", "-m", "wxtuning.engine.worker", str(folder), *(["--resume"] if resume else [])]
    (folder / LOG).touch(0o600)
    with (folder / LOG).open("ab") as log:
        process = _spawn(command, folder, log)
    # Waits for the end, so that no zombie is left while this process lives.
    threading.Thread(target=process.wait, name=f"wxtuning worker {process.pid}", daemon=True).start()
    return process.pid


def cancel(folder: Path) -> bool:
    """Ask the folder's run to stop; True when a live worker was told. It saves a checkpoint and ends as canceled.

    A worker that is only just starting finds the request when it gets there. A finished run is left alone.
    """
    folder = Path(folder)
    if _read(folder)["state"] in FINAL and not is_alive(folder):
        return False
    (folder / CANCEL).touch(0o600)
    return is_alive(folder) and _signal(folder)


def write_status(folder: Path, status: dict[str, Any]) -> None:
    """Replace status.json; a reader sees the old or the new one. Not durable: it is written several times a second."""
    text = json.dumps({**status, "updated_at": time.time()}, ensure_ascii=False)
    write_atomically(folder / STATUS, text.encode(), durable=status.get("state") in FINAL)


@contextlib.contextmanager
def held(folder: Path, *, attempts: int = 20) -> Iterator[bool]:
    """Hold the folder's lock inside the block; False where another worker has it."""
    import fcntl

    with (folder / LOCK).open("a+b") as file:
        for attempt in range(attempts):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # It may be `is_alive` of somebody, which holds the lock for an instant.
                time.sleep(0.02 if attempt + 1 < attempts else 0)
        else:
            yield False
            return
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield True


_QUEUED: dict[str, Any] = {
    "state": "queued",
    "stage": None,
    "step": 0,
    "steps": 0,
    "message": "",
    "code": "",
    "hint": "",
}
_DIED = {
    "state": "failed",
    "code": "worker_died",
    "message": "the worker ended without a word: killed, or out of memory",
    "hint": "start it again, it goes on from its checkpoint; log.txt has its last lines",
}


def _read(folder: Path) -> dict[str, Any]:
    try:
        return {**_QUEUED, **json.loads((folder / STATUS).read_text(encoding="utf-8"))}
    except FileNotFoundError:
        return dict(_QUEUED)


def _spawn(command: list[str], folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_environment(),
            start_new_session=True,
            umask=_OWNER_ALONE,
        )
    except OSError as cause:
        hint = "check that the path of the Python program is right"
        raise EngineError(f"cannot start {command[0]}: {cause.strerror}", code="io_error", hint=hint) from cause


def _environment() -> dict[str, str]:
    passed = {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith(_PASSED_FAMILIES)}
    package = str(Path(__file__).resolve().parents[2])
    passed["PYTHONPATH"] = os.pathsep.join(filter(None, [package, passed.get("PYTHONPATH", "")]))
    return passed


def _holder(folder: Path) -> int:
    text = (folder / LOCK).read_bytes()
    return int(text) if text.isdigit() else 0


def _signal(folder: Path) -> bool:
    pid = _holder(folder)
    if pid <= 0:
        return False  # between its lock and its number; it looks for the request right after
    try:
        with _process(pid) as descriptor:
            # Held open, the number cannot pass to another process; the lock says that it still is the worker.
            if not is_alive(folder) or _holder(folder) != pid:
                return False
            if descriptor is None:
                os.kill(pid, signal.SIGTERM)
            else:
                signal.pidfd_send_signal(descriptor, signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def _process(pid: int) -> Iterator[int | None]:
    if not hasattr(os, "pidfd_open"):
        yield None
        return
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
