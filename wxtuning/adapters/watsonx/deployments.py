"""Tuned models that answer: deployed once for each run, in the project or in a space, and waited for.

A reference names everything that finds it again: `deployment/project/ID/DEPLOYMENT`, or `space` in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, cast

from wxtuning.adapters.watsonx.awaiting import awaited
from wxtuning.adapters.watsonx.containers import named
from wxtuning.adapters.watsonx.faults import BACKEND, Refused
from wxtuning.adapters.watsonx.listed import Found, entity_of, found_in, id_in, id_of, metadata_of, shown, tag_of
from wxtuning.adapters.watsonx.once import intents_of, once
from wxtuning.adapters.watsonx.promotion import promoted
from wxtuning.adapters.watsonx.service import NOWHERE, Container, Json, Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.adapters.watsonx.storing import stored
from wxtuning.adapters.watsonx.told import status_of
from wxtuning.errors import AdapterError, JobFailed, NotOffered
from wxtuning.intents import TAG, Outcome
from wxtuning.spec import DeploymentSpec
from wxtuning.status import DeploymentRef, JobRef, JobState

DEPLOYMENTS = "/ml/v4/deployments"
READY_SECONDS = 1800.0
"""How long a new deployment may take until it answers."""

MODEL_SECONDS = 300.0
"""How long a completed job's model may take until it is there."""

OF_BASES = ("foundation_model", "base_foundation_model", "custom_foundation_model", "curated_foundation_model")
"""The types of deployments that adapters can be put on."""

Details = Callable[[JobRef], Json]


