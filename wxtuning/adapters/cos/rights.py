"""Whether the keys have the rights that keeping files takes: questions about what is not there, so nothing changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wxtuning.adapters.cos.connection import Connection
from wxtuning.adapters.cos.faults import Missing, Unsupported
from wxtuning.errors import NotAuthorized
from wxtuning.stored import CHECK

_NOBODYS = {"UploadId": "none"}
_TO_GO_ON = ("list_multipart_uploads", "list_parts")
"""What a server may lack: it then begins every upload anew."""

_TO_TIDY_UP = {
    "abort_multipart_upload": "what an upload has sent that is not finished stays",
    "delete_object": "the files of every run stay, with their notes in .owners/, and release() removes nothing",
}
"""What keys and server may lack: storing a file takes none of it, and this is what stays then."""


def check_rights(connection: Connection, folder: str) -> tuple[str, ...]:
    """Ask for all that putting and releasing files takes.

    Args:
        connection: To the bucket.
        folder: What all keys begin with.

    Returns:
        A sentence for each right to remove something that is missing.

    Raises:
        NotAuthorized: names the first other right that is missing.
        NotOffered: if there is no such bucket, or the server is no such store.
        Unavailable: if nobody answers.
    """
    staying = []
    for operation, parameters in _questions(f"{folder}{CHECK}"):
        try:
            connection.ask(operation, **parameters)
        except Missing:  # refused for what is not there, not for who asks
            continue
        except (NotAuthorized, Unsupported) as lack:
            if operation in _TO_TIDY_UP:
                staying.append(f"{lack.args[0]}: {_TO_TIDY_UP[operation]}. {_A_WAY}")
            elif isinstance(lack, NotAuthorized) or operation not in _TO_GO_ON:
                raise
    return tuple(staying)


_A_WAY = "Ask the bucket's owner for that right, or for a rule of the bucket by which such things expire."


def _questions(key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # Without the right to list, a server may not say that an object is missing: so that comes first.
    yield "list_objects_v2", {"Prefix": key, "MaxKeys": 1}
    yield "head_object", {"Key": key}
    yield "upload_part", {"Key": key, **_NOBODYS, "PartNumber": 1, "Body": b""}
    yield "list_multipart_uploads", {"Prefix": key, "MaxUploads": 1}
    yield "list_parts", {"Key": key, **_NOBODYS}
    yield "abort_multipart_upload", {"Key": key, **_NOBODYS}
    yield "delete_object", {"Key": key}
