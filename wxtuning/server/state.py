"""What the server keeps: resources of every kind as JSON, in one SQLite file. Knows kinds and containers only."""

from __future__ import annotations

import json
import sqlite3
import uuid
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wxtuning.errors import WxTuningError

VERSION = 1

_PUT_ASIDE = "Put the file aside to begin anew, or name another folder with --home."

_TABLES = """
CREATE TABLE IF NOT EXISTS resources (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    container TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    modified_at TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, id)
);
CREATE INDEX IF NOT EXISTS of_a_kind ON resources (kind, container, number);
CREATE TABLE IF NOT EXISTS keys (
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    container TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (key, kind, container)
);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """Something that has an id. `container` is the project or space it belongs to; `body` is a JSON object.

    `number` grows with every resource that is added. Times are ISO 8601 in UTC, as the service writes them.
    """

    number: int
    kind: str
    id: str
    container: str
    name: str
    created_at: str
    modified_at: str
    body: dict[str, Any]


class State:
    """Safe for several threads; what a call wrote is on the disk when it returns.

    Args:
        file: Where it lies; made for its owner alone if missing.

    Raises:
        WxTuningError: if the file is of another version, or no state at all; it is left as it is.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        # SQLite gives the files that it adds the rights of this one.
        file.touch(mode=0o600)
        try:
            with self._connection() as connection:
                self._prepare(connection)
            self._keep_open()
        except sqlite3.DatabaseError as cause:
            raise WxTuningError(f"{file} cannot be read as a server's state: {cause}", hint=_PUT_ASIDE) from cause

    def _prepare(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, VERSION):
            message = f"{self.file} is of version {found} of a server's state, this is version {VERSION}"
            raise WxTuningError(message, hint=f"Start the wxtuning that wrote it. {_PUT_ASIDE}")
        connection.execute("COMMIT")
        connection.executescript(f"PRAGMA journal_mode = WAL; {_TABLES} PRAGMA user_version = {VERSION};")

    def _keep_open(self) -> None:
        # When the last connection closes, SQLite folds its log into the file; without this one, on every call.
        kept = sqlite3.connect(self.file, check_same_thread=False)
        kept.execute("SELECT count(*) FROM keys").fetchone()
        weakref.finalize(self, kept.close)

    def add(
        self, kind: str, *, container: str, name: str, body: Mapping[str, Any], id: str = "", key: str = ""
    ) -> tuple[Resource, bool]:
        """Add a resource; with a `key` that was used before for this kind and container, the one of then comes back.

        Returns:
            The resource, and whether it is new.
        """
        identity, now = id or str(uuid.uuid4()), _now()
        with self._connection(writes=True) as connection:
            if key and (known := _keyed(connection, key, kind, container)):
                return known, False
            connection.execute(
                "INSERT INTO resources (kind, id, container, name, created_at, modified_at, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (kind, identity, container, name, now, now, _text(body)),
            )
            if key:
                connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?)", (key, kind, container, identity))
            found = _one(connection, kind, identity)
        assert found is not None
        return found, True

    def keyed(self, kind: str, container: str, key: str) -> Resource | None:
        """The resource that was added with a key, or None."""
        with self._connection() as connection:
            return _keyed(connection, key, kind, container) if key else None

    def get(self, kind: str, id: str) -> Resource | None:
        """The resource with this id, or None."""
        with self._connection() as connection:
            return _one(connection, kind, id)

    def change(self, resource: Resource, body: Mapping[str, Any], *, name: str | None = None) -> Resource:
        """Replace a resource's body; returns the resource as it is now."""
        with self._connection(writes=True) as connection:
            connection.execute(
                "UPDATE resources SET body = ?, name = ?, modified_at = ? WHERE kind = ? AND id = ?",
                (_text(body), resource.name if name is None else name, _now(), resource.kind, resource.id),
            )
            found = _one(connection, resource.kind, resource.id)
        return found or resource

    def remove(self, resource: Resource) -> None:
        """Remove a resource and its keys; nothing happens if it is gone."""
        with self._connection(writes=True) as connection:
            connection.execute("DELETE FROM resources WHERE kind = ? AND id = ?", (resource.kind, resource.id))
            connection.execute("DELETE FROM keys WHERE kind = ? AND id = ?", (resource.kind, resource.id))

    def all(self, kind: str, container: str | None = None, *, name: str | None = None) -> tuple[Resource, ...]:
        """The resources of a kind, the newest first; only those of a container or a name, if one is given."""
        asked = {"container": container, "name": name}
        given = {column: value for column, value in asked.items() if value is not None}
        where = "".join(f" AND {column} = ?" for column in given)
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT * FROM resources WHERE kind = ?{where} ORDER BY number DESC", (kind, *given.values())
            )
            return tuple(map(_resource, rows))

    def held(self, container: str) -> dict[str, int]:
        """How many resources of each kind a project or space holds."""
        with self._connection() as connection:
            counted = "SELECT kind, count(*) FROM resources WHERE container = ? GROUP BY kind ORDER BY kind"
            return dict(connection.execute(counted, (container,)).fetchall())

    @contextmanager
    def _connection(self, *, writes: bool = False) -> Iterator[sqlite3.Connection]:
        # A connection for each call: nothing is shared between threads, and it costs little.
        connection = sqlite3.connect(self.file, timeout=30, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            yield connection
            connection.execute("COMMIT") if connection.in_transaction else None
        finally:
            connection.close()


def _keyed(connection: sqlite3.Connection, key: str, kind: str, container: str) -> Resource | None:
    row = connection.execute(
        "SELECT id FROM keys WHERE key = ? AND kind = ? AND container = ?", (key, kind, container)
    ).fetchone()
    return _one(connection, kind, row[0]) if row else None


def _one(connection: sqlite3.Connection, kind: str, id: str) -> Resource | None:
    row = connection.execute("SELECT * FROM resources WHERE kind = ? AND id = ?", (kind, id)).fetchone()
    return _resource(row) if row else None


def _resource(row: tuple[Any, ...]) -> Resource:
    number, kind, identity, container, name, created_at, modified_at, body = row
    return Resource(
        number=number, kind=kind, id=identity, container=container, name=name, created_at=created_at,
        modified_at=modified_at, body=json.loads(body),
    )  # fmt: skip


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
