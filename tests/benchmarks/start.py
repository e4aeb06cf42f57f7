"""From the command to the first step against imports alone: `python -m tests.benchmarks.start`.

Ours is the worker as it is started for a user, from its first instruction to the end of its first optimiser step on
the embedded tiny base. The peer is only `import peft; from transformers import Trainer`, which its user pays before
anything is loaded. Both clocks begin at the start of a fresh interpreter.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.contest import ROOT, verdict
from tests.benchmarks.shapes import make_model, make_rows, quick

PEER = "import peft; from transformers import Trainer; import time; print(time.time())"


def peer() -> float:
    began = time.time()
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PEER], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1]) - began


def ours(model: str, home: Path) -> float:
    """Seconds from the start of the process to the line of its first step."""
    from wxtuning.engine import TuneConfig

    config = TuneConfig(model=model, num_epochs=1, device="cpu")
    make_rows(home / "train.jsonl", count=150, vocabulary=1536, median=22, least=5, most=80, answer=3)
    (home / "config.json").write_text(config.to_json())
    began = time.time()
    command = [sys.executable, "-P", "-m", "wxtuning.engine.worker", str(home)]
    process = subprocess.Popen(command, cwd=ROOT, env=_environment(), stdout=subprocess.DEVNULL)
    curve = home / "metrics.jsonl"
    while not (curve.exists() and b"\n" in curve.read_bytes()):
        if process.poll() not in (None, 0):
            raise SystemExit("the worker failed")
        time.sleep(0.005)
    seconds = time.time() - began
    process.wait()
    return seconds


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


def main() -> None:
    found: dict[str, list[float]] = {"imports of PEFT and Trainer": [], "wxtuning worker to its first step": []}
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        model = ROOT / "wxtuning" / "tiny" / "model"
        if not model.exists():
            model = make_model("tiny", home / "model")
        for number in range(2 if quick() else 6):
            (home / f"{number}").mkdir()
            pair = (peer, lambda number=number: ours(str(model), home / f"{number}"))
            for which in (0, 1) if number % 2 else (1, 0):
                seconds = pair[which]()
                found[list(found)[which]].append(seconds)
    # The first round reads the files of both from the disk; it is left out.
    rest = {name: runs[1:] for name, runs in found.items()}
    for name, runs in rest.items():
        print(f"{name:36}{statistics.median(runs):8.2f} s   {json.dumps([round(run, 2) for run in runs])}")
    ratios = [one / other for other, one in zip(*rest.values(), strict=True)]
    verdict("start to first step against the imports", statistics.median(ratios), 0.6, at_most=True)


if __name__ == "__main__":
    main()
