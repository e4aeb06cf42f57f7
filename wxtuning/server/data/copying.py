"""The data of a reference, copied. Opens only what is in the server's own home, and objects of stores that `endpoints`
lets through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wxtuning.server.data.attachments import content_of
from wxtuning.server.data.files import file_at, inside
from wxtuning.server.data.objects import fetch
from wxtuning.server.data.references import Location, Reference, asset_named, file_named
from wxtuning.server.errors import HERE, not_found
from wxtuning.server.ground import Ground
from wxtuning.server.private import copy


def copy_data(ground: Ground, container: str, reference: Reference, folder: Path) -> Path:
    """Copy the data of a reference into a folder, under a name that tells its format.

    Raises:
        Refused: if it is not there, or may not be read.
    """
    kind = reference["type"]
    if kind == "data_asset":
        return _asset(ground, container, asset_named(reference["location"]), folder)
    if kind == "connection_asset":
        return _object(ground, container, reference["connection"]["id"], reference["location"], folder)
    path = file_named(reference["location"])
    file = file_at(ground, container, inside(container, path) if kind == "fs" else path)
    return _copied(file, folder, file.name)


def _asset(ground: Ground, container: str, identity: str, folder: Path) -> Path:
    asset = ground.state.get("asset", identity)
    if asset is None or asset.container != container:
        raise not_found("data asset", identity, where=HERE)
    attachment, file = content_of(ground, asset)
    if file is None:
        location = {"path": attachment.body["connection_path"]}
        return _object(ground, container, attachment.body["connection_id"], location, folder)
    return _copied(file, folder, attachment.name)


def _object(ground: Ground, container: str, identity: str, location: Location, folder: Path) -> Path:
    connection = ground.state.get("connection", identity)
    if connection is None or connection.container != container:
        raise not_found("connection", identity, where=HERE)
    bucket, name = _place(connection.body["properties"], location)
    to = folder / f"data{_suffix(name)}"
    settings = ground.settings
    fetch(
        connection.body["properties"], bucket, name, to,
        allowed=settings.endpoints, most_bytes=settings.limits.upload_bytes,
    )  # fmt: skip
    return to


def _place(properties: Mapping[str, Any], location: Location) -> tuple[str, str]:
    """Bucket and name of an object: the bucket is named, or `/bucket/name` holds both, or it is the connection's."""
    bucket, name = location.get("bucket") or "", file_named(location)
    if name.startswith("/") and not bucket:
        bucket, _, name = name[1:].partition("/")
    return str(bucket or properties.get("bucket") or ""), name.removeprefix("/")


def _copied(file: Path, folder: Path, name: str) -> Path:
    to = folder / f"data{_suffix(name)}"
    copy(file, to)
    return to


def _suffix(name: str) -> str:
    """The ending that tells the format; nothing else of a caller's name becomes a file's name."""
    from wxtuning.rows.files import SUFFIXES

    found = Path(name).suffix.lower()
    return found if found in SUFFIXES else ""
