"""Resources in SQL: what one transaction reads and writes. Knows no file and no other transaction."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from wxtuning.server.errors import Refused, not_found
from wxtuning.server.tables import MARKS

Wanted = tuple[str, Sequence[str]]
"""A mark, and the values of which a resource must have one."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """What makes a create happen once: with a key that was used before, the resource of then comes back.

    Args:
        text: The key; it counts for one kind in one container.
        owner: Whose it is. A caller's key is never one of the server's own, whatever it says.
        asked: What was asked for, as a digest; the same key is refused for anything else.
    """

    text: str
    owner: Literal["caller", "server"] = "server"
    asked: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """Which resources of a kind are meant: those of a container and of a name, if given, with every mark wanted."""

    kind: str
    container: str | None = None
    name: str | None = None
    marks: Sequence[Wanted] = ()

    def sql(self) -> tuple[str, list[Any]]:
        """The part from FROM on, and its values."""
        given = {"kind": self.kind, "container": self.container, "name": self.name}
        terms = [f"{column} = ?" for column, value in given.items() if value is not None]
        values: list[Any] = [value for value in given.values() if value is not None]
        for mark, wanted in self.marks:
            listed = ", ".join("?" * len(wanted))
            terms.append(f"number IN (SELECT number FROM marks WHERE name = ? AND value IN ({listed}))")
            values += [mark, *wanted]
        return f"FROM resources WHERE {' AND '.join(terms)}", values


class Transaction:
    """What is read and written together. Writes need a transaction that was begun for them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, kind: str, id: str) -> Resource | None:
        """The resource with this id, or None."""
        return self._one("SELECT * FROM resources WHERE kind = ? AND id = ?", kind, id)

    def keyed(self, kind: str, container: str, key: Key | None) -> Resource | None:
        """The resource that was added with a key, or None.

        Raises:
            Refused: if the key was used for something else.
        """
        if key is None:
            return None
        row = self._connection.execute(
            "SELECT number, asked FROM keys WHERE owner = ? AND key = ? AND kind = ? AND container = ?",
            (key.owner, key.text, kind, container),
        ).fetchone()
        found = self._one("SELECT * FROM resources WHERE number = ?", row[0]) if row else None
        if found and row[1] != key.asked:
            what = f"{kind.replace('_', ' ')} {found.id}"
            message = f"the key was used for {what}, which was asked for in other words; take another key"
            raise Refused(409, "conflict", message, target="key")
        return found

    def find(self, query: Query, *, limit: int = -1, start: int = 0) -> tuple[Resource, ...]:
        """The resources that are meant, the newest first."""
        where, values = query.sql()
        rows = self._connection.execute(
            f"SELECT * {where} ORDER BY number DESC LIMIT ? OFFSET ?", [*values, limit, start]
        )
        return tuple(map(_resource, rows))

    def count(self, query: Query) -> int:
        """How many resources are meant."""
        where, values = query.sql()
        return int(self._connection.execute(f"SELECT count(*) {where}", values).fetchone()[0])

    def held(self, container: str) -> dict[str, int]:
        """How many resources of each kind a project or space holds."""
        counted = "SELECT kind, count(*) FROM resources WHERE container = ? GROUP BY kind ORDER BY kind"
        return dict(self._connection.execute(counted, (container,)).fetchall())

    def ids(self, kind: str) -> set[str]:
        """The ids of all resources of a kind."""
        return {row[0] for row in self._connection.execute("SELECT id FROM resources WHERE kind = ?", (kind,))}

    def values(self, kind: str, mark: str) -> set[str]:
        """The values that a mark has among the resources of a kind."""
        told = "SELECT DISTINCT value FROM marks JOIN resources USING (number) WHERE marks.name = ? AND kind = ?"
        return {row[0] for row in self._connection.execute(told, (mark, kind))}

    def add(
        self, kind: str, *, container: str, name: str, body: Mapping[str, Any], id: str = "", key: Key | None = None
    ) -> tuple[Resource, bool]:
        """Add a resource, or find the one that its key made.

        Returns:
            The resource, and whether it is new.

        Raises:
            Refused: if there is no such container, or the key was used for something else.
        """
        if known := self.keyed(kind, container, key):
            return known, False
        self._check_container(container)
        identity, now = id or str(uuid.uuid4()), _now()
        number = self._connection.execute(
            "INSERT INTO resources (kind, id, container, name, created_at, modified_at, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (kind, identity, container, name, now, now, _text(body)),
        ).lastrowid
        self._mark(number, body)
        made = self._known(kind, identity)
        self._remember(key, made)
        return made, True

    def renew(self, resource: Resource, body: Mapping[str, Any], key: Key | None = None) -> Resource:
        """Let a resource begin anew with another body, and the key that asked for it bring it from now on."""
        self.change(resource.kind, resource.id, lambda found: replace(found, body=dict(body)))
        self._remember(key, resource)
        return self._known(resource.kind, resource.id)

    def _remember(self, key: Key | None, resource: Resource) -> None:
        if key is not None:
            values = (key.owner, key.text, resource.kind, resource.container, resource.number, key.asked)
            self._connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)", values)

    def change(self, kind: str, id: str, change: Callable[[Resource], Resource]) -> Resource | None:
        """Replace name and body of a resource by what `change` makes of it.

        Returns:
            The resource as it is now; None if it is gone.
        """
        found = self.get(kind, id)
        if found is None:
            return None
        wanted = change(found)
        self._connection.execute(
            "UPDATE resources SET body = ?, name = ?, modified_at = ? WHERE number = ?",
            (_text(wanted.body), wanted.name, _now(), found.number),
        )
        self._connection.execute("DELETE FROM marks WHERE number = ?", (found.number,))
        self._mark(found.number, wanted.body)
        return self._known(kind, id)

    def remove(self, resource: Resource) -> None:
        """Remove a resource and its keys; nothing happens if it is gone."""
        self._connection.execute("DELETE FROM resources WHERE number = ?", (resource.number,))

    def _check_container(self, container: str) -> None:
        kind, _, identity = container.partition("/")
        if container and self.get(kind, identity) is None:
            raise not_found(kind, identity)

    def _mark(self, number: int | None, body: Mapping[str, Any]) -> None:
        found = {(number, name, value) for name, path in MARKS.items() for value in _values(body, path)}
        self._connection.executemany("INSERT INTO marks VALUES (?, ?, ?)", found)

    def _known(self, kind: str, id: str) -> Resource:
        found = self.get(kind, id)
        assert found is not None
        return found

    def _one(self, statement: str, *values: Any) -> Resource | None:
        row = self._connection.execute(statement, values).fetchone()
        return _resource(row) if row else None


def _values(body: Any, path: tuple[str, ...]) -> Iterator[str]:
    for name in path:
        body = body.get(name) if isinstance(body, Mapping) else None
    for value in body if isinstance(body, list) else [body]:
        if isinstance(value, str) and value:
            yield value


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
