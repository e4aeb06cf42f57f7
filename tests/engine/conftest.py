"""Tiny random models of four classes, a tokenizer trained on the spot, and run folders with rows in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from wxtuning.engine import TuneConfig

WORDS = ("input", "output", "the", "order", "was", "great", "awful", "late", "thanks", "please", "good", "bad", "three")
ROWS = [
    {"input": f"the order {number} was {word} {'please ' * (number % 7)}", "output": label}
    for number in range(12)
    for word, label in (("great", "good"), ("awful", "bad bad"))
]
CLASSES = ("llama", "gpt2", "granite", "t5")
METHODS = {"prompt_tuning": 0.3, "lora": 0.05}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Model folders by class name: 2 layers, width 32, weights from seed 0."""
    home = tmp_path_factory.mktemp("models")
    return {name: make_model(name, home / name) for name in CLASSES}


@pytest.fixture(params=CLASSES)
def model(request: pytest.FixtureRequest, models: dict[str, str]) -> str:
    return models[request.param]


@pytest.fixture(params=["llama", "t5"])
def causal_and_seq2seq(request: pytest.FixtureRequest, models: dict[str, str]) -> str:
    return models[request.param]


@pytest.fixture
def llama(models: dict[str, str]) -> str:
    return models["llama"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return run_folder(tmp_path / "run")


def run_folder(path: Path, rows: Sequence[dict[str, str]] = ROWS, validation: Sequence[dict[str, str]] = ()) -> Path:
    path.mkdir()
    write_rows(path / "train.jsonl", rows)
    if validation:
        write_rows(path / "validation.jsonl", validation)
    return path


def write_rows(file: Path, rows: Sequence[dict[str, str]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def config_for(model: str, method: str = "prompt_tuning", **values: Any) -> TuneConfig:
    defaults = {
        "num_virtual_tokens": 4,
        "num_epochs": 2,
        "batch_size": 8,
        "learning_rate": METHODS[method],
        "max_output_tokens": 16,
        "device": "cpu",
        "threads": 1,
    }
    return TuneConfig(model=model, method=method, **{**defaults, **values})


def adapter_bytes(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((folder / "adapter").iterdir())}


def make_model(name: str, folder: Path, **changes: Any) -> str:
    """A random model of class `name` in `folder`, with its tokenizer."""
    import torch

    tokenizer = make_tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = _MODELS[name](len(tokenizer), **changes)
        for tensor in model.parameters():
            # The classes start near zero, where all logits are alike and a greedy choice is a matter of rounding.
            if tensor.ndim > 1:
                torch.nn.init.normal_(tensor, std=0.25)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<pad>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator([f"Input: {word} {word} Output: {word}" for word in WORDS] * 4, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="</s>", pad_token="<pad>")


def _llama(vocabulary: int, **changes: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**{**_shape(vocabulary), **changes}))


def _granite(vocabulary: int, **changes: Any) -> Any:
    from transformers import GraniteConfig, GraniteForCausalLM

    scales = {
        "embedding_multiplier": 3.0,
        "logits_scaling": 2.0,
        "residual_multiplier": 0.5,
        "attention_multiplier": 0.2,
    }
    return GraniteForCausalLM(GraniteConfig(**{**_shape(vocabulary), **scales, **changes}))


def _gpt2(vocabulary: int, **changes: Any) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = {"vocab_size": vocabulary, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
    return GPT2LMHeadModel(GPT2Config(**{**shape, "eos_token_id": 1, "bos_token_id": 1, **changes}))


def _t5(vocabulary: int, **changes: Any) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    shape = {"vocab_size": vocabulary, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    return T5ForConditionalGeneration(
        T5Config(**{**shape, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1, **changes})
    )


def _shape(vocabulary: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "eos_token_id": 1,
        "bos_token_id": None,
        "pad_token_id": 0,
    }


_MODELS: dict[str, Callable[..., Any]] = {"llama": _llama, "gpt2": _gpt2, "granite": _granite, "t5": _t5}
