"""How an owner gives up its files, without taking one from somebody who just comes to need it."""

from __future__ import annotations

from wxtuning.adapters.cos.connection import Connection
from wxtuning.adapters.cos.faults import Missing
from wxtuning.adapters.cos.owners import Owners
from wxtuning.adapters.cos.tidying import end_uploads
from wxtuning.status import DataRef
from wxtuning.staying import Staying
from wxtuning.stored import INCOMING


def released(connection: Connection, prefix: str, owner: str) -> tuple[DataRef, ...]:
    """Give up an owner's files; those that were removed because nobody else needs them, by name.

    Raises:
        NotAuthorized, NotOffered: if something may not be removed; names it, and the rest is gone.
    """
    owners, staying, removed = Owners(connection, prefix), Staying(owner), []
    with staying.noting(f"{INCOMING}/{owner}"):
        owners.clear_incoming(owner)
    noted = {ref.uri: ref for ref in (*owners.files(owner), *owners.unfinished(owner))}
    for uri, ref in sorted(noted.items()):
        with staying.noting(uri.rpartition("/")[2]):
            if _is_removed(connection, owners, owner, ref):
                removed.append(ref)
    staying.tell()
    return tuple(removed)


def _is_removed(connection: Connection, owners: Owners, owner: str, ref: DataRef) -> bool:
    key = ref.uri.removeprefix(f"{connection.place.address}/")
    file = key.removeprefix(owners.prefix)
    owners.begin_release(owner, file, ref)
    # Whoever has noted the file by now is seen; whoever does so later sees that it is being released, and takes another
    # name (see `shelf`).
    is_removed = not owners.are_of(file) and _removed(connection, key, ref)
    owners.end_release(owner, file)
    return is_removed


def _removed(connection: Connection, key: str, ref: DataRef) -> bool:
    end_uploads(connection, key)
    if not is_there(connection, key, ref):
        return False
    connection.ask("delete_object", Key=key)
    return True


def is_there(connection: Connection, key: str, ref: DataRef) -> bool:
    """Whether a file of this name and size is there."""
    try:
        return int(connection.ask("head_object", Key=key)["ContentLength"]) == ref.size_bytes
    except Missing:
        return False
