"""The engine: prompt tuning, LoRA and batched answers on any Hugging Face model. Knows nothing of experiments.

Token ids and tensors in, files out. Importing this package loads no torch; `tune` and `Generator` load it on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wxtuning.engine.config import TuneConfig
from wxtuning.engine.contents import check_folder, check_names
from wxtuning.engine.errors import EngineError
from wxtuning.engine.status import cancel, is_alive, read_metrics, read_status, start

if TYPE_CHECKING:
    from wxtuning.engine.answer import Answer
    from wxtuning.engine.batch import Batch, Request, generate_mixed
    from wxtuning.engine.decoding import Decoding
    from wxtuning.engine.generate import Generator
    from wxtuning.engine.look import xray
    from wxtuning.engine.targets import check_targets
    from wxtuning.engine.tokenizer import byte_bound, load_tokens
    from wxtuning.engine.train import TuneResult, tune

__all__ = [
    "TuneConfig",
    "tune",
    "TuneResult",
    "Generator",
    "Answer",
    "Decoding",
    "Request",
    "generate_mixed",
    "Batch",
    "load_tokens",
    "byte_bound",
    "xray",
    "check_targets",
    "check_folder",
    "check_names",
    "start",
    "cancel",
    "is_alive",
    "read_status",
    "read_metrics",
    "EngineError",
]

_ON_USE = {
    "tune": "train",
    "TuneResult": "train",
    "Generator": "generate",
    "Answer": "answer",
    "Decoding": "decoding",
    "Request": "batch",
    "generate_mixed": "batch",
    "Batch": "batch",
    "load_tokens": "tokenizer",
    "byte_bound": "tokenizer",
    "xray": "look",
    "check_targets": "targets",
}


def __getattr__(name: str) -> Any:
    if name not in _ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ON_USE[name]}"), name)
