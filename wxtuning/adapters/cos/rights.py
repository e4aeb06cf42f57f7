"""Whether the keys have the rights that keeping files takes: questions about what is not there, so nothing changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wxtuning.adapters.cos.connection import Connection
from wxtuning.adapters.cos.faults import Missing, Unsupported

_NOBODYS = {"UploadId": "none"}
_TO_GO_ON = ("list_multipart_uploads", "list_parts", "abort_multipart_upload")
"""What a server may lack: it then begins every upload anew."""


def check_rights(connection: Connection, folder: str) -> None:
    """Ask for all that putting and releasing files takes; the right to delete cannot be asked for without deleting.

    Args:
        connection: To the bucket.
        folder: What all keys begin with.

    Raises:
        NotAuthorized: names the first right that is missing.
        NotOffered: if there is no such bucket, or the server is no such store.
        Unavailable: if nobody answers.
    """
    for operation, parameters in _questions(f"{folder}.check"):
        try:
            connection.ask(operation, **parameters)
        except Missing:  # refused for what is not there, not for who asks
            continue
        except Unsupported:
            if operation not in _TO_GO_ON:
                raise


def _questions(key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # Without the right to list, a server may not say that an object is missing: so that comes first.
    yield "list_objects_v2", {"Prefix": key, "MaxKeys": 1}
    yield "head_object", {"Key": key}
    yield "upload_part", {"Key": key, **_NOBODYS, "PartNumber": 1, "Body": b""}
    yield "list_multipart_uploads", {"Prefix": key, "MaxUploads": 1}
    yield "list_parts", {"Key": key, **_NOBODYS}
    yield "abort_multipart_upload", {"Key": key, **_NOBODYS}
