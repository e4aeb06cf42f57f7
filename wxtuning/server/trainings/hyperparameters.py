"""Tuning parameters with their ranges and defaults, in the form of `training_parameters` of the service.

`min` and `max` are inclusive. The values of watsonx's own models are those that the live service told in mid 2025, but
for `max_length`, the characters of a text, which that service does not tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Entry = Mapping[str, Any]
Table = Mapping[str, Entry]

TEMPLATE = "Input: {{input}} Output:"
LONGEST_TEXT = 4_000
"""Characters of a text at most; an init_text has no use for more than num_virtual_tokens tokens."""


def _text(default: str) -> Entry:
    return {"default": default, "max_length": LONGEST_TEXT}


_WATSONX: dict[str, Entry] = {
    "init_method": {"supported": ["random", "text"], "default": "random"},
    "init_text": _text("text"),
    "num_virtual_tokens": {"supported": [20, 50, 100], "default": 100},
    "num_epochs": {"default": 20, "min": 1, "max": 50},
    "verbalizer": _text("{{input}}"),
    "batch_size": {"default": 16, "min": 1, "max": 16},
    "accumulate_steps": {"default": 16, "min": 1, "max": 128},
    "learning_rate": {"default": 0.3, "min": 0.00001, "max": 0.5},
    "max_input_tokens": {"default": 256, "min": 1, "max": 1024},
    "max_output_tokens": {"default": 128, "min": 1, "max": 512},
}

FLAN: Table = {
    **_WATSONX,
    "verbalizer": _text(TEMPLATE),
    "max_input_tokens": {"default": 256, "min": 1, "max": 256},
    "max_output_tokens": {"default": 128, "min": 1, "max": 128},
}
GRANITE: Table = {**_WATSONX, "learning_rate": {"default": 0.0002, "min": 0.00001, "max": 0.5}}
LLAMA: Table = {
    **_WATSONX,
    "batch_size": {"default": 8, "min": 1, "max": 16},
    "learning_rate": {"default": 0.002, "min": 0.00001, "max": 0.5},
}

# What the engine itself recommends; measured on the embedded model.
_OURS: dict[str, Entry] = {
    "num_virtual_tokens": {"supported": [20, 50, 100], "default": 20},
    "num_epochs": {"default": 8, "min": 1, "max": 50},
    "verbalizer": _text(TEMPLATE),
    "accumulate_steps": {"default": 1, "min": 1, "max": 128},
    "learning_rate": {"default": 0.1, "min": 0.00001, "max": 0.5},
}
TINY: Table = {**FLAN, **_OURS}
OTHERS: Table = {**_WATSONX, **_OURS}

LORA: Table = {
    "num_epochs": {"default": 8, "min": 1, "max": 50},
    "learning_rate": {"default": 0.005, "min": 0.000001, "max": 0.5},
    "batch_size": {"default": 16, "min": 1, "max": 16},
    "accumulate_steps": {"default": 1, "min": 1, "max": 128},
    "max_seq_length": {"default": 384, "min": 16, "max": 4096},
    "verbalizer": _text(TEMPLATE),
    "response_template": _text(""),
    "gradient_checkpointing": {"supported": [True, False], "default": False},
}
PEFT: Table = {
    "type": {"supported": ["lora"], "default": "lora"},
    "rank": {"default": 8, "min": 1, "max": 128},
    "lora_alpha": {"default": 16, "min": 1, "max": 256},
    "lora_dropout": {"default": 0.0, "min": 0.0, "max": 0.9},
}

RECORDED: Mapping[str, Table] = {
    "google/flan-t5-xl": FLAN,
    "ibm/granite-13b-instruct-v2": GRANITE,
    "meta-llama/llama-2-13b-chat": LLAMA,
}


def prompt_tuning_of(model_id: str) -> Table:
    """The prompt-tuning parameters of a model: the service's own where it has told them, else the engine's."""
    return RECORDED.get(model_id, OTHERS)


def bounded(table: Table, name: str, most: int) -> Table:
    """The table with a smaller upper bound for one parameter, and its default within it."""
    entry = dict(table[name])
    entry["max"] = min(entry["max"], most)
    entry["default"] = min(entry["default"], entry["max"])
    return {**table, name: entry}
