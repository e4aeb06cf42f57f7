"""Every test has a home folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

COLOURS = ("red", "blue")


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
