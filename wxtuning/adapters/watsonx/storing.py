"""The model of a job that was told not to store it, stored once. Knows models; knows nothing of deployments.

What is sent is the request that the service left among the job's results, as the SDK's `store_model` sends it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from wxtuning.adapters.watsonx import files
from wxtuning.adapters.watsonx.awaiting import awaited
from wxtuning.adapters.watsonx.faults import BACKEND, Refused
from wxtuning.adapters.watsonx.listed import Found, entity_of, found_in, id_in, id_of, shown, tag_of
from wxtuning.adapters.watsonx.once import once
from wxtuning.adapters.watsonx.promotion import MODELS
from wxtuning.adapters.watsonx.service import Json, Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.adapters.watsonx.told import request_place
from wxtuning.errors import AdapterError, NotOffered
from wxtuning.status import JobRef

IMPORT_SECONDS = 300.0
"""How long the service may take to import what was stored."""


def stored(service: Service, settings: Settings, job: JobRef, details: Json) -> str:
    """The id of the model of a completed job; with one there already, whoever stored it, nothing is made.

    Args:
        service: Who has the job, and will have the model.
        settings: How patiently it is asked.
        job: Which one.
        details: What the service tells of it.

    Raises:
        AdapterError: if the job left nothing to store, or the service could not import it.
        Unavailable: if it is not imported in time; the same call goes on waiting.
    """
    models, training = _Models(service), id_of(details)
    tag = tag_of(training)

    def body() -> Json:
        return {**_request(service, settings, job, details), "tags": [tag]}

    identity = once(models, tag, body, settings=settings, is_there=models.has)
    what = f"model {identity} of job {job} is not imported"
    awaited(IMPORT_SECONDS, lambda: models.is_imported(identity), what, settings.patience)
    return identity


def _request(service: Service, settings: Settings, job: JobRef, details: Json) -> Json:
    place = request_place(details)
    if not place:
        raise _unstored(job, "and names no request that stores it")
    try:
        found = json.loads(files.read(service, settings, place))
    except (Refused, NotOffered, ValueError) as cause:
        raise _unstored(job, f"and the request that stores it, {place}, cannot be read: {cause}") from cause
    if not isinstance(found, dict) or _training_of(found) != id_of(details):
        raise _unstored(job, f"and {place} is no request that stores it")
    return found


def _training_of(told: Json) -> str:
    """The id of the job that a model comes from; empty if none is told."""
    match told:
        case {"training": {"id": str(identity)}}:
            return identity
    return ""


def _unstored(job: JobRef, reason: str) -> AdapterError:
    sdk = f"client.repository.store_model(training_id={job.id.rpartition('/')[2]!r})"
    return AdapterError(
        f"job {job} was started with auto_update_model false, so its model is not stored, {reason}",
        backend=BACKEND,
        hint=f"Tune again with wxtuning, which has every model stored; or store it with the SDK, {sdk}, and run the "
        "same line again, which finds it.",
    )


@dataclass(frozen=True)
class _Models:
    """The models of a project or space, as `once` sees them: the job that one was tuned by stands for a tag.

    One that could not be imported counts as none.
    """

    service: Service

    @property
    def place(self) -> str:
        return f"{MODELS} in {self.service.container.kind} {self.service.container.id}"

    def tagged(self, tag: str) -> Iterator[Found]:
        return (one for one in self.newest() if tag in one.tags)

    def newest(self) -> Iterator[Found]:
        return (_found(model) for model in self.service.pages(MODELS) if not _is_failed(model))

    def has(self, identity: str) -> bool:
        model = shown(self.service, f"{MODELS}/{identity}")
        return model is not None and not _is_failed(model)

    def create(self, body: Json) -> str:
        return id_in(self.service.create(MODELS, body))

    def is_imported(self, identity: str) -> bool:
        model = self.service.get(f"{MODELS}/{identity}")
        if _is_failed(model):
            raise AdapterError(
                f"model {identity} could not be imported", backend=BACKEND,
                hint="What the job left may be damaged or gone. Run the same line again: it stores it anew.",
            )  # fmt: skip
        return _import_state(model) != "running"


def _found(model: Json) -> Found:
    found = found_in(model)
    return replace(found, id=id_of(model), tags=(*found.tags, tag_of(_training_of(entity_of(model)))))


def _is_failed(model: Json) -> bool:
    return _import_state(model) == "failed"


def _import_state(model: Json) -> str:
    return str(entity_of(model).get("content_import_state", ""))
