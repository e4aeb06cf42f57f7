"""Model assets: stored by a run or from one, promoted to a space, deleted."""

from __future__ import annotations

import pytest

from tests.server import rooms
from tests.server import sdk_tuning as use
from wxtuning.server.data.attachments import content_of
from wxtuning.server.errors import Refused
from wxtuning.server.routes import models as routes
from wxtuning.server.state import Key
from wxtuning.server.trainings import models


@pytest.fixture
def run(house, project):
    """A training with an adapter, as a completed one has it."""
    found = rooms.queued(house, project, "no-asset")
    adapter = house.folder("jobs", found.id, "adapter")
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    return found


def folders(house):
    return {folder.name for folder in house.folder("models").iterdir()}


def test_a_model_outlives_its_run(house, project, run):
    model = models.store(house, run, name="m")
    house.jobs.remove(run)
    adapter = house.folder() / model.body["_"]["adapter"]
    assert (adapter / "adapter_model.safetensors").read_bytes() == b"weights"


def test_a_run_stores_its_model_once_for_a_key(house, run):
    first, second = (models.store(house, run, name="m", key=Key(text="run/1")) for _ in range(2))
    assert first.id == second.id
    assert folders(house) == {first.id}


def test_a_run_without_an_adapter_has_no_model(house, project):
    with pytest.raises(Refused, match="has no model yet") as refused:
        models.store(house, rooms.queued(house, project, "no-asset"), name="m")
    assert refused.value.status == 409


def test_what_is_shown_is_what_was_tuned_and_nothing_of_the_servers_own(house, run):
    shown = models.shown(models.store(house, run, name="m"))
    assert shown["entity"]["type"] == "prompt_tune_1.0"
    assert shown["entity"]["training"]["id"] == run.id
    assert shown["entity"]["content_import_state"] == "completed"
    assert "adapter" not in str(shown)


def test_a_deleted_model_takes_its_files_along_unless_a_deployment_answers_with_it(house, project, run):
    gone, kept = (models.store(house, run, name="m") for _ in range(2))
    house.state.add("deployment", container=project, name="d", body={"asset": {"id": kept.id}})
    for model in (gone, kept):
        routes.delete(rooms.call(house, project, id=model.id))
    assert house.state.all("model") == ()
    assert folders(house) == {kept.id}


def test_files_of_models_that_are_gone_are_removed_when_the_server_starts(house, run):
    model = models.store(house, run, name="m")
    house.folder("models", "left-over")
    house.jobs.start()
    house.jobs.stop()
    assert folders(house) == {model.id}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"type": "tensorflow_2.9"},
            "of type .tensorflow_2.9.; expected prompt_tune_1.0 or lora_adapter_1.0 or base_foundatio",
        ),
        ({"type": "prompt_tune_1.0", "name": "m"}, "training is missing"),
        ({"type": "prompt_tune_1.0", "name": "m", "training": {}}, "training.id is missing"),
        ({"type": models.BASE_TYPE, "name": "m"}, "foundation_model is missing"),
        ({"type": "prompt_tune_1.0", "name": "m", "training": {"id": "none"}}, "there is no training"),
    ],
)
def test_a_model_that_is_no_tuned_one_is_refused(house, project, body, message):
    with pytest.raises(Refused, match=message):
        routes.create(rooms.call(house, project, body))


def test_what_is_told_of_a_run_must_be_so(house, project, run):
    told = {"id": run.id, "task_id": "classification", "verbalizer": run.body["prompt_tuning"]["verbalizer"]}
    asked = {"type": "prompt_tune_1.0", "name": "m", "training": told, "tags": ["t"], "custom": {"a": 1}}
    asked["training_data_references"] = run.body["training_data_references"]
    made = routes.create(rooms.call(house, project, asked)).body
    assert (made["metadata"]["tags"], made["entity"]["custom"]) == (["t"], {"a": 1})
    for wrong, message in (
        ({"training": {**told, "verbalizer": "no"}}, "verbalizer is 'no'"),
        ({"type": "lora_adapter_1.0"}, "makes a prompt_"),
        ({"training_data_references": []}, r"training_data_references is \[\]; that of run"),
        ({"foundation_model": {"model_id": use.MODEL}}, "'foundation_model' is no field of POST /ml/v4/models"),
    ):
        with pytest.raises(Refused, match=message):
            routes.create(rooms.call(house, project, {**asked, **wrong}))


