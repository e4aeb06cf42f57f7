"""One server for one home. Knows a lock file; it goes with the process, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

from wxtuning.errors import WxTuningError


class HomeLock:
    """Holds a folder for this process until it is released.

    Raises:
        WxTuningError: if another process holds it, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._file = _opened(folder / "server.lock")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise WxTuningError(
                f"another server (process {owner}) works in {folder}",
                hint="Use that one, end it, or name another folder with --home.",
            ) from cause
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let the folder go; a second time does nothing."""
        self._file.close()


def _opened(path: Path) -> TextIO:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as cause:
        raise WxTuningError(
            f"cannot work in {path.parent}: {cause.strerror}", hint="Name another folder with --home."
        ) from cause
    return os.fdopen(handle, "r+")
