"""Files for their owner alone, whatever rights the process gives to others. Knows no names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO


def create(path: Path) -> BinaryIO:
    """A file to write, empty even if it was there; OSError where a link is in its place."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb")


def copy(file: Path, to: Path) -> None:
    """Copy a file's content."""
    with file.open("rb") as content, create(to) as copied:
        shutil.copyfileobj(content, copied)
