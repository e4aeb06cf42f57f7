"""Connections: how a service reaches the bucket that holds the lines to tune on. Made once for each bucket and key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from pydantic import SecretStr

from wxtuning.adapters.watsonx.faults import BACKEND, Refused
from wxtuning.adapters.watsonx.listed import Found, id_in, id_of, is_known, metadata_of, tag_of
from wxtuning.adapters.watsonx.once import once
from wxtuning.adapters.watsonx.service import Json, Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.errors import AdapterError, NotOffered
from wxtuning.ports import Store
from wxtuning.status import DataRef

CONNECTIONS = "/v2/connections"
TYPES = "/v2/datasource_types"

IBM, ANY_S3 = "bluemixcloudobjectstorage", "generics3"
"""IBM Cloud Object Storage, and any other store that speaks S3, by their names in watsonx."""

DIGITS = 12

Properties = Mapping[str, str | SecretStr]


@runtime_checkable
class Connectable(Protocol):
    """A store that others may be told how to reach."""

    def connection_properties(self) -> Properties:
        """In watsonx's words: url, bucket, and access_key, secret_key, or api_key, iam_url, resource_instance_id."""
        ...


class Connections:
    """The connections of one project or space.

    Args:
        service: Who keeps them.
        settings: `connection` is the name or id of the one to use; without it, one is made of what the store tells.
    """

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._settings = settings

    def reference(self, data: DataRef, store: Store) -> Json:
        """What a job is told of a file in a bucket.

        Raises:
            NotOffered: if the store is none that watsonx can reach, or there is no such connection, or it leads to
                another bucket.
        """
        bucket, key = _place(data, store)
        return {
            "type": "connection_asset",
            "connection": {"id": self._id(bucket, store)},
            "location": {"bucket": bucket, "file_name": key},
        }

    def _id(self, bucket: str, store: Store) -> str:
        given = self._settings.connection
        found = self._given(given) if given else self._made(_properties(store))
        self._check(found, bucket)
        return found.id

    def _given(self, name_or_id: str) -> _Seen:
        with suppress(Refused):  # a name with a slash, say, is no id
            return _seen(self._service.get(f"{CONNECTIONS}/{name_or_id}"))
        named = [one for one in map(_seen, self._service.pages(CONNECTIONS)) if one.name == name_or_id]
        if len(named) == 1:
            return named[0]
        place = self._service.container
        ids = ", ".join(one.id for one in named)
        raise NotOffered(
            f"{place.kind} {place.id} has {len(named) or 'no'} connections {name_or_id!r}; expected one",
            backend=BACKEND,
            hint=f"Name one by its id: {ids}." if named else "Check the name, or leave it out.",
        )

    def _made(self, properties: Properties) -> _Seen:
        named = _Named(self._service, _name(properties), properties)
        made = once(named, named.tag, lambda: named.description, settings=self._settings, is_there=named.has)
        return _seen(self._service.get(f"{CONNECTIONS}/{made}"))

    def _check(self, connection: _Seen, bucket: str) -> None:
        """The service's own view counts: a connection bound to another bucket would lead the job astray."""
        if connection.bucket and connection.bucket != bucket:
            raise NotOffered(
                f"connection {connection.name!r} leads to bucket {connection.bucket}, the lines are in {bucket}",
                backend=BACKEND,
                hint="Name the connection to that bucket, or leave connection= out: then one is made.",
            )


@dataclass(frozen=True)
class _Seen:
    """A connection as the service shows it, without the keys that it may show."""

    id: str
    name: str
    bucket: str


def _seen(connection: Json) -> _Seen:
    metadata, entity = metadata_of(connection), connection.get("entity") or {}
    return _Seen(
        id=id_of(connection),
        name=str(entity.get("name") or metadata.get("name") or ""),
        bucket=str((entity.get("properties") or {}).get("bucket") or ""),
    )


@dataclass(frozen=True)
class _Named:
    """The connections of one name, as `once` sees them. Connections have no tags; their name stands for one."""

    service: Service
    name: str
    properties: Properties

    @property
    def tag(self) -> str:
        return tag_of(self.name)

    @property
    def place(self) -> str:
        container = self.service.container
        return f"{CONNECTIONS} in {container.kind} {container.id} of {self.service.host}"

    @property
    def description(self) -> Json:
        return {"name": self.name, "description": "Made by wxtuning for the lines of a job.", "origin_country": "US"}

    def tagged(self, tag: str) -> Iterator[Found]:
        return (one for one in self.newest() if tag in one.tags)

    def newest(self) -> Iterator[Found]:
        for one in self.service.pages(CONNECTIONS):
            found, created_at = _seen(one), str(metadata_of(one).get("created_at", ""))
            yield Found(id=found.id, tags=(tag_of(found.name),), created_at=created_at)

    def has(self, identity: str) -> bool:
        return is_known(self.service, f"{CONNECTIONS}/{identity}")

    def create(self, body: Json) -> str:
        type = id_of(self.service.get(f"{TYPES}/{_type(self.properties)}"))
        made, failure = self._sent({**body, "datasource_type": type})
        if failure:
            raise failure from None
        return id_in(made)

    def _sent(self, body: Json) -> tuple[Json, AdapterError | None]:
        """The answer, or the failure without the frames below, which hold the keys."""
        try:
            revealed = {name: _revealed(value) for name, value in self.properties.items()}
            return self.service.create(CONNECTIONS, {**body, "properties": revealed}, in_query=True), None
        except AdapterError as failure:
            failure.__cause__ = failure.__context__ = None
            return {}, failure.with_traceback(None)


def _revealed(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _properties(store: Store) -> Properties:
    if isinstance(store, Connectable):
        return store.connection_properties()
    raise NotOffered(
        f"watsonx cannot read from {store.describe()}",
        backend=BACKEND,
        hint="Say .upload(wx.COS(...)), or leave .upload() out: then the lines become an asset of the project.",
    )


def _name(properties: Properties) -> str:
    """For people the bucket; the digest of all properties makes other keys another connection."""
    text = json.dumps({name: _revealed(value) for name, value in properties.items()}, sort_keys=True)
    return f"wxtuning-{properties['bucket']}-{hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}"


def _type(properties: Properties) -> str:
    host = urlsplit(_revealed(properties["url"])).hostname or ""
    return IBM if host.endswith((".cloud-object-storage.appdomain.cloud", ".objectstorage.softlayer.net")) else ANY_S3


def _place(data: DataRef, store: Store) -> tuple[str, str]:
    """Bucket and key of a file in a bucket."""
    found = urlsplit(data.uri)
    if found.scheme not in ("cos", "s3") or not found.path.strip("/"):
        raise NotOffered(
            f"watsonx cannot read {data.uri} from {store.describe()}",
            backend=BACKEND,
            hint="Say .upload(wx.COS(...)), or leave .upload() out: then the lines become an asset of the project.",
        )
    return found.netloc.partition("@")[0], found.path.removeprefix("/")
