"""The content of assets: attachments, and the files that hold them. Knows nothing of addresses or trainings."""

from __future__ import annotations

from pathlib import Path

from wxtuning.server.errors import Refused
from wxtuning.server.ground import Ground
from wxtuning.server.state import Resource


def attachments_of(ground: Ground, asset: Resource) -> list[Resource]:
    """The attachments of an asset, the newest first."""
    return list(ground.state.all("attachment", marks=[("asset", (asset.id,))]))


def file_of(ground: Ground, attachment: Resource) -> Path:
    """The file that holds an uploaded attachment, there or not."""
    return ground.folder("attachments") / attachment.id


def content_of(ground: Ground, asset: Resource) -> tuple[Resource, Path | None]:
    """The newest whole attachment of an asset, and its file; None for one that lies in a foreign store.

    Raises:
        Refused: if the asset has none.
    """
    for attachment in attachments_of(ground, asset):
        if attachment.body.get("connection_id"):
            return attachment, None
        file = file_of(ground, attachment)
        if attachment.body["transfer_complete"] and file.is_file():
            return attachment, file
    raise Refused(404, "not_found", f"asset {asset.id} has no content; upload it and complete the attachment first")
