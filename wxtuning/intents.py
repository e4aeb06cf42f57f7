"""What is about to be created elsewhere, written down before it is asked for. Knows places, tags and times; sends
nothing.

An attempt is one request that creates something. Its row, with the time, is on the disk before the request leaves, so
that after a kill at any instruction nobody has to guess whether one was sent, or how long ago at most.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from wxtuning.journal import Journal

TAG = "wxtuning."
"""What the tag of everything that wxtuning creates begins with; the key that it was made with follows."""

BOOT = Path("/proc/sys/kernel/random/boot_id")


class Outcome(StrEnum):
    """What became of an attempt."""

    OPEN = "open"
    """Nobody knows yet."""
    MADE = "made"
    """It is there, under the attempt's id."""
    ADOPTED = "adopted"
    """A person said that it is there, under the attempt's id; the service is asked for that id each time."""
    REFUSED = "refused"
    """The service said that it made nothing."""
    EMPTY = "empty"
    """It did not appear within the settle time."""
    GIVEN_UP = "given up"
    """A person said that there is nothing; or that what is there, under the attempt's id, is not to be taken again."""
    SEVERAL = "several"
    """More than one thing has the tag; a person has to say which it is."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A point in time by the time of day, which somebody may set, and by a clock that runs since `boot`."""

    day: datetime
    boot: str
    ticks: float

    def seconds_since(self, earlier: Moment) -> float:
        """Never negative; by the clock that nobody sets, unless the machine was started since."""
        if self.boot and self.boot == earlier.boot:
            return max(0.0, self.ticks - earlier.ticks)
        return max(0.0, (self.day - earlier.day).total_seconds())


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One request to create what carries `tag`; `id` is what it made, or what was taken instead, once that is known.

    It `started` when it was written down, or when its request left since.
    """

    place: str
    tag: str
    number: int
    started: Moment
    outcome: Outcome
    id: str


class Intents:
    """The attempts of a journal.

    Args:
        journal: Where they are kept.
        clock: Monotonic seconds.
        day: The time of day.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        clock: Callable[[], float] = time.monotonic,
        day: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._day = day

    def now(self) -> Moment:
        return Moment(day=self._day(), boot=_boot(), ticks=self._clock())

    def begin(self, place: str, tag: str, outcome: Outcome = Outcome.OPEN, id: str = "") -> Attempt:
        """Write down that something is about to be created.

        Raises:
            JournalError: if that cannot be written; then nothing may be sent.
        """
        moment = self.now()
        with self._journal.connection() as connection:
            # Counted and written in one: two may begin at once.
            row = (place, tag, moment.day.isoformat(), moment.boot, moment.ticks, outcome.value, id, place, tag)
            counted = (
                "SELECT ?, ?, COALESCE(MAX(number), 0) + 1, ?, ?, ?, ?, ? FROM attempts WHERE place = ? AND tag = ?"
            )
            found = connection.execute(f"INSERT INTO attempts ({_COLUMNS}) {counted} RETURNING number", row)
            (number,) = found.fetchone()
        return Attempt(place=place, tag=tag, number=number, started=moment, outcome=outcome, id=id)

    def leaves(self, attempt: Attempt) -> None:
        """Write down that the request of an attempt leaves now; from its last such moment on its time counts.

        Raises:
            JournalError: as for `begin`.
        """
        moment = self.now()
        with self._journal.connection() as connection:
            connection.execute(
                "UPDATE attempts SET started_at = ?, boot = ?, ticks = ? WHERE place = ? AND tag = ? AND number = ?",
                (moment.day.isoformat(), moment.boot, moment.ticks, attempt.place, attempt.tag, attempt.number),
            )

    def end(self, attempt: Attempt, outcome: Outcome, id: str = "") -> None:
        """Write down what became of an attempt."""
        with self._journal.connection() as connection:
            connection.execute(
                "UPDATE attempts SET outcome = ?, id = ? WHERE place = ? AND tag = ? AND number = ?",
                (outcome.value, id, attempt.place, attempt.tag, attempt.number),
            )

    def last(self, place: str, tag: str) -> Attempt | None:
        """The newest attempt to create this, or None if there was none."""
        return next((each for each in self.latest(tag) if each.place == place), None)

    def latest(self, tag: str) -> tuple[Attempt, ...]:
        """The newest attempt of every place where something with this tag was to be created."""
        newest = "number = (SELECT MAX(number) FROM attempts AS o WHERE o.place = a.place AND o.tag = a.tag)"
        return self._select(f"SELECT {_COLUMNS} FROM attempts AS a WHERE tag = ? AND {newest} ORDER BY place", tag)

    def attempts(self, place: str, tag: str) -> tuple[Attempt, ...]:
        """Every attempt to create this, the oldest first."""
        return self._select(f"SELECT {_COLUMNS} FROM attempts WHERE place = ? AND tag = ? ORDER BY number", place, tag)

    def _select(self, query: str, *values: str) -> tuple[Attempt, ...]:
        with self._journal.connection() as connection:
            return tuple(_attempt(row) for row in connection.execute(query, values))


_COLUMNS = "place, tag, number, started_at, boot, ticks, outcome, id"


def _attempt(row: sqlite3.Row | tuple[str, str, int, str, str, float, str, str]) -> Attempt:
    place, tag, number, day, boot, ticks, outcome, identity = row
    started = Moment(day=datetime.fromisoformat(day), boot=boot, ticks=ticks)
    return Attempt(place=place, tag=tag, number=number, started=started, outcome=Outcome(outcome), id=identity)


def _boot() -> str:
    """What tells one start of this machine from another; empty where the system does not say."""
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
