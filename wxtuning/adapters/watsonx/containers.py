"""Projects and spaces by name or id. Knows how they are looked up, and made; knows nothing of what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from wxtuning.adapters.watsonx.faults import BACKEND, Missing, Unsettled
from wxtuning.adapters.watsonx.listed import Found, is_known, tag_of
from wxtuning.adapters.watsonx.once import once
from wxtuning.adapters.watsonx.service import NOWHERE, Container, Json, Service
from wxtuning.adapters.watsonx.settings import ID, Settings
from wxtuning.errors import NotOffered

Kind = Literal["project", "space"]

PROJECTS = "/transactional/v2/projects"


def own(service: Service, settings: Settings) -> Container:
    """The project or space that the settings name; a missing project is made if they say so.

    Raises:
        NotOffered: if there is none, or several have the name.
    """
    if settings.space is not None:
        return named(service, "space", settings.space)
    name = str(settings.project)
    if settings.create_project and not ID.fullmatch(name) and not _ids(service, "project", name):
        return _made(service, name, settings)
    return named(service, "project", name)


def named(service: Service, kind: Kind, name_or_id: str) -> Container:
    """The project or space of this name or id.

    Raises:
        NotOffered: if there is none, or several have the name.
    """
    if ID.fullmatch(name_or_id):
        return _known(service, kind, name_or_id)
    found = _ids(service, kind, name_or_id)
    if len(found) == 1:
        return Container(kind, found[0])
    if found:
        raise NotOffered(
            f"{len(found)} {kind}s of {service.host} are named {name_or_id!r}: {', '.join(found)}",
            backend=BACKEND,
            hint=f"Name one by its id: {kind}={found[0]!r}.",
        )
    raise _none(service, kind, name_or_id)


def _known(service: Service, kind: Kind, identity: str) -> Container:
    try:
        service.get(f"/v2/{kind}s/{identity}", within=NOWHERE)
    except Missing as cause:
        raise NotOffered(
            f"{service.host} knows no {kind} {identity}",
            backend=BACKEND,
            hint=f"Check {kind}=, and that the key's owner is a member of it.",
        ) from cause
    return Container(kind, identity)


def _none(service: Service, kind: Kind, name: str) -> NotOffered:
    names = [_name(one) for one in service.pages(f"/v2/{kind}s", within=NOWHERE, limit=100)]
    near = get_close_matches(name, names, 5, 0.4) or sorted(names)[:5]
    more = ", or create_project=True makes it" if kind == "project" else ""
    return NotOffered(
        f"{service.host} has no {kind} named {name!r}; it has {', '.join(map(repr, near)) or 'none'}",
        backend=BACKEND,
        hint=f"Check {kind}=, and that the key's owner is a member of it{more}.",
    )


def _ids(service: Service, kind: Kind, name: str) -> list[str]:
    # The service looks for names that begin so, or hold it; only equal ones count.
    found = service.pages(f"/v2/{kind}s", within=NOWHERE, limit=100, name=name)
    return [_id(one) for one in found if _name(one) == name]


def _made(service: Service, name: str, settings: Settings) -> Container:
    if not service.version:
        raise NotOffered(
            f"{service.host} has no project named {name!r}; on the cloud none can be made without an Object Storage",
            backend=BACKEND,
            hint="Make it in the console, where its storage is chosen; then name it in project=.",
        )
    body = {"name": name, "generator": "wxtuning", "storage": {"type": "assetfiles"}}
    identity = once(_Projects(service, name), tag_of(f"project {name}"), lambda: body, settings=settings)
    return Container("project", identity)


@dataclass(frozen=True)
class _Projects:
    """The projects of one name, as `once` sees them: the name stands for a tag."""

    service: Service
    name: str

    @property
    def place(self) -> str:
        return f"{PROJECTS} of {self.service.host}"

    def tagged(self, tag: str) -> Iterator[Found]:
        return (Found(identity, (tag,)) for identity in _ids(self.service, "project", self.name))

    def newest(self) -> Iterator[Found]:
        return iter(())

    def has(self, identity: str) -> bool:
        return is_known(self.service, f"/v2/projects/{identity}", NOWHERE)

    def create(self, body: Json) -> str:
        made = self.service.create(PROJECTS, body, within=NOWHERE)
        identity = str(made.get("location", "")).rpartition("/")[2]
        if not identity:
            raise Unsettled(f"{self.service.host} made a project and did not say which", backend=BACKEND)
        return identity


def _id(one: Json) -> str:
    metadata = one.get("metadata") or {}
    return str(metadata.get("guid") or metadata.get("id") or "")


def _name(one: Json) -> str:
    return str((one.get("entity") or {}).get("name") or "")
