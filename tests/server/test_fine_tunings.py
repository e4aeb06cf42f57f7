"""LoRA with the unmodified SDK, on the platform that still has it."""

from __future__ import annotations

import json
import time

import pytest

from tests.server import rooms
from tests.server import sdk_tuning as use

FINE_TUNINGS = "/ml/v1/fine_tunings"


@pytest.fixture(scope="module")
def lora(cpd, cpd_sdk, tmp_path_factory):
    return cpd_sdk(use.fine_tuned, tmp_path_factory.mktemp("lora"))


@pytest.mark.slow
def test_a_lora_completes_with_what_was_asked(lora):
    assert lora["state"] == "completed"
    parameters = lora["details"]["entity"]["parameters"]
    assert parameters["peft_parameters"]["rank"] == 4
    assert (parameters["batch_size"], parameters["gpu"]) == (16, {"num": 1})
    assert lora["details"]["entity"]["tuned_model"]["name"] == "lora"


@pytest.mark.slow
def test_the_engine_was_told_what_was_asked(cpd, lora):
    config = json.loads((cpd.home / "server" / "jobs" / lora["id"] / "config.json").read_text())
    assert (config["method"], config["r"], config["lora_alpha"]) == ("lora", 4, 8)
    assert config["target_modules"] == ["q_proj", "v_proj"]
    assert config["verbalizer"] == "Input: {{input}} Output: "
    assert config["max_input_tokens"] + config["max_output_tokens"] == 128


@pytest.mark.slow
def test_metrics_summary_and_log_come_back(lora):
    (row,) = lora["summary"]
    metrics = lora["details"]["entity"]["status"]["metrics"]
    assert row["loss"] == metrics[-1]["data"]["value"]
    assert (row["Status"], row["Epochs"]) == ("completed", 2)
    assert "completed: tuned in 8 steps" in lora["log"]


@pytest.mark.slow
def test_the_run_is_listed_and_restored(lora):
    assert lora["id"] in lora["runs"]
    assert lora["params"]["base_model"] == {"model_id": use.MODEL}
    assert lora["params"]["peft_parameters"]["lora_alpha"] == 8


def test_ibm_cloud_has_no_fine_tuning_any_more(cloud):
    with cloud.http() as client:
        answer = client.get(FINE_TUNINGS, params={"project_id": cloud.project})
    assert answer.json()["errors"][0]["code"] == "not_offered"


def body(cpd, asset="none", **parameters):
    return {
        "name": "n", "project_id": cpd.project,
        "parameters": {"base_model": {"model_id": use.MODEL}, **parameters},
        "training_data_references": [{"type": "data_asset", "location": {"id": asset}}],
        "results_reference": {"type": "fs", "location": {"path": f"/projects/{cpd.project}/assets/out"}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "not offered by this server: POST /ml/v1/fine_tunings of all weights"),
        ({"peft_parameters": {"type": "qlora"}}, "expected one of ['lora']"),
        ({"peft_parameters": {"type": "lora", "rank": 1000}}, "rank is 1000; expected a whole number from 1 to 128"),
        ({"peft_parameters": {"type": "lora"}, "num_virtual_tokens": 20}, "is no parameter of this model"),
    ],
)
def test_what_is_not_lora_is_refused_with_what_is(cpd, parameters, message):
    with cpd.http() as client:
        answer = client.post(FINE_TUNINGS, json=body(cpd, **parameters))
    assert answer.status_code == 400
    assert message in answer.json()["errors"][0]["message"]


def test_layers_that_the_model_does_not_have_are_refused_before_a_run_is_made(cpd):
    asked = body(cpd, peft_parameters={"type": "lora", "target_modules": ["nonsense"]})
    with cpd.http() as client:
        answer = client.post(FINE_TUNINGS, json=asked)
        (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, "invalid_input_argument")
    assert error["message"].startswith(
        "parameters.peft_parameters.target_modules ['nonsense'] do not fit wxtuning/tiny; set target_modules to some of"
    )


def test_other_kinds_of_tuning_are_not_offered_and_none_is_listed(cpd):
    with cpd.http() as client:
        answer = client.post(FINE_TUNINGS, json={**body(cpd), "type": "ilab"})
        listed = client.get(FINE_TUNINGS, params={"project_id": cpd.project, "type": "ilab"}).json()
    assert "not offered by this server" in answer.json()["errors"][0]["message"]
    assert listed["resources"] == []


@pytest.mark.slow
def test_every_linear_layer_is_adapted_where_that_is_asked(cpd):
    house = rooms.opened(cpd.home / "server")
    asset = rooms.dataset(house, f"project/{cpd.project}", rooms.lines(60))
    asked = body(cpd, asset, num_epochs=1, peft_parameters={"type": "lora", "target_modules": ["all-linear"]})
    with cpd.http() as client:
        made = client.post(FINE_TUNINGS, json=asked).json()["metadata"]["id"]
        address = f"{FINE_TUNINGS}/{made}?project_id={cpd.project}"
        while (status := client.get(address).json()["entity"]["status"])["state"] not in use.ENDED:
            time.sleep(0.1)
    assert status["state"] == "completed", status
    adapter = house.folder("jobs", made, "adapter")
    modules = json.loads((adapter / "adapter_config.json").read_text())["target_modules"]
    assert {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"} == set(modules)
