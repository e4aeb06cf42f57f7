"""The loss of a run in the two forms that the SDK reads."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from wxtuning.server.trainings.losses import epochs, lines

BEGAN = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def run(tmp_path):
    """Two epochs of three steps, each step a second long, and a validation between them."""
    steps = [{"step": n, "epoch": n / 3, "loss": 7.0 - n, "seconds": 1.0} for n in range(1, 7)]
    validation = {"step": 3, "epoch": 1.0, "validation_loss": 9.0}
    text = "".join(json.dumps(metric) + "\n" for metric in [*steps[:3], validation, *steps[3:]])
    (tmp_path / "metrics.jsonl").write_text(text + '{"step": 7, "epo')
    return tmp_path


def test_every_step_is_a_line_with_its_epoch_from_zero(run):
    found = [json.loads(line)["data"] for line in lines(run, BEGAN).splitlines()]
    assert [point["epoch"] for point in found] == [0, 0, 0, 1, 1, 1]
    assert [point["value"] for point in found] == [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]


def test_times_are_those_of_the_steps_in_the_form_that_the_sdk_reads(run):
    stamps = [json.loads(line)["data"]["timestamp"] for line in lines(run, BEGAN).splitlines()]
    assert [datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f").second for stamp in stamps] == [1, 2, 3, 4, 5, 6]


def test_every_epoch_has_its_mean(run):
    assert [epoch["ml_metrics"] for epoch in epochs(run, BEGAN)] == [
        {"loss": 5.0, "epoch": 0},
        {"loss": 2.0, "epoch": 1},
    ]
    assert [epoch["iteration"] for epoch in epochs(run, BEGAN)] == [3, 6]


def test_a_run_that_has_not_begun_has_no_loss(tmp_path):
    assert (lines(tmp_path, BEGAN), epochs(tmp_path, BEGAN)) == ("", [])
