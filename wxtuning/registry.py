"""Names and values to adapters, each imported on use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from importlib import import_module
from importlib.metadata import entry_points
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol, cast

from wxtuning.errors import PlanError
from wxtuning.ports import Deployer, Evaluator, Source, Store, Tuner
from wxtuning.spec import Selection, Task

GROUP = "wxtuning.adapters"
"""The entry-point group in which other packages announce backends by name."""

WHOLE = Selection()

_BACKENDS = {
    "local": "wxtuning.adapters.local:Local",
    "watsonx": "wxtuning.adapters.watsonx:Watsonx.from_env",
}


class Backend(Tuner, Deployer, Protocol):
    """A place that tunes and answers."""


def backend(value: object) -> Backend:
    """The backend behind what was given to `.on`.

    Args:
        value: A name, which stands for the backend with its default settings; or a backend as it is.

    Raises:
        PlanError: for anything else, and if no adapter has this name.
    """
    if isinstance(value, str):
        return _named(value)
    if not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in ("limits", "submit")):
        return cast(Backend, value)
    raise PlanError([f"cannot run on {_shown(value)}; expected {_PLACES}"])


_PLACES = "wx.Local(...), wx.Watsonx(...), a backend of your own, or the name of one"


def _named(name: str) -> Backend:
    known = _known()
    if name not in known:
        raise PlanError([f"there is no backend {name!r}; known: {', '.join(sorted(known))}"])
    module, _, attribute = known[name].partition(":")
    return cast(Backend, attrgetter(attribute)(import_module(module))())


def is_backend(name: str) -> bool:
    """Whether `backend` takes this name."""
    return name in _known()


def _known() -> dict[str, str]:
    return {**{point.name: point.value for point in entry_points(group=GROUP)}, **_BACKENDS}


class Later:
    """A backend that is made when it is first asked for something: to list runs, nobody needs its credentials.

    Args:
        name: As `backend` takes it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        # Asked only for what is not there yet, so once.
        self.__dict__["_made"] = made = self.__dict__.get("_made") or backend(self.name)
        return getattr(made, attribute)


def kept(value: object) -> object:
    """What `.load` was given; rows that can be read only once are wrapped, so that every plan reads the same ones."""
    if isinstance(value, Iterator):
        return import_module("wxtuning.adapters.rows").KeptRows(value)
    return value


def source(value: object, selection: Selection = WHOLE, limit: int | None = None) -> Source:
    """The source behind what was given to `.load`.

    Args:
        value: A file or glob, a Hub id, an object of `datasets`, a DataFrame, dicts, or a Source as it is.
        selection: Which part of it.
        limit: About so many rows will be read, if that is known.

    Raises:
        PlanError: for anything else, which names what can be loaded; and for parts of a selection that mean nothing
            for this kind of source.
    """
    kinds = _kinds(value)
    if isinstance(value, str) and _is_hub_id(value):
        return cast(Source, import_module("wxtuning.adapters.hub").HubRows(value, selection, limit))
    if kinds & {"datasets.DatasetDict", "datasets.IterableDatasetDict"}:
        _only_takes(selection, "split", "columns")
        return _narrowed(import_module("wxtuning.adapters.hub").SplitRows(value, selection.split), selection)
    _only_takes(selection, "columns")
    return _narrowed(_whole(value, kinds), selection)


def _whole(given: object, kinds: Set[str]) -> Source:
    value = kept(given)
    if isinstance(value, str | Path):
        return cast(Source, import_module("wxtuning.adapters.files").Files(value))
    if _is_source(value):
        return cast(Source, value)
    for kind, (module, name) in _OF_KIND.items():
        if kind in kinds:
            return cast(Source, getattr(import_module(module), name)(value))
    rows = import_module("wxtuning.adapters.rows")
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return cast(Source, rows.Rows(value))
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | Mapping):
        return cast(Source, rows.IterableRows(value))
    raise PlanError([f"cannot load rows from {type(value).__name__}; {_LOADABLE}"])


