"""The files that show what data should look like are themselves valid."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

import wxtuning as wx
from wxtuning.ports import Limits, Range
from wxtuning.testing import FakeBackend

TASKS = ("classification", "generation", "summarization")


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("task", TASKS)
def test_a_template_has_one_input_and_output_a_line(task):
    rows = lines(wx.templates(task))
    assert len(rows) == 6
    assert all(set(row) == {"input", "output"} and row["input"].strip() and row["output"].strip() for row in rows)


@pytest.mark.parametrize("task", TASKS)
def test_rows_are_all_different_however_many_are_asked_for(task):
    rows = wx.templates(task, rows=500).splitlines()
    assert len(set(rows)) == 500
    assert wx.templates(task, rows=50).splitlines() == rows[:50]


def test_the_labels_of_a_classification_are_balanced():
    labels = Counter(row["output"] for row in lines(wx.templates("classification", rows=50)))
    assert labels == {"positive": 25, "negative": 25}


@pytest.mark.parametrize("task", TASKS)
def test_a_template_is_planned_without_a_problem_where_fifty_rows_are_needed(task, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text(wx.templates(task, rows=50), encoding="utf-8")
    limits = Limits(fingerprint="x", parameters={"num_epochs": Range(low=1, high=9, default=1)}, min_rows=50)
    plan = wx.TuningExperiment("look", task=task).load(file).clean().on(FakeBackend(limits_of=limits)).plan()
    assert (plan.report.read, plan.report.kept, plan.train.rows) == (50, 50, 50)
    assert (plan.report.rejected, plan.report.flagged, plan.tokens.outputs.cut, plan.warnings) == ((), {}, (), ())


@pytest.mark.parametrize("task", TASKS)
def test_the_validator_accepts_a_template(task, tmp_path):
    from wxtuning.rows.validation import validate

    file = tmp_path / "rows.jsonl"
    file.write_text(wx.templates(task, rows=50), encoding="utf-8")
    verdict = validate(file)
    assert (len(verdict.valid), verdict.rejected, verdict.file_error) == (50, (), None)


@pytest.mark.parametrize("rows", [0, -1, 501, 2.5, True])
def test_a_number_of_rows_that_cannot_be_is_refused(rows):
    with pytest.raises(wx.PlanError, match="expected a whole number from 1 to 500"):
        wx.templates("generation", rows=rows)


def test_a_misspelt_task_is_named():
    with pytest.raises(wx.PlanError, match="'clasification'; did you mean classification"):
        wx.templates("clasification")


def command(*arguments):
    done = subprocess.run([sys.executable, "-m", "wxtuning", "template", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_command_prints_the_file():
    assert command("summarization", "--rows", "50") == (0, wx.templates("summarization", rows=50), "")


def test_the_command_refuses_what_it_cannot_print():
    code, out, err = command("generation", "--rows", "0")
    assert (code, out) == (1, "")
    assert err.startswith("wxtuning: rows is 0")