class Deployments:
    """The deployments of one service.

    Args:
        service: Who keeps them.
        settings: How patiently it is asked.
        details: What the service tells of a job.
    """

    def __init__(self, service: Service, settings: Settings, details: Details) -> None:
        self._service = service
        self._settings = settings
        self._details = details

    def deploy(self, job: JobRef, asked: DeploymentSpec, key: str) -> DeploymentRef:
        """Make a completed job's model answer, once for each `key`; returns when it does.

        Raises:
            JobFailed: if the job has no model and never will.
            AdapterError: if the service cannot deploy it, or the serving name is somebody else's.
            Unavailable: if model or deployment are not there in time; the same call goes on waiting.
        """
        place = self._place(asked)
        making = _Making(self._service, place, tag_of(key))
        identity = once(
            making, making.tag, lambda: self._body(job, asked, place, making.tag), settings=self._settings,
            is_there=making.has,
        )  # fmt: skip
        self._await_ready(identity, place)
        return _ref(place, identity)

    def check(self, asked: DeploymentSpec, key: str, is_tuned: Callable[[], bool]) -> None:
        """Make sure that a model can get there, and that the serving name is free or may be taken over.

        Args:
            asked: What will be deployed.
            key: Of the run; what it has deployed already is in nobody's way.
            is_tuned: Whether there may be a job already. Only then can another run have deployed its model.

        Raises:
            AdapterError: if not.
        """
        place = self._place(asked)
        if not (name := asked.serving_name):
            return
        making = _Making(self._service, place, tag_of(key))
        holder = making.holder(name)
        if holder is None:
            # What the run has deployed already may hold the name, and not be listed yet.
            is_in_the_way = not self._has_deployed(making) and self._is_in_use(name)
        else:
            is_in_the_way = making.tag not in _tags(holder) and not (_is_of_a_run(holder) and is_tuned())
        if is_in_the_way:
            raise _taken(name, holder)

    def find(self, key: str) -> DeploymentRef | None:
        """The deployment that was made with this key in the service's own project or space, or None."""
        making = _Making(self._service, self._service.container, tag_of(key))
        found = next(making.tagged(making.tag), None)
        return _ref(making.container, found.id) if found else None

    def has(self, ref: DeploymentRef) -> bool:
        """Whether a deployment is still there, and did not fail."""
        place, identity = place_of(ref)
        return _Making(self._service, place, "").has(identity)

    def delete(self, ref: DeploymentRef) -> None:
        """Remove a deployment; nothing happens if it is gone, or is none."""
        if ref.id.startswith("deployment/"):
            place, identity = place_of(ref)
            self._service.delete(f"{DEPLOYMENTS}/{identity}", within=place)

    # --- what is deployed -------------------------------------------------------------------------------------------

    def _place(self, asked: DeploymentSpec) -> Container:
        """Where it is to answer.

        Raises:
            NotOffered: if there is no such space, or no model of this backend gets there.
        """
        own = self._service.container
        place = named(self._service, "space", asked.space) if asked.space else own
        if place != own and own.kind != "project":
            raise NotOffered(
                f"space is {asked.space!r}; models are promoted from a project only, and jobs run in space {own.id}",
                backend=BACKEND,
                hint="Leave space= out to deploy where the job runs, or tune in a project: wx.Watsonx(project=...).",
            )
        return place

    def _has_deployed(self, making: _Making) -> bool:
        """Whether the run has asked for its deployment, and was not refused."""
        last = intents_of(self._settings).last(making.place, making.tag)
        return last is not None and last.outcome is not Outcome.REFUSED

    def _is_in_use(self, name: str) -> bool:
        """Whether any project or space of the service has a serving name; no where the service does not tell."""
        try:
            self._service.get(DEPLOYMENTS, within=NOWHERE, serving_name=name, conflict="true")
        except AdapterError as answer:
            return isinstance(answer, Refused) and answer.status == 409
        return False

    def _body(self, job: JobRef, asked: DeploymentSpec, place: Container, tag: str) -> Json:
        model, base = self._model(job)
        if place != self._service.container:
            model = promoted(self._service, model, place, self._settings)
        online = {"parameters": {"serving_name": asked.serving_name}} if asked.serving_name else {}
        body: Json = {
            "name": asked.name,
            "tags": [tag, *asked.tags],
            "online": online,
            "asset": {"id": model},
        }
        if asked.description:
            body["description"] = asked.description
        if base and (below := self._deployed_base(base, place)):
            body["base_deployment_id"] = below
        return body

    def _model(self, job: JobRef) -> tuple[str, str]:
        """The id of a completed job's model, awaited or stored; and, for an adapter of LoRA, the base model's name."""
        what = f"job {job} is completed, and its model is not there"
        details = awaited(MODEL_SECONDS, lambda: self._with_model(job), what, self._settings.patience)
        base = (entity_of(details).get("parameters") or {}).get("base_model", {}).get("model_id", "")
        return _model_in(details) or stored(self._service, self._settings, job, details), str(base)

    def _with_model(self, job: JobRef) -> Json | None:
        """What is told of a completed job whose model is there, or does not come by itself."""
        details = self._details(job)
        entity, status = entity_of(details), status_of(details)
        if status.state in (JobState.FAILED, JobState.CANCELED):
            raise JobFailed(f"job {job} is {status.word}, so it has no model", job=str(job), hint="Tune again.")
        if status.state is not JobState.COMPLETED:
            raise AdapterError(f"job {job} is {status.word}", backend=BACKEND, hint="Wait until it is completed.")
        does_not_come = entity.get("auto_update_model") is False
        return details if _model_in(details) or does_not_come else None

    def _deployed_base(self, base: str, place: Container) -> str:
        """The deployment of its base model that an adapter is put on, where there is one."""
        for one in self._service.pages(DEPLOYMENTS, within=place):
            entity = entity_of(one)
            is_base = entity.get("deployed_asset_type") in OF_BASES and entity.get("base_model_id") == base
            if is_base and state_of(one) != "failed":
                return id_of(one)
        return ""

    # --- waiting ----------------------------------------------------------------------------------------------------

    def _await_ready(self, identity: str, place: Container) -> None:
        what = f"deployment {identity} is not ready"
        awaited(READY_SECONDS, lambda: self._ready_now(identity, place), what, self._settings.patience)

    def _ready_now(self, identity: str, place: Container) -> bool:
        shown = self._service.get(f"{DEPLOYMENTS}/{identity}", within=place)
        if state_of(shown) == "failed":
            raise AdapterError(
                f"deployment {identity} ({entity_of(shown).get('name', '')}) failed: {_cause(shown)}",
                backend=BACKEND,
                hint="The tuned model is kept. Mend the cause and run the same line again: it only deploys.",
            )
        return state_of(shown) == "ready"


