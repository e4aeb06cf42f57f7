"""Data references: what may be said of where a training's data lies and where its results go. Opens nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wxtuning.server.data.files import inside
from wxtuning.server.errors import invalid, not_offered
from wxtuning.server.fields import Field, Missing, Table, anything, none_of, only, part, read, text
from wxtuning.server.ground import Ground
from wxtuning.server.trainings.quotes import quoted

Reference = Mapping[str, Any]
Location = Mapping[str, Any]

_ASSET_HREF = re.compile(r"(?:https?://[^/]+)?/v2/assets/([^/?#]+)(?:\?.*)?")
DATA_TYPES = {"cpd": ("data_asset", "connection_asset", "fs"), "cloud": ("data_asset", "connection_asset", "container")}
RESULT_TYPES = {"cpd": ("fs",), "cloud": ("container", "connection_asset")}


def _empty(value: Any, place: str, call: str) -> Any:
    if value:
        raise not_offered(f"{call} with {place}")
    return value


_TEXT = text(default=Missing.LEFT_OUT, most=4_096)
_FILE: Table = {"path": _TEXT, "file_name": _TEXT}
_LOCATIONS: Mapping[str, Table] = {
    "data_asset": {"id": _TEXT, "href": _TEXT},
    "connection_asset": {
        **_FILE,
        "bucket": _TEXT,
        # The SDK sends it with every file of a store that has containers in place of buckets.
        "container": Field(_empty),
        **none_of("sheet_name", "file_format", "schema_name", "table_name", "catalog_name"),
    },
    "fs": _FILE,
    "container": {**_FILE, **none_of("bucket")},
}
_OF_ALL: Table = {"userfs": only("false"), **none_of("_model_location", "_training_status")}
_OF_RESULTS: Table = none_of("training", "training_status", "training_log", "assets_path", "model_request_path")
"""What the server itself tells of the results of a run."""


def _table(kind: str, location: Table) -> Table:
    is_remote = kind == "connection_asset"
    return {
        "type": anything(),
        "id": _TEXT,
        "connection": part({"id": text()}, default=Missing.REFUSED) if is_remote else part({}),
        "location": part({**_LOCATIONS[kind], **_OF_ALL, **location}, default=Missing.REFUSED),
        **none_of("schema"),
    }


_DATA = {kind: _table(kind, {}) for kind in _LOCATIONS}
_RESULTS = {kind: _table(kind, _OF_RESULTS) for kind in _LOCATIONS}
"""What a reference of each type is made of."""


def check_data(ground: Ground, container: str, references: Any, *, call: str) -> None:
    """Check what a training is said to learn from, as far as that can be told before it runs.

    Args:
        call: What a refusal names, such as `POST /ml/v4/trainings`.

    Raises:
        Refused: unless it is exactly one reference of a type of this platform that says where the data is, and no more.
    """
    place = "training_data_references"
    if not isinstance(references, list) or len(references) != 1:
        count = len(references) if isinstance(references, list) else "none"
        raise invalid(f"{place}: {count} given; expected a list of exactly one", target=place)
    reference = references[0]
    read(
        reference, _DATA[_type(reference, DATA_TYPES[ground.settings.platform], place)], call=call, place=f"{place}[0]."
    )
    _check(container, reference)


def check_results(ground: Ground, container: str, reference: Any, *, call: str) -> None:
    """Check where the results of a training are to be; arguments as of `check_data`.

    Raises:
        Refused: unless it is a reference of a type that this platform has for results.
    """
    place = "results_reference"
    kind = _type(reference, RESULT_TYPES[ground.settings.platform], place)
    read(reference, _RESULTS[kind], call=call, place=f"{place}.")
    _check(container, reference)


def _type(reference: Any, types: tuple[str, ...], place: str) -> str:
    kind = reference.get("type") if isinstance(reference, Mapping) else None
    if kind not in types:
        raise invalid(f"{place}: type {quoted(kind)} is not offered; expected one of {', '.join(types)}", target=place)
    return str(kind)


def _check(container: str, reference: Reference) -> None:
    """Whether the location of a reference says one place."""
    location = reference["location"]
    if reference["type"] == "data_asset":
        asset_named(location)
    elif reference["type"] == "fs":
        inside(container, f"{file_named(location)}/")
    else:
        file_named(location)


def asset_named(location: Location) -> str:
    """The asset that `id` or `href` of a location names, or both of them alike.

    Raises:
        Refused: if they name none, or two.
    """
    href = location.get("href", "")
    found = _ASSET_HREF.fullmatch(href)
    named = {identity for identity in (location.get("id"), found and found[1]) if identity}
    if len(named) == 1 and bool(found) is bool(href):
        return str(named.pop())
    known = quoted({name: location[name] for name in ("id", "href") if name in location})
    raise invalid(
        f'the location {known} names no one asset; expected {{"id": ...}} or {{"href": "/v2/assets/..."}}',
        target="location",
    )


def file_named(location: Location) -> str:
    """What `path` or `file_name` of a location names, or both of them alike.

    Raises:
        Refused: if they name nothing, or two things.
    """
    named = {location[name] for name in _FILE if location.get(name)}
    if len(named) != 1:
        known = quoted({name: location[name] for name in _FILE if name in location})
        raise invalid(f'the location {known} names no one file; expected {{"path": ...}}', target="location")
    return str(named.pop())
