"""The state of a run in one safetensors file: tensors, and a little JSON in its header. Nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from wxtuning.engine.errors import EngineError
from wxtuning.engine.files import write_atomically

FILE = "state.safetensors"
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is, apart from its tensors; `digest` says which run. Losses in nats per answer token."""

    digest: str
    step: int = 0
    best_loss: float | None = None
    best_epoch: int | None = None
    validation_loss: float | None = None


def save_checkpoint(folder: Path, progress: Progress, groups: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
    """Replace the checkpoint in `folder`: the old or the new one is there at any crash, also a loss of power."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{group}/{name}": tensor.detach().cpu().clone() for group in groups for name, tensor in groups[group].items()
    }
    header = {"format": str(_FORMAT), "progress": json.dumps(asdict(progress))}
    write_atomically(folder / FILE, save(tensors, metadata=header))


def load_checkpoint(folder: Path, *, digest: str) -> tuple[Progress, dict[str, dict[str, torch.Tensor]]] | None:
    """The checkpoint in `folder`, or None where there is none; other files there are not looked at.

    Raises EngineError `checkpoint_mismatch` for a damaged one, a newer format, or one of other rows or parameters.
    """
    file = folder / FILE
    if not file.exists():
        return None
    header, tensors = _read(file)
    if header.get("format") != str(_FORMAT):
        raise _mismatch(f"{file} has format {header.get('format')}, this version reads {_FORMAT}")
    progress = Progress(**json.loads(header["progress"]))
    if progress.digest != digest:
        raise _mismatch(f"{file} belongs to other rows, another model or other parameters")
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        group, _, name = key.partition("/")
        groups.setdefault(group, {})[name] = tensor
    return progress, groups


def _read(file: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            return opened.metadata() or {}, {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as cause:
        raise _mismatch(f"{file} is damaged: {cause}") from cause


def _mismatch(what: str) -> EngineError:
    hint = "put the old data and parameters back, or delete the checkpoint folder to start from the beginning"
    return EngineError(what, code="checkpoint_mismatch", hint=hint)
