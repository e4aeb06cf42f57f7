"""All benchmarks of this folder, one after the other: `python -m tests.benchmarks [--quick]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NOT_SCRIPTS = ("__init__", "__main__", "contest", "shapes", "sink")


def main() -> int:
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NOT_SCRIPTS)
    codes = []
    for name in names:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-W", "ignore", "-m", f"tests.benchmarks.{name}", *sys.argv[1:]]
        codes.append(subprocess.run(command, check=False).returncode)
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
