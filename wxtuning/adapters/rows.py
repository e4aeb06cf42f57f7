"""Rows that are in memory: dicts in a list, in any other iterable or from a generator, and a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from threading import Lock
from typing import Any

from wxtuning.ports import Source
from wxtuning.rows.columns import only
from wxtuning.rows.content import fingerprint_of
from wxtuning.rows.policy import named, quoted
from wxtuning.rows.verdict import FileError, Reject

Item = Mapping[str, object] | Reject

BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Rows:
    """A sequence of dicts; what is no dict is a rejected row."""

    values: Sequence[object]

    def rows(self) -> Iterator[Item]:
        return _judged(self.values)

    def describe(self) -> str:
        return f"{len(self.values)} rows in memory"

    def fingerprint(self) -> str:
        return fingerprint_of(self.values)


@dataclass(frozen=True)
class IterableRows:
    """Any other iterable of dicts, iterated anew at every call."""

    values: Iterable[object]

    def rows(self) -> Iterator[Item]:
        return _judged(self.values)

    def describe(self) -> str:
        return f"rows of a {type(self.values).__name__}"

    def fingerprint(self) -> str:
        """Empty: what iterating costs is not known."""
        return ""


class KeptRows:
    """A generator, or any other iterator, of dicts: what has been read of it is kept, the rest is not read yet."""

    def __init__(self, values: Iterator[object]) -> None:
        self._unread = values
        self._read: list[object] = []
        self._lock = Lock()

    def rows(self) -> Iterator[Item]:
        return _judged(self._values())

    def _values(self) -> Iterator[object]:
        for position in count():
            if not self._has(position):
                return
            yield self._read[position]

    def _has(self, position: int) -> bool:
        # A row that two threads wait for is taken from the generator by the one and found by the other.
        with self._lock:
            if position == len(self._read):
                self._read.extend(islice(self._unread, 1))
            return position < len(self._read)

    def describe(self) -> str:
        return "rows of a generator"

    def fingerprint(self) -> str:
        """The hash of what has been read: a generator may have no end."""
        return fingerprint_of(tuple(self._read))


def _judged(values: Iterable[object]) -> Iterator[Item]:
    for number, value in enumerate(values, start=1):
        yield value if isinstance(value, Mapping) else _no_row(number, value)


def _no_row(number: int, value: object) -> Reject:
    message = f"expected a dict, found {type(value).__name__} {quoted(value)}"
    return Reject(number=number, field="", code="not_an_object", message=message)


@dataclass(frozen=True)
class FrameRows:
    """A pandas DataFrame; a missing value (NaN, NA, NaT) is None, whatever its column's type."""

    frame: Any

    def rows(self) -> Iterator[Item]:
        """Yield the rows.

        Raises:
            FileError: if two columns have the same name.
        """
        names = [str(name) for name in self.frame.columns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise FileError(
                f"the DataFrame has several columns named {named(twice)}",
                code="duplicate_column",
                hint="Rename or drop all but one of each.",
            )
        return self._rows(names)

    def _rows(self, names: Sequence[str]) -> Iterator[Item]:
        import pandas as pd

        for start in range(0, len(self.frame), BATCH_ROWS):
            part = self.frame.iloc[start : start + BATCH_ROWS].astype(object)
            for values in part.where(pd.notna(part), None).itertuples(index=False, name=None):
                yield dict(zip(names, values, strict=True))

    def describe(self) -> str:
        return f"DataFrame of {len(self.frame)} rows"

    def fingerprint(self) -> str:
        return fingerprint_of(self.rows())


@dataclass(frozen=True)
class NarrowRows:
    """Another source with only some of its columns."""

    source: Source
    columns: Sequence[str]

    def rows(self) -> Iterator[Item]:
        return only(self.source.rows(), self.columns, self.source.describe())

    def describe(self) -> str:
        return self.source.describe()

    def fingerprint(self) -> str:
        known = getattr(self.source, "fingerprint", str)()
        return known and f"{known}?columns={','.join(self.columns)}"


def frame_of(rows: Sequence[Mapping[str, object]]) -> Any:
    """The rows as a pandas DataFrame."""
    import pandas as pd

    return pd.DataFrame(list(rows))
