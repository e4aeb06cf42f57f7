"""The write-ahead record of every step of every run. Knows keys, steps and JSON; knows nothing of what steps do.

A step is written down before it starts and when it is done, durably, so that after a kill at any instruction the same
line continues where it stopped.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wxtuning.errors import JournalError
from wxtuning.tables import shortened

VERSION = 2
MOST_SHOWN = 60

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    plan TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS steps (
    run TEXT NOT NULL REFERENCES runs (key),
    step TEXT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    value TEXT,
    PRIMARY KEY (run, step)
);
CREATE TABLE IF NOT EXISTS attempts (
    place TEXT NOT NULL,
    tag TEXT NOT NULL,
    number INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    boot TEXT NOT NULL,
    ticks REAL NOT NULL,
    outcome TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (place, tag, number)
);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A step of a run: `value` is what it returned, as JSON values; `finished_at` is None while it is not done."""

    step: str
    started_at: datetime
    finished_at: datetime | None
    value: object

    @property
    def seconds(self) -> float | None:
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """A run as the journal knows it; `plan` is the plan's JSON text."""

    key: str
    name: str
    plan: str
    created_at: datetime
    steps: tuple[Entry, ...]

    def value(self, step: str) -> object | None:
        """What a finished step returned, or None if it is not finished."""
        return next((entry.value for entry in self.steps if entry.step == step and entry.finished_at), None)


class Journal:
    """The record in one SQLite file. Safe for several processes and threads; every write is on disk when it returns.

    Raises:
        JournalError: from every method, if the file is damaged, of a newer version, or cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        with self.connection() as connection:
            self._prepare(connection)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise JournalError(
                f"{self.file} was written by a newer wxtuning (format {version}, this one knows {VERSION})",
                hint="Upgrade wxtuning, or name another folder in WXTUNING_HOME.",
            )
        if version < VERSION:
            connection.executescript(f"{_TABLES} PRAGMA user_version = {VERSION};")

    def begin(self, key: str, name: str, plan: str) -> None:
        """Write a run down; nothing changes if it is known."""
        with self.connection() as connection:
            row = (key, name, plan, _now())
            connection.execute("INSERT OR IGNORE INTO runs (key, name, plan, created_at) VALUES (?, ?, ?, ?)", row)

    def start(self, run: str, step: str) -> None:
        """Write down that a step is about to happen; the first start's time is kept."""
        with self.connection() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO steps (run, step, started_at) VALUES (?, ?, ?)", (run, step, _now())
            )

    def finish(self, run: str, step: str, value: object) -> None:
        """Write down that a started step is done and what it returned, a JSON value other than None.

        Saying the same again changes nothing.

        Raises:
            JournalError: if the step was never started, or is finished with another value.
        """
        with self.connection() as connection:
            text = json.dumps(value, ensure_ascii=False)
            changed = connection.execute(
                "UPDATE steps SET finished_at = ?, value = ? WHERE run = ? AND step = ? AND finished_at IS NULL",
                (_now(), text, run, step),
            ).rowcount
            if not changed:
                _check_same(connection, run, step, text)

    def undo(self, run: str, step: str) -> None:
        """Take back that a step, and every step that was begun after it, is done; nothing happens if none is."""
        with self.connection() as connection:
            connection.execute(
                "DELETE FROM steps WHERE run = ? AND rowid >= "
                "(SELECT rowid FROM steps AS o WHERE o.run = ? AND o.step = ?)",
                (run, run, step),
            )

    def forget(self, run: str) -> None:
        """Remove a run's record; its folders are not touched."""
        with self.connection() as connection:
            connection.execute("DELETE FROM steps WHERE run = ?", (run,))
            connection.execute("DELETE FROM runs WHERE key = ?", (run,))

    def run(self, key: str) -> RunRecord | None:
        """The run with this key, or None."""
        return next(iter(self._runs("WHERE key = ?", key)), None)

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs, the newest first."""
        return self._runs("ORDER BY created_at DESC")

    def _runs(self, which: str, *values: str) -> tuple[RunRecord, ...]:
        with self.connection() as connection:
            rows = connection.execute(f"SELECT key, name, plan, created_at FROM runs {which}", values).fetchall()
            return tuple(self._record(connection, *row) for row in rows)

    def _record(self, connection: sqlite3.Connection, key: str, name: str, plan: str, created_at: str) -> RunRecord:
        found = connection.execute(
            "SELECT step, started_at, finished_at, value FROM steps WHERE run = ? ORDER BY started_at, rowid", (key,)
        )
        return RunRecord(
            key=key,
            name=name,
            plan=plan,
            created_at=datetime.fromisoformat(created_at),
            steps=tuple(_entry(*row) for row in found),
        )

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A transaction; what was written in it is on the disk when the block ends."""
        # A connection for each call: nothing is shared across threads, forks or a notebook's restarts.
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.file, timeout=30)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                with connection:
                    yield connection
            finally:
                connection.close()
        except (sqlite3.DatabaseError, OSError, ValueError) as cause:
            raise JournalError(f"the journal {self.file} cannot be used: {cause}", hint=_way_on(cause)) from cause


def _way_on(cause: Exception) -> str:
    # A journal put aside needlessly is one that no longer keeps anything from being paid for twice.
    if isinstance(cause, sqlite3.OperationalError | OSError):
        return "Make room, or make its folder writable, and run the same line again; what was written is kept."
    return "Put the file aside to start with an empty journal; finished adapters stay where they are."


def _check_same(connection: sqlite3.Connection, run: str, step: str, text: str) -> None:
    found = connection.execute("SELECT value FROM steps WHERE run = ? AND step = ?", (run, step)).fetchone()
    if found is None:
        raise JournalError(
            f"step {step!r} of run {run!r} cannot finish: expected one that was started, found no such step",
            hint="Call start(run, step) before the step happens.",
        )
    if _ordered(found[0]) != _ordered(text):
        raise JournalError(
            f"step {step!r} of run {run!r} finished before with {shortened(found[0], MOST_SHOWN)}; "
            f"expected the same again, found {shortened(text, MOST_SHOWN)}",
            hint="What was written first is kept. Change the experiment's name to start anew.",
        )


def _ordered(text: str) -> str:
    # Compared as text, so that 1, 1.0 and True stay three values.
    return json.dumps(json.loads(text), sort_keys=True)


def _entry(step: str, started_at: str, finished_at: str | None, value: str | None) -> Entry:
    return Entry(
        step=step,
        started_at=datetime.fromisoformat(started_at),
        finished_at=datetime.fromisoformat(finished_at) if finished_at else None,
        value=json.loads(value) if value else None,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
