"""Prompt tuning with the unmodified SDK on both platforms, and the same over plain HTTP."""

from __future__ import annotations

import json
import math

import pytest

from tests.server import sdk_tuning as use

TRAININGS = "/ml/v4/trainings"
RUNS: dict[str, dict] = {}


@pytest.fixture
def run(server, sdk, tmp_path):
    """A finished run of this platform's server; the first test that asks for it waits for it."""
    platform = server.ready["platform"]
    if platform not in RUNS:
        RUNS[platform] = sdk(use.tuned, tmp_path)
    return RUNS[platform]


def asked(server, **values):
    """The body of a training on an asset that is not there, so that it fails as soon as it runs."""
    where = {"type": "fs", "location": {"path": f"/projects/{server.project}/assets/out"}}
    if server.ready["platform"] == "cloud":
        where = {"type": "container", "location": {"path": "out"}}
    tuning = {"base_model": {"model_id": use.MODEL}, "task_id": "classification", **values.pop("tuning", {})}
    data = [{"type": "data_asset", "location": {"id": "missing"}}]
    known = {"name": "n", "project_id": server.project, "training_data_references": data, "results_reference": where}
    return {**known, "prompt_tuning": tuning, **values}


@pytest.mark.slow
def test_a_run_is_queued_at_once_and_completes(run):
    assert run["first"]["entity"]["status"]["state"] in ("queued", "pending", "running")
    assert run["state"] == "completed"
    status = run["details"]["entity"]["status"]
    assert status["running_at"] < status["completed_at"]
    assert status["message"] == {"level": "info", "text": "tuned in 8 steps"}


@pytest.mark.slow
def test_the_details_hold_what_was_asked_with_defaults_filled_in(run):
    metadata, entity = run["details"]["metadata"], run["details"]["entity"]
    tuning = entity["prompt_tuning"]
    assert (tuning["base_model"]["model_id"], tuning["num_epochs"], tuning["batch_size"]) == (use.MODEL, 2, 16)
    assert (tuning["num_virtual_tokens"], tuning["tuning_type"]) == (20, "prompt_tuning")
    assert metadata["name"] == entity["name"] == "satisfaction"
    assert metadata["tags"] == entity["tags"]
    assert metadata["tags"][0] == "prompt_tuning"
    assert metadata["tags"][1].startswith("wx_prompt_tune.")
    assert "_" not in entity


@pytest.mark.slow
def test_the_file_of_metrics_holds_the_loss_of_every_step(run):
    metrics = run["details"]["entity"]["status"]["metrics"]
    assert [metric["data"]["step"] for metric in metrics] == list(range(1, 9))
    assert [metric["data"]["epoch"] for metric in metrics] == [0] * 4 + [1] * 4
    assert all(metric["name"] == "loss" and metric["data"]["value"] > 0 for metric in metrics)
    assert {tuple(sorted(metric["data"])) for metric in metrics} == {("epoch", "step", "timestamp", "value")}


@pytest.mark.slow
def test_the_summary_tells_the_mean_loss_of_the_last_epoch(run):
    (row,) = run["summary"]
    losses = [metric["data"]["value"] for metric in run["details"]["entity"]["status"]["metrics"][4:]]
    assert math.isclose(row["loss"], sum(losses) / 4)
    assert (row["Base model"], row["Epochs"], row["Enhancements"]) == (use.MODEL, 2, ["prompt_tuning"])


@pytest.mark.slow
def test_the_mean_loss_of_every_epoch_stands_in_the_status_too(server, run):
    with server.http() as client:
        answer = client.get(f"{TRAININGS}/{run['id']}?project_id={server.project}").json()
    inline = answer["entity"]["status"]["metrics"]
    losses = [metric["data"]["value"] for metric in run["details"]["entity"]["status"]["metrics"]]
    assert [metric["ml_metrics"]["loss"] for metric in inline] == [sum(losses[:4]) / 4, sum(losses[4:]) / 4]
    assert [(metric["iteration"], metric["ml_metrics"]["epoch"]) for metric in inline] == [(4, 0), (8, 1)]


@pytest.mark.slow
def test_a_run_gives_its_data_back_as_references(run):
    given, again = run["data"]
    assert [one["location"]["id"] for one in again] == [one["location"]["id"] for one in given]


@pytest.mark.slow
def test_runs_are_listed_and_found_by_name_and_by_tag(sdk, run):
    columns, by_name, by_tag = sdk(use.listed, run["id"])
    assert columns == ["timestamp", "run_id", "state", "tuning name"]
    assert run["id"] in by_name
    assert by_tag == [run["id"]]


@pytest.mark.slow
def test_another_run_is_canceled_and_removed(sdk, tmp_path):
    state, again, is_left = sdk(use.canceled, tmp_path)
    assert (state, again, is_left) == ("canceled", "SUCCESS", False)


