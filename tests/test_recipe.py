"""An experiment as YAML: written, read back equal, changed by a person, and refused with all that is wrong in it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import wxtuning as wx
from wxtuning.cli import app
from wxtuning.recipe import Recipe
from wxtuning.testing import FakeBackend

ROWS = [
    {"input": f"thing {n} is {'red' if n % 2 else 'blue'}", "output": "red" if n % 2 else "blue"} for n in range(60)
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def asked(file):
    return (
        wx.TuningExperiment("colours", task="classification", labels=("red", "blue"), tags=("demo",))
        .load(str(file), limit=50)
        .clean(strip=False)
        .to_jsonl(input="input", output="output", validation=0.1)
        .tune(wx.PromptTuning(init_text="Name the colour:", num_epochs=2))
        .evaluate(holdout=0.2)
        .deploy("colours")
    )


def test_an_experiment_reads_back_as_it_was_written(file, tmp_path):
    experiment = asked(file)
    experiment.to_yaml(tmp_path / "experiment.yaml")
    again = wx.TuningExperiment.from_yaml(tmp_path / "experiment.yaml")
    assert again.spec == experiment.spec
    assert again.on(FakeBackend()).plan().digest == experiment.on(FakeBackend()).plan().digest


def test_what_is_as_it_would_be_anyway_is_not_written(file):
    text = wx.TuningExperiment("short").load(str(file)).to_yaml()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == [f"source: {file}", "name: short", "method:", "  method: prompt_tuning", "  model: wxtuning/tiny"]


def test_rows_beside_the_file_are_found_from_any_folder(file, tmp_path, monkeypatch):
    (tmp_path / "experiment.yaml").write_text("name: colours\nsource: rows.jsonl\n")
    monkeypatch.chdir("/")
    found = wx.TuningExperiment.from_yaml(tmp_path / "experiment.yaml").on(FakeBackend()).plan()
    assert found.train.rows == 60


def test_everything_that_is_wrong_is_told_at_once(tmp_path):
    (tmp_path / "experiment.yaml").write_text("name: ''\ntask: guessing\nmethod: {method: lora, r: 0}\n")
    with pytest.raises(wx.PlanError) as caught:
        wx.TuningExperiment.from_yaml(tmp_path / "experiment.yaml")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "no YAML"),
        ("- name", "found list"),
        ("", "found NoneType"),
        ("1: 2", "expected names"),
        ("name: x\nsource: 5", "source is 5"),
        ("name: x\nbackend: nowhere", "no backend 'nowhere'"),
        ("name: !!python/object/apply:os.getcwd []", "no YAML"),
    ],
)
def test_a_file_that_is_no_experiment_says_so(tmp_path, text, said):
    (tmp_path / "experiment.yaml").write_text(text)
    with pytest.raises(wx.PlanError, match=said):
        wx.TuningExperiment.from_yaml(tmp_path / "experiment.yaml")


def test_a_file_that_cannot_be_read_says_which(tmp_path):
    with pytest.raises(wx.DataError, match=r"nothing\.yaml"):
        wx.TuningExperiment.from_yaml(tmp_path / "nothing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(wx.DataError, match="not UTF-8"):
        wx.TuningExperiment.from_yaml(tmp_path / "latin.yaml")


def test_rows_and_adapters_that_are_objects_cannot_be_written_down(file):
    with pytest.raises(wx.PlanError, match=r"\.load\(\) was given list"):
        wx.TuningExperiment("x").load(ROWS).to_yaml()
    with pytest.raises(wx.PlanError, match="adapters"):
        asked(file).using(tuner=FakeBackend()).to_yaml()


def test_addresses_of_store_and_backend_come_along(file, tmp_path):
    written = asked(file).upload(f"file://{tmp_path}/store").on("local").to_yaml()
    recipe = Recipe.from_yaml(written)
    assert (recipe.store, recipe.backend, recipe.source) == (f"file://{tmp_path}/store", "local", str(file))


def test_a_note_stands_as_comments_above(file):
    text = Recipe(spec=asked(file).spec).to_yaml(note="first\nsecond")
    assert "# first\n# second\n" in text and Recipe.from_yaml(text).spec == asked(file).spec


def test_the_command_line_plans_a_file(file, tmp_path):
    asked(file).to_yaml(tmp_path / "experiment.yaml")
    done = CliRunner().invoke(app, ["plan", str(tmp_path / "experiment.yaml")])
    assert done.exit_code == 0 and "Plan colours-" in done.output
