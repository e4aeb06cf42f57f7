"""The soft prompt of prompt tuning (Lester et al. 2021, arXiv:2104.08691), in PEFT's file format without PEFT."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from wxtuning.engine.adapter import Adapter, read_adapter, wrong_base
from wxtuning.engine.config import TuneConfig
from wxtuning.engine.errors import EngineError
from wxtuning.engine.model import Base

KEY = "prompt_embeddings"


def new_prompt(base: Base, config: TuneConfig) -> Adapter:
    """A soft prompt of num_virtual_tokens x width, float32, where the config lets it start."""
    soft = _start(base, config).to(base.device).requires_grad_()
    return Adapter(
        parameters={KEY: soft},
        soft=lambda: soft,
        tensors=lambda: {KEY: soft},
        config=peft_config(base, config),
    )


def read_prompt(
    folder: Path, base: Base, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """The soft prompt (tokens x width) of a PEFT folder. Raises EngineError: bad_adapter, wrong_base."""
    table = tensors.get(KEY)
    if table is None or table.ndim != 2:
        raise EngineError(f"the adapter in {folder} has no table {KEY}", code="bad_adapter", hint="tune it again")
    if table.shape[1] != base.width:
        text = f"its vectors have {table.shape[1]} numbers, the base has {base.width}"
        raise wrong_base(folder, text, base.name, config)
    # PEFT's default for seq2seq doubles the table and reads only its first half (num_transformer_submodules=2).
    wanted = int(config.get("num_virtual_tokens") or len(table))
    if not 0 < wanted <= len(table):
        text = f"the adapter in {folder} has {len(table)} vectors, its config says {wanted}"
        raise EngineError(text, code="bad_adapter", hint="the two files must belong together")
    return table[:wanted].to(device=base.device, dtype=torch.float32)


def load_prompt(folder: Path, base: Base) -> torch.Tensor:
    """The soft prompt of the adapter in `folder`, as `read_prompt` checks it."""
    return read_prompt(folder, base, *read_adapter(folder))


def peft_config(base: Base, config: TuneConfig) -> dict[str, Any]:
    """What PEFT's PromptTuningConfig.save_pretrained would write; PEFT takes seconds to import, so it is not asked.

    num_transformer_submodules is 1: for seq2seq PEFT would otherwise make a second half that is never trained.
    """
    text = config.init_text if config.init_method == "text" else None
    return {
        "auto_mapping": None,
        "base_model_name_or_path": config.model,
        "inference_mode": True,
        "modules_to_save": None,
        "num_attention_heads": _heads(base),
        "num_layers": _layers(base),
        "num_transformer_submodules": 1,
        "num_virtual_tokens": config.num_virtual_tokens,
        "peft_type": "PROMPT_TUNING",
        "peft_version": _peft_version(),
        "prompt_tuning_init": "RANDOM" if text is None else "TEXT",
        "prompt_tuning_init_text": text,
        "revision": config.revision,
        "task_type": "SEQ_2_SEQ_LM" if base.seq2seq else "CAUSAL_LM",
        "token_dim": base.width,
        "tokenizer_kwargs": None,
        "tokenizer_name_or_path": None if text is None else config.model,
    }


def _start(base: Base, config: TuneConfig) -> torch.Tensor:
    if config.init_method == "text":
        return _from_text(base, config.init_text or "", config.num_virtual_tokens)
    return _random(base, config)


def _random(base: Base, config: TuneConfig) -> torch.Tensor:
    """Normal numbers at the scale of the base's own embeddings.

    PEFT's RANDOM draws N(0, 1) whatever the base, which is far outside what most bases have seen (embeddings of
    std 0.02 to 0.2) and far inside it for T5 (std above 10); on our tiny base both end at the same accuracy.
    """
    generator = torch.Generator().manual_seed(config.seed)
    sample = torch.arange(min(len(base.embedding.weight), 4096), device=base.device)
    with torch.no_grad():
        scale = base.embed(sample).float().std().cpu()
    return torch.randn(config.num_virtual_tokens, base.width, generator=generator) * scale


def _from_text(base: Base, text: str, size: int) -> torch.Tensor:
    ids = base.tokens.plain(text)
    if not ids:
        raise EngineError(
            f"init_text {text!r} has no tokens", code="bad_config", hint="give a text or init_method='random'"
        )
    repeated = (ids * -(-size // len(ids)))[:size]
    with torch.no_grad():
        return base.embed(base.ids([repeated]))[0].float().clone()


def _heads(base: Base) -> int:
    config = base.model.config
    return int(getattr(config, "num_attention_heads", 0) or getattr(config, "num_heads", 1))


def _layers(base: Base) -> int:
    return int(getattr(base.model.config, "num_hidden_layers", 1))


def _peft_version() -> str:
    try:
        return version("peft")
    except PackageNotFoundError:
        return "0.21.2"
