"""A tuning request as the body that the service takes. Knows both sides' names of a parameter; sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.errors import NotOffered
from wxtuning.ports import TuningRequest
from wxtuning.spec import ANSWER_TOKENS, LoRA, Method, PromptTuning

if TYPE_CHECKING:
    from wxtuning.adapters.watsonx.service import Container, Json

Reference = Callable[[], "Json"]
"""Sees to it that the service has the rows to tune on, and says where it finds them."""

FIELD, ANSWER = "{{input}}", "{{output}}"

BOTH = "max_seq_length"
"""What bounds a row of LoRA as a whole."""

FOLDERS = {"project": "projects", "space": "spaces"}

_SHARED = ("num_epochs", "learning_rate", "batch_size", "accumulate_steps")
_OF_PROMPT = (*_SHARED, "init_method", "init_text", "num_virtual_tokens", "max_input_tokens", "max_output_tokens")
_OF_LORA = {"rank": "r", "lora_alpha": "lora_alpha", "lora_dropout": "lora_dropout", "target_modules": "target_modules"}


def body_of(request: TuningRequest, tag: str, reference: Reference, results: Json) -> Json:
    """What creates the job.

    Args:
        request: What to tune; a parameter that is None is left to the service.
        tag: Under which the job is found again.
        reference: Asked for where the service finds the rows, once the rest is known to be right.
        results: Where it leaves its files.

    Raises:
        NotOffered: for what the service has no word for; nothing is left out silently.
    """
    _refuse_what_has_no_word(request)
    method = request.method
    named = {"base_model": {"model_id": method.model}, "task_id": request.task}
    asked = {"parameters": _lora(method)} if isinstance(method, LoRA) else {"prompt_tuning": _prompt(method)}
    return {
        "name": request.name,
        **({"description": request.description} if request.description else {}),
        "tags": list(dict.fromkeys((tag, *request.tags))),
        "auto_update_model": True,
        **{place: {**named, **values} for place, values in asked.items()},
        "training_data_references": [reference()],
        "results_reference": results,
    }


def values_of(body: Json) -> dict[str, Any]:
    """The values of a body's parameters, by the service's names."""
    asked = body["prompt_tuning"] if "prompt_tuning" in body else body["parameters"]
    return {**asked, **asked.get("peft_parameters", {})}


def results_of(container: Container, method: Method, *, on_cloud: bool) -> Json:
    """Where a job leaves its files: the storage of the project on the cloud, its file system on a cluster."""
    if on_cloud:
        return {"type": "container", "location": {"path": "default_tuning_output"}}
    kind = "fine" if isinstance(method, LoRA) else "prompt"
    root = f"/{FOLDERS[container.kind]}/{container.id}/assets"
    return {"type": "fs", "location": {"path": f"{root}/wx_{kind}_tune"}}


def _refuse_what_has_no_word(request: TuningRequest) -> None:
    asked = {
        "validation rows": request.validation is not None,
        f"early_stopping_patience={request.method.early_stopping_patience}": (
            request.method.early_stopping_patience is not None
        ),
    }
    if refused := [what for what, is_asked in asked.items() if is_asked]:
        raise NotOffered(
            f"watsonx.ai takes no {' and no '.join(refused)}",
            backend=BACKEND,
            hint="Leave it out, or tune on this machine, which does both.",
        )


def _prompt(method: PromptTuning) -> dict[str, Any]:
    return {**_given(method, dict.fromkeys(_OF_PROMPT)), "verbalizer": method.verbalizer}


def _lora(method: LoRA) -> dict[str, Any]:
    before = method.verbalizer.rstrip()
    response = before.partition(FIELD)[2].strip()
    if not response:
        raise NotOffered(
            f"LoRA on watsonx.ai needs words between the input and the answer; the verbalizer is {method.verbalizer!r}",
            backend=BACKEND,
            hint="End it with some: 'Input: {{input}} Output:'.",
        )
    return {
        **_given(method, dict.fromkeys(_SHARED)),
        **_longest(method),
        "verbalizer": f"{before} {ANSWER}",
        "response_template": response,
        "peft_parameters": {"type": "lora", **_given(method, _OF_LORA)},
    }


def _longest(method: LoRA) -> dict[str, int]:
    """The service bounds a row as a whole."""
    if method.max_input_tokens is None or method.max_output_tokens is None:
        return {}
    return {BOTH: method.max_input_tokens + method.max_output_tokens}


def sides_of(both: int) -> dict[str, int]:
    """Two limits whose sum is the one of fine tuning, so that asked again, the service bounds a row as it did.

    Where input and answer are bounded one by one, as on this machine, the answer has at most half, and at most
    `ANSWER_TOKENS`, as `wxtuning serve` divides them; a row that fitted as a whole with a longer input or answer is
    reported by the plan.
    """
    answer = min(ANSWER_TOKENS, both // 2)
    return {"max_input_tokens": both - answer, "max_output_tokens": answer}


def _given(method: Method, names: Mapping[str, str | None]) -> dict[str, Any]:
    """Their names with our values, where there are any; a name without another of ours is the same on both sides."""
    values = {theirs: getattr(method, ours or theirs) for theirs, ours in names.items()}
    return {
        theirs: list(value) if isinstance(value, tuple) else value
        for theirs, value in values.items()
        if value is not None
    }
