"""Things of the service as its lists tell them, and where they are created. Knows ids and tags, no kind of thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from wxtuning.adapters.watsonx.faults import BACKEND, Refused, Unsettled
from wxtuning.intents import TAG

if TYPE_CHECKING:
    from wxtuning.adapters.watsonx.service import Container, Json, Service

PAGE = 200
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
        return f"{self.path} in {container.kind} {container.id} of {self.service.host}"

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
    return bool(shown(service, address, within))


def shown(service: Service, address: str, within: Container | None = None) -> Json:
    """What the service shows at this address; nothing if there is no such thing, or its id can be none."""
    try:
        return service.get(address, within=within)
    except Refused as refusal:
        if refusal.status in NOT_THERE:
            return {}
        raise


def found_in(resource: Json) -> Found:
    """What `metadata` says of an entry; an entry without an id has none."""
    metadata, entity = resource.get("metadata") or {}, resource.get("entity") or {}
    tags = [*(metadata.get("tags") or ()), *(entity.get("tags") or ())]
    identity = metadata.get("id") or metadata.get("asset_id") or ""
    return Found(str(identity), tuple(map(str, tags)), str(metadata.get("created_at") or ""))


def id_in(answer: Json) -> str:
    """The id of what was created.

    Raises:
        Unsettled: if the answer has none.
    """
    if identity := found_in(answer).id:
        return identity
    raise Unsettled("the service took the request, but its answer holds no id", backend=BACKEND)
