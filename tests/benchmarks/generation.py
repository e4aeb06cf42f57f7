"""Our batched answers against transformers' generate: `python -m tests.benchmarks.generation`.

64 prompts of 20 to 200 tokens, 16 new tokens each, greedy, the random 58M Llama of the tuning benchmark. "one by one"
runs 8 of the prompts; its speed is per token. All contestants must give the same tokens for the prompts they share.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.contest import Figures, child, ratio, rounds, table, verdict
from tests.benchmarks.shapes import SHAPES, make_model, make_rows, quick, read_rows

NEW, BATCH, ALONE = 16, 16, 8
ONE, HAND, OURS, OURS_BF16 = "generate, one by one", "generate, hand-batched", "wxtuning fp32", "wxtuning bf16"


def ours(folder: Path, dtype: str = "float32") -> Figures:
    from wxtuning.engine import Generator

    generator = Generator.load(str(folder / "model"), device="cpu", dtype=dtype)
    prompts = _prompts(folder)
    generator.generate(prompts[:BATCH], max_new_tokens=2)
    began = time.perf_counter()
    answers = generator.generate(prompts, max_new_tokens=NEW)
    seconds = time.perf_counter() - began
    return _figures([answer.text for answer in answers], sum(answer.tokens for answer in answers), seconds)


def ours_bf16(folder: Path) -> Figures:
    return ours(folder, "bfloat16")


def one_by_one(folder: Path) -> Figures:
    return _transformers(folder, lambda ids: [[number] for number in range(ALONE)])


def hand_batched(folder: Path) -> Figures:
    """What a careful user writes: sorted by length, 16 at a time, padded on the left."""

    def batches(ids: list[list[int]]) -> list[list[int]]:
        ordered = sorted(range(len(ids)), key=lambda number: len(ids[number]))
        return [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]

    return _transformers(folder, batches)


def _transformers(folder: Path, batches: Callable[[list[list[int]]], list[list[int]]]) -> Figures:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "model", padding_side="left")
    prompts = _prompts(folder)
    ids = [tokenizer(prompt)["input_ids"] for prompt in prompts]
    plan = batches(ids)
    _generate(model, tokenizer, [prompts[number] for number in plan[0]], 2)
    made: dict[int, list[int]] = {}
    began = time.perf_counter()
    for part in plan:
        made.update(zip(part, _generate(model, tokenizer, [prompts[number] for number in part], NEW), strict=True))
    seconds = time.perf_counter() - began
    texts = [tokenizer.decode(made[number], skip_special_tokens=True) for number in sorted(made)]
    return _figures(texts, sum(len(row) for row in made.values()), seconds)


def _generate(model: Any, tokenizer: Any, prompts: list[str], new: int) -> list[list[int]]:
    import torch

    inputs = tokenizer(prompts, return_tensors="pt", padding=True)
    with torch.inference_mode():
        made = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=new,
            do_sample=False,
            pad_token_id=0,
        )
    rows: list[list[int]] = made[:, inputs["input_ids"].shape[1] :].tolist()
    return rows


def _figures(texts: list[str], tokens: int, seconds: float) -> Figures:
    same = hashlib.sha256("\n".join(texts[:ALONE]).encode()).hexdigest()[:6]
    return {"tokens/s": tokens / seconds, "seconds": seconds, "answers": float(int(same, 16))}


def _prompts(folder: Path) -> list[str]:
    return [f"Input: {row['input']} Output:" for row in read_rows(folder / "train.jsonl")]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model("58M", folder / "model")
        make_rows(folder / "train.jsonl", count=64, vocabulary=SHAPES["58M"]["vocab_size"])
        names = [ONE, HAND, OURS, OURS_BF16]
        found = rounds("tests.benchmarks.generation", names, folder, count=1 if quick() else 3)
    print("\n64 prompts, 16 new tokens each, 58M Llama")
    table(found, ONE, "tokens/s", ["tokens/s", "seconds", "rss_mib", "answers"])
    verdict("against generate one by one", ratio(found, OURS, ONE, "tokens/s"), 4.5)
    verdict("against hand-batched generate", ratio(found, OURS, HAND, "tokens/s"), 0.95)
    verdict("bf16 against our fp32", ratio(found, OURS_BF16, OURS, "tokens/s"), 1.2)
    same = {figures["answers"] for name in (ONE, HAND, OURS) for figures in found[name]}
    print("the fp32 contestants give the same answers" if len(same) == 1 else "ANSWERS DIFFER")


if __name__ == "__main__" and not child({ONE: one_by_one, HAND: hand_batched, OURS: ours, OURS_BF16: ours_bf16}):
    main()
