"""The model folder: weights, tokenizer and card on disk, as `from_pretrained` wants them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


def write_model(folder: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Writes the model as fp16 safetensors, which loads as fp32, and its tokenizer; turns `model` into fp16."""
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _load_as_fp32(folder / "config.json")
    # safetensors writes for its owner alone; a package is installed by one user and read by another.
    (folder / "model.safetensors").chmod(0o644)


def _load_as_fp32(config_file: Path) -> None:
    # Half the bytes on disk, but a CPU tunes and answers in fp32.
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    config_file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