def test_a_base_model_is_stored_as_it_came_and_promoted(house, project):
    body = {"type": models.BASE_TYPE, "name": "base", "foundation_model": {"model_id": use.MODEL}}
    answer = routes.create(rooms.call(house, project, body))
    assert answer.status == 202
    assert answer.body["entity"]["foundation_model"] == {"model_id": use.MODEL}
    space, _ = house.state.add("space", container="", name="s", body={})
    identity = answer.body["metadata"]["id"]
    named = {"projectId": project.partition("/")[2], "spaceId": space.id}
    told = {**named, "assetDescription": "promoted"}
    copy = house.resource(
        "model", routes.promote(rooms.call(house, "", told, id=identity))["promotedAsset"]["asset_id"]
    )
    assert (copy.container, copy.body["description"]) == (f"space/{space.id}", "promoted")
    with pytest.raises(Refused, match="'no/model' is not supported"):
        routes.create(rooms.call(house, project, {**body, "foundation_model": {"model_id": "no/model"}}))
    with pytest.raises(Refused, match="'training' is no field of POST /ml/v4/models"):
        routes.create(rooms.call(house, project, {**body, "training": {"id": "none"}}))


@pytest.mark.slow
def test_the_sdk_stores_a_base_model(cpd_sdk):
    assert cpd_sdk(use.stored_base)["entity"]["content_import_state"] == "completed"


def test_data_assets_are_promoted_with_their_content(house, project):
    space, _ = house.state.add("space", container="", name="s", body={})
    asset = rooms.dataset(house, project, "rows")
    body = {"projectId": project.partition("/")[2], "spaceId": space.id}
    promoted = routes.promote(rooms.call(house, "", body, id=asset))["promotedAsset"]["asset_id"]
    copy = house.resource("asset", promoted)
    assert copy.container == f"space/{space.id}"
    assert content_of(house, copy)[1].read_text() == "rows"


def test_an_asset_is_not_promoted_out_of_a_project_that_does_not_hold_it(house, project, run):
    model = models.store(house, run, name="m")
    space, _ = house.state.add("space", container="", name="s", body={})
    body = {"projectId": rooms.project_of(house).partition("/")[2], "spaceId": space.id}
    with pytest.raises(Refused, match="there is no asset in this project"):
        routes.promote(rooms.call(house, "", body, id=model.id))


@pytest.mark.slow
def test_the_sdk_promotes_a_model_to_a_space_and_deletes_it(server, sdk, tmp_path):
    model = sdk(use.tuned, tmp_path, epochs=1)["model_id"]
    found = sdk(use.promoted, model)
    assert found["shown"]["metadata"]["project_id"] == server.project
    assert found["listed"][model] == "supported"
    assert found["there"]["metadata"]["space_id"] == server.space
    assert found["there"]["entity"]["training"] == found["shown"]["entity"]["training"]
    assert (found["deleted"], found["left"]) == ("SUCCESS", False)


@pytest.mark.slow
def test_the_sdk_stores_the_model_of_a_run_that_stored_none(cpd, cpd_sdk, tmp_path):
    model = cpd_sdk(use.stored, tmp_path)
    assert model["entity"]["type"] == "prompt_tune_1.0"
    assert model["entity"]["content_import_state"] == "completed"
    assert (cpd.home / "server" / "models" / model["metadata"]["id"] / "adapter" / "adapter_config.json").is_file()
