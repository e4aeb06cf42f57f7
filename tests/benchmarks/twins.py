"""Near duplicates against datasketch: `python -m tests.benchmarks.twins [--quick]`.

Both take 128 MinHash values. datasketch hashes the words of each text and looks its bands up, which is the cheaper of
its ways; wxtuning hashes pairs of neighbouring words and confirms every candidate on the words themselves. Recall is
the share of planted twins (a few words changed) of at least the threshold's likeness that are found.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path

from tests.benchmarks.contest import Figures, child, ratio, rounds, table, verdict
from tests.benchmarks.shapes import quick

OURS, DATASKETCH = "wxtuning", "datasketch"
SAMPLE = 10_000
"""Texts that datasketch gets; it is linear, and a hundred thousand would take it a quarter of a minute."""

PLANTED = 20
"""One text in so many is a twin of the one before."""


def ours(folder: Path) -> Figures:
    from wxtuning.records.twins import THRESHOLD, groups, likeness

    texts, planted = read_texts(folder)
    groups(texts[:10])  # imports are outside the clock, as for the peer
    began = time.perf_counter()
    found = groups(texts)
    seconds = time.perf_counter() - began
    asked = [(one, other) for one, other in planted if likeness(texts[one], texts[other]) >= THRESHOLD]
    recall = sum(found[one] == found[other] for one, other in asked) / len(asked)
    wrong = sum(group != place for place, group in enumerate(found)) - len(planted)
    return {"rows/s": len(texts) / seconds, "seconds": seconds, "recall": recall, "beyond planted": wrong}


def datasketch(folder: Path) -> Figures:
    from datasketch import MinHash, MinHashLSH

    texts, planted = read_texts(folder, SAMPLE)
    index = MinHashLSH(num_perm=128, params=(16, 8))
    began = time.perf_counter()
    words = ([word.encode() for word in text.split()] for text in texts)
    hits = {}
    for place, sketch in enumerate(MinHash.generator(words, num_perm=128)):
        hits[place] = index.query(sketch)
        index.insert(place, sketch)
    seconds = time.perf_counter() - began
    recall = sum(one in hits[other] for one, other in planted) / len(planted)
    wrong = sum(bool(found) for found in hits.values()) - len(planted)
    return {"rows/s": len(texts) / seconds, "seconds": seconds, "recall": recall, "beyond planted": wrong}


def read_texts(folder: Path, count: int | None = None) -> tuple[list[str], list[tuple[int, int]]]:
    """The first texts of the file, and the pairs of them that were planted."""
    texts = (folder / "texts").read_text().splitlines()[:count]
    return texts, [(place - 1, place) for place in range(1, len(texts), PLANTED)]


def make_texts(folder: Path, count: int) -> None:
    """Texts of about 200 characters, frequent words and rare; some are the one before with words changed."""
    dice = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = ["".join(dice.choices(letters, k=dice.randint(2, 10))) for _ in range(5_000)]
    weights = list(accumulate(1 / (rank + 5) for rank in range(5_000)))
    words: list[str] = []
    with (folder / "texts").open("w") as file:
        for place in range(count):
            if place % PLANTED == 1:
                for _ in range(max(1, len(words) // 25)):
                    words[dice.randrange(len(words))] = dice.choice(known)
            else:
                words = dice.choices(known, cum_weights=weights, k=max(12, int(dice.lognormvariate(3.4, 0.5))))
            file.write(" ".join(words) + "\n")


def main() -> None:
    names = [OURS, DATASKETCH] if find_spec("datasketch") else [OURS]
    if DATASKETCH not in names:
        print("datasketch is not installed: pip install datasketch; only wxtuning is measured")
    sizes = [10_000, 100_000] if quick() else [10_000, 1_000_000, 100_000]
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            make_texts(Path(name), size)
            asked = names if size == 100_000 else [OURS]
            found = rounds("tests.benchmarks.twins", asked, Path(name), count=1 if quick() or size > 100_000 else 3)
        print(f"\n{size:,} texts")
        table(found, OURS, "rows/s", ["rows/s", "seconds", "recall", "beyond planted", "rss_mib"])
    if DATASKETCH in names:
        verdict("near duplicates against datasketch", ratio(found, OURS, DATASKETCH, "rows/s"), 10)


CONTESTANTS = {OURS: ours, DATASKETCH: datasketch}

if __name__ == "__main__" and not child(CONTESTANTS):
    sys.exit(main())
