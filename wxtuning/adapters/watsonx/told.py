"""What the service tells of a job, as our own values. Knows its words and shapes; asks nobody."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wxtuning.status import JobState, JobStatus, Metric

logger = logging.getLogger("wxtuning.watsonx")

_STATES = {
    "queued": JobState.QUEUED,
    "pending": JobState.QUEUED,
    "running": JobState.RUNNING,
    "storing": JobState.RUNNING,
    "completed": JobState.COMPLETED,
    "failed": JobState.FAILED,
    "error": JobState.FAILED,
    "canceled": JobState.CANCELED,
    "cancelled": JobState.CANCELED,
}


def status_of(details: Mapping[str, Any]) -> JobStatus:
    """Where a job is; a word that is not known is kept and counts as running."""
    status = _part(_part(details, "entity"), "status")
    word = str(status.get("state") or "unknown")
    state = _STATES.get(word.lower(), JobState.RUNNING)
    last = max(inline_metrics(details), key=lambda metric: metric.step, default=None)
    failed = state is JobState.FAILED
    return JobStatus(
        state=state,
        word=word,
        message=(_failure(status) if failed else "") or _text(_part(status, "message").get("text")),
        hint=_trace(status) if failed else "",
        step=last.step if last else 0,
        steps=_steps(details),
        loss=last.loss if last else None,
        warnings=tuple(_warnings(details)),
    )


def _steps(details: Mapping[str, Any]) -> int:
    """The steps of all epochs that were asked for, by those of the epochs that are over; 0 before one certainly is."""
    entity = _part(details, "entity")
    asked = _part(entity, "prompt_tuning") or _part(entity, "parameters")
    means = _ordered(point for each in _metrics(details) if "ml_metrics" in each and (point := _point(each)))
    # The last one told may be in the middle of its steps.
    if len(means) < 2 or (over := means[-2]).epoch < 1:
        return 0
    return over.step * _whole(asked.get("num_epochs")) // int(over.epoch)


def is_documented(word: str) -> bool:
    """Whether a state is one of those that the service documents."""
    return word.lower() in _STATES


def _failure(status: Mapping[str, Any]) -> str:
    """Why a job failed: every error with its code."""
    errors = _part(status, "failure").get("errors")
    told = (_error(each) for each in errors if isinstance(each, Mapping)) if isinstance(errors, list) else ()
    return "; ".join(filter(None, told))


def _error(error: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (_text(error.get("code")), _text(error.get("message")))))


def _trace(status: Mapping[str, Any]) -> str:
    trace = _text(_part(status, "failure").get("trace"))
    return f"The service's own trace of it is {trace}." if trace else ""


def _warnings(details: Mapping[str, Any]) -> Iterator[str]:
    told = _part(details, "system").get("warnings")
    for warning in told if isinstance(told, list) else ():
        if text := _text(warning.get("message") if isinstance(warning, Mapping) else warning):
            yield text


def metrics_place(details: Mapping[str, Any]) -> str:
    """Where the file with every step lies; empty if the service names none."""
    for metric in _metrics(details):
        for context in _part(metric, "context").values():
            if isinstance(context, Mapping) and (place := _text(context.get("metrics_location"))):
                return place
    return ""


def log_place(details: Mapping[str, Any]) -> str:
    """Where the log lies; empty if the service names none."""
    return _text(_results(details).get("training_log"))


def request_place(details: Mapping[str, Any]) -> str:
    """Where the request lies that stores the model; empty if the service names none."""
    return _text(_results(details).get("model_request_path"))


def inline_metrics(details: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The points that stand in the status itself, by step: the mean loss of each epoch."""
    return _ordered(metric for each in _metrics(details) if (metric := _point(each)))


def metrics_in(content: bytes) -> tuple[Metric, ...]:
    """The points of a file: JSON Lines (one line is enough), or one JSON array.

    Raises:
        ValueError: if it is neither.
    """
    text = content.decode("utf-8").strip()
    whole = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines() if line]
    points = [point for each in whole if isinstance(each, Mapping) and (point := _point(each))]
    return _with_fractions(_ordered(points))


def _metrics(details: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = _part(_part(details, "entity"), "status").get("metrics")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, Mapping):
            yield each


def _point(told: Mapping[str, Any]) -> Metric | None:
    """A point in either shape: `{"name": "loss", "data": {...}}` or `{"iteration": ..., "ml_metrics": {...}}`."""
    data, mean = _part(told, "data"), _part(told, "ml_metrics")
    if told.get("name", "loss") == "loss" and (loss := _number(data.get("value"))) is not None:
        return Metric(step=_whole(data.get("step")), epoch=_number(data.get("epoch")) or 0.0, loss=loss)
    if (loss := _number(mean.get("loss"))) is not None:
        # The number of an epoch counts from 0; its mean stands where it is over.
        epoch = (_number(mean.get("epoch")) or 0.0) + 1.0
        return Metric(step=_whole(told.get("iteration")), epoch=epoch, loss=loss)
    return None


def _ordered(points: Iterable[Metric]) -> tuple[Metric, ...]:
    return tuple(sorted(points, key=lambda metric: metric.step))


def _with_fractions(points: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """The steps of an epoch that is only numbered, spread over it; epochs that are fractions already stay."""
    if not all(point.epoch.is_integer() for point in points):
        return points
    longest = max(Counter(point.epoch for point in points).values(), default=1)
    done: Counter[float] = Counter()
    spread = []
    for point in points:
        done[point.epoch] += 1
        epoch = point.epoch + done[point.epoch] / longest
        spread.append(Metric(step=point.step, epoch=epoch, loss=point.loss))
    return tuple(spread)


def _results(details: Mapping[str, Any]) -> Mapping[str, Any]:
    """The places of the files that a job leaves."""
    return _part(_part(_part(details, "entity"), "results_reference"), "location")


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(told: object) -> str:
    return told.strip() if isinstance(told, str) else ""


def _number(told: object) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float) or not math.isfinite(told):
        return None
    return float(told)


def _whole(told: object) -> int:
    return int(_number(told) or 0)
