"""What was asked for is checked at once and completely, and survives JSON."""

from __future__ import annotations

import json
import math

import pytest

from wxtuning.errors import PlanError
from wxtuning.spec import (
    Cleaning,
    DeploymentSpec,
    Evaluation,
    ExperimentSpec,
    LoRA,
    Mapping,
    PromptTuning,
    WaitPolicy,
)

FULL = ExperimentSpec(
    name="Größe",
    task="classification",
    labels=("a", "b"),
    tags=("t",),
    limit=5,
    cleaning=Cleaning(strip=False),
    mapping=Mapping(input="{x}", label_map={"a": "one", "b": "two"}, validation=0.2),
    method=LoRA("some/model", r=4, target_modules=("q", "v")),
    evaluation=Evaluation(holdout=20, seed=3),
    deployment=DeploymentSpec(name="live"),
    wait=WaitPolicy(every_seconds=1),
)


def problems_of(make):
    with pytest.raises(PlanError) as caught:
        make()
    return caught.value.problems


def test_all_problems_are_told_at_once():
    found = problems_of(lambda: PromptTuning(num_epoch=1, learning_rate=-1, batch_size=0, seed=-1))
    assert len(found) == 4
    assert all(problem.startswith("PromptTuning: ") for problem in found)
    assert all(
        any(name in problem for problem in found) for name in ("num_epoch", "learning_rate", "batch_size", "seed")
    )


@pytest.mark.parametrize(
    ("given", "meant"), [("num_epoch", "num_epochs"), ("learningrate", "learning_rate"), ("batchsize", "batch_size")]
)
def test_a_parameter_nearly_right_is_answered_with_the_right_one(given, meant):
    assert problems_of(lambda: LoRA(**{given: 1})) == (f"LoRA: {given}: no such parameter; did you mean {meant}?",)


def test_a_parameter_far_from_all_is_answered_with_all_there_are():
    (problem,) = problems_of(lambda: Cleaning(zzz=1))
    assert problem.startswith(
        "Cleaning: zzz: no such parameter; leave it out, or take one of fix_mojibake, normalize, "
    )


def test_what_is_wrong_inside_a_spec_is_one_problem_a_line_with_its_place():
    assert problems_of(
        lambda: ExperimentSpec(
            name="",
            mapping={"inptu": "x", "validation": -1},
            method={"method": "lora", "r": 0, "learningrate": 1},
            evaluation={"holdout": 0},
        )
    ) == (
        "ExperimentSpec: name: found an empty text, expected a text of length 1 or more; change it",
        "ExperimentSpec: mapping.validation: found -1, expected 0 or more; change it, or leave it out for 0",
        "ExperimentSpec: mapping.inptu: no such parameter; did you mean input?",
        "ExperimentSpec: method.r: found 0, expected 1 or more; change it, or leave it out",
        "ExperimentSpec: method.learningrate: no such parameter; did you mean learning_rate?",
        "ExperimentSpec: evaluation.holdout: found 0, expected more than 0; change it, or leave it out for 0.1",
    )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"mapping": 3}, "mapping: found 3, expected a dict of parameters; change it, or leave it out"),
        ({"method": {"method": "sft"}}, "method: found a dict, expected one whose 'method' is one of 'prompt_tuning', "
         "'lora'; change it, or leave it out"),
        ({"method": {"r": 4}}, "method: found a dict, expected one with a 'method'; change it, or leave it out"),
        ({"method": {"method": "lora", "target_modules": ["q", 1]}},
         "method.target_modules.1: found 1, expected text; change it"),
        ({"mapping": {"label_map": {"input": 3}}}, "mapping.label_map.input: found 3, expected text; change it"),
        ({"task": "summarisation"}, "task: found text, expected 'classification', 'generation' or 'summarization'; "
         "did you mean 'summarization'?"),
        ({"two\nlines": 1, "name": "x"}, r"'two\nlines': no such parameter; leave it out, or take one of name, task"),
        ({"limit": -(10**5000)}, "limit: found a number of more than 18 digits, expected"),
    ],
)  # fmt: skip
def test_a_problem_says_where_what_was_found_what_was_expected_and_the_way_out(given, problem):
    (found,) = problems_of(lambda: ExperimentSpec(**{"name": "demo", **given}))
    assert found.startswith(f"ExperimentSpec: {problem}")
    assert "\n" not in found


def test_a_template_and_labels_are_judged_beside_wrong_numbers():
    assert len(problems_of(lambda: PromptTuning(verbalizer="", init="text", batch_size=0))) == 3
    assert len(problems_of(lambda: Mapping(label_map={"a": "x", "b": "x"}, validation=-1))) == 2


