"""Every test has a home folder of its own, and hears Ctrl-C."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

COLOURS = ("red", "blue")

# A shell starts background commands with SIGINT ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("WXTUNING_HOME", str(folder))
    return folder


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return [
        {"text": f"thing number {number} is {COLOURS[number % 2]}", "colour": COLOURS[number % 2]}
        for number in range(40)
    ]
