"""Connections: how a service reaches the bucket that holds the lines to tune on. Made once for each bucket and key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from pydantic import SecretStr

from wxtuning.adapters.watsonx.faults import BACKEND, Refused
from wxtuning.adapters.watsonx.listed import Found, found_in, id_in, id_of, is_known, metadata_of, tag_of
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

IBM_HOSTS = (".cloud-object-storage.appdomain.cloud", ".objectstorage.softlayer.net")
AWS_HOSTS = (".amazonaws.com",)

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
        place = _place(data.uri, store)
        given = self._settings.connection
        found = self._given(given) if given else self._made(_properties(store))
        _check(found, place)
        return {
            "type": "connection_asset",
            "connection": {"id": found.id},
            "location": {"bucket": place.bucket, "file_name": place.key},
        }

    def check(self, store: Store) -> None:
        """Make sure that a job could be told of files in a store; makes nothing.

        Raises:
            NotOffered: as for `reference`.
        """
        place = _place(store.describe(), store)
        if self._settings.connection:
            _check(self._given(self._settings.connection), place)
        else:
            _properties(store)

    def _given(self, name_or_id: str) -> _Seen:
        with suppress(Refused):  # a name with a slash, say, is no id
            if (found := _seen(self._service.get(f"{CONNECTIONS}/{name_or_id}"))).id:
                return found
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
        return replace(_seen(self._service.get(f"{CONNECTIONS}/{made}")), id=made)


def _check(connection: _Seen, place: _Place) -> None:
    """The service's own view counts: a connection to another bucket, or to another store, would lead the job astray."""
    if connection.bucket and connection.bucket != place.bucket:
        raise NotOffered(
            f"connection {connection.name!r} leads to bucket {connection.bucket}, the lines are in {place.bucket}",
            backend=BACKEND,
            hint="Name the connection to that bucket, or leave connection= out: then one is made.",
        )
    if connection.host and place.host and _owner(connection.host) != _owner(place.host):
        raise NotOffered(
            f"connection {connection.name!r} leads to bucket {place.bucket} at {connection.host}, the lines are in "
            f"that of {place.host}",
            backend=BACKEND,
            hint="Name a connection with the endpoint of the store, or leave connection= out: then one is made.",
        )


@dataclass(frozen=True)
class _Seen:
    """A connection as the service shows it, without the keys that it may show."""

    id: str
    name: str
    bucket: str
    host: str


def _seen(connection: Json) -> _Seen:
    metadata, entity = metadata_of(connection), connection.get("entity") or {}
    properties = entity.get("properties") or {}
    return _Seen(
        id=id_of(connection),
        name=str(entity.get("name") or metadata.get("name") or ""),
        bucket=str(properties.get("bucket") or ""),
        host=_host(str(properties.get("url") or "")),
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
        return f"{CONNECTIONS} in {container.kind} {container.id}"

    @property
    def description(self) -> Json:
        return {"name": self.name, "description": "Made by wxtuning for the lines of a job.", "origin_country": "US"}

    def tagged(self, tag: str) -> Iterator[Found]:
        return (one for one in self.newest() if tag in one.tags)

    def newest(self) -> Iterator[Found]:
        for one in self.service.pages(CONNECTIONS):
            found = _seen(one)
            yield Found(id=found.id, tags=(tag_of(found.name),), created_at=found_in(one).created_at)

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
    return IBM if _owner(_host(_revealed(properties["url"]))) == IBM_HOSTS[0] else ANY_S3


def _host(url: str) -> str:
    """The host of an endpoint, with its port if it is no usual one."""
    found = urlsplit(url if "://" in url else f"https://{url}")
    return found.netloc.rpartition("@")[2].lower().removesuffix({"https": ":443", "http": ":80"}.get(found.scheme, ""))


def _owner(host: str) -> str:
    """Within what a bucket's name is the only one: all hosts of IBM's, all of AWS's, or a host alone."""
    for hosts in (IBM_HOSTS, AWS_HOSTS):
        if host.partition(":")[0].endswith(hosts):
            return hosts[0]
    return host


@dataclass(frozen=True)
class _Place:
    """A bucket, and where a file or folder is in it; `host` is empty where the address does not tell."""

    bucket: str
    host: str
    key: str


def _place(address: str, store: Store) -> _Place:
    found = urlsplit(address)
    if found.scheme not in ("cos", "s3"):
        raise NotOffered(
            f"watsonx cannot read from {address}",
            backend=BACKEND,
            hint="Say .upload(wx.COS(...)), or leave .upload() out: then the lines become an asset of the project.",
        )
    bucket, _, host = found.netloc.partition("@")
    return _Place(bucket, host or urlsplit(store.describe()).netloc.partition("@")[2], found.path.removeprefix("/"))
