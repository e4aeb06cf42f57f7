"""Runs contestants, each in a process of its own, in rotating rounds, and prints medians and ratios."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Figures = dict[str, float]
ROOT = Path(__file__).parents[2]


def child(contestants: dict[str, Callable[[Path], Figures]]) -> bool:
    """Run the contestant that the command line names, if it names one, and print its figures as JSON."""
    if len(sys.argv) < 4 or sys.argv[1] != "--contestant":
        return False
    figures = contestants[sys.argv[2]](Path(sys.argv[3]))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    scale = 1024**2 if sys.platform == "darwin" else 1024
    print(json.dumps({**figures, "rss_mib": usage.ru_maxrss / scale}), flush=True)
    return True


def rounds(module: str, names: Sequence[str], folder: Path, *, count: int) -> dict[str, list[Figures]]:
    """`count` rounds over all contestants, each round beginning with another one."""
    found: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(count):
        turn = number % len(names)
        for name in [*names[turn:], *names[:turn]]:
            found[name].append(run(module, name, folder))
    return found


def run(module: str, name: str, folder: Path) -> Figures:
    command = [sys.executable, "-W", "ignore", "-m", module, "--contestant", name, str(folder)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    wall = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    return {"wall": wall, **json.loads(done.stdout.splitlines()[-1])}


def table(found: dict[str, list[Figures]], peer: str, key: str, columns: Sequence[str]) -> None:
    """One line a contestant: medians of `columns`, and the median over rounds of `key` against `peer`'s."""
    width = max(map(len, found)) + 2
    print(f"{'':{width}}" + "".join(f"{column:>16}" for column in [*columns, f"x {key}"]))
    for name, runs in found.items():
        ratio = statistics.median(one[key] / other[key] for one, other in zip(runs, found[peer], strict=True))
        shown = [statistics.median(figures[column] for figures in runs) for column in columns]
        print(f"{name:{width}}" + "".join(f"{value:16.3f}" for value in shown) + f"{ratio:16.2f}")
    print(
        f"medians of {len(found[peer])} rounds; x is the median of the ratios to {peer!r} within a round\n", flush=True
    )


def ratio(found: dict[str, list[Figures]], one: str, other: str, key: str) -> float:
    pairs = zip(found[one], found[other], strict=True)
    return statistics.median(a[key] / b[key] for a, b in pairs)


def verdict(name: str, value: float, goal: float, *, at_most: bool = False) -> None:
    met = value <= goal if at_most else value >= goal
    print(f"{'met   ' if met else 'MISSED'} {name}: {value:.2f}, goal {'<=' if at_most else '>='} {goal}", flush=True)
