"""Things of the service as its lists tell them, and where they are created. Knows ids and tags, no kind of thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from wxtuning.adapters.watsonx.faults import BACKEND, Refused, Unsettled
from wxtuning.adapters.watsonx.pages import PAGE
from wxtuning.adapters.watsonx.service import Container, Json, Service
from wxtuning.errors import Unavailable
from wxtuning.intents import TAG

NOT_THERE = (400, 404, 410)


def tag_of(key: str) -> str:
    """The tag of what is made with this key."""
    return f"{TAG}{key}"


@dataclass(frozen=True)
class Found:
    """An entry of a list; `created_at` as the service tells it (ISO 8601)."""

    id: str
    tags: tuple[str, ...] = ()
    created_at: str = ""


class Collection(Protocol):
    """One kind of thing in one place of the service; `place` names both, for people and for the journal."""

    @property
    def place(self) -> str: ...

    def tagged(self, tag: str) -> Iterable[Found]:
        """What the service answers when it is asked for the things with this tag."""
        ...

    def newest(self) -> Iterable[Found]:
        """The newest things, whatever their tags, the newest first."""
        ...

    def has(self, identity: str) -> bool:
        """Whether the service knows a thing of this kind, here, under this id."""
        ...

    def create(self, body: Json) -> str:
        """Send one POST; the id of what it made.

        Raises:
            Busy: nothing was made, for now.
            Unsettled: nobody knows, also where the answer has no id.
            AdapterError: nothing was made.
        """
        ...


@dataclass(frozen=True)
class Listed:
    """What is created and listed under a path of `/ml`."""

    service: Service
    path: str
    within: Container | None = None

    @property
    def place(self) -> str:
        container = self.within or self.service.container
        return f"{self.path} in {container.kind} {container.id}"

    def tagged(self, tag: str) -> Iterator[Found]:
        return map(found_in, self.service.pages(self.path, within=self.within, **{"tag.value": tag}))

    def newest(self) -> Iterator[Found]:
        return map(found_in, islice(self.service.pages(self.path, within=self.within), PAGE))

    def has(self, identity: str) -> bool:
        return is_known(self.service, f"{self.path}/{identity}", self.within)

    def create(self, body: Json) -> str:
        return id_in(self.service.create(self.path, body, within=self.within))


def is_known(service: Service, address: str, within: Container | None = None) -> bool:
    """Whether the service shows something at this address."""
    return shown(service, address, within) is not None


def shown(service: Service, address: str, within: Container | None = None) -> Json | None:
    """What the service shows at this address; None if there is no such thing, or its id can be none.

    Raises:
        Unavailable: if it shows something that tells neither.
    """
    try:
        found = service.get(address, within=within)
    except Refused as refusal:
        if refusal.status in NOT_THERE:
            return None
        raise
    metadata_of(found)
    return found


def entity_of(resource: Mapping[str, Any]) -> Json:
    """What a thing is.

    Raises:
        Unavailable: if that is not told: something else has answered.
    """
    return _told(resource, "entity")


def metadata_of(resource: Mapping[str, Any]) -> Json:
    """What a thing is called.

    Raises:
        Unavailable: as for `entity_of`.
    """
    return _told(resource, "metadata")


def id_of(resource: Mapping[str, Any]) -> str:
    """The id of a thing that is there.

    Raises:
        Unavailable: as for `entity_of`.
    """
    if identity := found_in(resource).id:
        return identity
    raise _nothing_told("id", metadata_of(resource))


def _told(resource: Mapping[str, Any], part: str) -> Json:
    if isinstance(found := resource.get(part), dict):
        return found
    raise _nothing_told(part, resource)


def _nothing_told(part: str, instead: Mapping[str, Any]) -> Unavailable:
    return Unavailable(
        f"the service told of a thing without its {part}: {', '.join(sorted(instead)) or 'nothing'}",
        backend=BACKEND,
        hint="Something before the service may have answered. Ask again later.",
    )


def found_in(resource: Mapping[str, Any]) -> Found:
    """What `metadata` says of an entry; an entry without an id has none."""
    metadata, entity = _part(resource, "metadata"), _part(resource, "entity")
    identity = metadata.get("id") or metadata.get("asset_id") or ""
    return Found(str(identity), (*_tags(metadata), *_tags(entity)), str(metadata.get("created_at") or ""))


def _part(resource: Mapping[str, Any], name: str) -> Json:
    return found if isinstance(found := resource.get(name), dict) else {}


def _tags(part: Json) -> tuple[str, ...]:
    return tuple(map(str, found)) if isinstance(found := part.get("tags"), list) else ()


def id_in(answer: Json) -> str:
    """The id of what was created.

    Raises:
        Unsettled: if the answer has none.
    """
    if identity := found_in(answer).id:
        return identity
    raise Unsettled("the service took the request, but its answer holds no id", backend=BACKEND)
