"""What is left behind under a key, removed. Knows no owners."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from wxtuning.adapters.cos.connection import Connection
from wxtuning.adapters.cos.upload import open_uploads, with_parts
from wxtuning.errors import WxTuningError

log = logging.getLogger("wxtuning.cos")


@contextmanager
def tidying(what: str) -> Iterator[None]:
    """For what tidies up after a success: that it fails is worth a warning, and does not undo the success."""
    try:
        yield
    except WxTuningError as error:
        log.warning("%s is stored, but what was left behind on the way could not be removed: %s", what, error)


def end_uploads(connection: Connection, key: str) -> None:
    """End every upload that is open under a key."""
    for upload in [*open_uploads(connection, key)]:
        upload.abort()


def end_empty_uploads(connection: Connection, key: str) -> None:
    """End the open uploads of a key that have no part, such as one whose beginning was answered to nobody.

    One with parts may be another process's, about to be completed: not every server keeps an end from taking away the
    parts of what has just become an object.
    """
    for upload in [*open_uploads(connection, key)]:
        if not with_parts(upload).kept:
            upload.abort()


def clear(connection: Connection, key: str) -> None:
    """Remove the object of this key, and its open uploads; nothing is asked to be removed that is not there."""
    if key in keys(connection, key):
        connection.ask("delete_object", Key=key)
    end_uploads(connection, key)


def keys(connection: Connection, begin: str) -> list[str]:
    """All keys that begin so, in order."""
    pages = connection.pages(
        "list_objects_v2", {"NextContinuationToken": "ContinuationToken"}, Prefix=begin, MaxKeys=1000
    )
    return sorted(each["Key"] for page in pages for each in page.get("Contents", ()))
