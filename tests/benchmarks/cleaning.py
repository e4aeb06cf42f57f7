"""Rows in memory to clean JSON Lines against a plain loop: `python -m tests.benchmarks.cleaning [--quick]`.

Strip, drop rows that are empty, longer than 1,024 characters or exact duplicates, write. The loop is the fastest that
is usually written in Python (orjson, a set of pairs); it counts nothing and names no row. Its rows come from Parquet,
as they do in the table of the goals; wxtuning's rows come from the same file. Beside it, both from rows that are dicts
already, and wxtuning with only the steps of the loop and with all its default steps.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.contest import Figures, child, ratio, rounds, table, verdict
from tests.benchmarks.conversion import LONGEST, make_rows
from tests.benchmarks.shapes import quick

Rows = list[dict[str, str]]
LOOP, LOOP_FILE = "orjson loop, dicts", "orjson loop, Parquet"
SAME, DEFAULT, DEFAULT_FILE = "wxtuning, same steps", "wxtuning, default", "wxtuning, default, Parquet"
STREAMED = "wxtuning, streamed"


def _read(folder: Path) -> Iterator[dict[str, str]]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(folder / "rows.parquet").iter_batches(10_000):
        yield from batch.to_pylist()


def _timed(rows: Rows | None, folder: Path, write: Callable[[Rows | Iterator[dict[str, str]]], int]) -> Figures:
    count = len(rows) if rows is not None else sum(1 for _ in _read(folder))
    began = time.perf_counter()
    kept = write(_read(folder) if rows is None else rows)
    seconds = time.perf_counter() - began
    return {"rows/s": count / seconds, "seconds": seconds, "peak MiB": _peak(), "kept": kept}


def _peak() -> float:
    """Resident memory at its highest; unlike getrusage, it leaves out what the parent held when it forked."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def _loop(folder: Path, *, in_memory: bool) -> Figures:
    import orjson

    def write(rows: Rows | Iterator[dict[str, str]]) -> int:
        seen = set()
        with (folder / "out.jsonl").open("wb") as out:
            for row in rows:
                pair = (row["prompt"].strip(), row["response"].strip())
                if all(0 < len(part) <= LONGEST for part in pair) and pair not in seen:
                    seen.add(pair)
                    out.write(orjson.dumps({"input": pair[0], "output": pair[1]}) + b"\n")
        return len(seen)

    return _timed(list(_read(folder)) if in_memory else None, folder, write)


def _ours(folder: Path, *, in_memory: bool, **steps: object) -> Figures:
    from wxtuning.records import convert, jsonl
    from wxtuning.spec import Cleaning, Mapping

    def write(rows: Rows | Iterator[dict[str, str]]) -> int:
        asked = Cleaning(max_characters=LONGEST, **steps)
        converted = convert(rows, Mapping(input="prompt", output="response"), asked)
        (folder / "out.jsonl").write_bytes(jsonl(converted.records))
        return len(converted.records)

    return _timed(list(_read(folder)) if in_memory else None, folder, write)


def _streamed(folder: Path) -> Figures:
    from wxtuning.records import convert_file
    from wxtuning.spec import Cleaning, Mapping

    class Reader:
        def rows(self) -> Iterator[dict[str, str]]:
            return _read(folder)

    def write(_: object) -> int:
        asked = Cleaning(max_characters=LONGEST)
        return convert_file(Reader(), Mapping(input="prompt", output="response"), asked, folder / "out.jsonl").kept

    return _timed(None, folder, write)


BARE = {"fix_mojibake": False, "normalize": False, "near_duplicates": "keep", "flag_personal": False}

CONTESTANTS = {
    LOOP: lambda folder: _loop(folder, in_memory=True),
    SAME: lambda folder: _ours(folder, in_memory=True, **BARE),
    DEFAULT: lambda folder: _ours(folder, in_memory=True),
    LOOP_FILE: lambda folder: _loop(folder, in_memory=False),
    DEFAULT_FILE: lambda folder: _ours(folder, in_memory=False),
    STREAMED: _streamed,
}


def growth() -> None:
    """Rows a second at three sizes, and the seconds that one row takes, in this process."""
    from wxtuning.records import convert
    from wxtuning.spec import Cleaning, Mapping

    sizes = [1, 10_000, 100_000] if quick() else [1, 10_000, 100_000, 1_000_000]
    speeds = {}
    for size in sizes:
        rows = [{"input": f"{number} of the rows, a short one", "output": "yes"} for number in range(size)]
        began = time.perf_counter()
        convert(rows, Mapping(), Cleaning(near_duplicates="keep"))
        seconds = time.perf_counter() - began
        speeds[size] = size / seconds
        print(f"{size:>10,} rows {seconds:8.3f} s {speeds[size]:>12,.0f} rows/s")
    verdict("rows/s at the largest size against 10,000", speeds[sizes[-1]] / speeds[10_000], 0.7)
    verdict("seconds for a single row", 1 / speeds[1], 0.3, at_most=True)


def main() -> None:
    growth()
    with tempfile.TemporaryDirectory() as name:
        folder, count = Path(name), 100_000 if quick() else 1_000_000
        make_rows(folder, count)
        found = rounds("tests.benchmarks.cleaning", list(CONTESTANTS), folder, count=1 if quick() else 3)
    print(f"\n{count:,} rows to clean JSON Lines")
    table(found, LOOP, "rows/s", ["rows/s", "seconds", "peak MiB", "kept"])
    verdict("default cleaning from Parquet against the orjson loop", ratio(found, DEFAULT_FILE, LOOP_FILE, "rows/s"), 1)
    same = {figures["kept"] for runs in found.values() for figures in runs}
    print("all contestants kept as many rows" if len(same) == 1 else f"ROWS DIFFER: {sorted(same)}")


if __name__ == "__main__" and not child(CONTESTANTS):
    sys.exit(main())
