"""Importing wxtuning is light, and its public names are the ones that are promised."""

from __future__ import annotations

import subprocess
import sys

import pytest

import wxtuning

HEAVY = ("torch", "transformers", "pandas", "datasets", "httpx", "ibm_watsonx_ai", "ibm_boto3", "pydantic", "numpy")


def loaded_after(code: str) -> set[str]:
    program = f"import sys; {code}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_loads_no_vendor_package():
    assert not loaded_after("import wxtuning") & set(HEAVY)


def test_building_an_experiment_loads_no_vendor_package():
    code = (
        "import wxtuning as wx; wx.TuningExperiment('x').load('rows.jsonl').clean().to_jsonl(input='a', output='b')"
        ".tune(num_epochs=3).evaluate(holdout=0.1).deploy('x')"
    )
    assert not loaded_after(code) & set(HEAVY) - {"pydantic"}


@pytest.mark.parametrize("name", wxtuning.__all__)
def test_every_public_name_is_there(name):
    assert getattr(wxtuning, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        wxtuning.nothing  # noqa: B018
