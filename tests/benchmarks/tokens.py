"""The token report against counting every row by hand: `python -m tests.benchmarks.tokens`.

50,000 rows, inputs of about 210 characters and answers of about 50, limits of 256 and 128 tokens, the embedded
model's tokenizer (byte-level BPE). The peers count the same prompts and answers; whoever counts all rows must find the
same number of tokens, and all must find the same rows over the limit. Loading the tokenizer is outside the clock.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.contest import Figures, child, ratio, rounds, table, verdict
from tests.benchmarks.shapes import quick
from wxtuning.records import Record

BATCH, TRANSFORMERS, EXACT, OURS = "encode_batch by 1,000", "transformers by 1,000", "wxtuning exact", "wxtuning"
MANY = "wxtuning, 1,000,000 rows"
INPUTS, OUTPUTS, TEMPLATE = 256, 128, "Input: {{input}} Output:"
TEXT = """the order of a table and its chair arrived late while nobody from support answered my two letters about the
broken lamp which I would like to return because it does not fit into our kitchen although everything else was fine"""
WORDS = TEXT.split()


def rows(count: int) -> tuple[Record, ...]:
    rng = random.Random(0)
    return tuple(Record(number, _text(rng, 210), _text(rng, 50), "") for number in range(1, count + 1))


def _text(rng: random.Random, characters: int) -> str:
    return " ".join(rng.choices(WORDS, k=max(1, round(characters / 6 * rng.lognormvariate(0, 0.4)))))


def ours(folder: Path, *, exact: bool = False, count: int = 0) -> Figures:
    from wxtuning.adapters.local import Local
    from wxtuning.spec import PromptTuning
    from wxtuning.tokens import Room, measured

    records = rows(count or _count())
    tokenizer = Local(folder).tokenizer(PromptTuning(verbalizer=TEMPLATE))
    began = time.perf_counter()
    report = measured(records, Room(template=TEMPLATE, inputs=INPUTS, outputs=OUTPUTS), tokenizer, exact=exact)
    seconds = time.perf_counter() - began
    whole = report.tokens_per_epoch + report.inputs.lost + report.outputs.lost
    return _figures(len(records), seconds, whole, len(report.inputs.cut), report.counted)


def by_batches(_folder: Path) -> Figures:
    from tokenizers import Tokenizer

    from wxtuning.tiny import model_folder

    tokenizer = Tokenizer.from_file(str(model_folder() / "tokenizer.json"))

    def count(texts: list[str]) -> list[int]:
        return [len(row.ids) for row in tokenizer.encode_batch(texts, add_special_tokens=False)]

    return _all(count)


def by_transformers(_folder: Path) -> Figures:
    from transformers import AutoTokenizer

    from wxtuning.tiny import model_folder

    tokenizer: Any = AutoTokenizer.from_pretrained(str(model_folder()))

    def count(texts: list[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]]

    return _all(count)


def _all(count: Callable[[list[str]], list[int]]) -> Figures:
    records = rows(_count())
    began = time.perf_counter()
    prompts = [n for part in _parts(records) for n in count([TEMPLATE.replace("{{input}}", r.input) for r in part])]
    answers = [n + 1 for part in _parts(records) for n in count([f" {r.output}" for r in part])]
    seconds = time.perf_counter() - began
    cut = sum(n > INPUTS for n in prompts)
    return _figures(len(records), seconds, sum(prompts) + sum(answers), cut, len(records))


def _parts(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    return (records[start : start + 1_000] for start in range(0, len(records), 1_000))


def _figures(count: int, seconds: float, tokens: int, cut: int, counted: int) -> Figures:
    return {"rows/s": count / seconds, "seconds": seconds, "tokens": tokens, "cut": cut, "counted": counted}


def _count() -> int:
    return 10_000 if quick() else 50_000


def exact(folder: Path) -> Figures:
    return ours(folder, exact=True)


def many(folder: Path) -> Figures:
    return ours(folder, count=1_000_000)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = [BATCH, TRANSFORMERS, EXACT, OURS]
        found = rounds("tests.benchmarks.tokens", names, folder, count=1 if quick() else 3)
        growth = {} if quick() else rounds("tests.benchmarks.tokens", [OURS, MANY], folder, count=1)
    print(f"\n{_count():,} rows, tiny tokenizer")
    table(found, BATCH, "rows/s", ["rows/s", "seconds", "counted", "rss_mib"])
    verdict("all rows, against encode_batch", ratio(found, EXACT, BATCH, "rows/s"), 1.0)
    verdict("only those that can reach a limit, against encode_batch", ratio(found, OURS, BATCH, "rows/s"), 1.5)
    same = {(figures["tokens"], figures["cut"]) for name in (BATCH, TRANSFORMERS, EXACT) for figures in found[name]}
    print("all who count everything agree" if len(same) == 1 else f"COUNTS DIFFER: {same}")
    cuts = {figures["cut"] for runs in found.values() for figures in runs}
    print("all find the same rows over the limit" if len(cuts) == 1 else f"CUT ROWS DIFFER: {cuts}")
    if growth:
        print({name: {key: round(value, 3) for key, value in runs[0].items()} for name, runs in growth.items()})
        verdict("rows/s, 1,000,000 rows against 50,000", ratio(growth, MANY, OURS, "rows/s"), 0.8)


CONTESTANTS = {BATCH: by_batches, TRANSFORMERS: by_transformers, EXACT: exact, OURS: ours, MANY: many}

if __name__ == "__main__" and not child(CONTESTANTS):
    main()
