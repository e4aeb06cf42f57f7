"""Which files of a Hub data set hold the rows of a split. Knows commits, configurations and splits; reads no row."""

from __future__ import annotations

import dataclasses
import glob
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from wxtuning.adapters.hub.faults import AS_OBJECT, did_you_mean, patiently, translated
from wxtuning.adapters.hub.quiet import hushed
from wxtuning.folder import home_folder, slug, write_atomically
from wxtuning.rows.policy import quoted
from wxtuning.rows.verdict import FileError
from wxtuning.spec import Selection

CARD = ("README.md", ".huggingface.yaml")
"""The files that say which files belong to which configuration and split."""


TEXT_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
SUFFIXES = (".parquet", ".arrow", *TEXT_SUFFIXES, *(f"{suffix}.gz" for suffix in TEXT_SUFFIXES))


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of a configuration by split, in their order; `rows` where the data set's card tells their number."""

    config: str
    files: Mapping[str, Sequence[str]]
    rows: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """Rows that are the same for ever: a split of a configuration in one commit."""

    dataset: str
    commit: str
    config: str
    split: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.dataset}@{self.commit}/{self.config}/{self.split}"


def pinned(dataset: str, selection: Selection) -> Pinned:
    """What a selection stands for at this moment.

    Raises:
        FileError: if there is no such data set, revision, configuration or split; names those that are.
        NotAuthorized: if it may not be read with the token that was found.
        Unavailable: if the Hub does not answer and no copy is on this machine.
    """
    with hushed(), translated(dataset, selection.revision):
        commit = _commit(dataset, selection.revision)
        listing = _recorded(dataset, commit, selection.name) or _looked_up(dataset, commit, selection.name)
    split = chosen_split(dataset, {name: listing.rows.get(name) for name in listing.files}, selection.split)
    files = tuple(listing.files[split])
    return Pinned(dataset=dataset, commit=commit, config=listing.config, split=split, files=files)


def chosen_split(dataset: str, splits: Mapping[str, int | None], asked: str | None) -> str:
    """The split that was asked for, or the only one; `splits` gives their numbers of rows where known.

    Raises:
        FileError: if there is no such split, or several and none was named; lists them.
    """
    if asked in splits:
        return str(asked)
    if asked is None and len(splits) == 1:
        return next(iter(splits))
    there = ", ".join(name if rows is None else f"{name} ({rows:,} rows)" for name, rows in splits.items())
    if asked is None:
        problem = f"{dataset} has {len(splits)} splits, and none is named"
    elif re.search(r"[\[+]", asked):
        problem = f"{dataset}: split {asked!r} is a part or a sum of splits; wxtuning takes one whole split"
    else:
        problem = f"{dataset} has no split {asked!r}{did_you_mean(asked, list(splits))}"
    raise FileError(problem, code="not_found", hint=f"Say split= with one of: {there}.")


def _commit(dataset: str, revision: str | None) -> str:
    from huggingface_hub import HfApi

    resolve = partial(HfApi().resolve_revision, dataset, repo_type="dataset", revision=revision)
    return patiently(resolve).resolved


def _recorded(dataset: str, commit: str, name: str | None) -> Listing | None:
    # A commit never changes, so what was once found out about it holds without asking, and without the Hub.
    try:
        found = json.loads(_record(dataset, commit, name).read_text(encoding="utf-8"))
        return Listing(**found)
    except (OSError, ValueError, TypeError):
        return None


def _record(dataset: str, commit: str, name: str | None) -> Path:
    key = sha256(json.dumps([dataset, commit, name]).encode()).hexdigest()
    return home_folder() / "hub" / f"{slug(dataset)}-{key[:16]}.json"


def _looked_up(dataset: str, commit: str, name: str | None) -> Listing:
    if (listing := _of_copy(dataset, commit, name)) is None:
        _fetch_card(dataset, commit)
        listing = _listing(dataset, name, _Place(dataset, commit, f"hf://datasets/{dataset}@{commit}/"))
    write_atomically(_record(dataset, commit, name), json.dumps(dataclasses.asdict(listing)).encode())
    return listing


def _of_copy(dataset: str, commit: str, name: str | None) -> Listing | None:
    """The listing of a whole copy on this machine, which another tool has made; None without one."""
    from huggingface_hub import snapshot_download

    try:
        copy = Path(snapshot_download(dataset, repo_type="dataset", revision=commit, local_files_only=True))
        if not _is_whole(copy, dataset, name):
            return None
        return _listing(dataset, name, _Place(str(copy), None, f"{copy.resolve().as_posix()}/"))
    except FileError:
        raise
    except (OSError, ValueError):  # there is none, or only a part of one
        return None


