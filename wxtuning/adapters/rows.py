"""Rows that are already in memory: a list of dicts, a pandas DataFrame or a `datasets.Dataset`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rows:
    """A sequence of dicts."""

    values: Sequence[Mapping[str, object]]

    def rows(self) -> Iterator[Mapping[str, object]]:
        return iter(self.values)

    def describe(self) -> str:
        return f"{len(self.values)} rows in memory"


@dataclass(frozen=True)
class FrameRows:
    """A pandas DataFrame; a missing value (NaN, NA, NaT) is None, whatever its column's type."""

    frame: Any

    def rows(self) -> Iterator[Mapping[str, object]]:
        import pandas as pd

        objects = self.frame.astype(object)
        for row in objects.where(pd.notna(objects), None).to_dict("records"):
            yield {str(name): value for name, value in row.items()}

    def describe(self) -> str:
        return f"DataFrame of {len(self.frame)} rows"


@dataclass(frozen=True)
class DatasetRows:
    """A `datasets.Dataset`, read in the order it has."""

    dataset: Any

    def rows(self) -> Iterator[Mapping[str, object]]:
        return iter(self.dataset)

    def describe(self) -> str:
        return f"Dataset of {len(self.dataset)} rows"


def frame_of(rows: Sequence[Mapping[str, object]]) -> Any:
    """The rows as a pandas DataFrame."""
    import pandas as pd

    return pd.DataFrame(list(rows))
