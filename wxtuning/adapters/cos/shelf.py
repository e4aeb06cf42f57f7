"""Which of its names a file gets, and the note that keeps it there. Knows no bytes: it is told how they are proven."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from wxtuning.adapters.cos.connection import Connection, quietly
from wxtuning.adapters.cos.faults import BACKEND, Missing
from wxtuning.adapters.cos.owners import Owners
from wxtuning.adapters.cos.tidying import end_uploads, tidying
from wxtuning.errors import Unavailable, UploadIntegrityError
from wxtuning.status import DataRef
from wxtuning.stored import file_names

Holds = Callable[[str], bool | None]
"""Whether the object under a key is the file; None if there is none."""

Bring = Callable[[str], None]
"""Puts the file under a key, and proves it."""

_BEGINNINGS = 3


class Shelf:
    """The files of a store, for one owner.

    The note comes before the first look at the object, so whoever gives a file up and looks for notes right before
    removing it (see `releasing`) either finds this one, or has told beforehand that the file goes.

    Args:
        connection: To the bucket.
        prefix: Of the store; empty, or with a slash at its end.
        owner: Who needs the files.
    """

    def __init__(self, connection: Connection, prefix: str, owner: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._owner = owner
        self._owners = Owners(connection, prefix)
        self._new: set[str] = set()

    def keep(self, data: DataRef, name: str, holds: Holds, bring: Bring) -> DataRef:
        """See to it that a file is there, under the first of its names that is free.

        Raises:
            UploadIntegrityError: if no name is.
            Unavailable: if it goes again and again while it is brought.
        """
        for _ in range(_BEGINNINGS):
            try:
                return self._kept(data, name, holds, bring)
            except Missing as error:
                # Somebody has ended the upload, or finished it, or removed the object; what is there now decides.
                gone = error
                self._connection.go_on()
        raise Unavailable(
            f"what was brought of {data.uri} was gone {_BEGINNINGS} times: {gone.args[0]}",
            backend=BACKEND,
            hint="Make sure that nobody cleans up this bucket, or writes other bytes under the same owner and name; "
            "then run the same line again.",
        ) from gone

    def holds_any(self, name: str) -> bool:
        """Whether there is a note of the owner for a file of this name, whatever its bytes."""
        return self._owners.need(self._owner, name)

    def give_up(self) -> None:
        """Take back the notes that were made here, and end what was begun under their names."""
        for file in self._new:
            with quietly():
                end_uploads(self._connection, self._prefix + file)
            with quietly():
                self._owners.remove(self._owner, file)

    def _kept(self, data: DataRef, name: str, holds: Holds, bring: Bring) -> DataRef:
        for file in file_names(name, data.sha256):
            if self._is_kept(file, data, holds, bring):
                return replace(data, uri=f"{self._connection.place.address}/{self._prefix}{file}")
        raise UploadIntegrityError(
            f"every name for {name!r} with SHA-256 {data.sha256} is taken by other content in "
            f"{self._connection.place.bucket!r}",
            backend=BACKEND,
            hint="Somebody changed the files there; take another prefix=.",
        )

    def _is_kept(self, file: str, data: DataRef, holds: Holds, bring: Bring) -> bool:
        if self._owners.add(self._owner, file, data):
            self._new.add(file)
        if self._owners.is_released(file, self._owner):
            return False  # whoever gives it up may not have seen the note, and may remove it at any moment
        is_there = holds(self._prefix + file)
        if is_there is None:
            bring(self._prefix + file)
        elif not is_there and file in self._new:
            with tidying(file):
                self._owners.remove(self._owner, file)
                self._new.remove(file)
        return is_there is not False
