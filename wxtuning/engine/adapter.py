"""An adapter in memory and on disk: trainable tensors, how they meet the base, and PEFT's two files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wxtuning.engine.errors import EngineError
from wxtuning.engine.files import sync_folder, write_atomically

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """What a run trains: named float32 tensors; the soft prompt among them or None; the tensors as PEFT names them.

    `dropouts` drop only inside `lora.dropping`.
    """

    parameters: Mapping[str, torch.Tensor]
    soft: Callable[[], torch.Tensor | None]
    tensors: Callable[[], Mapping[str, torch.Tensor]]
    config: Mapping[str, Any]
    dropouts: tuple[torch.nn.Module, ...] = ()


def save_adapter(adapter: Adapter, folder: Path) -> None:
    """Write PEFT's adapter_config.json and adapter_model.safetensors into `folder`, which appears whole or not at all.

    The same tensors and config give the same bytes.
    """
    from safetensors.torch import save

    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in adapter.tensors().items()}
    write_atomically(beside / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    text = json.dumps(adapter.config, default=_plain, indent=2, sort_keys=True)
    write_atomically(beside / CONFIG, text.encode())
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)
    sync_folder(folder.parent)


def read_adapter(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The config and the tensors of a PEFT adapter, checked to be finite.

    Raises EngineError `bad_adapter`: no such files, weights that are not safetensors (.bin and .pt are never opened),
    damaged files, numbers that are not finite, or a kind of adapter that is neither of the two.
    """
    config = _read_config(folder)
    if config.get("peft_type") not in ("PROMPT_TUNING", "LORA"):
        raise _bad(folder, f"is of type {config.get('peft_type')!r}, expected PROMPT_TUNING or LORA")
    tensors = _read_tensors(folder)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise _bad(folder, f"has numbers that are not finite in {name}")
    return config, tensors


def wrong_base(folder: Path, found: str, base: str, config: Mapping[str, Any]) -> EngineError:
    """The error for an adapter that was tuned on a base of another shape; its `config` names that."""
    named = config.get("base_model_name_or_path")
    tuned_on = ascii(str(named)[:200]) if named else "a model that its config does not name"
    return EngineError(
        f"the adapter in {folder}, tuned on {tuned_on}, does not fit {base}: {found}",
        code="wrong_base",
        hint="load it with the model it was tuned on",
    )


def _bad(folder: Path, what: str) -> EngineError:
    return EngineError(f"the adapter in {folder} {what}", code="bad_adapter", hint=_EXPECTED)


_EXPECTED = f"an adapter folder holds PEFT's {CONFIG} and {WEIGHTS}"


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except OSError as cause:
        raise _bad(folder, f"has no readable {CONFIG}") from cause
    except ValueError as cause:
        raise _bad(folder, f"has a broken {CONFIG}: {cause}") from cause
    if not isinstance(config, dict):
        raise _bad(folder, f"has a {CONFIG} that is not an object")
    return config


def _read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not (folder / WEIGHTS).is_file():
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth"))
        raise _bad(folder, f"has no {WEIGHTS}" + (f", only {pickled}, which are never opened" if pickled else ""))
    try:
        return dict(load_file(folder / WEIGHTS))
    except (SafetensorError, OSError, ValueError) as cause:
        raise _bad(folder, f"has a damaged {WEIGHTS}: {cause}") from cause


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