@dataclass
class _Making:
    """The deployments of a project or space, as `once` sees them; one that failed counts as none.

    Which of ours have failed is remembered from the look-ups, so that `create` need not list them again.
    """

    service: Service
    container: Container
    tag: str
    failed: set[str] = field(default_factory=set)

    @property
    def place(self) -> str:
        return f"{DEPLOYMENTS} in {self.container.kind} {self.container.id}"

    def tagged(self, tag: str) -> Iterator[Found]:
        return (one for one in self._all(**{"tag.value": tag}) if tag in one.tags)

    def newest(self) -> Iterator[Found]:
        return self._all()

    def has(self, identity: str) -> bool:
        found = shown(self.service, f"{DEPLOYMENTS}/{identity}", self.container)
        return found is not None and state_of(found) != "failed"

    def create(self, body: Json) -> str:
        """One POST; what failed before makes way, and a serving name that is ours already is taken over."""
        while self.failed:
            self.service.delete(f"{DEPLOYMENTS}/{self.failed.pop()}", within=self.container)
        try:
            made = self.service.create(DEPLOYMENTS, body, within=self.container)
        except Refused as refusal:
            return self._instead(body, refusal)
        return id_in(made)

    def _instead(self, body: Json, refusal: Refused) -> str:
        """The deployment that stands in the way of a refused one, if it is of the same model and ours."""
        name = body["online"].get("parameters", {}).get("serving_name", "")
        if refusal.status != 409 or not name:
            raise _explained(refusal)
        holder = self.holder(name)
        if holder is None or not _is_ours(holder, body["asset"]["id"]):
            raise _taken(name, holder) from refusal
        self._take_over(f"{DEPLOYMENTS}/{id_of(holder)}", body)
        return id_of(holder)

    def _take_over(self, address: str, body: Json) -> None:
        """Give a deployment the name, the description and the tags that are asked for now; others' tags stay."""
        # Not as a list shows it, which may lag: a tag that another run has put there since would be taken away.
        now = self.service.get(address, within=self.container)
        told = {"name": "", **entity_of(now), **metadata_of(now)}
        named = {name: value for name, value in body.items() if name in ("name", "description")}
        wanted = {**named, "tags": [*dict.fromkeys([*_tags(now), *body["tags"]])]}
        changes = [
            {"op": "replace" if name in told else "add", "path": f"/{name}", "value": value}
            for name, value in wanted.items()
        ]
        self.service.patch(address, changes, within=self.container)

    def holder(self, name: str) -> Json | None:
        """The deployment that has a serving name."""
        return next((one for one in self._listed(serving_name=name) if serving_name(one) == name), None)

    def _all(self, **query: str) -> Iterator[Found]:
        for one in self._listed(**query):
            if state_of(one) != "failed":
                yield found_in(one)
            elif self.tag in _tags(one):
                self.failed.add(id_of(one))

    def _listed(self, **query: str) -> Iterator[Json]:
        return self.service.pages(DEPLOYMENTS, within=self.container, **query)


def place_of(ref: DeploymentRef) -> tuple[Container, str]:
    """The project or space of a deployment, and its id."""
    parts = ref.id.split("/")
    if len(parts) != 4 or parts[0] != "deployment" or parts[1] not in ("project", "space"):
        raise NotOffered(
            f"{ref} is no deployment of watsonx", backend=BACKEND,
            hint="Expected watsonx:deployment/project/ID/DEPLOYMENT, or space.",
        )  # fmt: skip
    return Container(cast(Literal["project", "space"], parts[1]), parts[2]), parts[3]


def state_of(deployment: Json) -> str:
    return str(entity_of(deployment).get("status", {}).get("state", ""))


def serving_name(deployment: Json) -> str:
    """Its serving name; empty if it has none."""
    online = entity_of(deployment).get("online") or {}
    return str((online.get("parameters") or {}).get("serving_name", ""))


def _ref(place: Container, identity: str) -> DeploymentRef:
    return DeploymentRef(BACKEND, f"deployment/{place.kind}/{place.id}/{identity}")


def _model_in(details: Json) -> str:
    """The id of a job's model; empty if it has none."""
    entity = entity_of(details)
    return str(entity.get("model_id") or (entity.get("tuned_model") or {}).get("id") or "")


def _cause(deployment: Json) -> str:
    status = entity_of(deployment).get("status", {})
    told = [str(error.get("message", "")) for error in (status.get("failure") or {}).get("errors", ())]
    return "; ".join(filter(None, told)) or str((status.get("message") or {}).get("text") or "no cause was told")


def _explained(refusal: Refused) -> Refused:
    if refusal.field == "base_deployment_id":
        refusal.hint = "Deploy the base model in the same place first; the adapter is then put on it."
    return refusal


def _is_ours(deployment: Json, model: str) -> bool:
    return (
        _is_of_a_run(deployment)
        and entity_of(deployment).get("asset", {}).get("id") == model
        and state_of(deployment) != "failed"
    )


def _is_of_a_run(deployment: Json) -> bool:
    return any(tag.startswith(TAG) for tag in _tags(deployment))


def _taken(name: str, holder: Json | None) -> AdapterError:
    who = (
        f"deployment {id_of(holder)} ({entity_of(holder).get('name', '')})"
        if holder
        else "a deployment in another project or space"
    )
    return AdapterError(
        f"the serving name {name!r} is taken by {who}", backend=BACKEND,
        hint="Choose another one, .deploy(name, serving_name=...), or delete that deployment. A tuned model is kept.",
    )  # fmt: skip


def _tags(deployment: Json) -> tuple[str, ...]:
    return found_in(deployment).tags