READERS = {
    "model_validate": ExperimentSpec.model_validate,
    "model_validate_json": lambda given: ExperimentSpec.model_validate_json(json.dumps(given)),
    "model_validate_strings": ExperimentSpec.model_validate_strings,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_every_way_to_read_a_spec_tells_all_problems_as_a_plan_error(reader):
    found = problems_of(lambda: reader({"name": "", "method": {"method": "lora", "seed": "-1"}}))
    assert [problem.split(": ")[1] for problem in found] == ["name", "method.seed"]


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("given", [None, [], {"method": []}])
def test_what_is_no_spec_at_all_is_a_plan_error(reader, given):
    assert all(problem.startswith("ExperimentSpec: ") for problem in problems_of(lambda: reader(given)))


@pytest.mark.parametrize("text", ["", "{", b"\xff", "[" * 100_000, '{"name": "x"} {}'])
def test_text_that_is_no_json_is_a_plan_error(text):
    (problem,) = problems_of(lambda: ExperimentSpec.model_validate_json(text))
    assert problem.startswith("ExperimentSpec: no JSON (")


def test_a_wrong_value_is_not_repeated_in_the_error():
    assert "s3cret" not in "".join(problems_of(lambda: LoRA(password="s3cret", num_epochs="s3cret", r="s3cret")))


@pytest.mark.parametrize(
    ("spec", "field", "value"),
    [
        (PromptTuning, "num_virtual_tokens", 0),
        (PromptTuning, "num_epochs", 1.5),
        (PromptTuning, "learning_rate", math.nan),
        (PromptTuning, "learning_rate", 10),
        (PromptTuning, "seed", 2**32),
        (PromptTuning, "init_method", "words"),
        (PromptTuning, "model", 5),
        (LoRA, "r", 0),
        (LoRA, "lora_dropout", 1.0),
        (Mapping, "validation", -1),
        (Evaluation, "holdout", 0),
        (Evaluation, "bootstrap_samples", 99),
        (DeploymentSpec, "name", ""),
        (WaitPolicy, "every_seconds", 0),
        (WaitPolicy, "timeout_seconds", -1),
    ],
)
def test_a_value_out_of_range_is_named_by_its_field(spec, field, value):
    (problem,) = problems_of(lambda: spec(**{field: value}))
    assert problem.startswith(f"{spec.__name__}: {field}: ")


@pytest.mark.parametrize("spec", [PromptTuning, LoRA])
@pytest.mark.parametrize("verbalizer", ["", "Input:", "{input}", "{{input}} {{input}}"])
def test_a_verbalizer_has_one_place_for_the_input(spec, verbalizer):
    assert "{{input}} exactly once" in problems_of(lambda: spec(verbalizer=verbalizer))[0]


def test_two_labels_need_two_words():
    assert "same word" in problems_of(lambda: Mapping(label_map={"a": "x", "b": "x"}))[0]


def test_the_model_may_stand_without_its_name():
    assert PromptTuning("some/model") == PromptTuning(model="some/model")


def test_init_is_a_shorter_name_for_init_method():
    assert PromptTuning(init="auto") == PromptTuning(init_method="auto")


def test_a_text_alone_means_that_the_prompt_starts_from_it():
    assert PromptTuning(init_text="Sort it").init_method == "text"
    assert PromptTuning().init_method == "random"


@pytest.mark.parametrize("given", [{"init": "text"}, {"init_method": "text", "init_text": ""}, {"init_text": "  "}])
def test_to_start_from_a_text_needs_the_text(given):
    (problem,) = problems_of(lambda: PromptTuning(**given))
    assert problem.startswith("PromptTuning: init_text: found ")
    assert "expected the words that the soft prompt starts from" in problem


def test_an_empty_text_alone_is_called_empty():
    assert problems_of(lambda: PromptTuning(init_text=""))[0].startswith("PromptTuning: init_text: found an empty text")


@pytest.mark.parametrize(("short", "long"), [("auto", "auto"), ("auto", "random")])
def test_a_parameter_given_under_both_its_names_is_answered_with_the_other_name(short, long):
    assert problems_of(lambda: PromptTuning(init=short, init_method=long)) == (
        "PromptTuning: init: another name for init_method, which is given too; leave one of them out",
    )


def test_a_text_is_not_blamed_for_a_method_that_there_is_not():
    (problem,) = problems_of(lambda: PromptTuning(init_method="txt", init_text="Sort it"))
    assert problem.endswith("did you mean 'text'?")


@pytest.mark.parametrize("name", ["init", "init_method"])
@pytest.mark.parametrize("method", ["random", "auto"])
def test_a_text_beside_another_method_is_refused(name, method):
    assert "only used with" in problems_of(lambda: PromptTuning(init_text="Sort it", **{name: method}))[0]


@pytest.mark.parametrize("spec", [PromptTuning(), LoRA(), Mapping(), Cleaning(), WaitPolicy(), FULL], ids=repr)
def test_a_spec_is_frozen(spec):
    with pytest.raises(ValueError, match="frozen"):
        setattr(spec, next(iter(type(spec).model_fields)), "other")


@pytest.mark.parametrize(
    "spec",
    [
        FULL,
        ExperimentSpec(name="least"),
        ExperimentSpec(name="text", method=PromptTuning(init_text="Sort it")),
        PromptTuning(init="auto", num_virtual_tokens=8, learning_rate=0.3),
        LoRA(lora_dropout=0.5),
    ],
)
def test_a_spec_comes_out_of_json_as_it_went_in(spec):
    found = type(spec).model_validate_json(spec.model_dump_json())
    assert found == spec
    assert found.model_dump_json() == spec.model_dump_json()
