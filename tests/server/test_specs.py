"""Base models: which there are, what may be asked of each, and how lists of them are filtered and cut into pages."""

from __future__ import annotations

import pytest

from tests.server import sdk_tuning as use
from wxtuning.server.errors import Refused
from wxtuning.server.trainings.catalog import Catalog
from wxtuning.server.trainings.parameters import before_answer, lora, prompt_tuning

SPECS, TASKS = "/ml/v1/foundation_model_specs", "/ml/v1/foundation_model_tasks"
FLAN, TINY = "google/flan-t5-xl", "wxtuning/tiny"


@pytest.fixture(scope="module")
def catalog():
    return Catalog({FLAN: "somewhere/flan-t5-small", "ibm/granite-13b-instruct-v2": "a/b", "own/model": "c/d"})


def names(specs):
    return {spec["model_id"] for spec in specs}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("", {TINY, FLAN, "ibm/granite-13b-instruct-v2", "own/model"}),
        ("modelid_google/flan-t5-xl", {FLAN}),
        ("provider_google,provider_ibm", {FLAN, "ibm/granite-13b-instruct-v2"}),
        ("provider_google,provider_ibm:or", {FLAN, "ibm/granite-13b-instruct-v2"}),
        ("provider_google,provider_ibm:and", set()),
        ("!provider_google,!provider_ibm:and", {TINY, "own/model"}),
        ("function_prompt_tune_trainable,!provider_own:and", {TINY, FLAN, "ibm/granite-13b-instruct-v2"}),
        ("lifecycle_withdrawn", set()),
        ("function_embedding", set()),
    ],
)  # fmt: skip
def test_filters_choose_models(catalog, filters, found):
    assert names(catalog.specs(filters)) == found


def test_a_filter_that_nobody_knows_is_refused_by_name(catalog):
    with pytest.raises(Refused, match=r"'colour_blue' is no filter.*function_text_generation"):
        catalog.specs("colour_blue,lifecycle_available")


def test_an_unknown_model_is_refused_and_the_known_ones_are_named(catalog):
    with pytest.raises(Refused, match=r"google/flan-t5-xl.*wxtuning/tiny") as refused:
        catalog.spec("google/flan-ul2")
    assert refused.value.code == "model_not_supported"


def test_a_model_with_a_name_of_the_service_has_the_ranges_that_the_service_told(catalog):
    told = catalog.spec(FLAN)["training_parameters"]
    assert told["learning_rate"] == {"default": 0.3, "min": 0.00001, "max": 0.5}
    assert told["num_virtual_tokens"] == {"supported": [20, 50, 100], "default": 100}
    assert told["max_input_tokens"]["max"] == 256
    granite = catalog.spec("ibm/granite-13b-instruct-v2")["training_parameters"]
    assert (granite["learning_rate"]["default"], granite["max_output_tokens"]["max"]) == (0.0002, 512)


def test_how_long_a_text_may_be_stands_in_the_specification(catalog):
    texts = [spec["training_parameters"][name] for spec in catalog.specs() for name in ("init_text", "verbalizer")]
    assert {text["max_length"] for text in texts} == {4_000}


def test_lora_is_listed_where_the_service_still_has_it():
    on_cpd, on_cloud = Catalog({}, platform="cpd"), Catalog({}, platform="cloud")
    assert names(on_cpd.specs("function_lora_fine_tune_trainable")) == {TINY}
    assert on_cloud.specs("function_lora_fine_tune_trainable") == []
    assert "lora_fine_tuning_parameters" not in on_cloud.spec(TINY)


@pytest.mark.parametrize("path", [SPECS, TASKS])
def test_models_and_tasks_are_told_without_a_token(server, path):
    with server.http(token="") as client:
        assert client.get(path).json()["total_count"] >= 1


def test_a_list_in_pages_leads_from_each_page_to_the_next(server):
    found, address = [], f"{TASKS}?version=2025-01-01&limit=3"
    with server.http() as client:
        while address:
            answer = client.get(address).json()
            assert len(answer["resources"]) <= 3
            found += [task["task_id"] for task in answer["resources"]]
            address = answer.get("next", {}).get("href")
        assert found == [task["task_id"] for task in client.get(TASKS).json()["resources"]]


@pytest.mark.parametrize("wrong", ["limit=0", "limit=201", "limit=ten", "start=-1", "limit=²"])
def test_a_page_that_cannot_be_is_refused_with_the_range(server, wrong):
    with server.http() as client:
        answer = client.get(f"{SPECS}?{wrong}")
    assert answer.status_code == 400
    assert "expected a whole number from" in answer.json()["errors"][0]["message"]


