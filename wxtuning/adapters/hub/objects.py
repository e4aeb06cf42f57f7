"""Objects of the `datasets` package as sources: one split, several, and streams. No image or sound is ever decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Any

from wxtuning.adapters.hub.faults import translated
from wxtuning.adapters.hub.listing import chosen_split
from wxtuning.adapters.hub.quiet import hushed
from wxtuning.rows.content import fingerprint_of

BATCH_ROWS = 1_000
FEW_ROWS = 10


@dataclass(frozen=True)
class DatasetRows:
    """A `datasets.Dataset`, read in the order it has; a transform that was set on it is applied."""

    dataset: Any

    def rows(self) -> Iterator[Mapping[str, object]]:
        if self.dataset.format["type"] == "custom":
            return iter(self.dataset)
        return _undecoded(self.dataset)

    def describe(self) -> str:
        return f"Dataset of {len(self.dataset)} rows"

    def fingerprint(self) -> str:
        return fingerprint_of(self.rows())


def _undecoded(dataset: Any) -> Iterator[Mapping[str, object]]:
    for table in dataset.with_format("arrow").iter(batch_size=BATCH_ROWS):
        names = table.column_names
        columns = (_values(dataset.features, name, table[name].to_pylist()) for name in names)
        for values in zip(*columns, strict=True):
            yield dict(zip(names, values, strict=True))


def _values(features: Any, name: str, stored: list[object]) -> Sequence[object]:
    # Other than images and sound, what is stored may be another text than the value: JSON of mixed types is one.
    return stored if _is_media(features[name]) else features.decode_column(stored, name)


def _is_media(feature: Any) -> bool:
    if isinstance(feature, dict):
        return any(_is_media(part) for part in feature.values())
    if isinstance(feature, list):
        return any(_is_media(part) for part in feature)
    inner = getattr(feature, "feature", None)
    # Image, Audio and their kin are kept as the bytes of a file and its path.
    return _is_media(inner) if inner is not None else "bytes" in str(getattr(feature, "pa_type", ""))


@dataclass(frozen=True)
class StreamRows:
    """A `datasets.IterableDataset`, from the start at every call, as far as it can be read twice itself."""

    dataset: Any

    def rows(self) -> Iterator[Mapping[str, object]]:
        rows = iter(_stored_media(self.dataset))
        while batch := self._next(rows):
            yield from batch

    def _next(self, rows: Iterator[Mapping[str, object]]) -> list[Mapping[str, object]]:
        # Hushed for a few rows at a time: between them the thread is the caller's.
        with hushed(), translated("the IterableDataset"):
            return list(islice(rows, FEW_ROWS))

    def describe(self) -> str:
        return "IterableDataset"

    def fingerprint(self) -> str:
        """Empty: a stream would have to be read again."""
        return ""


def _stored_media(dataset: Any) -> Any:
    """The stream with images and sound as they are stored, and everything else as it was."""
    if not any(_is_media(feature) for feature in (dataset.features or {}).values()):
        return dataset
    features = deepcopy(dataset.features)
    for feature in features.values():
        _store(feature)
    # The first call takes back a decoding that runs in threads; what it turned off too much, the second turns on.
    return dataset.decode(False).cast(features)


def _store(feature: Any) -> None:
    if isinstance(feature, dict | list):
        for part in feature.values() if isinstance(feature, dict) else feature:
            _store(part)
    elif (inner := getattr(feature, "feature", None)) is not None:
        _store(inner)
    elif _is_media(feature):
        feature.decode = False


@dataclass(frozen=True)
class SplitRows:
    """One split of a `DatasetDict` or `IterableDatasetDict`."""

    splits: Mapping[str, Any]
    split: str | None

    def rows(self) -> Iterator[Mapping[str, object]]:
        """The rows of the split.

        Raises:
            FileError: if there is no such split, or several and none is named; lists them with their sizes.
        """
        return self._chosen().rows()

    def _chosen(self) -> DatasetRows | StreamRows:
        sizes = {name: len(rows) if hasattr(rows, "__len__") else None for name, rows in self.splits.items()}
        dataset = self.splits[chosen_split(f"the {type(self.splits).__name__}", sizes, self.split)]
        return DatasetRows(dataset) if hasattr(dataset, "__len__") else StreamRows(dataset)

    def describe(self) -> str:
        return f"{type(self.splits).__name__}, split {self.split or next(iter(self.splits), 'none')}"

    def fingerprint(self) -> str:
        return self._chosen().fingerprint()