@pytest.mark.slow
def test_a_finished_run_is_not_canceled(server, run):
    with server.http() as client:
        answer = client.delete(f"{TRAININGS}/{run['id']}?project_id={server.project}")
    assert answer.status_code == 400
    assert "Job already completed with state completed" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("values", "status", "message"),
    [
        ({"tuning": {"learning_rate": 0.7}}, 400, "prompt_tuning.learning_rate is 0.7; expected a number from 1e-05"),
        ({"tuning": {"base_model": {"model_id": "google/flan-ul2"}}}, 404, "'google/flan-ul2' is not supported"),
        (
            {"tuning": {"base_model": {"name": "flan"}}},
            400,
            "'prompt_tuning.base_model.name' is no field of POST /ml/v4",
        ),
        ({"tuning": {"base_model": {}}}, 400, "prompt_tuning.base_model.model_id is missing"),
        ({"tuning": {"base_model": None}}, 400, "prompt_tuning.base_model is None; expected an object"),
        ({"prompt_tuning": None}, 400, "prompt_tuning is None; expected an object"),
        ({"prompt_tuning": {}}, 400, "prompt_tuning.base_model is missing"),
        ({"training_data_references": []}, 400, "0 given; expected a list of exactly one"),
        ({"results_reference": {"type": "s3"}}, 400, "type 's3' is not offered"),
        ({"results_reference": None}, 400, "type None is not offered"),
        ({"auto_update_model": "yes"}, 400, "expected true or false"),
        ({"tags": "one"}, 400, "expected a list of texts"),
        ({"name": "x" * 1001}, 400, "1,001 characters; expected at most 1,000"),
        ({"name": 7}, 400, "name is 7; expected a text"),
        ({"pipeline": {"id": "p"}}, 404, "not offered by this server: POST /ml/v4/trainings with pipeline"),
        ({"tuning": {"task_id": []}}, 400, "task_id is []; expected one of"),
        ({"tuning": {"init_text": "x" * 400_000}}, 400, "init_text has 400,000 characters; expected at most 4,000"),
        ({"tuning": {"verbalizer": "x" * 4_001}}, 400, "verbalizer has 4,001 characters; expected at most 4,000"),
        ({"tuning": {"task_id": {}}}, 400, "task_id is {}; expected one of"),
        ({"project_id": "none"}, 404, "there is no project 'none'"),
        ({"project_id": None}, 400, "project_id is None; expected a text"),
    ],
)
def test_what_cannot_be_tuned_is_refused_at_once_in_the_services_words(server, values, status, message):
    with server.http() as client:
        answer = client.post(TRAININGS, json=asked(server, **values))
    assert (answer.status_code, answer.json()["status_code"]) == (status, status)
    assert message in answer.json()["errors"][0]["message"]
    assert len(answer.json()["trace"]) == 32


def test_a_long_name_with_any_characters_is_kept_in_full(server):
    name = "<b>'\"é🙂" * 20
    with server.http() as client:
        made = client.post(TRAININGS, json=asked(server, name=name)).json()
    assert made["metadata"]["name"] == name


@pytest.mark.parametrize("way", ["header", "custom"])
def test_the_same_key_twice_is_one_job_and_another_body_is_refused(server, way, request):
    key = request.node.name
    headers = {"Idempotency-Key": key} if way == "header" else {}
    body = asked(server, **({"custom": {"key": key}} if way == "custom" else {}))
    with server.http() as client:
        first, second = (client.post(TRAININGS, json=body, headers=headers) for _ in range(2))
        other = client.post(TRAININGS, json={**body, "description": "other"}, headers=headers)
    assert first.status_code == second.status_code == 201
    assert first.json()["metadata"]["id"] == second.json()["metadata"]["id"]
    assert other.status_code == 409


def test_without_a_key_the_same_training_twice_is_two_jobs(server):
    with server.http() as client:
        made = {client.post(TRAININGS, json=asked(server)).json()["metadata"]["id"] for _ in range(2)}
    assert len(made) == 2


def test_a_list_is_filtered_by_tags_state_and_type_and_comes_newest_first(server, request):
    tag = request.node.name
    with server.http() as client:

        def found(**query):
            answer = client.get(TRAININGS, params={"project_id": server.project, "limit": 200, **query}).json()
            return [one["metadata"]["id"] for one in answer["resources"]]

        first, second = (
            client.post(TRAININGS, json=asked(server, tags=[tag, f"{tag}-{number}"])).json()["metadata"]["id"]
            for number in range(2)
        )
        assert found(**{"tag.value": tag}) == [second, first]
        assert found(**{"tag.value": [tag, f"{tag}-0"]}) == [first]
        assert found(**{"tag.value": f"{tag}-1 or {tag}-0"}) == [second, first]
        assert found(**{"tag.value": f"{tag}-1 and {tag}-0"}) == []
        assert found(**{"tag.value": tag, "state": "completed"}) == []
        assert found(type="pipeline") == []
        assert second in found(type="prompt_tuning")
        refused = client.get(TRAININGS, params={"project_id": server.project, "state": "asleep"})
    assert "expected one of queued, pending, running" in refused.json()["errors"][0]["message"]


