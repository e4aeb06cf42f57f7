"""A tuning run as a backend remembers it, whoever started it, and what it takes to tune the same again elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from wxtuning.errors import PlanError
from wxtuning.spec import ExperimentSpec, Mapping, Method, Task
from wxtuning.status import JobRef, JobStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRun:
    """One run of a backend.

    `method` holds every parameter that the backend told, None where it is none of ours, and `reason` then says why.
    `data` names what it was tuned on, in the backend's words. `task` is the backend's own word for it, which may be
    none of ours. `created_at` is ISO 8601.
    """

    job: JobRef
    name: str
    status: JobStatus
    method: Method | None = None
    reason: str = ""
    task: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    created_at: str = ""

    @property
    def spec(self) -> ExperimentSpec:
        """What was asked for, so that it can be asked again; rows of `input` and `output`, as every backend takes them.

        Raises:
            PlanError: if it was tuned in a way that cannot be asked for here, or the backend does not tell how.
        """
        if self.method is None:
            reason = self.reason or "its backend does not tell how it was tuned"
            raise PlanError([f"{self.job} cannot be asked again as prompt tuning or LoRA: {reason}"])
        return ExperimentSpec(
            name=self.name or self.job.id,
            task=_TASKS.get(self.task, "generation"),
            description=self.description,
            method=self.method,
            mapping=Mapping(input="input", output="output", allow_cut_outputs=True, allow_cut_inputs=True),
        )


_TASKS: dict[str, Task] = {"classification": "classification", "summarization": "summarization"}
"""Tasks whose scores we know; all others are scored as generation."""
