"""A copy of a project's model in a space, made once. Knows models; knows nothing of deployments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wxtuning.adapters.watsonx.faults import BACKEND, Unsettled
from wxtuning.adapters.watsonx.listed import Found, id_of, is_known, metadata_of, tag_of
from wxtuning.adapters.watsonx.once import once
from wxtuning.adapters.watsonx.service import Container, Json, Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.intents import TAG

MODELS = "/ml/v4/models"
PROMOTE = "/projects/api/rest/catalogs/assets/{model}/promote"


def promoted(service: Service, model: str, space: Container, settings: Settings) -> str:
    """The id of the copy of a model in a space; with one there already, nothing is made.

    Args:
        service: Who has the model, in its own project.
        model: Its id.
        space: Where the copy is to be.
        settings: How patiently it is asked.
    """
    copies = _Copies(service, model, space)
    tag = tag_of(model)
    body = {"projectId": service.container.id, "spaceId": space.id, "assetDescription": f"Promoted by wxtuning: {tag}"}
    return once(copies, tag, lambda: body, settings=settings, is_there=copies.has)


@dataclass(frozen=True)
class _Copies:
    """The models of a space, as `once` sees them. Copies are made without tags; their description holds ours."""

    service: Service
    model: str
    space: Container

    @property
    def place(self) -> str:
        return f"{MODELS} in {self.space.kind} {self.space.id}"

    def tagged(self, tag: str) -> Iterator[Found]:
        return (one for one in self.newest() if tag in one.tags)

    def newest(self) -> Iterator[Found]:
        return map(_found, self.service.pages(MODELS, within=self.space))

    def has(self, identity: str) -> bool:
        return is_known(self.service, f"{MODELS}/{identity}", self.space)

    def create(self, body: Json) -> str:
        made = self.service.create(PROMOTE.format(model=self.model), body, in_query=True)
        try:
            return str(made["promotedAsset"]["asset_id"])
        except (KeyError, TypeError):
            raise Unsettled(
                f"the service promoted model {self.model}, and did not say to what", backend=BACKEND
            ) from None  # fmt: skip


def _found(model: Json) -> Found:
    metadata = metadata_of(model)
    words = str(metadata.get("description") or "").split()
    tags = tuple(word for word in words if word.startswith(TAG))
    return Found(id=id_of(model), tags=tags, created_at=str(metadata.get("created_at", "")))
