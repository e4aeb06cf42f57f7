"""Runs of a service, whoever started them, read back into what was asked for. Knows answers; starts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wxtuning.adapters.watsonx.asked import BOTH, sides_of
from wxtuning.adapters.watsonx.faults import BACKEND, Missing
from wxtuning.adapters.watsonx.listed import id_of, metadata_of
from wxtuning.adapters.watsonx.service import Json, Service
from wxtuning.adapters.watsonx.told import status_of
from wxtuning.adapters.watsonx.trainings import FINE_TUNINGS, TRAININGS, job_in, place_of
from wxtuning.errors import JobLost, PlanError
from wxtuning.found import FoundRun
from wxtuning.spec import LoRA, Method, PromptTuning
from wxtuning.status import JobRef


class Runs:
    """The prompt tunings and LoRA tunings of a project or space.

    Args:
        service: Who is asked.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def __iter__(self) -> Iterator[FoundRun]:
        """All of them, the newest first."""
        found = [found_run(TRAININGS, details) for details in self._service.pages(TRAININGS, type="prompt_tuning")]
        if self._service.version:
            found += [found_run(FINE_TUNINGS, details) for details in self._service.pages(FINE_TUNINGS)]
        return iter(sorted(found, key=lambda run: run.created_at, reverse=True))

    def find(self, id: str) -> FoundRun:
        """The run with this id: that of its job, with or without `watsonx:`, or the service's own, which says nothing
        of the list it is in.

        Raises:
            JobLost: if there is none.
        """
        job = JobRef(BACKEND, id.removeprefix(f"{BACKEND}:"))
        named, identity = place_of(job)
        for path in (TRAININGS, FINE_TUNINGS) if named == TRAININGS and self._service.version else (named,):
            try:
                return found_run(path, self._service.get(f"{path}/{identity}"))
            except Missing as error:
                missing = error
        raise JobLost(
            f"{self._service.host} knows no run {id!r}", job=str(job),
            hint="`wxtuning runs --url ...` lists those of the project; another project has its own.",
        ) from missing  # fmt: skip


def found_run(path: str, details: Mapping[str, Any]) -> FoundRun:
    """What the service tells of a run, in the project's words.

    Args:
        path: The list that it is in.
        details: An entry of that list.
    """
    metadata, entity = metadata_of(details), details.get("entity", {})
    asked = entity.get(_PARAMETERS[path]) or {}
    method, reason = _method(path, asked)
    return FoundRun(
        job=job_in(path, id_of(details)),
        name=str(metadata.get("name") or entity.get("name") or ""),
        description=str(metadata.get("description") or entity.get("description") or ""),
        status=status_of(details),
        method=method,
        reason=reason,
        task=str(asked.get("task_id") or ""),
        tags=tuple(metadata.get("tags") or entity.get("tags") or ()),
        data=tuple(map(named, entity.get("training_data_references") or ())),
        created_at=str(metadata.get("created_at") or ""),
    )


_PARAMETERS = {TRAININGS: "prompt_tuning", FINE_TUNINGS: "parameters"}


def named(reference: Json) -> str:
    """A data reference in one line: `asset:ID`, `connection:ID/bucket/file` or `container:path`."""
    location = reference.get("location", {})
    match reference.get("type"):
        case "data_asset":
            return f"asset:{location.get('id') or str(location.get('href', '')).partition('?')[0].rpartition('/')[2]}"
        case "connection_asset":
            parts = (reference.get("connection", {}).get("id"), location.get("bucket"), location.get("file_name"))
            return "connection:" + "/".join(str(part) for part in parts if part)
        case kind:
            return f"{kind}:{location.get('path', '')}"


def _method(path: str, asked: Mapping[str, Any]) -> tuple[Method | None, str]:
    """The method with every parameter that is told and has a place in it; else None, and why."""
    try:
        return (_prompt if path == TRAININGS else _lora)(asked), ""
    except PlanError as error:
        return None, "; ".join(error.problems)


def _prompt(asked: Mapping[str, Any]) -> PromptTuning:
    told = dict(asked)
    if told.get("init_method") != "text":
        told.pop("init_text", None)  # the service tells its default here too
    return PromptTuning(model=_model(asked), **_known(told, PromptTuning))


def _lora(asked: Mapping[str, Any]) -> LoRA:
    peft = asked.get("peft_parameters") or {}
    if peft.get("type") != "lora":
        raise PlanError(["all weights were tuned, or others than those of LoRA, which is not among our methods"])
    both = asked.get(BOTH)
    sides = sides_of(both) if isinstance(both, int) else {}
    told = {**asked, **peft, "r": peft.get("rank"), **sides}
    told["verbalizer"] = str(told.get("verbalizer") or "{{input}}").partition("{{output}}")[0]
    return LoRA(model=_model(asked), **_known(told, LoRA))


def _model(asked: Mapping[str, Any]) -> str:
    if model := (asked.get("base_model") or {}).get("model_id"):
        return str(model)
    raise PlanError(["the service names no base model"])


def _known(told: Mapping[str, Any], kind: type[Method]) -> dict[str, Any]:
    own = kind.model_fields.keys() - {"model", "method"}
    return {name: value for name, value in told.items() if name in own and value is not None}
