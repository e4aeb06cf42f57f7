"""The chain on model folders of other classes: nothing in it is made for the embedded model alone."""

from __future__ import annotations

import pytest

import wxtuning as wx
from tests.engine.conftest import make_model

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["t5", "gpt2", "granite"])
def test_a_model_folder_of_another_class_goes_through_the_whole_chain(kind, rows, tmp_path):
    run = (
        wx.TuningExperiment(f"any {kind}", task="classification")
        .load(rows)
        .to_jsonl(input="text", output="colour", label_map={"red": "good", "blue": "bad"})
        .tune(wx.LoRA(make_model(kind, tmp_path / kind), num_epochs=2))
        .evaluate(holdout=10)
        .deploy("any")
        .run()
    )
    assert set(run.scores) == {"base", "instruction", "tuned"}
    assert len(run.deployment.generate(["one is red", "two is blue"])) == 2
    assert run.plan.spec.method.model == str(tmp_path / kind)
