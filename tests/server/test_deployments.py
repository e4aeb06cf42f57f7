"""Deployments: made, shown, listed, changed, deleted, found by name; with the unmodified SDK and over HTTP."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.server import models
from tests.server import sdk_deploying as use
from tests.server.models import COMMENTS, deployed, put

VERSION = {"version": "2026-01-01"}
NUMBERS = itertools.count(1)


@pytest.fixture
def model(server, soft):
    return put(server, soft)


def new_name():
    return f"name_{next(NUMBERS)}"


def create(running, **body):
    whole = {"name": "comments", "online": {}, "project_id": running.project, **body}
    with running.http() as http:
        return http.post("/ml/v4/deployments", params=VERSION, json=whole)


def asked(running, method, path, **query):
    where = {"project_id": running.project, **VERSION, **query}
    with running.http() as http:
        return http.request(method, path, params=where)


def named(name):
    return {"online": {"parameters": {"serving_name": name}}}


def test_the_sdk_deploys_asks_lists_renames_and_deletes(server, sdk, model, soft):
    name = new_name()
    found = sdk(use.life_of_a_deployment, model, COMMENTS, name)
    identity = found["made"]["metadata"]["id"]
    assert found["free"] == (True, False)
    assert found["made"]["entity"]["status"]["state"] == "initializing"
    entity = found["details"]["entity"]
    assert entity["status"]["state"] == "ready"
    assert entity["asset"] == {"id": model} and entity["deployed_asset_type"] == "prompt_tune"
    assert entity["base_model_id"] == "wxtuning/tiny" and entity["online"]["parameters"]["serving_name"] == name
    assert identity in found["listed"] and identity not in found["after"]
    assert [one["metadata"]["id"] for one in found["by_name"]["resources"]] == [identity]
    assert found["changed"]["metadata"]["name"] == "renamed" and found["deleted"] == "SUCCESS"
    assert_answers(found["answers"], soft)


def assert_answers(answers, adapter):
    expected = models.alone(adapter)
    assert answers["text"] == expected[0] and answers["texts"] == expected
    assert "".join(answers["stream"]) == expected[0]
    (result,) = answers["generate"]["results"]
    assert result["generated_text"] == expected[0] and result["stop_reason"] == "eos_token"
    first, last = answers["raw"][0], answers["raw"][-1]
    assert first["results"][0]["generated_text"] == "" and first["results"][0]["stop_reason"] == "not_finished"
    assert last["results"][0]["stop_reason"] == "eos_token"
    assert last["results"][0]["generated_token_count"] == result["generated_token_count"]


def test_the_sdk_waits_until_a_deployment_is_ready(cpd, cpd_sdk, soft):
    assert cpd_sdk(use.created_and_waited_for, put(cpd, soft)) == "ready"


def test_the_sdk_promotes_a_model_and_deploys_it_in_a_space(server, sdk, model, soft):
    found = sdk(use.in_a_space, model, COMMENTS)
    assert found["promoted"] != model and found["space"] == server.space
    assert_answers(found["answers"], soft)


def test_a_deployment_in_one_place_is_not_shown_in_another(server, model):
    identity = deployed(server, model)["metadata"]["id"]
    with server.http() as http:
        where = {**VERSION, "space_id": server.space}
        assert http.get(f"/ml/v4/deployments/{identity}", params=where).status_code == 404


def test_a_deployment_names_where_it_is_asked(server, model):
    name = new_name()
    entity = deployed(server, model, **named(name))["entity"]
    addresses = [one["url"] for one in entity["status"]["inference"]]
    assert f"{server.url}/ml/v1/deployments/{name}/text/generation" in addresses
    assert [one["url"].endswith("_stream") for one in entity["status"]["inference"]] == [False, False, True, True]
    assert all(one.get("sse", False) == one["url"].endswith("_stream") for one in entity["status"]["inference"])


def test_nothing_of_the_servers_own_is_shown(cpd, soft):
    text = json.dumps(deployed(cpd, put(cpd, soft)))
    assert str(cpd.home) not in text and '"_"' not in text and "adapter" not in text


def test_a_serving_name_stands_in_for_the_id(server, model, soft):
    name = new_name()
    deployed(server, model, **named(name))
    with server.http() as http:
        answer = http.post(f"/ml/v1/deployments/{name}/text/generation", params=VERSION, json={"input": COMMENTS[0]})
    assert answer.json()["results"][0]["generated_text"] == models.alone(soft)[0]


def test_a_serving_name_is_given_once_over_all_places(server, model):
    name = new_name()
    deployed(server, model, **named(name))
    again = create(server, asset={"id": model}, **named(name))
    assert again.status_code == 409 and again.json()["errors"][0]["code"] == "serving_name_conflict"


def test_whether_a_serving_name_is_free_is_asked_for_all_places_at_once(server, model):
    name = new_name()
    query = {**VERSION, "serving_name": name, "conflict": "true"}
    with server.http() as http:
        free = http.get("/ml/v4/deployments", params=query)
        deployed(server, model, **named(name))
        taken = http.get("/ml/v4/deployments", params=query)
        placed = http.get("/ml/v4/deployments", params={**query, "space_id": server.space})
    assert (free.status_code, free.content) == (204, b"")
    assert taken.status_code == 409 and taken.json()["errors"][0]["code"] == "serving_name_conflict"
    assert placed.status_code == 400 and "found space_id" in placed.json()["errors"][0]["message"]


@pytest.mark.parametrize("name", ["with-hyphen", "x" * 37, "../up", "blank space", 7])
def test_a_serving_name_that_cannot_be_is_refused(cpd, soft, name):
    answer = create(cpd, asset={"id": put(cpd, soft)}, **named(name))
    assert answer.status_code == 400 and "serving_name" in answer.json()["errors"][0]["target"]["name"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"asset": {"id": "no-such-model"}}, 404),
        ({"asset": {}}, 400),
        ({"name": ""}, 400),
        ({"name": 3}, 400),
        ({"online": "yes"}, 400),
        ({"tags": "one"}, 400),
        ({"prompt_template": {"id": "x"}}, 404),
        ({"batch": {}}, 404),
        ({"base_deployment_id": "none"}, 400),
    ],
)
def test_a_deployment_that_cannot_be_is_refused(cpd, soft, change, status):
    answer = create(cpd, **{"asset": {"id": put(cpd, soft)}, **change})
    assert answer.status_code == status, answer.text


def test_a_deployment_without_online_is_refused(cpd, soft):
    with cpd.http() as http:
        body = {"name": "x", "asset": {"id": put(cpd, soft)}, "project_id": cpd.project}
        answer = http.post("/ml/v4/deployments", params=VERSION, json=body)
    assert answer.status_code == 400 and "online" in answer.text


def test_a_model_without_weights_makes_a_failed_deployment(cpd, soft, tmp_path):
    broken = tmp_path / "adapter"
    broken.mkdir()
    (broken / "adapter_config.json").write_bytes((soft / "adapter_config.json").read_bytes())
    (broken / "adapter_model.safetensors").write_bytes((soft / "adapter_model.safetensors").read_bytes()[:-4])
    found = deployed(cpd, put(cpd, broken))
    assert found["entity"]["status"]["state"] == "failed"
    assert "cut short" in found["entity"]["status"]["failure"]["errors"][0]["message"]
    with cpd.http() as http:
        path = f"/ml/v1/deployments/{found['metadata']['id']}/text/generation"
        answer = http.post(path, params=VERSION, json={"input": "x"})
    assert answer.status_code == 409 and answer.json()["errors"][0]["code"] == "deployment_not_ready"


def test_weights_that_changed_since_they_were_deployed_are_refused(cpd, soft):
    model = put(cpd, soft)
    found = deployed(cpd, model)
    weights = cpd.home / "server" / "models" / model / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x07")
    with cpd.http() as http:
        path = f"/ml/v1/deployments/{found['metadata']['id']}/text/generation"
        answer = http.post(path, params=VERSION, json={"input": "x"})
    assert answer.status_code == 400 and "not the one that was deployed" in answer.text


@pytest.mark.parametrize("how", ["header", "custom"])
def test_the_same_key_twice_is_one_deployment(cpd, soft, how):
    model, name = put(cpd, soft), new_name()
    body = {"name": "once", "asset": {"id": model}, "project_id": cpd.project, **named(name)}
    headers = {"Idempotency-Key": name} if how == "header" else {}
    body |= {"custom": {"key": name}} if how == "custom" else {}
    with cpd.http() as http:
        made = [http.post("/ml/v4/deployments", params=VERSION, json=body, headers=headers) for _ in range(2)]
    assert [one.status_code for one in made] == [202, 202]
    assert made[0].json()["metadata"]["id"] == made[1].json()["metadata"]["id"]
    assert asked(cpd, "GET", "/ml/v4/deployments", asset_id=model).json()["total_count"] == 1


def test_deployments_are_listed_by_model_and_in_pages(cpd, soft):
    model, other = put(cpd, soft), put(cpd, soft)
    made = [deployed(cpd, model)["metadata"]["id"] for _ in range(3)]
    deployed(cpd, other)
    found = asked(cpd, "GET", "/ml/v4/deployments", asset_id=model, limit="2").json()
    assert found["total_count"] == 3 and found["limit"] == 2
    assert [one["metadata"]["id"] for one in found["resources"]] == made[:0:-1]
    with cpd.http() as http:
        rest = http.get(found["next"]["href"]).json()
    assert [one["metadata"]["id"] for one in rest["resources"]] == made[:1] and "next" not in rest


def test_a_deployment_is_changed_by_a_patch(cpd, soft):
    model, other, name = put(cpd, soft), put(cpd, soft), new_name()
    identity = deployed(cpd, model, description="first")["metadata"]["id"]
    patched = patch(
        cpd, identity,
        {"op": "replace", "path": "/description", "value": "second"},
        {"op": "add", "path": "/tags", "value": ["a", "b"]},
    )  # fmt: skip
    assert patched.status_code == 200 and patched.json()["metadata"]["description"] == "second"
    assert patched.json()["metadata"]["tags"] == ["a", "b"]
    moved = patch(cpd, identity, {"op": "replace", "path": "/asset", "value": {"id": other}})
    assert moved.status_code == 202 and moved.json()["entity"]["asset"] == {"id": other}
    renamed = patch(cpd, identity, {"op": "add", "path": "/online/parameters", "value": {"serving_name": name}})
    assert renamed.status_code == 202 and create(cpd, asset={"id": model}, **named(name)).status_code == 409


def patch(running, identity, *operations):
    where = {**VERSION, "project_id": running.project}
    with running.http() as http:
        return http.patch(f"/ml/v4/deployments/{identity}", params=where, json=list(operations))


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/status", "value": {"state": "ready"}},
        {"op": "replace", "path": "/_", "value": {"adapter": "../../etc"}},
        {"op": "move", "path": "/name", "from": "/description"},
        {"op": "replace", "path": "/name", "value": ""},
        {"op": "replace", "path": "/asset", "value": "x"},
        {"op": "add", "path": "/online/parameters", "value": {"servingname": "x"}},
        {"op": "remove", "path": "/name"},
        "no operation",
    ],
)
def test_a_patch_of_anything_else_is_refused(cpd, soft, operation):
    identity = deployed(cpd, put(cpd, soft))["metadata"]["id"]
    assert patch(cpd, identity, operation).status_code == 400


def test_a_lora_adapter_is_deployed_alone_or_on_a_deployed_base(cpd, lora):
    base = deployed(cpd, put(cpd, None, method="base"))
    assert base["entity"]["deployed_asset_type"] == "foundation_model" and "verbalizer" not in base["entity"]
    model = put(cpd, lora, method="lora")
    for how in ({}, {"base_deployment_id": base["metadata"]["id"]}):
        found = deployed(cpd, model, **how)
        assert found["entity"]["status"]["state"] == "ready"
        assert text_of(cpd, found, COMMENTS[1]) == models.alone(lora)[1]
    assert text_of(cpd, base, COMMENTS[1]) == models.alone(None)[1]


def test_a_base_stays_as_it_is_while_adapters_are_deployed_on_it(cpd, lora):
    base, other = (deployed(cpd, put(cpd, None, method="base"))["metadata"]["id"] for _ in range(2))
    adapters = [put(cpd, lora, method="lora") for _ in range(2)]
    needing = [deployed(cpd, model, base_deployment_id=base)["metadata"]["id"] for model in adapters]
    taken = {"op": "replace", "path": "/asset", "value": {"id": adapters[0]}}
    for refused in (asked(cpd, "DELETE", f"/ml/v4/deployments/{base}"), patch(cpd, base, taken)):
        assert refused.status_code == 409
        assert all(identity in refused.json()["errors"][0]["message"] for identity in needing)
    for identity in (*needing, base, other):
        assert asked(cpd, "DELETE", f"/ml/v4/deployments/{identity}").status_code == 204


def test_a_deployment_moved_to_a_base_model_keeps_nothing_of_its_tuned_one(cpd, soft):
    identity = deployed(cpd, put(cpd, soft))["metadata"]["id"]
    base = {"op": "replace", "path": "/asset", "value": {"id": put(cpd, None, method="base")}}
    entity = patch(cpd, identity, base).json()["entity"]
    assert entity["deployed_asset_type"] == "foundation_model"
    assert "verbalizer" not in entity


def test_a_base_model_that_is_named_must_be_the_models_own(cpd, soft):
    model = put(cpd, soft)
    assert create(cpd, asset={"id": model}, base_model_id="wxtuning/tiny").status_code == 202
    answer = create(cpd, asset={"id": model}, base_model_id="google/flan-t5-xl")
    assert (answer.status_code, answer.json()["errors"][0]["target"]["name"]) == (400, "base_model_id")


def text_of(running, found, text):
    with running.http() as http:
        path = f"/ml/v1/deployments/{found['metadata']['id']}/text/generation"
        return http.post(path, params=VERSION, json={"input": text}).json()["results"][0]["generated_text"]


def test_what_is_deleted_answers_no_more(server, model):
    identity = deployed(server, model)["metadata"]["id"]
    assert asked(server, "DELETE", f"/ml/v4/deployments/{identity}").status_code == 204
    assert asked(server, "GET", f"/ml/v4/deployments/{identity}").status_code == 404
    with server.http() as http:
        answer = http.post(f"/ml/v1/deployments/{identity}/text/generation", params=VERSION, json={"input": "x"})
    assert answer.status_code == 404


def test_there_are_no_prompt_templates(server, model):
    assert asked(server, "GET", f"/wx/v1/prompts/{model}").status_code == 404