_LOADABLE = (
    "expected a JSON Lines file or another data file, a Hub id, a list or an iterable of dicts, a pandas DataFrame or "
    "an object of datasets"
)

_OF_KIND = {
    "pandas.DataFrame": ("wxtuning.adapters.rows", "FrameRows"),
    "datasets.Dataset": ("wxtuning.adapters.hub", "DatasetRows"),
    "datasets.IterableDataset": ("wxtuning.adapters.hub", "StreamRows"),
}


def _kinds(value: object) -> Set[str]:
    # Recognised by name, so that neither package is imported for rows of another kind.
    return {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(value).__mro__}


def _is_source(value: object) -> bool:
    return all(callable(getattr(value, name, None)) for name in ("rows", "describe"))


def _is_hub_id(text: str) -> bool:
    """Whether a text is `owner/name` of the Hub: no path that exists, no glob, no name of a data file."""
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", text, re.ASCII) or _DATA_FILE.search(text):
        return False
    return not os.path.lexists(text)


_DATA_FILE = re.compile(
    r"\.(jsonl|ndjson|json|csv|tsv|txt|parquet|pq|arrow|feather|ipc|zip|tar|tgz|gz|bz2|xz|zst)$", re.IGNORECASE
)


def _only_takes(selection: Selection, *names: str) -> None:
    said = [name for name, value in selection if value != getattr(WHOLE, name)]
    if wrong := [name for name in said if name not in names]:
        taken = " and ".join(f"{name}=" for name in names)
        raise PlanError(
            [f"{name}= means nothing for rows of this kind, which take {taken}; leave it out" for name in wrong]
        )


def _narrowed(whole: Source, selection: Selection) -> Source:
    if selection.columns is None:
        return whole
    return cast(Source, import_module("wxtuning.adapters.rows").NarrowRows(whole, selection.columns))


def store(value: object) -> Store:
    """The store behind what was given to `.upload`.

    Args:
        value: An address, `cos://bucket/prefix` (settings from the variables COS_...), `s3://bucket/prefix` (from
            AWS_...), either with `bucket@host` to name the endpoint's host too, or `file:///folder`; a folder as a
            Path; or a Store as it is.

    Raises:
        PlanError: for anything else, and for settings that are missing.
    """
    if isinstance(value, Path) or (isinstance(value, str) and value.startswith("file:")):
        return cast(Store, import_module("wxtuning.adapters.folder").LocalStore(value))
    if isinstance(value, str) and value.startswith(("cos://", "s3://")):
        return cast(Store, import_module("wxtuning.adapters.cos").COS.from_uri(value))
    if not isinstance(value, str | type) and all(callable(getattr(value, name, None)) for name in _ASKED):
        return cast(Store, value)
    raise PlanError([f"cannot upload to {_shown(value)}; {_STORES}"])


_ASKED = ("put", "get", "describe")
_STORES = (
    "expected an address (cos://bucket/prefix, s3://bucket/prefix or file:///folder), a folder as a Path, wx.COS(...), "
    "wx.LocalStore(...) or a Store of your own"
)


def _shown(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}, not an object of it"
    if not isinstance(value, str):
        return type(value).__name__
    # What stands before an @ in an address may be a key.
    return repr(re.sub(r"//.*@", "//…@", value))


def evaluator(task: Task, words: Mapping[str, str]) -> Evaluator:
    """The evaluator for a task; `words` maps labels to what the model writes."""
    evaluators = import_module("wxtuning.adapters.evaluators")
    if task == "classification":
        return cast(Evaluator, evaluators.ClassificationEvaluator(dict(words)))
    return cast(Evaluator, evaluators.TextEvaluator())


def frame(rows: Sequence[Mapping[str, object]]) -> object:
    """The rows as a pandas DataFrame."""
    return import_module("wxtuning.adapters.rows").frame_of(rows)