def test_pages_of_a_list_hold_every_training_once(server):
    with server.http() as client:
        made = {client.post(TRAININGS, json=asked(server)).json()["metadata"]["id"] for _ in range(3)}
        address, found = f"{TRAININGS}?project_id={server.project}&limit=2", []
        while address:
            answer = client.get(address).json()
            found += [one["metadata"]["id"] for one in answer["resources"]]
            address = answer.get("next", {}).get("href")
    assert made <= set(found)
    assert len(found) == len(set(found)) == answer["total_count"]


def test_a_grouped_run_brings_the_tag_of_its_experiment_along(server):
    with server.http() as client:
        made = client.post(TRAININGS, json=asked(server, tags=["wx_prompt_tune.1"]), headers={"X-WX-UX": "true"})
    assert made.json()["metadata"]["tags"] == ["wx_prompt_tune.1"]


def test_a_training_may_belong_to_a_space_instead(server):
    body = asked(server, space_id=server.space)
    del body["project_id"]
    if server.ready["platform"] == "cpd":
        body["results_reference"]["location"]["path"] = f"/spaces/{server.space}/assets/out"
    with server.http() as client:
        made = client.post(TRAININGS, json=body).json()
        found = client.get(f"{TRAININGS}/{made['metadata']['id']}?space_id={server.space}").json()
    assert found["metadata"]["space_id"] == server.space
    if server.ready["platform"] == "cpd":
        place = found["entity"]["results_reference"]["location"]["training"]
        assert place == f"/spaces/{server.space}/assets/wx_prompt_tune/{found['metadata']['id']}"


def test_results_may_be_named_by_either_of_the_two_words_for_a_file(cloud):
    where = {"type": "container", "location": {"file_name": "out"}}
    with cloud.http() as client:
        entity = client.post(TRAININGS, json=asked(cloud, results_reference=where)).json()["entity"]
    assert entity["results_reference"]["location"]["training_log"].startswith("out/")


def test_a_training_of_a_project_is_not_there_for_a_space(server):
    with server.http() as client:
        made = client.post(TRAININGS, json=asked(server)).json()["metadata"]["id"]
        for method in ("GET", "DELETE"):
            answer = client.request(method, f"{TRAININGS}/{made}?space_id={server.space}")
            assert answer.status_code == 404


@pytest.mark.slow
def test_files_of_a_run_are_read_by_the_run_and_by_nothing_else(cpd, cpd_sdk, tmp_path):
    run = RUNS.get("cpd") or RUNS.setdefault("cpd", cpd_sdk(use.tuned, tmp_path))
    root = f"/v2/asset_files/wx_prompt_tune/{run['id']}"
    with cpd.http() as client:
        project = {"project_id": cpd.project}
        request = client.get(f"{root}/request.json", params=project)
        assert json.loads(request.content)["training"]["id"] == run["id"]
        assert b"completed: tuned in 8 steps" in client.get(f"{root}/training.log", params=project).content
        for path in ("config.json", "train.jsonl", "adapter/adapter_config.json", "%2e%2e/server.db", "..%2fserver.db"):
            assert client.get(f"{root}/{path}", params=project).status_code == 404
        assert client.get(f"{root}/training.log", params={"space_id": cpd.space}).status_code == 404


@pytest.mark.slow
def test_the_storage_of_a_project_answers_its_own_keys_only(cloud, cloud_sdk, tmp_path):
    run = RUNS.get("cloud") or RUNS.setdefault("cloud", cloud_sdk(use.tuned, tmp_path))
    reads = cloud_sdk(use.storage_reads, run["id"])
    assert b'"name": "loss"' in reads["right"]
    assert reads["wrong secret"] == reads["wrong key"] == "403"
    assert reads["another bucket"] == reads["another file"] == "404"
    with cloud.http() as client:
        path = f"/storage/project-{cloud.project}/out/{run['id']}/metrics.jsonl"
        assert client.get(path).status_code == 403
        key = "Credential=\xe9/20260101/us/s3/aws4_request, SignedHeaders=host;x-amz-date"
        signed = f"AWS4-HMAC-SHA256 {key}, Signature={'0' * 64}".encode("latin-1")
        assert client.get(path, headers={"Authorization": signed}).status_code == 403


def test_a_number_too_large_for_json_is_refused(cpd):
    with cpd.http() as client:
        answer = client.post(TRAININGS, content=b'{"name": 1e999}', headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "json_type_error")
