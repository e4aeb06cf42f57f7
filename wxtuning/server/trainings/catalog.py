"""The base models of this server: their specifications, and what the engine loads for each. Loads no model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wxtuning import tiny
from wxtuning.server.errors import Refused
from wxtuning.server.settings import Platform
from wxtuning.server.trainings.filters import parsed
from wxtuning.server.trainings.hyperparameters import LORA, PEFT, TINY, Table, bounded, prompt_tuning_of
from wxtuning.server.trainings.origins import located
from wxtuning.server.trainings.quotes import quoted

TASKS = {
    "question_answering": "Question Answering",
    "summarization": "Summarization",
    "retrieval_augmented_generation": "Retrieval Augmented Generation",
    "classification": "Classification",
    "generation": "Generation",
    "code": "Code Generation and Conversion",
    "extraction": "Extraction",
    "translation": "Translation",
}
"""The tasks of the service by id, with the labels that the SDK makes its names from."""

TUNED_FOR = ("classification", "generation", "summarization")
"""The tasks whose entry in a specification says that prompt tuning is offered for them."""

MOST_RECORDS = 10_000
"""Records of training data at most."""

Spec = dict[str, Any]


class Catalog:
    """The embedded model and those that the server was started with.

    Args:
        models: Names of base models, and the folder or Hub id behind each.
        platform: LoRA is offered on `cpd` only, as by the service.
    """

    def __init__(self, models: Mapping[str, str], *, platform: Platform = "cpd") -> None:
        named = {name: located(path) for name, path in models.items()}
        self._paths = {tiny.MODEL_ID: str(tiny.model_folder()), **named}
        self._specs = {name: _spec(name, path, lora=platform == "cpd") for name, path in self._paths.items()}

    def specs(self, filters: str = "") -> list[Spec]:
        """The specifications that a filter takes, by name.

        Raises:
            Refused: if the filter cannot be read.
        """
        takes = parsed(filters)
        return [spec for _, spec in sorted(self._specs.items()) if takes(set(_tags(spec)))]

    def spec(self, model_id: str) -> Spec:
        """The specification of one model.

        Raises:
            Refused: `model_not_supported`, naming the models that are.
        """
        if model_id not in self._specs:
            raise Refused(
                404,
                "model_not_supported",
                f"model {quoted(model_id)} is not supported; this server has {', '.join(sorted(self._specs))}; start "
                "it with --model NAME=FOLDER_OR_HUB_ID to have more",
                target="model_id",
            )
        return self._specs[model_id]

    def path(self, model_id: str) -> str:
        """What the engine loads for a model: a folder or a Hub id.

        Raises:
            Refused: `model_not_supported`.
        """
        self.spec(model_id)
        return self._paths[model_id]


def _spec(name: str, path: str, *, lora: bool) -> Spec:
    context = _context(Path(path))
    functions = ["prompt_tune_trainable", "text_generation", *(["lora_fine_tune_trainable"] if lora else [])]
    provider = "wxtuning" if name == tiny.MODEL_ID else name.partition("/")[0]
    return {
        "model_id": name,
        "label": name.rpartition("/")[2],
        "provider": provider,
        "source": provider,
        "functions": [{"id": function} for function in functions],
        "short_description": _about(name),
        "long_description": _about(name),
        "input_tier": "class_1",
        "output_tier": "class_1",
        "number_params": "1.2m" if name == tiny.MODEL_ID else "",
        "min_shot_size": 1,
        "task_ids": list(TUNED_FOR),
        "tasks": [{"id": task, "tags": ["function_prompt_tune_trainable"]} for task in TUNED_FOR],
        "model_limits": {
            **({"max_sequence_length": context} if context else {}),
            "training_data_max_records": MOST_RECORDS,
        },
        "lifecycle": [{"id": "available", "start_date": "2025-01-01"}],
        "training_parameters": TINY if name == tiny.MODEL_ID else prompt_tuning_of(name),
        **({"lora_fine_tuning_parameters": _lora(context)} if lora else {}),
    }


def _about(name: str) -> str:
    if name == tiny.MODEL_ID:
        return "A demonstration model of 1.2 million parameters, for short English customer comments only."
    return f"The model that this server was started with as {name}."


def _lora(context: int | None) -> Mapping[str, Any]:
    table: Table = bounded(LORA, "max_seq_length", context) if context else LORA
    return {**table, "peft_parameters": PEFT}


def _context(folder: Path) -> int | None:
    """Tokens that the model takes at once; None where its folder does not tell, or it has no such bound."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = config.get("max_position_embeddings") or config.get("n_positions")
    return found if isinstance(found, int) and not config.get("is_encoder_decoder") else None


def _tags(spec: Spec) -> Iterator[str]:
    """Everything that a filter may ask of a model."""
    yield f"modelid_{spec['model_id']}"
    yield f"provider_{spec['provider']}"
    yield f"source_{spec['source']}"
    for side in ("input", "output"):
        yield f"{side}_tier_{spec[f'{side}_tier']}"
        yield f"tier_{spec[f'{side}_tier']}"
    yield from (f"task_{task}" for task in spec["task_ids"])
    yield from (f"lifecycle_{state['id']}" for state in spec["lifecycle"])
    yield from (f"function_{function['id']}" for function in spec["functions"])


__all__ = ["MOST_RECORDS", "TASKS", "Catalog", "Spec"]
