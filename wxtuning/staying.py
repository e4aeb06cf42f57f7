"""What is given up and may not be removed: noted while the rest goes, and told in the end. Knows no store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wxtuning.errors import NotAuthorized, NotOffered


class Staying:
    """What stays of an owner that gives everything up."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._refusals: dict[str, NotAuthorized | NotOffered] = {}

    @contextmanager
    def noting(self, name: str) -> Iterator[None]:
        """Note that this stays, if the block is refused."""
        try:
            yield
        except (NotAuthorized, NotOffered) as refusal:
            self._refusals[name] = refusal

    def tell(self) -> None:
        """Say what stays.

        Raises:
            NotAuthorized, NotOffered: if anything does: the first refusal, with the names of all that stays.
        """
        if not self._refusals:
            return
        first = next(iter(self._refusals.values()))
        raise type(first)(
            f"{first.args[0]}; what stays of {self._owner!r}: {', '.join(self._refusals)}",
            backend=first.backend,
            hint=f"{first.hint} Then release again, or have it removed by who may.".strip(),
        ) from first
