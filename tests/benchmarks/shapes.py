"""The models and rows of the benchmarks: random weights, one word a token, lengths drawn from a seed."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, Any]] = {
    # 58M parameters with both embeddings; 42M of them multiply.
    "58M": {
        "vocab_size": 32_000,
        "hidden_size": 512,
        "num_hidden_layers": 8,
        "intermediate_size": 1408,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": False,
    },
    "tiny": {
        "vocab_size": 1536,
        "hidden_size": 128,
        "num_hidden_layers": 4,
        "intermediate_size": 352,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    },
}
VIRTUAL = 20


def make_model(shape: str, folder: Path) -> Path:
    """A random Llama of `shape` with a tokenizer of one token a word (w7 is token 7)."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    size = SHAPES[shape]["vocab_size"]
    config = LlamaConfig(**SHAPES[shape], bos_token_id=None, eos_token_id=1, pad_token_id=0)
    LlamaForCausalLM(config).save_pretrained(folder)
    words = {"<pad>": 0, "</s>": 1, "Input:": 2, "Output:": 3, **{f"w{number}": number for number in range(4, size)}}
    inner = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="</s>", pad_token="<pad>").save_pretrained(folder)
    return folder


def make_rows(
    file: Path, *, count: int, vocabulary: int, median: float = 60, least: int = 20, most: int = 200, answer: int = 30
) -> None:
    """Inputs of log-normal length between `least` and `most` words, answers of 1 to `answer` words."""
    rng = random.Random(0)

    def words(number: int) -> str:
        return " ".join(f"w{rng.randrange(4, vocabulary)}" for _ in range(number))

    with file.open("w") as out:
        for _ in range(count):
            length = round(min(most, max(least, median * rng.lognormvariate(0, 0.6))))
            out.write(json.dumps({"input": words(length), "output": words(rng.randint(1, answer))}) + "\n")


def read_rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def matmul_rate(dtype_name: str) -> float:
    """The machine's own GFLOP/s in torch.mm, 1024 x 512 x 1408, with torch's own thread count."""
    import time

    import torch

    dtype = getattr(torch, dtype_name)
    one, other = torch.randn(1024, 512, dtype=dtype), torch.randn(512, 1408, dtype=dtype)
    best = 0.0
    for _ in range(8):
        began = time.perf_counter()
        for _ in range(20):
            torch.mm(one, other)
        best = max(best, 20 * 2 * 1024 * 512 * 1408 / (time.perf_counter() - began) / 1e9)
    return best


def needs(shape: str) -> tuple[float, float]:
    """GFLOP a token through the body and a label through the head: forward, and backward to the activations alone."""
    of = SHAPES[shape]
    width, inner, layers = of["hidden_size"], of["intermediate_size"], of["num_hidden_layers"]
    body = layers * (4 * width * width + 3 * width * inner)
    return 4 * body / 1e9, 4 * width * of["vocab_size"] / 1e9


def quick() -> bool:
    return "--quick" in sys.argv
