"""Rows of a data set on the Hugging Face Hub: pinned to a commit, copied to this machine or streamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from wxtuning.adapters.hub.faults import translated
from wxtuning.adapters.hub.listing import Pinned, pinned
from wxtuning.adapters.hub.quiet import hushed
from wxtuning.adapters.hub.reading import Row, batches
from wxtuning.spec import Selection


@dataclass(frozen=True)
class HubRows:
    """A data set of the Hub, by its id.

    What is asked for is pinned to a commit when it is first read, and stays there. A copy of the files that are read is
    kept in the Hub's own cache on this machine; streaming keeps none and takes no more than is used.

    Args:
        dataset: `owner/name`.
        selection: Which part of it.
        few: About so many rows will be read, if that is known; streaming then asks for small pieces.
    """

    dataset: str
    selection: Selection = field(default_factory=Selection)
    few: int | None = None

    def rows(self) -> Iterator[Row]:
        """Yield the rows of the split in the order of its files.

        Raises:
            FileError: if the data set, the revision, the configuration, the split or a column is not there, which names
                those that are; or if a file cannot be read.
            NotAuthorized: if it may not be read with the token in HF_TOKEN.
            Unavailable: if the Hub does not answer and no copy is on this machine.
        """
        found = batches(self.pinned, self.selection.columns, streaming=self.selection.streaming, few=self.few)
        while batch := self._next(found):
            yield from batch

    def _next(self, found: Iterator[list[Row]]) -> list[Row]:
        # Hushed for one batch at a time: between two of them the thread is the caller's.
        with hushed(), translated(self.dataset, self.selection.revision):
            return next(found, [])

    @cached_property
    def pinned(self) -> Pinned:
        """What the selection stands for: asks the Hub, once."""
        return pinned(self.dataset, self.selection)

    def fingerprint(self) -> str:
        """The data set, its commit, configuration and split, and the columns if not all are read."""
        columns = ",".join(self.selection.columns or ())
        return f"{self.pinned}?columns={columns}" if columns else str(self.pinned)

    def describe(self) -> str:
        """The id; with commit and split as soon as they are known. Never asks the Hub."""
        known = self.__dict__.get("pinned")
        return f"{known.dataset}@{known.commit[:12]} ({known.split})" if known else self.dataset
