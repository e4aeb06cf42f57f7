"""A process that may make files and remove none, but in some folders: Linux itself refuses it (Landlock).

python -m tests.storage.no_removing FREE... < PROGRAM        runs the program as such a process
"""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_HERE = 77

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls
PATH_BENEATH = 1
NO_NEW_PRIVILEGES = 38
REMOVE = 1 << 4 | 1 << 5  # folders and files; renaming takes it too
MOVE = 1 << 13  # from one folder to another: refused unless it is allowed


def printed(program: str, *free: Path) -> str:
    """What a program prints that may remove something in these folders only, and below them."""
    command = [sys.executable, "-m", "tests.storage.no_removing", *map(str, free)]
    done = subprocess.run(command, cwd=ROOT, input=program, text=True, capture_output=True, timeout=60, check=False)
    if done.returncode == NOT_HERE:
        pytest.skip(f"Landlock: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def forbid_removing(free: Sequence[Path]) -> None:
    """Take the right to remove anything from this process, but in these folders."""
    rules = _asked(CREATE_RULESET, struct.pack("Q", REMOVE | MOVE), 8, 0)
    for folder, allowed in (Path("/"), MOVE), *((folder, REMOVE | MOVE) for folder in free):
        opened = os.open(folder, os.O_PATH)
        _asked(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", allowed, opened), 0)
        os.close(opened)
    ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _asked(RESTRICT_SELF, rules, 0)
    os.close(rules)


def _asked(*arguments: int | bytes) -> int:
    found: int = ctypes.CDLL(None, use_errno=True).syscall(*arguments)
    if found < 0:
        print(os.strerror(ctypes.get_errno()), file=sys.stderr)
        sys.exit(NOT_HERE)
    return found


if __name__ == "__main__":
    forbid_removing([Path(folder) for folder in sys.argv[1:]])
    exec(sys.stdin.read())  # noqa: S102 - a test wrote it
