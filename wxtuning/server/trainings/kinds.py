"""The two ways of tuning that the service knows, and what each calls its things. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way of tuning.

    Args:
        name: The kind of its resources.
        path: Where its jobs are created and listed.
        parameters: The field of a job that holds what is asked of the tuning.
        folder: The folder of its results among a project's assets, and the prefix of the tag of its experiment.
        context: How metrics name it.
        model_type: The type of the model that it makes.
    """

    name: str
    path: str
    parameters: str
    folder: str
    context: str
    model_type: str

    @property
    def create(self) -> str:
        """The call that makes a job, as refusals name it."""
        return f"POST {self.path}"


PROMPT_TUNING = Kind(
    name="training",
    path="/ml/v4/trainings",
    parameters="prompt_tuning",
    folder="wx_prompt_tune",
    context="prompt_tuning",
    model_type="prompt_tune_1.0",
)
FINE_TUNING = Kind(
    name="fine_tuning",
    path="/ml/v1/fine_tunings",
    parameters="parameters",
    folder="wx_fine_tune",
    context="fine_tuning",
    model_type="lora_adapter_1.0",
)
KINDS = {kind.name: kind for kind in (PROMPT_TUNING, FINE_TUNING)}

FINAL = ("completed", "failed", "canceled")
UNENDED = ("queued", "pending", "running", "storing")
STATES = (*UNENDED, *FINAL)
