"""Our tuning loop against PEFT + transformers' Trainer with dynamic padding: `python -m tests.benchmarks.tuning`.

Same model, rows, epochs, batch size and learning rate. The clock runs from the end of the first epoch to the end of
the last step, so imports, loading and first-time costs are outside for both. Both adapters are scored by one function.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.contest import Figures, child, ratio, rounds, table, verdict
from tests.benchmarks.shapes import SHAPES, VIRTUAL, make_model, make_rows, matmul_rate, needs, quick, read_rows

EPOCHS, RATE = 3, 0.05
BATCH = {"58M": 8, "tiny": 16}
PEER, OURS, OURS_BF16 = "PEFT + Trainer", "wxtuning fp32", "wxtuning bf16"


def ours(folder: Path, dtype: str = "float32") -> Figures:
    from wxtuning.engine import TuneConfig, tune

    ends: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as home:
        run = Path(home)
        (run / "train.jsonl").write_bytes((folder / "train.jsonl").read_bytes())
        config = TuneConfig(
            model=str(folder / "model"),
            num_virtual_tokens=VIRTUAL,
            num_epochs=EPOCHS,
            learning_rate=RATE,
            batch_size=BATCH[folder.name],
            max_input_tokens=512,
            warmup_ratio=0.0,
            dtype=dtype,
            device="cpu",
        )
        result = tune(config, run, on_metric=lambda metric: ends.setdefault(metric["step"], time.perf_counter()))
        first = result.steps // EPOCHS
        tokens = result.tokens * (EPOCHS - 1) / EPOCHS
        seconds = ends[result.steps] - ends[first]
        return _figures(folder, run / "adapter", seconds, tokens)


def ours_bf16(folder: Path) -> Figures:
    return ours(folder, "bfloat16")


def peer(folder: Path) -> Figures:
    import torch
    import transformers
    from peft import PromptTuningConfig, get_peft_model
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    transformers.logging.set_verbosity_error()
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "model")
    settings = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL)
    wrapped = get_peft_model(model, settings)
    rows = [_example(tokenizer, row) for row in read_rows(folder / "train.jsonl")]
    ends: list[float] = []

    class Clock(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_args: Any, **_kwargs: Any) -> None:
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as home:
        arguments = TrainingArguments(
            output_dir=home,
            per_device_train_batch_size=BATCH[folder.name],
            num_train_epochs=EPOCHS,
            learning_rate=RATE,
            lr_scheduler_type="linear",
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        collate = DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100)
        Trainer(model=wrapped, args=arguments, train_dataset=rows, data_collator=collate, callbacks=[Clock()]).train()
        wrapped.save_pretrained(home)
        tokens = (EPOCHS - 1) * sum(len(row["input_ids"]) + VIRTUAL for row in rows)
        return _figures(folder, Path(home), ends[-1] - ends[len(ends) // EPOCHS - 1], tokens)


def _example(tokenizer: Any, row: dict[str, str]) -> dict[str, list[int]]:
    prompt = tokenizer(f"Input: {row['input']} Output:")["input_ids"]
    answer = [*tokenizer(row["output"])["input_ids"], tokenizer.eos_token_id]
    ids = prompt + answer
    return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [-100] * len(prompt) + answer}


def _figures(folder: Path, adapter: Path, seconds: float, tokens: float) -> Figures:
    import resource

    scale = 1024  # ru_maxrss is in KiB on Linux; the score below must not count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    return {"seconds": seconds, "tokens/s": tokens / seconds, "peak MiB": peak, "loss": _score(folder, adapter)}


def _score(folder: Path, adapter: Path) -> float:
    from wxtuning.engine import Generator

    generator = Generator.load(str(folder / "model"), adapter, device="cpu", dtype="float32")
    pairs = [(f"Input: {row['input']} Output:", row["output"]) for row in read_rows(folder / "train.jsonl")]
    losses = generator.losses(pairs)
    return sum(loss for loss, _ in losses) / sum(count for _, count in losses)


def _contest(shape: str, home: Path, *, count: int, names: list[str]) -> dict[str, list[Figures]]:
    folder = home / shape
    folder.mkdir()
    make_model(shape, folder / "model")
    wide = shape == "58M"
    vocabulary = SHAPES[shape]["vocab_size"]
    if wide:
        make_rows(folder / "train.jsonl", count=48 if quick() else 96, vocabulary=vocabulary)
    else:
        make_rows(folder / "train.jsonl", count=320, vocabulary=vocabulary, median=22, least=5, most=80, answer=3)
    found = rounds("tests.benchmarks.tuning", names, folder, count=count)
    print(f"\n{shape}, {len(read_rows(folder / 'train.jsonl'))} rows, batch {BATCH[shape]}, {EPOCHS} epochs")
    table(found, PEER, "tokens/s", ["tokens/s", "seconds", "peak MiB", "loss"])
    return found


def _useful_share(found: dict[str, list[Figures]], folder: Path, rate: float) -> float:
    from wxtuning.engine.data import read_pairs

    pairs = read_pairs(folder / "train.jsonl")
    labels = sum(len(answer.split()) + 1 for _, answer in pairs)
    tokens = sum(len(prompt.split()) + 2 + VIRTUAL for prompt, _ in pairs) + labels
    a_token, a_label = needs(folder.name)
    work = (EPOCHS - 1) * (tokens * a_token + labels * a_label)
    return work / statistics.median(figures["seconds"] for figures in found[OURS]) / rate


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        home, count = Path(name), 1 if quick() else 3
        before = matmul_rate("float32")
        wide = _contest("58M", home, count=count, names=[PEER, OURS, OURS_BF16])
        rate = (before + matmul_rate("float32")) / 2
        tiny = _contest("tiny", home, count=count, names=[PEER, OURS])
        print(f"torch.mm: fp32 {rate:.0f}, bf16 {matmul_rate('bfloat16'):.0f} GFLOP/s")
        verdict("58M fp32, tokens/s against Trainer", ratio(wide, OURS, PEER, "tokens/s"), 2.5)
        verdict("58M fp32, share of the fp32 matmul rate", _useful_share(wide, home / "58M", rate), 0.55)
        verdict("58M fp32, peak memory against Trainer", ratio(wide, OURS, PEER, "peak MiB"), 0.65, at_most=True)
        verdict("58M bf16, tokens/s against Trainer", ratio(wide, OURS_BF16, PEER, "tokens/s"), 4.0)
        verdict("tiny fp32, tokens/s against Trainer", ratio(tiny, OURS, PEER, "tokens/s"), 1.5)


if __name__ == "__main__" and not child({PEER: peer, OURS: ours, OURS_BF16: ours_bf16}):
    main()
