"""What the server keeps: resources of every kind as JSON, in one SQLite file. Knows kinds and containers only.

It is changed in one way: inside a transaction that no other writer shares.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, overload

from wxtuning.errors import WxTuningError
from wxtuning.server.resources import Key, Query, Resource, Transaction, Wanted
from wxtuning.server.tables import TABLES

VERSION = 2

_PUT_ASIDE = "Put the file aside to begin anew, or name another folder with --home."


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
        connection.executescript(f"PRAGMA journal_mode = WAL; {TABLES} PRAGMA user_version = {VERSION};")

    def _keep_open(self) -> None:
        # When the last connection closes, SQLite folds its log into the file; without this one, on every call.
        kept = sqlite3.connect(self.file, check_same_thread=False)
        kept.execute("SELECT count(*) FROM keys").fetchone()
        weakref.finalize(self, kept.close)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """What happens inside happens as a whole, or not at all if it raises; other writers wait until it has ended.

        Inside, this state is asked through the transaction only: another write would wait for itself.
        """
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield Transaction(connection)
            connection.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        with self._connection() as connection:
            connection.execute("BEGIN")
            yield Transaction(connection)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        # A connection for each call: nothing is shared between threads, and it costs little.
        connection = sqlite3.connect(self.file, timeout=30, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            yield connection
        finally:
            connection.close()

    def add(
        self, kind: str, *, container: str, name: str, body: Mapping[str, Any], id: str = "", key: Key | None = None
    ) -> tuple[Resource, bool]:
        """As `Transaction.add`, by itself."""
        with self.transaction() as transaction:
            return transaction.add(kind, container=container, name=name, body=body, id=id, key=key)

    def change(self, kind: str, id: str, change: Callable[[Resource], Resource]) -> Resource | None:
        """As `Transaction.change`, by itself; `change` sees the resource as it is now."""
        with self.transaction() as transaction:
            return transaction.change(kind, id, change)

    def remove(self, resource: Resource) -> None:
        """As `Transaction.remove`, by itself."""
        with self.transaction() as transaction:
            transaction.remove(resource)

    def get(self, kind: str, id: str) -> Resource | None:
        """The resource with this id, or None."""
        with self._reading() as transaction:
            return transaction.get(kind, id)

    def keyed(self, kind: str, container: str, key: Key | None) -> Resource | None:
        """As `Transaction.keyed`."""
        with self._reading() as transaction:
            return transaction.keyed(kind, container, key)

    def all(
        self, kind: str, container: str | None = None, *, name: str | None = None, marks: Sequence[Wanted] = ()
    ) -> tuple[Resource, ...]:
        """The resources that are meant, the newest first; arguments as of `Query`."""
        with self._reading() as transaction:
            return transaction.find(Query(kind=kind, container=container, name=name, marks=marks))

    def found(
        self, kind: str, container: str | None = None, *, name: str | None = None, marks: Sequence[Wanted] = ()
    ) -> Found:
        """As `all`, but read only as far as it is looked at; for lists of any length."""
        return Found(self, Query(kind=kind, container=container, name=name, marks=marks))

    def ids(self, kind: str) -> set[str]:
        """The ids of all resources of a kind."""
        with self._reading() as transaction:
            return transaction.ids(kind)

    def values(self, kind: str, mark: str) -> set[str]:
        """The values that a mark has among the resources of a kind."""
        with self._reading() as transaction:
            return transaction.values(kind, mark)

    def part(self, query: Query, *, limit: int, start: int) -> tuple[Resource, ...]:
        """So many of the resources that are meant, from one on."""
        with self._reading() as transaction:
            return transaction.find(query, limit=limit, start=start)

    def count(self, query: Query) -> int:
        """How many resources are meant."""
        with self._reading() as transaction:
            return transaction.count(query)


class Found(Sequence[Resource]):
    """The resources that are meant, the newest first; each look at it reads what it needs. Slices have no steps."""

    def __init__(self, state: State, query: Query) -> None:
        self._state = state
        self._query = query

    def __len__(self) -> int:
        return self._state.count(self._query)

    @overload
    def __getitem__(self, at: int) -> Resource: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Resource, ...]: ...

    def __getitem__(self, at: int | slice) -> Resource | tuple[Resource, ...]:
        if isinstance(at, int):
            return self._state.part(self._query, limit=1, start=range(len(self))[at])[0]
        start, end, _ = at.indices(len(self))
        return self._state.part(self._query, limit=max(0, end - start), start=start)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self[:])


__all__ = ["Found", "Key", "Query", "Resource", "State", "Transaction", "Wanted"]