def _is_whole(copy: Path, dataset: str, name: str | None) -> bool:
    # A copy without some of its files looks like a data set without some of its rows. The Hub's own tool has left the
    # list of all files and was asked above whether they are here; `datasets` prepares a split when it has all of them.
    if (copy.parent.parent / "trees" / f"{copy.name}.json").is_file():
        return True
    from datasets.config import HF_DATASETS_CACHE

    prepared = f"{dataset.partition('/')[0]}___*/{glob.escape(name or '')}*/*/{copy.name}/dataset_info.json"
    return any(Path(HF_DATASETS_CACHE).glob(prepared))


@dataclass(frozen=True)
class _Place:
    """Where `datasets` finds the files: a commit of the Hub or a folder, and what their names begin with there."""

    path: str
    revision: str | None
    root: str


def _listing(dataset: str, name: str | None, place: _Place) -> Listing:
    builder = _builder(dataset, name, place)
    _refuse_own_ways_of_reading(dataset, builder.config)
    found = builder.config.data_files.items()
    files = {str(split): [_inside(dataset, file, place.root) for file in of_split] for split, of_split in found}
    sizes = (builder.info.splits or {}).items()
    rows = {str(split): size.num_examples for split, size in sizes if size.num_examples}
    return Listing(config=builder.config.name, files=files, rows=rows)


def _builder(dataset: str, name: str | None, place: _Place) -> Any:
    import datasets

    # In an empty folder there is no older copy to be taken in silence.
    with hushed(), tempfile.TemporaryDirectory() as nowhere:
        try:
            return datasets.load_dataset_builder(place.path, name=name, revision=place.revision, cache_dir=nowhere)
        except ValueError:
            _check_config(dataset, name, datasets.get_dataset_config_names(place.path, revision=place.revision))
            raise


def _check_config(dataset: str, name: str | None, names: Sequence[str]) -> None:
    there = f"Say name= with one of: {', '.join(names)}."
    if name is None and len(names) > 1:
        raise FileError(f"{dataset} has {len(names)} configurations, and none is named", code="not_found", hint=there)
    if name is not None and name not in names:
        meant = did_you_mean(name, list(names))
        raise FileError(f"{dataset} has no configuration {name!r}{meant}", code="not_found", hint=there)


def _refuse_own_ways_of_reading(dataset: str, config: Any) -> None:
    usual, said = vars(type(config)()), vars(config)
    names = sorted(said.keys() - _NO_WAY_OF_READING)
    asked = [f"{name}={said[name]!r}" for name in names if said[name] != usual.get(name)]
    if asked and asked != _OF_TSV:
        problem = f"the card of {dataset} asks for its files to be read with {', '.join(asked)}"
        raise _unsupported(f"{problem}, which wxtuning does not do")


_NO_WAY_OF_READING = {"name", "version", "data_dir", "data_files", "description", "features"}
_OF_TSV = ["sep='\\t'"]


def _inside(dataset: str, file: str, root: str) -> str:
    inside = file.removeprefix(root)
    # A card may name any file, also one of another data set or of this machine.
    if inside == file or ".." in inside.split("/"):
        raise _unsupported(f"the card of {dataset} takes rows from outside of it: {quoted(file)}")
    if not inside.lower().endswith(SUFFIXES):
        raise _unsupported(f"{dataset} keeps rows in {quoted(inside)}, expected {_EXPECTED}")
    return inside


_EXPECTED = f"a file of .parquet, .arrow or, packed as .gz or not, {', '.join(TEXT_SUFFIXES)}"


def _unsupported(problem: str) -> FileError:
    return FileError(problem, code="unsupported_format", hint=f"Take another configuration or data set. {AS_OBJECT}")


def _fetch_card(dataset: str, commit: str) -> None:
    # `datasets` would fetch it too, and show a bar for it.
    from huggingface_hub.errors import RemoteEntryNotFoundError

    for file in CARD:
        with suppress(RemoteEntryNotFoundError):
            fetched(dataset, commit, file)


def fetched(dataset: str, commit: str, file: str) -> Path:
    """A file's copy on this machine; what is here already is not asked for."""
    from huggingface_hub import hf_hub_download

    download = partial(hf_hub_download, dataset, file, repo_type="dataset", revision=commit, tqdm_class=_no_bar())
    return Path(patiently(download))


def copy_of(dataset: str, commit: str, file: str) -> bool:
    """Whether a file is on this machine already."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(dataset, file, repo_type="dataset", revision=commit), str)


def _no_bar() -> Any:
    from huggingface_hub.utils.tqdm import tqdm

    class NoBar(tqdm):
        def __init__(self, *args: Any, **how: Any) -> None:
            super().__init__(*args, **{**how, "disable": True})  # type: ignore[no-untyped-call]

    return NoBar
