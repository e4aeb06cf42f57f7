"""The loss of a run in the forms of the service: every step as a line of a file, every epoch in the status.

Knows the engine's metrics; knows no trainings. `began` is when the run began, in ISO 8601.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from wxtuning.engine.metrics import read_metrics

Point = dict[str, Any]
"""A step with its loss, the number of its epoch from 0, and when it was done (UTC, without a zone)."""


def lines(folder: Path, began: str) -> str:
    """The loss of every step so far, one JSON object a line."""
    return "".join(json.dumps({"name": "loss", "data": _data(point)}) + "\n" for point in _points(folder, began))


def _data(point: Point) -> dict[str, Any]:
    return {**{name: point[name] for name in ("epoch", "step", "timestamp")}, "value": point["loss"]}


def epochs(folder: Path, began: str) -> list[dict[str, Any]]:
    """The mean loss of every epoch so far."""
    found = groupby(_points(folder, began), key=lambda point: point["epoch"])
    return [_mean(list(points)) for _, points in found]


def recent_epochs(folder: Path, began: str) -> list[dict[str, Any]]:
    """As `epochs`, read at most once a second: a status may be asked for hundreds of times in one."""
    return _read(folder, began, int(time.monotonic()))


@lru_cache(maxsize=32)
def _read(folder: Path, began: str, _second: int) -> list[dict[str, Any]]:
    return epochs(folder, began)


def _mean(points: list[Point]) -> dict[str, Any]:
    """An epoch of which these steps are done."""
    last = points[-1]
    loss = sum(point["loss"] for point in points) / len(points)
    told = {"loss": loss, "epoch": last["epoch"]}
    return {"timestamp": f"{last['timestamp']}Z", "iteration": last["step"], "ml_metrics": told}


def _points(folder: Path, began: str) -> list[Point]:
    done = datetime.fromisoformat(began).astimezone(UTC).replace(tzinfo=None)
    found = []
    for metric in read_metrics(folder):
        if "loss" in metric:
            done += timedelta(seconds=metric.get("seconds", 0.0))
            found.append(_point(metric, done))
    return found


def _point(metric: Mapping[str, Any], done: datetime) -> Point:
    # The engine counts the epochs that are over, a fraction; 0.25 to 1.0 are steps of the first, which is epoch 0.
    epoch = math.ceil(metric["epoch"] - 1e-9) - 1
    # The SDK reads microseconds and no zone.
    stamp = done.isoformat(timespec="microseconds")
    return {"step": metric["step"], "loss": metric["loss"], "epoch": epoch, "timestamp": stamp}
