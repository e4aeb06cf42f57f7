"""`wxtuning validate FILE`: what it prints and its exit code."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tests.rows.conftest import GOOD
from wxtuning.cli import app

BAD = b'{"input": "x"}'


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def command(content: bytes, *options: str):
        (tmp_path / "rows.jsonl").write_bytes(content)
        return CliRunner().invoke(app, ["validate", "rows.jsonl", *options])

    return command


def test_json_is_the_verdict_on_one_line_and_nothing_else(run):
    done = run(b"\xef\xbb\xbf" + GOOD + b"\n" + BAD + b"\n" + GOOD.replace(b"good", b"x"), "--json")
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout) == {
        "valid": [1, 3],
        "rejected": [{"record": 2, "line": 2, "field": "output", "code": "missing_field"}],
        "file_error": None,
        "warnings": ["bom"],
    }
    assert done.exit_code == 1


@pytest.mark.parametrize(("content", "code"), [(GOOD, 0), (GOOD + b"\n" + BAD, 1), (b"", 2)])
def test_the_exit_code_tells_good_rows_bad_rows_and_bad_files(run, content, code):
    assert run(content).exit_code == run(content, "--json").exit_code == code


def test_people_see_counts_the_first_bad_rows_and_how_to_go_on(run):
    done = run(GOOD + b"\n" + BAD * 1 + b"\n[]\n")
    assert "rejected: missing_field" in done.stdout
    assert "row 2 (line 2): output: no field 'output'; fields found: 'input' [missing_field]" in done.stdout
    assert "row 3 (line 3): expected an object in braces, found the array [] [not_an_object]" in done.stdout
    assert "on_reject='skip'" in done.stdout


def test_people_see_what_is_wrong_with_a_file(run):
    done = run(b"[" + GOOD + b"]")
    assert "rows.jsonl holds a JSON array" in done.stdout
    assert "Name it .json" in done.stdout


def test_labels_are_the_only_outputs_allowed(run):
    done = run(GOOD, "--task", "classification", "--labels", "raw, other", "--json")
    assert json.loads(done.stdout)["rejected"][0]["code"] == "unknown_label"
    assert "did you mean 'raw'?" in run(GOOD, "--labels", "raw").stdout


def test_without_labels_the_outputs_of_a_classification_are_counted(run):
    assert json.loads(run(GOOD, "--task", "classification", "--json").stdout)["warnings"] == ["single_class"]
    assert json.loads(run(GOOD, "--json").stdout)["warnings"] == []


def test_columns_and_templates_are_named(run):
    content = b'{"title": "t", "body": "b", "answer": "a"}'
    done = run(content, "--input", "{title}: {body}", "--output", "answer", "--json")
    assert (json.loads(done.stdout)["valid"], done.exit_code) == ([1], 0)


def test_a_template_that_cannot_be_read_is_a_message(run):
    done = run(GOOD, "--input", "{title")
    assert done.exit_code == 2
    assert "is no template" in done.stderr


def test_nothing_of_a_row_comes_to_life_in_a_terminal(run):
    done = run(b'{"input": "a", "output": ["\\u001b[31mred", "\\u202e"]}\n{"\\u001b[2J": 1}')
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
