"""Parquet to clean JSON Lines against the usual ways: `python -m tests.benchmarks.conversion`.

Rename, strip, drop rows that are empty, longer than 1,024 characters or exact duplicates. All contestants write the
same rows in the same order, which is checked. The clock leaves imports out.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.contest import Figures, child, ratio, rounds, table, verdict
from tests.benchmarks.shapes import quick

LONGEST = 1024
DATASETS, ORJSON, POLARS, OURS, PLAIN = (
    "datasets map/filter/to_json", "Python loop, orjson", "polars lazy", "wxtuning", "wxtuning without polars",
)  # fmt: skip


def ours(folder: Path) -> Figures:
    import polars  # noqa: F401  # the peers' imports are outside the clock too

    return _timed(folder, _converted)


def plain(folder: Path) -> Figures:
    import sys

    sys.modules["polars"] = None  # type: ignore[assignment]  # as on a machine that does not have it
    return _timed(folder, _converted)


def _converted(source: Path, target: Path) -> None:
    from wxtuning.records import convert_file
    from wxtuning.rows.files import open_rows
    from wxtuning.spec import Cleaning, Mapping

    # The steps that the others do, and no more.
    cleaning = Cleaning(max_characters=LONGEST, fix_mojibake=False, normalize=False, flag_personal=False)
    convert_file(open_rows(source), Mapping(input="prompt", output="response"), cleaning, target)


def polars_lazy(folder: Path) -> Figures:
    import polars as pl

    def convert(source: Path, target: Path) -> None:
        columns = {"input": pl.col("prompt").str.strip_chars(), "output": pl.col("response").str.strip_chars()}
        wanted = [
            check
            for name in columns
            for check in (pl.col(name) != "", pl.col(name).str.len_chars() <= LONGEST)
        ]  # fmt: skip
        kept = pl.scan_parquet(source).select(**columns).filter(*wanted)
        kept.unique(maintain_order=True, keep="first").sink_ndjson(target)

    return _timed(folder, convert)


def orjson_loop(folder: Path) -> Figures:
    import orjson
    import pyarrow.parquet as pq

    def convert(source: Path, target: Path) -> None:
        seen = set()
        with target.open("wb") as out:
            for batch in pq.ParquetFile(source).iter_batches(10_000):
                columns = batch.to_pydict()
                for text, answer in zip(columns["prompt"], columns["response"], strict=True):
                    pair = (text.strip(), answer.strip())
                    if all(0 < len(part) <= LONGEST for part in pair) and pair not in seen:
                        seen.add(pair)
                        out.write(orjson.dumps({"input": pair[0], "output": pair[1]}) + b"\n")

    return _timed(folder, convert)


def datasets_map(folder: Path) -> Figures:
    import datasets

    datasets.disable_progress_bars()

    def convert(source: Path, target: Path) -> None:
        rows = datasets.Dataset.from_parquet(str(source), cache_dir=str(folder / "cache"))
        rows = rows.rename_columns({"prompt": "input", "response": "output"})
        rows = rows.map(lambda row: {name: row[name].strip() for name in ("input", "output")})
        rows = rows.filter(lambda row: all(0 < len(row[name]) <= LONGEST for name in ("input", "output")))
        seen: set[tuple[str, str]] = set()

        def is_new(row: dict[str, str]) -> bool:
            pair = (row["input"], row["output"])
            return not (pair in seen or seen.add(pair))

        rows.filter(is_new, load_from_cache_file=False).to_json(str(target), force_ascii=False)

    return _timed(folder, convert)


def _timed(folder: Path, convert: Callable[[Path, Path], None]) -> Figures:
    target = folder / "out.jsonl"
    began = time.perf_counter()
    convert(folder / "rows.parquet", target)
    seconds = time.perf_counter() - began
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows, digest = _digest(target)
    target.unlink()
    return {"seconds": seconds, "rows/s": _count(folder) / seconds, "peak MiB": peak, "kept": rows, "rows": digest}


def _digest(file: Path) -> tuple[int, float]:
    """How many rows, and a number that stands for their content, however their JSON is spaced."""
    import orjson

    state, number = hashlib.sha256(), 0
    with file.open("rb") as lines:
        for line in lines:
            number += 1
            row = orjson.loads(line)
            state.update(f"{row['input']}\0{row['output']}\n".encode())
    return number, float(int(state.hexdigest()[:6], 16))


def _count(folder: Path) -> int:
    return int(json.loads((folder / "rows.json").read_text())["count"])


def make_rows(folder: Path, count: int) -> None:
    """Texts of log-normal length; one row in 50 wants stripping, one in 100 is empty, one in 33 is a duplicate."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    letters = [chr(97 + number) for number in range(26)]
    words = np.array(["".join(rng.choice(letters, rng.integers(2, 11))) for _ in range(5_000)] + _ODD)
    columns = [_texts(rng, words, count) for _ in range(2)]
    for row in range(0, count, 50):
        columns[0][row] = f"  {columns[0][row]}\n"
    for row in range(7, count, 100):
        columns[1][row] = " "
    for row in range(11, count, 33):
        twin = int(rng.integers(0, row))
        columns[0][row], columns[1][row] = columns[0][twin], columns[1][twin]
    table = pa.table(dict(zip(("prompt", "response"), columns, strict=True)))
    pq.write_table(table, folder / "rows.parquet", row_group_size=100_000)
    (folder / "rows.json").write_text(json.dumps({"count": count}))


_ODD = ["naïve", "größer", "“quoted”", 'say "hi"', "back\\slash", "tab\there"]


def _texts(rng: object, words: object, count: int) -> list[str]:
    sizes = rng.lognormal(3.3, 0.6, count).clip(1, 300).astype(int)  # type: ignore[attr-defined]
    chosen = words[rng.integers(0, len(words), sizes.sum())]  # type: ignore[attr-defined, index, arg-type]
    ends = sizes.cumsum()
    return [" ".join(chosen[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, count = Path(name), 100_000 if quick() else 1_000_000
        # In a process of its own: a child begins with the peak memory of its parent.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(make_rows, (folder, count))
        names = [POLARS, OURS, ORJSON, PLAIN]
        found = rounds("tests.benchmarks.conversion", names, folder, count=1 if quick() else 3)
        found |= {
            DATASETS: rounds("tests.benchmarks.conversion", [DATASETS], folder, count=1)[DATASETS] * len(found[OURS])
        }
    print(f"\n{count:,} rows of Parquet to clean JSON Lines")
    table(found, POLARS, "rows/s", ["rows/s", "seconds", "peak MiB", "kept"])
    verdict("against datasets", ratio(found, OURS, DATASETS, "rows/s"), 15)
    verdict("against polars lazy", ratio(found, OURS, POLARS, "rows/s"), 0.8)
    verdict("memory against polars lazy", ratio(found, OURS, POLARS, "peak MiB"), 1.0, at_most=True)
    verdict("without polars, against the orjson loop", ratio(found, PLAIN, ORJSON, "rows/s"), 1.0)
    verdict("without polars, memory in MiB", max(figures["peak MiB"] for figures in found[PLAIN]), 500, at_most=True)
    same = {figures["rows"] for runs in found.values() for figures in runs}
    print("all contestants wrote the same rows" if len(same) == 1 else "ROWS DIFFER")


CONTESTANTS = {POLARS: polars_lazy, OURS: ours, ORJSON: orjson_loop, PLAIN: plain, DATASETS: datasets_map}

if __name__ == "__main__" and not child(CONTESTANTS):
    main()
