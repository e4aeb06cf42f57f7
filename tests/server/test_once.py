"""What callers do at the same moment, or twice, happens once: keys, names, changes. Over HTTP, with real threads."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.server import models

CALLERS = 6
NUMBERS = itertools.count(1)


def at_once(running, *calls):
    """Requests (method, path, and how) that begin together; their answers."""
    ready = Barrier(len(calls))

    def send(call):
        method, path, how = call
        with running.http() as client:
            ready.wait()
            return client.request(method, path, **how)

    running.token  # noqa: B018 - it is asked for before the start
    with ThreadPoolExecutor(len(calls)) as callers:
        return list(callers.map(send, calls))


def creates(running, adapter):
    """A create of each kind, as path and body."""
    project, where = {"project_id": running.project}, f"?project_id={running.project}"
    tuning = {"base_model": {"model_id": "wxtuning/tiny"}}
    results = {"type": "fs", "location": {"path": f"/projects/{running.project}/assets/out"}}
    data = [{"type": "data_asset", "location": {"id": "missing"}}]
    training = {"name": "n", "training_data_references": data, "results_reference": results, **project}
    base = {"type": "base_foundation_model_1.0", "foundation_model": {"model_id": "wxtuning/tiny"}}
    store = {"url": "https://store.example", "access_key": "k", "secret_key": "s"}
    deployed = {"asset": {"id": models.put(running, adapter)}, "online": {}}
    return {
        "training": ("/ml/v4/trainings", {**training, "prompt_tuning": tuning}),
        "fine tuning": ("/ml/v1/fine_tunings", {**training, "parameters": {**tuning, "peft_parameters": {}}}),
        "deployment": ("/ml/v4/deployments", {"name": "d", **deployed, **project}),
        "model": ("/ml/v4/models", {"name": "m", **base, **project}),
        "project": ("/transactional/v2/projects", {"name": "p"}),
        "space": ("/v2/spaces", {"name": "s"}),
        "asset": (f"/v2/assets{where}", {"metadata": {"name": "a"}}),
        "connection": (f"/v2/connections{where}", {"name": "c", "datasource_type": "generics3", "properties": store}),
    }


KINDS = ("training", "fine tuning", "deployment", "model", "project", "space", "asset", "connection")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_key_is_one_thing_and_refused_for_another(cpd, soft, kind):
    path, body = creates(cpd, soft)[kind]
    other = {**body, "description": "other"} if kind != "asset" else {"metadata": {"name": "other"}}
    headers = {"Idempotency-Key": f"once-{next(NUMBERS)}"}
    with cpd.http() as client:
        first, again = (client.post(path, json=body, headers=headers) for _ in range(2))
        refused = client.post(path, json=other, headers=headers)
    assert first.is_success and again.status_code == first.status_code
    assert identity(first) == identity(again)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "conflict")
    assert refused.json()["errors"][0]["message"].startswith("the key was used for ")


def identity(answer):
    body = answer.json()
    return body.get("location") or body["metadata"].get("id") or body["metadata"]["asset_id"]


def test_a_key_that_looks_like_one_of_the_servers_own_is_a_callers(server):
    for key in ("default", "wxtuning/default"):
        with server.http() as client:
            made = client.post("/v2/spaces", json={"name": "mine"}, headers={"Idempotency-Key": key}).json()
        assert made["metadata"]["id"] != server.space


def test_a_tag_alone_makes_nothing_once(cpd, soft):
    tag = f"wxtuning-{next(NUMBERS)}"
    path, body = creates(cpd, soft)["training"]
    with cpd.http() as client:
        made = {identity(client.post(path, json={**body, "tags": [tag]})) for _ in range(2)}
    assert len(made) == 2


TAGGED = ("training", "fine tuning", "deployment", "model")


@pytest.mark.parametrize("kind", TAGGED)
def test_what_is_made_is_found_by_its_tag_at_once_and_by_no_other(cpd, soft, kind):
    tag = f"wxtuning-run/{next(NUMBERS)}"
    path, body = creates(cpd, soft)[kind]
    with cpd.http() as client:

        def found(value):
            answer = client.get(path, params={"project_id": cpd.project, "tag.value": value})
            return [one["metadata"]["id"] for one in answer.json()["resources"]]

        made = identity(client.post(path, json={**body, "tags": ["other", tag]}))
        assert found(tag) == [made]
        assert found(tag[:-1]) == found(tag.upper()) == found(f"{tag} ") == found("%") == []


def test_assets_are_searched_by_tag(cpd):
    tag = f"wxtuning-run/{next(NUMBERS)}"
    where = {"project_id": cpd.project}
    with cpd.http() as client:
        made = client.post("/v2/assets", params=where, json={"metadata": {"name": "a", "tags": [tag]}}).json()
        for query, count in ((f"asset.tags:{tag}", 1), (f'asset.tags:"{tag}"', 1), (f"asset.tags:{tag}0", 0)):
            found = client.post("/v2/asset_types/data_asset/search", params=where, json={"query": query}).json()
            assert [one["metadata"]["asset_id"] for one in found["results"]] == [identity_of(made)] * count


def identity_of(asset):
    return asset["metadata"]["asset_id"]


def test_of_many_assets_of_one_name_at_once_all_but_one_are_refused(server):
    name = f"only {next(NUMBERS)}"
    how = {
        "params": {"project_id": server.project, "duplicate_action": "REJECT"}, "json": {"metadata": {"name": name}},
    }  # fmt: skip
    answers = at_once(server, *[("POST", "/v2/assets", how)] * CALLERS)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * (CALLERS - 1)


def test_of_many_deployments_of_one_serving_name_at_once_all_but_one_are_refused(cpd, soft):
    path, body = creates(cpd, soft)["deployment"]
    named = {**body, "online": {"parameters": {"serving_name": f"only_{next(NUMBERS)}"}}}
    answers = at_once(cpd, *[("POST", path, {"json": named})] * CALLERS)
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * (CALLERS - 1)


def test_patches_at_once_are_all_kept(cpd, soft):
    path, body = creates(cpd, soft)["deployment"]
    changes = {"name": "new", "description": "told", "tags": ["t"], "custom": {"a": 1}}
    for _ in range(5):
        with cpd.http() as client:
            place = f"{path}/{identity(client.post(path, json=body))}?project_id={cpd.project}"
        calls = [
            ("PATCH", place, {"json": [{"op": "add", "path": f"/{field}", "value": value}]})
            for field, value in changes.items()
        ]
        assert {answer.status_code for answer in at_once(cpd, *calls)} == {200}
        with cpd.http() as client:
            shown = client.get(place).json()
        assert {**shown["entity"], **shown["metadata"]}.items() >= changes.items()
