"""Data references: which file a training is about, and a copy of it. Opens only what is in the server's own home, and
objects of stores that `endpoints` lets through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wxtuning.server.data.attachments import content_of
from wxtuning.server.data.files import file_at, inside
from wxtuning.server.data.objects import fetch
from wxtuning.server.errors import HERE, invalid, not_found
from wxtuning.server.ground import Ground
from wxtuning.server.private import copy
from wxtuning.server.trainings.quotes import quoted

Reference = Mapping[str, Any]

_ASSET_HREF = re.compile(r"(?:https://[^/]+)?/v2/assets/([^/?#]+)(?:\?.*)?")
DATA_TYPES = {"cpd": ("data_asset", "connection_asset", "fs"), "cloud": ("data_asset", "connection_asset", "container")}
RESULT_TYPES = {"cpd": ("fs",), "cloud": ("container", "connection_asset")}


def check_data(ground: Ground, container: str, references: Any) -> None:
    """Check what a training is said to learn from, as far as that can be told before it runs.

    Raises:
        Refused: unless it is exactly one reference of a type of this platform that says where the data is.
    """
    if not isinstance(references, list) or len(references) != 1:
        count = len(references) if isinstance(references, list) else "none"
        raise invalid(
            f"training_data_references: {count} given; expected a list of exactly one",
            target="training_data_references",
        )
    _check(ground, container, references[0], DATA_TYPES[ground.settings.platform], "training_data_references")


def check_results(ground: Ground, container: str, reference: Any) -> None:
    """Check where the results of a training are to be.

    Raises:
        Refused: unless it is a reference of a type that this platform has for results.
    """
    _check(ground, container, reference, RESULT_TYPES[ground.settings.platform], "results_reference")


def _check(ground: Ground, container: str, reference: Any, types: tuple[str, ...], place: str) -> None:
    kind = reference.get("type") if isinstance(reference, Mapping) else None
    if kind not in types:
        raise invalid(f"{place}: type {quoted(kind)} is not offered; expected one of {', '.join(types)}", target=place)
    if kind == "fs":
        inside(container, f"{_path(reference)}/")
    elif kind == "container":
        _path(reference)
    elif kind == "data_asset":
        _asset_id(reference)
    else:
        _connection_id(reference), _location(reference)


def copy_data(ground: Ground, container: str, reference: Reference, folder: Path) -> Path:
    """Copy the data of a reference into a folder, under a name that tells its format.

    Raises:
        Refused: if it is not there, or may not be read.
    """
    kind = reference["type"]
    if kind == "data_asset":
        return _asset(ground, container, _asset_id(reference), folder)
    if kind == "connection_asset":
        return _object(ground, container, _connection_id(reference), reference, folder)
    path = _path(reference)
    file = file_at(ground, container, inside(container, path) if kind == "fs" else path)
    return _copied(file, folder, file.name)


def _asset(ground: Ground, container: str, identity: str, folder: Path) -> Path:
    asset = ground.state.get("asset", identity)
    if asset is None or asset.container != container:
        raise not_found("data asset", identity, where=HERE)
    attachment, file = content_of(ground, asset)
    if file is None:
        place = {"location": {"path": attachment.body["connection_path"]}}
        return _object(ground, container, attachment.body["connection_id"], place, folder)
    return _copied(file, folder, attachment.name)


def _object(ground: Ground, container: str, identity: str, reference: Reference, folder: Path) -> Path:
    connection = ground.state.get("connection", identity)
    if connection is None or connection.container != container:
        raise not_found("connection", identity, where=HERE)
    bucket, name = _place(connection.body["properties"], reference)
    to = folder / f"data{_suffix(name)}"
    settings = ground.settings
    fetch(
        connection.body["properties"], bucket, name, to,
        allowed=settings.endpoints, most_bytes=settings.limits.upload_bytes,
    )  # fmt: skip
    return to


def _place(properties: Mapping[str, Any], reference: Reference) -> tuple[str, str]:
    """Bucket and name of an object: `/bucket/name` holds both, else the bucket is named, or is the connection's own."""
    name = _named(reference, "file_name", "path")
    if name.startswith("/"):
        bucket, _, name = name[1:].partition("/")
        return bucket, name
    return str(_location(reference).get("bucket") or properties.get("bucket") or ""), name


def _copied(file: Path, folder: Path, name: str) -> Path:
    to = folder / f"data{_suffix(name)}"
    copy(file, to)
    return to


def _suffix(name: str) -> str:
    """The ending that tells the format; nothing else of a caller's name becomes a file's name."""
    from wxtuning.rows.files import SUFFIXES

    found = Path(name).suffix.lower()
    return found if found in SUFFIXES else ""


def _asset_id(reference: Reference) -> str:
    location = _location(reference)
    if isinstance(identity := location.get("id"), str) and identity:
        return identity
    href = location.get("href")
    if isinstance(href, str) and (found := _ASSET_HREF.fullmatch(href)):
        return found[1]
    raise invalid('data_asset: the location names no asset; expected {"id": ...} or {"href": "/v2/assets/..."}')


def _connection_id(reference: Reference) -> str:
    connection = reference.get("connection")
    identity = connection.get("id") if isinstance(connection, Mapping) else None
    if not isinstance(identity, str) or not identity:
        raise invalid('connection_asset: no connection is named; expected {"connection": {"id": ...}}')
    return identity


def _path(reference: Reference) -> str:
    return _named(reference, "path", "file_name")


def _named(reference: Reference, *names: str) -> str:
    location = _location(reference)
    for name in names:
        if isinstance(value := location.get(name), str) and value:
            return value
    raise invalid(f"{reference.get('type')}: the location has no {' or '.join(names)}", target=names[0])


def _location(reference: Reference) -> Mapping[str, Any]:
    location = reference.get("location")
    if not isinstance(location, Mapping):
        raise invalid(f"{reference.get('type')}: the reference has no location", target="location")
    return location
