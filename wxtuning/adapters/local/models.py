"""Which model a name means, and what may be asked with it. Knows folders and ids of the Hub; loads no model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from wxtuning import engine, tiny
from wxtuning.adapters.local.faults import BACKEND, MODELS, require_packages
from wxtuning.errors import NotOffered
from wxtuning.folder import sha256_of
from wxtuning.ports import Limits, ModelOffer, Range
from wxtuning.spec import Method

POLL_SECONDS = 0.2
WHOLE_FILE_BYTES = 64 * 2**20
END_BYTES = 2**20

_SHARED = {
    "num_epochs": Range(low=1, high=1000, default=8),
    "batch_size": Range(low=1, high=1024, default=16),
    "accumulate_steps": Range(low=1, high=1024, default=1),
}
# Measured on the embedded model; a wide range around them does as well.
_BY_METHOD = {
    "prompt_tuning": {
        "learning_rate": Range(low=1e-6, high=5, default=0.1),
        "num_virtual_tokens": Range(low=1, high=1000, default=20),
    },
    "lora": {
        "learning_rate": Range(low=1e-6, high=5, default=0.005),
        "r": Range(low=1, high=1024, default=8),
        "lora_alpha": Range(low=1, high=4096, default=16),
    },
}

OFFERED = (ModelOffer(id=tiny.MODEL_ID, methods=tuple(_BY_METHOD)),)
"""The models that need no folder and no network."""


def limits(method: Method) -> Limits:
    """What this machine takes.

    Raises:
        MissingDependency: without the `local` extra.
        NotOffered: if the model is a folder that holds none.
    """
    require_packages()
    folder = _folder_of(method.model)
    return Limits(
        fingerprint=_fingerprint(folder) if folder else f"hub:{method.model}",
        parameters={**_SHARED, **_BY_METHOD[method.method]},
        context_tokens=_context(folder) if folder else None,
        poll_seconds=POLL_SECONDS,
    )


def config_of(method: Method) -> engine.TuneConfig:
    """A method as the engine takes it."""
    values = method.model_dump(exclude={"model"}, exclude_none=True)
    if "target_modules" in values:
        values["target_modules"] = tuple(values["target_modules"])
    return engine.TuneConfig(model=path_of(method.model), **values)


def path_of(model: str) -> str:
    """What the engine loads: the model's folder, or its id on the Hub.

    Raises:
        NotOffered: if the model is a folder that holds none.
    """
    return str(_folder_of(model) or model)


def name_of(path: str) -> str:
    """The name behind a path. The embedded model keeps its name, as its folder is another on each machine."""
    return tiny.MODEL_ID if path == str(tiny.model_folder()) else path


def _folder_of(model: str) -> Path | None:
    """The model's folder, or None for an id on the hub."""
    if model == tiny.MODEL_ID:
        return tiny.model_folder()
    folder = Path(model).expanduser()
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise NotOffered(f"the folder {model} holds no model: no config.json", backend=BACKEND, hint=MODELS)
    if not folder.exists() and (folder.is_absolute() or model.count("/") > 1 or model.startswith(".")):
        raise NotOffered(f"there is no model folder {model}", backend=BACKEND, hint=MODELS)
    return folder.absolute() if folder.is_dir() else None


def _context(folder: Path) -> int | None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("is_encoder_decoder"):  # positions of its two sides, relative ones as a rule
        return None
    found = config.get("max_position_embeddings") or config.get("n_positions")
    return found if isinstance(found, int) else None


def _fingerprint(folder: Path) -> str:
    """Identifies the weights: all bytes of small files, size and both ends of large ones."""
    digest = hashlib.sha256()
    for file in sorted([folder / "config.json", *folder.glob("*.safetensors"), *folder.glob("tokenizer.json")]):
        if file.is_file():
            digest.update(f"{file.name} {file.stat().st_size}\n".encode())
            digest.update(_identifying(file))
    return digest.hexdigest()


def _identifying(file: Path) -> bytes:
    if file.stat().st_size <= WHOLE_FILE_BYTES:
        return bytes.fromhex(sha256_of(file))
    with file.open("rb") as content:
        head = content.read(END_BYTES)
        content.seek(-END_BYTES, 2)
        return head + content.read()
