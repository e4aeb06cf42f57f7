"""What was asked for is checked at once and completely, and survives JSON."""

from __future__ import annotations

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


def test_a_parameter_far_from_all_gets_no_suggestion():
    assert problems_of(lambda: LoRA(zzz=1)) == ("LoRA: zzz: no such parameter",)


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


@pytest.mark.parametrize("text", [None, "", "  "])
def test_to_start_from_a_text_needs_the_text(text):
    assert "needs init_text" in problems_of(lambda: PromptTuning(init="text", init_text=text))[0]


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
