"""`python -m wxtuning.tiny --out DIR`: the whole recipe, from generated text to a model folder with its card."""

import argparse
import logging
import sys
import time
from pathlib import Path

import torch

from wxtuning.tiny import gates
from wxtuning.tiny.card import card
from wxtuning.tiny.folder import write_model
from wxtuning.tiny.pretrain import Recipe, corpus_tokenizer, new_model, pretrain

_log = logging.getLogger("wxtuning.tiny")


def main(arguments: list[str] | None = None) -> int:
    """Makes the model, measures it and writes its card; 1 where a bar is missed, else 0."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    recipe = Recipe(seed=asked.seed, steps=asked.steps)
    torch.set_num_threads(asked.threads)
    return _measure(asked.out, recipe, _make(asked.out, recipe))


def _parser() -> argparse.ArgumentParser:
    usual = Recipe()
    parser = argparse.ArgumentParser(prog="python -m wxtuning.tiny", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the model to write")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--steps", type=int, default=usual.steps, help="fewer for a trial run; the bars will not hold")
    parser.add_argument("--threads", type=int, default=2, help="the shipped model was made with two")
    return parser


def _make(folder: Path, recipe: Recipe) -> float:
    """Writes the trained model; the CPU seconds that took."""
    started_cpu, started = time.process_time(), time.perf_counter()
    tokenizer = corpus_tokenizer(recipe.seed)
    model = new_model(recipe.seed, tokenizer)
    pretrain(model, tokenizer, recipe, progress=lambda step, loss: _log.info("step %5d  loss %.3f", step, loss))
    write_model(folder, model, tokenizer)
    cpu_seconds = time.process_time() - started_cpu
    _log.info("pre-training: %.0f CPU s, %.0f s by the clock", cpu_seconds, time.perf_counter() - started)
    return cpu_seconds


def _measure(folder: Path, recipe: Recipe, cpu_seconds: float) -> int:
    """Writes the card and says every number; 1 where a bar is missed, else 0."""
    report = gates.measure(folder)
    (folder / "README.md").write_text(card(report, recipe, cpu_seconds), encoding="utf-8")
    for task, score in report.abilities.items():
        _log.info("ability  %-14s %.2f", task, score)
    for bar in report.bars:
        _log.info(
            "%s  %-48s %s %.2f  measured %.2f",
            "ok  " if bar.passed else "MISS",
            bar.name,
            bar.sign,
            bar.limit,
            bar.value,
        )
    _log.info("demonstration: %s", report.columns)
    return 0 if all(bar.passed for bar in report.bars) else 1


if __name__ == "__main__":
    raise SystemExit(main())
