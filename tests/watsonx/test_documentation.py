"""docs/watsonx.md, run as it is written, from the first block of Python to the last that needs no other file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.processes import serving
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.tiny import demonstration_file, model_folder

PAGE = Path(__file__).parents[2] / "docs" / "watsonx.md"
NAMES = {"url": "WATSONX_URL", "api_key": "WATSONX_APIKEY", "username": "WATSONX_USERNAME", "ca": "WATSONX_CA"}


def blocks() -> list[str]:
    found = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in found if "from_ready" not in block]


@pytest.mark.slow
def test_the_page_runs_against_a_service_that_its_environment_names(tmp_path: Path) -> None:
    lines = demonstration_file().read_text(encoding="utf-8").splitlines()[:70]
    (tmp_path / "comments.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (tmp_path / "program.py").write_text("\n".join(blocks()), encoding="utf-8")
    with serving(tmp_path / "server", "--model", f"google/flan-t5-xl={model_folder()}", "--jobs", "2") as server:
        told = {name: server.ready[value] for value, name in NAMES.items()}
        ready = tmp_path / "ready.json"
        ready.write_text(json.dumps(server.ready), encoding="utf-8")
        assert Watsonx.from_ready(ready, project="sandbox", create_project=True).service.container.kind == "project"
        done = subprocess.run(
            [sys.executable, "program.py"], cwd=tmp_path, env={**os.environ, **told, "WXTUNING_HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Scores on 14 held-out rows" in done.stdout and "watsonx:" in done.stdout
