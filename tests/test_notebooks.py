"""Every notebook runs from its first cell to its last, and is kept with its outputs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
RUN = Path(__file__).with_name("run_notebook.py")


def outputs_of(text):
    return [output for cell in json.loads(text)["cells"] for output in cell.get("outputs", [])]


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_a_notebook_runs_from_its_first_cell_to_its_last(file, tmp_path):
    done = subprocess.run(
        [sys.executable, str(RUN), str(file)], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {output["output_type"] for output in outputs_of(done.stdout)} == {"execute_result"}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_a_notebook_is_kept_with_its_outputs(file):
    outputs = outputs_of(file.read_text(encoding="utf-8"))
    assert {output["output_type"] for output in outputs} == {"execute_result"}
    assert {"image/png", "text/html"} <= {kind for output in outputs for kind in output["data"]}
