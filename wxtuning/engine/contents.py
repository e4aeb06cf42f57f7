"""What the files of a model must be, as far as their names and config.json tell. Opens no weights, loads no torch."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from wxtuning.engine.errors import EngineError

FOLDER_HOLDS = "a model folder holds config.json, model.safetensors and the tokenizer's files"
_SAFE_ONLY = "convert the weights to safetensors; pickled weights (.bin, .pt) are never opened"


def check_names(model: str, files: Collection[str]) -> None:
    """Check that files of these names can be a model; `model` is what the error calls their place.

    Raises EngineError: model_not_found without config.json, bad_model without safetensors.
    """
    if "config.json" not in files:
        raise EngineError(f"{model} has no config.json", code="model_not_found", hint=FOLDER_HOLDS)
    if not any(name.endswith(".safetensors") and "/" not in name for name in files):
        raise EngineError(f"{model} has no .safetensors file", code="bad_model", hint=_SAFE_ONLY)


def check_folder(folder: Path) -> None:
    """Check that a folder holds a model.

    Raises EngineError: model_not_found, bad_model.
    """
    if not folder.is_dir():
        raise EngineError(f"there is no model folder {folder}", code="model_not_found", hint=FOLDER_HOLDS)
    check_names(f"the folder {folder}", {file.name for file in folder.iterdir()})
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        text = f"the config.json of {folder} cannot be read: {cause}"
        raise EngineError(text, code="bad_model", hint=FOLDER_HOLDS) from cause
    if not isinstance(config, dict):
        raise EngineError(f"the config.json of {folder} is no object", code="bad_model", hint=FOLDER_HOLDS)
