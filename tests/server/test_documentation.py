"""docs/server.md, run as it is written: the data, the blocks of the SDK and of OpenAI, from the printed lines on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.processes import serving

PAGE = Path(__file__).parents[2] / "docs" / "server.md"


def block(word: str) -> str:
    """The first block of Python that holds a word."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return next(found for found in blocks if word in found)


def said_by(code: str, folder: Path) -> str:
    """The last line that a program prints in a folder that is its user's home."""
    (folder / "program.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-W", "ignore", "program.py"]
    environment = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]


def command(word: str) -> str:
    """The one line of the page's console that holds a word."""
    (found,) = re.findall(rf"^\$ (wxtuning {word}.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


@pytest.mark.slow
def test_the_page_goes_from_a_file_to_an_answer_of_the_sdk_and_of_an_openai_client(tmp_path):
    subprocess.run(f"{sys.executable} -m {command('template')}", shell=True, cwd=tmp_path, check=True)
    with serving(tmp_path / ".wxtuning") as server:
        answered = said_by("\n".join([*server.ready["python"], block("prompt_tuner")]), tmp_path)
        assert answered == "negative"
        assert said_by(block('shop_comments", prompt'), tmp_path) == answered
