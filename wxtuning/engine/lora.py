"""LoRA (Hu et al. 2021, arXiv:2106.09685): PEFT's own layers, injected into the base."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from wxtuning.engine.adapter import Adapter, wrong_base
from wxtuning.engine.config import TuneConfig
from wxtuning.engine.errors import EngineError
from wxtuning.engine.model import Base

ALL_LINEAR = "all-linear"

# For classes that PEFT has no choice for (Granite among them): query and value, as its choices for their relatives.
_USUAL = (("q_proj", "v_proj"), ("q", "v"), ("query_key_value",), ("c_attn",))


def new_lora(base: Base, config: TuneConfig) -> Adapter:
    """Fresh LoRA layers in `base`, which they change in place; float32, B at zero, A by `seed`.

    Raises EngineError: bad_config for target_modules that the base does not have, missing_dependency without PEFT.
    """
    peft = _peft()
    settings = peft.LoraConfig(
        task_type="SEQ_2_SEQ_LM" if base.seq2seq else "CAUSAL_LM",
        base_model_name_or_path=config.model,
        revision=config.revision,
        r=config.r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=_adapted(base, config),
        fan_in_fan_out=_has_conv1d(base),
    )
    with _seeded(config.seed, base.device), _checked(base, config), _quiet():
        wrapped = peft.get_peft_model(base.model, settings)
    wrapped.eval()
    parameters = {name: tensor for name, tensor in wrapped.named_parameters() if tensor.requires_grad}
    return Adapter(
        parameters=parameters,
        soft=lambda: None,
        tensors=lambda: _state(wrapped, "default"),
        config={**settings.to_dict(), "inference_mode": True},
        dropouts=tuple(module for name, module in wrapped.named_modules() if name.endswith("lora_dropout")),
    )


def add_lora(
    base: Base, wrapped: Any, name: str, folder: Path, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> Any:
    """The base with the adapter of `folder` beside those `wrapped` (or None) has; returns PEFT's model.

    Raises EngineError: bad_adapter, wrong_base (with the first shape that differs).
    """
    peft = _peft()
    settings = _settings(peft, folder, config)
    try:
        with _seeded(0, base.device), _quiet():
            if wrapped is None:
                wrapped = peft.get_peft_model(base.model, settings, adapter_name=name)
            else:
                wrapped.add_adapter(name, settings)
    except ValueError as cause:
        raise wrong_base(folder, str(cause).splitlines()[0], base.name, config) from cause
    expected = {key: value.shape for key, value in _state(wrapped, name).items()}
    if odd := _odd_shape(expected, tensors):
        raise wrong_base(folder, odd, base.name, config)
    peft.set_peft_model_state_dict(wrapped, dict(tensors), adapter_name=name)
    wrapped.eval().requires_grad_(False)
    return wrapped


def switch(wrapped: Any, name: str | None) -> None:
    """Let the base answer with adapter `name` from now on, or as it came (None)."""
    if name is None:
        wrapped.base_model.disable_adapter_layers()
    else:
        wrapped.base_model.enable_adapter_layers()
        wrapped.set_adapter(name)


@contextmanager
def dropping(adapter: Adapter, seed: int, step: int, part: int, *, device: torch.device) -> Iterator[None]:
    """Dropout inside the block, drawn for this step alone, so that a resumed run draws the same."""
    if not adapter.dropouts:
        yield
        return
    for module in adapter.dropouts:
        module.train()
    try:
        with _seeded((seed * 1_000_003 + step) * 1_009 + part, device):
            yield
    finally:
        for module in adapter.dropouts:
            module.eval()


def _peft() -> Any:
    try:
        import peft
    except ImportError as cause:
        hint = "pip install 'wxtuning[local]'"
        raise EngineError("LoRA needs the package peft", code="missing_dependency", hint=hint) from cause
    return peft


def _state(wrapped: Any, name: str) -> dict[str, torch.Tensor]:
    # "auto" would look the base up on the hub; embeddings are never part of our adapters.
    return dict(_peft().get_peft_model_state_dict(wrapped, adapter_name=name, save_embedding_layers=False))


def _adapted(base: Base, config: TuneConfig) -> str | list[str]:
    # PEFT's own word for every linear layer but the one that makes the logits.
    if config.target_modules == (ALL_LINEAR,):
        return ALL_LINEAR
    return list(config.target_modules or _targets(base))


def _targets(base: Base) -> tuple[str, ...]:
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as known

    listed = known.get(base.model.config.model_type)
    if isinstance(listed, list):
        return tuple(listed)
    names = _linear_names(base)
    for usual in _USUAL:
        if set(usual) <= names:
            return usual
    kind = base.model.config.model_type
    hint = f"set target_modules to some of {sorted(names)}"
    raise EngineError(f"PEFT has no LoRA target modules for {kind!r}", code="bad_config", hint=hint)


def _linear_names(base: Base) -> set[str]:
    kinds = ("Linear", "Conv1D")
    return {name.rpartition(".")[2] for name, module in base.model.named_modules() if type(module).__name__ in kinds}


def _has_conv1d(base: Base) -> bool:
    return any(type(module).__name__ == "Conv1D" for module in base.model.modules())


def _settings(peft: Any, folder: Path, config: Mapping[str, Any]) -> Any:
    try:
        with _quiet():
            settings = peft.LoraConfig.from_peft_type(**{**config, "inference_mode": True})
    except (TypeError, ValueError, KeyError) as cause:
        hint = "tune the adapter again, or load it with the PEFT that wrote it"
        raise EngineError(
            f"the adapter in {folder} has a config PEFT refuses: {cause}", code="bad_adapter", hint=hint
        ) from cause
    settings.base_model_name_or_path = None
    return settings


def _odd_shape(expected: Mapping[str, torch.Size], found: Mapping[str, torch.Tensor]) -> str:
    """What is wrong with the first tensor that does not fit, or nothing."""
    if odd := sorted(set(expected) ^ set(found)):
        return f"tensor {odd[0]} is only on one side"
    for name, shape in expected.items():
        if found[name].shape != shape:
            return f"tensor {name} is {tuple(found[name].shape)}, the base needs {tuple(shape)}"
    return ""


@contextmanager
def _checked(base: Base, config: TuneConfig) -> Iterator[None]:
    try:
        yield
    except ValueError as cause:
        hint = f"set target_modules to some of {sorted(_linear_names(base))}"
        text = f"target_modules {list(config.target_modules or ())} do not fit {config.model}"
        raise EngineError(text, code="bad_config", hint=hint) from cause


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """PEFT asks transformers in deprecated ways and comments on configs of newer versions; no caller can act on it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
