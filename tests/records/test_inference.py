"""Columns that speak for themselves are taken; where two readings fit, the user is asked."""

from __future__ import annotations

import pytest

from wxtuning.errors import PlanError
from wxtuning.records import convert, infer
from wxtuning.records.inference import FORMS
from wxtuning.spec import NO_CLEANING, Mapping


def found(*columns, task="generation", **asked):
    return infer(columns, task, Mapping(**asked))


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_known_form_is_found_in_its_own_columns(form):
    inferred = infer(sorted(form.columns), "generation")
    assert inferred.form == form.name
    assert (inferred.mapping.input or "", inferred.mapping.output or "") == (form.input, form.output)
    assert (inferred.mapping.messages or "") == form.messages


def test_columns_that_no_form_uses_do_no_harm():
    assert found("id", "prompt", "response", "source").form == "prompt/response"


def test_alpaca_wins_over_the_forms_inside_it():
    assert found("instruction", "input", "output", "text").form == "Alpaca"


def test_two_forms_are_ambiguous_and_the_problem_lists_columns_and_candidates():
    (problem,) = found("prompt", "completion", "messages").problems
    assert "columns found: 'prompt', 'completion', 'messages'" in problem
    assert "messages='messages' (chat messages)" in problem
    assert "input='prompt', output='completion' (prompt/completion)" in problem


def test_the_task_decides_where_columns_serve_two():
    columns = ("text", "label", "summary")
    assert found(*columns, task="classification").mapping.output == "label"
    assert found(*columns, task="summarization").mapping.output == "summary"
    assert found(*columns, task="generation").mapping is None


def test_unknown_columns_are_a_problem_that_says_what_to_do():
    (problem,) = found("ticket", "team").problems
    assert "columns found: 'ticket', 'team'; say .to_jsonl(input=..., output=...)" in problem


def test_of_two_columns_naming_one_is_enough():
    assert found("ticket", "team", output="team").mapping.input == "ticket"
    assert found("ticket", "team", input="{ticket}!").mapping.output == "team"


def test_half_a_form_is_completed_by_the_other_half():
    inferred = found("id", "question", "answer", "text", "label", input="question")
    assert (inferred.mapping.input, inferred.mapping.output) == ("question", "answer")


def test_what_was_said_in_full_is_not_questioned():
    asked = Mapping(input="a", output="b", label_map={"1": "x"})
    assert infer(["prompt", "response"], "generation", asked).mapping is asked


def test_everything_else_that_was_said_stays():
    inferred = found("text", "label", label_map={"1": "x"}, validation=0.2)
    assert (inferred.mapping.label_map, inferred.mapping.validation) == ({"1": "x"}, 0.2)


def test_a_column_name_cannot_write_into_the_terminal():
    assert "\x1b" not in found("\x1b[31m", "b").problems[0]


def test_messages_beside_columns_are_refused():
    with pytest.raises(PlanError, match="leave one of the two out"):
        Mapping(input="a", messages="m")


ALPACA = Mapping(input="{instruction}\n\n{input}", output="output")


def test_an_alpaca_row_without_input_is_its_instruction():
    rows = [
        {"instruction": "Add.", "input": "1, 2", "output": "3"},
        {"instruction": "Tell a joke.", "input": "", "output": "No."},
    ]
    converted = convert(rows, ALPACA, NO_CLEANING)
    assert [record.input for record in converted.records] == ["Add.\n\n1, 2", "Tell a joke."]
    assert converted.report.changed == {}


def test_the_words_of_a_template_alone_are_no_input():
    rows = [{"title": " ", "body": "", "output": "x"}]
    converted = convert(rows, Mapping(input="{title}: {body}"), NO_CLEANING)
    assert [reject.code for reject in converted.report.rejected] == ["empty_field"]
