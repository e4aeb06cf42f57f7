"""Validation of JSON Lines under the whole row policy against orjson loops: `python -m tests.benchmarks.validation`.

A million lines of about 400 bytes, in the page cache. A fifth of them hold escaped quotes and line ends, a tenth
letters beyond ASCII, one in a hundred thousand is bad; one in a hundred repeats an earlier row in the second file.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.contest import Figures, child, ratio, rounds, table, verdict
from tests.benchmarks.shapes import quick

LOADS, CHECKS, MSGSPEC, OURS = "orjson.loads", "orjson + type checks", "msgspec blocks", "wxtuning validate"
GOAL = 2.0
SIZES = {"input": (20, 60), "output": (3, 40)}
MOST_GROWTH_MIB = 32


def make(file: Path, count: int, *, repeated: int = 0, is_plain: bool = False) -> None:
    """`count` rows, every `repeated`th of which is the one before it again (0 repeats none); plain ones are words."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(5_000)]
    row = {}
    with file.open("w", encoding="utf-8") as out:
        for number in range(count):
            if not repeated or number % repeated:
                row = {name: _text(rng, words, *sizes, is_plain) for name, sizes in SIZES.items()}
            if number % 100_000 == 99_999:
                out.write('{"input": "bad", "output": null}\n')
            else:
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _text(rng: random.Random, words: list[str], least: int, most: int, is_plain: bool) -> str:
    text = " ".join(rng.choices(words, k=rng.randint(least, most)))
    kind = 1.0 if is_plain else rng.random()
    if kind < 0.1:
        return f'{text}\n\nHe said: "{text[:20]}".'
    return f"{text} … ça va, 漢字." if kind < 0.15 else f"{text}."


def loads(file: Path) -> int:
    import orjson

    with file.open("rb") as lines:
        return sum(orjson.loads(line) is not None for line in lines)


def checks(file: Path) -> int:
    """What P1b calls the orjson loop: both keys, no other, both texts, neither empty."""
    import orjson

    good = 0
    with file.open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            if type(row) is dict and len(row) == 2:
                first, second = row.get("input"), row.get("output")
                good += type(first) is str and type(second) is str and bool(first.strip()) and bool(second.strip())
    return good


def msgspec_blocks(file: Path) -> int:
    import msgspec

    class Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
        input: str | None = None
        output: str | None = None

    decoder = msgspec.json.Decoder(Row)
    good = 0
    with file.open("rb") as stream:
        while block := stream.read(1024 * 1024) + stream.readline():
            good += len(decoder.decode_lines(block))
    return good


def ours(file: Path) -> int:
    from wxtuning.rows.validation import validate

    found = validate(file)
    return found.read - len(found.rejected)


def _timed(name: str, folder: Path) -> Figures:
    contestants = {LOADS: loads, CHECKS: checks, MSGSPEC: msgspec_blocks, OURS: ours}
    contestants[name](folder / "warm.jsonl")
    began, used = time.perf_counter(), time.process_time()
    contestants[name](folder / "rows.jsonl")
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    return {"seconds": seconds, "cpu": cpu, "MB/s": (folder / "rows.jsonl").stat().st_size / 1e6 / seconds}


CONTESTANTS = {name: (lambda folder, name=name: _timed(name, folder)) for name in (LOADS, CHECKS, MSGSPEC, OURS)}


def contest(folder: Path, title: str, *, count: int) -> dict[str, list[Figures]]:
    print(f"{title}: {(folder / 'rows.jsonl').stat().st_size / 1e6:.0f} MB")
    found = rounds("tests.benchmarks.validation", list(CONTESTANTS), folder, count=count)
    table(found, LOADS, "seconds", ["seconds", "cpu", "MB/s", "rss_mib"])
    return found


def main() -> None:
    rows = 100_000 if quick() else 1_000_000
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        make(folder / "warm.jsonl", 2_000)
        make(folder / "rows.jsonl", rows // 10)
        small = contest(folder, f"{rows // 10:,} lines", count=1)
        make(folder / "rows.jsonl", rows)
        large = contest(folder, f"{rows:,} lines", count=3)
        make(folder / "rows.jsonl", rows, repeated=100)
        repeated = contest(folder, f"{rows:,} lines, of which one in a hundred repeats another", count=3)
        make(folder / "rows.jsonl", rows, is_plain=True)
        plain = contest(folder, f"{rows:,} lines of plain words", count=3)
    verdict(f"speed against {LOADS}, nothing checked", 1 / ratio(large, OURS, LOADS, "seconds"), GOAL)
    verdict(f"speed against {CHECKS}", 1 / ratio(large, OURS, CHECKS, "seconds"), GOAL)
    verdict(f"the same for plain words, against {LOADS}", 1 / ratio(plain, OURS, LOADS, "seconds"), GOAL)
    verdict(f"the same for plain words, against {CHECKS}", 1 / ratio(plain, OURS, CHECKS, "seconds"), GOAL)
    verdict(f"the same where rows repeat, against {CHECKS}", 1 / ratio(repeated, OURS, CHECKS, "seconds"), GOAL)
    growth = large[OURS][0]["rss_mib"] - small[OURS][0]["rss_mib"]
    verdict("MiB more for ten times the rows", growth, MOST_GROWTH_MIB, at_most=True)


if __name__ == "__main__" and not child(CONTESTANTS):
    sys.exit(main())
