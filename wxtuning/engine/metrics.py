"""The curve of a run as lines of JSON: one a step, one a validation. Reading and cutting load no torch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from wxtuning.engine.files import write_atomically

FILE = "metrics.jsonl"


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The metrics of the run in `folder` so far, in order; a line that is just being written is left out."""
    try:
        lines = (folder / FILE).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]


class Metrics:
    """The file while the run writes it. Opening it drops what lies after `step`: a resumed run writes that again."""

    def __init__(self, folder: Path, *, after: int) -> None:
        kept = [_line(metric) for metric in read_metrics(folder) if metric["step"] <= after]
        write_atomically(folder / FILE, "".join(kept).encode())
        self._file = (folder / FILE).open("a", encoding="utf-8")

    def add(self, metric: dict[str, Any]) -> None:
        self._file.write(_line(metric))
        self._file.flush()

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _line(metric: dict[str, Any]) -> str:
    return json.dumps(metric) + "\n"
