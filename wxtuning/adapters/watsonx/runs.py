"""Runs of a service, whoever started them, read back into what was asked for. Knows answers; starts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wxtuning.adapters.watsonx.faults import BACKEND, Missing
from wxtuning.adapters.watsonx.service import Json, Service
from wxtuning.adapters.watsonx.trainings import FINE_TUNINGS, TRAININGS, status_of
from wxtuning.errors import JobLost
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
        details = [
            *self._service.pages(TRAININGS, type="prompt_tuning"),
            *(self._service.pages(FINE_TUNINGS) if self._service.version else ()),
        ]
        details.sort(key=lambda found: str(found.get("metadata", {}).get("created_at", "")), reverse=True)
        return map(found_run, details)

    def find(self, id: str) -> FoundRun:
        """The run with this id.

        Raises:
            JobLost: if there is none.
        """
        for path in (TRAININGS, FINE_TUNINGS) if self._service.version else (TRAININGS,):
            try:
                return found_run(self._service.get(f"{path}/{id}"))
            except Missing as error:
                missing = error
        raise JobLost(
            f"{self._service.host} knows no run {id!r}", job=f"{BACKEND}:{id}",
            hint="`wxtuning runs --url ...` lists those of the project; another project has its own.",
        ) from missing  # fmt: skip


def found_run(details: Mapping[str, Any]) -> FoundRun:
    """What the service tells of a run, in the project's words."""
    metadata, entity = details.get("metadata", {}), details.get("entity", {})
    asked = entity.get("prompt_tuning") or entity.get("parameters") or {}
    return FoundRun(
        job=JobRef(BACKEND, str(metadata["id"])),
        name=str(metadata.get("name") or entity.get("name") or ""),
        description=str(metadata.get("description") or entity.get("description") or ""),
        status=status_of(details),
        method=_method(asked, is_prompt="prompt_tuning" in entity),
        task=str(asked.get("task_id", "")),
        tags=tuple(metadata.get("tags") or entity.get("tags") or ()),
        data=tuple(map(named, entity.get("training_data_references", ()))),
        created_at=str(metadata.get("created_at", "")),
    )


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


def _method(asked: Mapping[str, Any], *, is_prompt: bool) -> Method | None:
    """The method with every parameter that is told and has a place in it."""
    kind: type[Method] = PromptTuning if is_prompt else LoRA
    peft = asked.get("peft_parameters") or {}
    model = (asked.get("base_model") or {}).get("model_id")
    if model is None or (not is_prompt and peft.get("type", "lora") != "lora"):
        return None
    told = {_OUR_NAMES.get(name, name): value for name, value in {**asked, **peft}.items()}
    if is_prompt and told.get("init_method") != "text":
        told.pop("init_text", None)  # the service tells its default here too
    if not is_prompt:
        told |= _lengths(told.pop("max_seq_length", None))
        told["verbalizer"] = str(told.get("verbalizer") or "{{input}}").partition("{{output}}")[0]
    known = {name: value for name, value in told.items() if name in kind.model_fields and value is not None}
    return kind(**{**known, "model": str(model)})


_OUR_NAMES = {"rank": "r"}


def _lengths(both: object) -> dict[str, int]:
    """Two limits for the one of fine tuning; nothing of a row that fitted is cut by them."""
    return {"max_input_tokens": both, "max_output_tokens": both} if isinstance(both, int) else {}
