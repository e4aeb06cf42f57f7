"""The part of a test that runs in a process of its own: the libraries read the Hub's address once, when imported."""

from __future__ import annotations

import io
import logging
import os
import warnings
from contextlib import redirect_stderr, redirect_stdout
from itertools import islice

import wxtuning as wx
from wxtuning import registry
from wxtuning.rows.verdict import Reject
from wxtuning.spec import Selection


def start(environment: dict[str, str]) -> None:
    """Before anything else is imported."""
    os.environ.update(environment)
    warnings.simplefilter("error")


def source(dataset: str, limit: int | None = None, **selection: object):
    return registry.source(dataset, Selection(**selection), limit)


def rows(dataset: str, limit: int | None = None, **selection: object) -> list[object]:
    return list(islice(source(dataset, limit, **selection).rows(), limit))


def pins(dataset: str, **selection: object) -> tuple[str, str, str]:
    """The fingerprint, and how the source describes itself before and after it was asked."""
    asked = source(dataset, **selection)
    before = asked.describe()
    return asked.fingerprint(), before, asked.describe()


class Twice:
    """Reads a data set now, and once more later, with one and the same source."""

    sources: dict[str, object] = {}  # noqa: RUF012

    @classmethod
    def first(cls, dataset: str) -> list[object]:
        cls.sources[dataset] = source(dataset)
        return list(cls.sources[dataset].rows())

    @classmethod
    def again(cls, dataset: str) -> list[object]:
        return list(cls.sources[dataset].rows())


def traces(dataset: str, **selection: object) -> tuple[str, list[object]]:
    """What was printed while a data set was read, and the libraries' switches that are not as they were."""
    import datasets
    import huggingface_hub

    def switches() -> list[object]:
        handlers = [handler for name in ("datasets", "huggingface_hub") for handler in logging.getLogger(name).handlers]
        return [
            datasets.are_progress_bars_disabled(),
            datasets.logging.get_verbosity(),
            datasets.is_caching_enabled(),
            huggingface_hub.utils.are_progress_bars_disabled(),
            huggingface_hub.logging.get_verbosity(),
            [list(handler.filters) for handler in handlers],
        ]

    printed = io.StringIO()
    handlers = [handler for name in ("datasets", "huggingface_hub") for handler in logging.getLogger(name).handlers]
    before = switches()
    streams = [handler.setStream(printed) for handler in handlers]
    with redirect_stdout(printed), redirect_stderr(printed):
        list(source(dataset, **selection).rows())
    for handler, stream in zip(handlers, streams, strict=True):
        handler.setStream(stream)
    return printed.getvalue(), [pair for pair in zip(before, switches(), strict=True) if pair[0] != pair[1]]


def with_token(token: str, dataset: str, **selection: object) -> list[object]:
    os.environ["HF_TOKEN"] = token
    try:
        return rows(dataset, **selection)
    finally:
        os.environ["HF_TOKEN"] = ""


def with_small_files(most_bytes: int, dataset: str) -> list[object]:
    """As on a disk that has no room for more."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        return rows(dataset)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def download(name: str, file: str | None = None, kind: str = "dataset") -> None:
    """Fetch a data set or a model, or one of its files, as a person does with the Hub's own tool."""
    from huggingface_hub import hf_hub_download, snapshot_download

    if file:
        hf_hub_download(name, file, repo_type=kind)
    else:
        snapshot_download(name, repo_type=kind)


def files_of(model: str, token: str = "", seconds: float = 5.0) -> set[str]:
    from wxtuning.adapters.hub import models

    os.environ["HF_TOKEN"] = token
    return set(models.files_of(model, timeout_seconds=seconds))


def copied(model: str) -> set[str] | None:
    """The names of the files that are on this machine; None if there is no copy."""
    from wxtuning.adapters.hub.models import copy_of

    copy = copy_of(model)
    return copy and {file.name for file in copy.iterdir()}


def streamed_object(dataset: str, limit: int) -> list[object]:
    """The first rows of an IterableDataset that `datasets` itself has made."""
    import datasets

    stream = datasets.load_dataset(dataset, split="train", streaming=True)
    return list(islice(registry.source(stream).rows(), limit))


def load_with_datasets(dataset: str) -> None:
    import datasets

    datasets.disable_progress_bars()
    datasets.load_dataset(dataset)
    datasets.enable_progress_bars()


def plan(dataset: str, **load: object) -> tuple[str, str, int, str]:
    """Source, fingerprint, rows read and digest of the plan of a whole experiment."""
    from wxtuning.testing import FakeBackend

    experiment = wx.TuningExperiment("x").load(dataset, **load).to_jsonl(input="prompt", output="response")
    made = experiment.on(FakeBackend()).plan()
    return made.source, made.source_fingerprint, made.report.read, made.digest


def rejects(dataset: str, **selection: object) -> list[tuple[int, str, int | None, str]]:
    found = source(dataset, **selection).rows()
    return [(item.number, item.code, item.line, item.file) for item in found if isinstance(item, Reject)]
