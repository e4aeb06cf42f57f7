"""The storage of the tests, served by hand: nothing of it stays, however it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_storage_that_is_ended_leaves_no_folder(tmp_path: Path, end: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.storage.swift"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout
        assert serving.stdout.readline().startswith("http://127.0.0.1:")
        assert len([*tmp_path.glob("swift-*")]) == 1
        serving.send_signal(end)
        assert serving.wait(20) == 0
    assert [*tmp_path.iterdir()] == []
