"""Asks a base and tunes prompts on it, with the engine: the one place where `tiny` meets it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from wxtuning import engine
from wxtuning.engine.template import render

VERBALIZER = "Input: {{input}} Output:"
LONGEST_ANSWER_TOKENS = 32
ANSWERS_AT_ONCE = 50

Pair = tuple[str, str]
"""An input and its output."""


class Probe:
    """A base loaded once, frozen, in fp32 on the CPU. Rows that were tuned once are not tuned again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._base = engine.Generator.load(str(folder), device="cpu", dtype="float32")
        self._tuned: dict[tuple[tuple[Pair, ...], int, int], engine.Generator] = {}

    def answers(self, prompts: Sequence[str], tuned: engine.Generator | None = None) -> list[str]:
        """The greedy answer to each rendered prompt, of the base or of what `tune` made of it."""
        made = (tuned or self._base).generate(prompts, max_new_tokens=LONGEST_ANSWER_TOKENS, batch_size=ANSWERS_AT_ONCE)
        return [answer.text for answer in made]

    def tune(self, pairs: Sequence[Pair], *, seed: int, epochs: int) -> engine.Generator:
        """The base with a prompt learned from the pairs by the engine's defaults, from a random start."""
        run = (tuple(pairs), seed, epochs)
        if run not in self._tuned:
            self._tuned[run] = self._tune(*run)
        return self._tuned[run]

    def _tune(self, pairs: Sequence[Pair], seed: int, epochs: int) -> engine.Generator:
        # One thread: the base is so small that more of them only wait for each other.
        config = engine.TuneConfig(
            model=str(self._folder),
            verbalizer=VERBALIZER,
            seed=seed,
            num_epochs=epochs,
            device="cpu",
            dtype="float32",
            threads=1,
        )
        with TemporaryDirectory() as folder:
            lines = [json.dumps({"input": source, "output": target}) for source, target in pairs]
            Path(folder, "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
            engine.tune(config, Path(folder))
            return self._base.with_adapter(Path(folder, "adapter"))


def rendered(text: str) -> str:
    """The prompt of an input, the same in tuning and in serving."""
    return render(VERBALIZER, text)