def test_the_sdk_finds_the_models_that_can_be_tuned(server, sdk):
    tunable, by_lora, tasks = sdk(use.tunable)
    assert tunable == [TINY]
    assert by_lora == ([TINY] if server.ready["platform"] == "cpd" else [])
    assert {"CLASSIFICATION", "QUESTION_ANSWERING", "CODE_GENERATION_AND_CONVERSION"} <= set(tasks)


def asked(**values):
    return {"base_model": {"model_id": TINY}, "task_id": "classification", **values}


def test_what_is_not_asked_for_is_filled_in(catalog):
    filled = prompt_tuning(asked(num_epochs=3), catalog.spec(TINY))
    assert filled["num_epochs"] == 3
    assert filled["verbalizer"] == "Input: {{input}} Output:"
    assert (filled["tuning_type"], filled["init_method"]) == ("prompt_tuning", "random")
    assert "init_text" not in filled


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": 0.6}, "learning_rate is 0.6; expected a number from 1e-05 to 0.5"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"num_epochs": 51}, "num_epochs is 51; expected a whole number from 1 to 50"),
        ({"num_epochs": 2.0}, "num_epochs is 2.0; expected a whole number"),
        ({"num_epochs": True}, "num_epochs is True; expected a whole number"),
        ({"num_virtual_tokens": 30}, r"num_virtual_tokens is 30; expected one of \[20, 50, 100\]"),
        ({"init_method": "xavier"}, r"expected one of \['random', 'text'\]"),
        ({"init_method": "text"}, "init_text is empty"),
        ({"task_id": "poetry"}, "task_id is 'poetry'; expected one of question_answering"),
        ({"tuning_type": "full"}, "expected 'prompt_tuning'"),
        ({"verbalizer": "Comment:"}, r"holds \{\{input\}\} 0 times; expected once"),
        ({"verbalizer": "{{input}} {{output}}"}, "the answer follows the verbalizer by itself"),
        ({"temperature": 1}, "temperature is no parameter of this model; it has accumulate_steps, "),
        ({"learning_rat": 1}, r"learning_rat is no parameter of this model; did you mean learning_rate\?"),
        ({"batch_size": 0, "accumulate_steps": 999}, "batch_size is 0.*; prompt_tuning.accumulate_steps is 999"),
    ],
)
def test_every_value_out_of_range_is_named_with_its_range(catalog, values, message):
    with pytest.raises(Refused, match=message) as refused:
        prompt_tuning(asked(**values), catalog.spec(TINY))
    assert refused.value.status == 400


def test_a_lora_is_filled_in_and_bounded_by_the_models_own_context(catalog):
    given = asked(peft_parameters={"type": "lora"})
    filled = lora(given, catalog.spec(TINY))
    assert filled["peft_parameters"] == {"type": "lora", "rank": 8, "lora_alpha": 16, "lora_dropout": 0.0}
    with pytest.raises(Refused, match="max_seq_length is 513; expected a whole number from 16 to 512"):
        lora({**given, "max_seq_length": 513}, catalog.spec(TINY))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "of all weights, without parameters.peft_parameters; LoRA is, with"),
        ({"peft_parameters": {"type": "qlora"}}, r"type is 'qlora'; expected one of \['lora'\]"),
        ({"peft_parameters": {"rank": 0}}, "rank is 0; expected a whole number from 1 to 128"),
        ({"peft_parameters": {"target_modules": "q"}}, "expected a list of names of linear layers"),
        ({"peft_parameters": {}, "gpu": {"num": 0}}, "gpu is"),
        ({"peft_parameters": {}, "gpu": 1}, "gpu is"),
        (
            {"peft_parameters": {}, "gpu": {"num": 1, "nmae": "A100"}},
            "gpu.'nmae' is no field of it; did you mean name?",
        ),
        ({"peft_parameters": {}, "verbalizer": "{{output}} {{input}}"}, "expected it at the end once"),
        ({"peft_parameters": {}, "response_template": "Answer:"}, "stands alone"),
        (
            {"peft_parameters": {}, "verbalizer": "{{input}} A: {{output}}", "response_template": "Response:"},
            "expected the end of the verbalizer",
        ),
    ],
)
def test_what_a_lora_cannot_be_is_refused_with_what_it_can(catalog, values, message):
    with pytest.raises(Refused, match=message):
        lora(asked(**values), catalog.spec(TINY))


def test_the_template_of_a_lora_ends_before_the_answer():
    assert (
        before_answer("### Input: {{input}} \n\n### Response: {{output}}") == "### Input: {{input}} \n\n### Response: "
    )
    assert before_answer("Input: {{input}} Output:") == "Input: {{input}} Output:"
