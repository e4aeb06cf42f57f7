"""The model of a run that stored none, whoever started it, is stored once and deployed, whatever is lost on the way."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

import wxtuning as wx
from tests.server import models
from tests.server.models import COMMENTS
from tests.server.processes import Running
from tests.watsonx import children, deployers
from tests.watsonx.conftest import asked_of
from tests.watsonx.faults import Before, Changed, Instead, Late, LostAnswer, Refusal, Then
from tests.watsonx.test_deploying import MAKE as DEPLOY
from tests.watsonx.test_deploying import SHORT
from tests.watsonx.tuned import unstored
from tests.watsonx.wire import ALWAYS
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.errors import AdapterError, DuplicateJobsError, Unavailable
from wxtuning.spec import DeploymentSpec
from wxtuning.status import JobRef

MODELS = "/ml/v4/models"
STORE, LIST, SHOW = f"POST {MODELS}", f"GET {MODELS}", f"GET {MODELS}/{{id}}"
REQUEST = "GET /v2/asset_files/*"
SPEC = DeploymentSpec(name="tone")


@pytest.fixture
def theirs(cpd: Running, soft: Path) -> JobRef:
    """A job of somebody else's that is completed and stored no model."""
    return unstored(cpd, soft)


@pytest.fixture
def key(theirs: JobRef) -> str:
    return f"tone-{theirs.id[:8]}"


def models_of(running: Running, job: JobRef) -> list[dict[str, Any]]:
    """What the server itself lists of a job's models."""
    with running.http() as http:
        query = {"version": "2026-01-01", "project_id": running.project, "limit": 200}
        listed = http.get(MODELS, params=query).json()["resources"]
    return [one for one in listed if one["entity"].get("training", {}).get("id") == job.id.rpartition("/")[2]]


def sent_by_hand(running: Running, job: JobRef, **changed: Any) -> str:
    """Store the model as the SDK does; its id."""
    with running.http() as http:
        query = {"version": "2026-01-01", "project_id": running.project}
        place = http.get(f"/ml/v4/trainings/{job.id}", params=query).json()["entity"]["results_reference"]["location"]
        path = place["model_request_path"].partition("/assets/")[2]
        request = http.get(f"/v2/asset_files/{path}", params=query).json()
        return http.post(MODELS, params=query, json={**request, **changed}).json()["metadata"]["id"]


def test_the_model_of_a_run_that_stored_none_is_stored_and_answers(server, soft, connected):
    # Not over the wire: a storage's signature holds the address that was asked.
    job, backend = unstored(server, soft), connected(server)
    deployment = wx.attach(str(job), on=backend).deploy("tone")
    (model,) = models_of(server, job)
    assert model["metadata"]["tags"] == [f"wxtuning.{job.id}"]
    (answer,) = backend.generate(deployment.ref, COMMENTS[:1], SHORT)
    assert answer.text == models.alone(soft, COMMENTS[:1])[0]


def test_it_is_stored_once_and_deployed_as_often_as_is_asked(cpd_wire, backend_on_cpd, theirs):
    found = wx.attach(str(theirs), on=backend_on_cpd)
    first = found.deploy("tone")
    assert found.deploy("tone").ref == first.ref
    assert found.deploy("another").ref != first.ref
    assert (cpd_wire.asked[STORE], cpd_wire.asked[DEPLOY]) == (1, 2)


def test_a_model_that_somebody_has_stored_is_taken(cpd_wire, backend_on_cpd, theirs, key):
    model = sent_by_hand(cpd_wire.running, theirs)
    backend_on_cpd.deploy(theirs, SPEC, key)
    assert cpd_wire.asked[STORE] == 0
    assert cpd_wire.of(DEPLOY)[0].json["asset"] == {"id": model}


def test_of_two_that_somebody_has_stored_none_is_guessed(cpd_wire, backend_on_cpd, theirs, key):
    first, second = (sent_by_hand(cpd_wire.running, theirs) for _ in range(2))
    with pytest.raises(DuplicateJobsError, match=f"{first}, {second}, the oldest first"):
        backend_on_cpd.deploy(theirs, SPEC, key)
    wx.adopt(f"wxtuning.{theirs.id}", second)
    backend_on_cpd.deploy(theirs, SPEC, key)
    assert cpd_wire.of(DEPLOY)[0].json["asset"] == {"id": second}


def test_an_adapter_of_lora_is_stored_too(cpd_wire, backend_on_cpd, lora, key):
    job = unstored(cpd_wire.running, lora, kind="fine_tuning")
    backend_on_cpd.deploy(job, SPEC, f"lora-{key}")
    (model,) = models_of(cpd_wire.running, job)
    assert model["entity"]["type"] == "lora_adapter_1.0"


@pytest.mark.parametrize(
    "act", [LostAnswer("rst"), Instead(502), Instead(401), Instead(202, b"{}")], ids=["reset", "502", "401", "no id"]
)
def test_a_model_whose_answer_was_lost_is_found(cpd_wire, backend_on_cpd, theirs, key, clock, act):
    cpd_wire.breaks(STORE, act)
    cpd_wire.breaks(LIST, Late(hiding=lambda: clock() < 5.0), times=ALWAYS)
    backend_on_cpd.deploy(theirs, SPEC, key)
    assert len(models_of(cpd_wire.running, theirs)) == cpd_wire.asked[STORE] == 1


@pytest.mark.parametrize("fault", [Before, Then])
def test_a_killed_deployment_that_stores_is_gone_on_with(cpd_wire, backend_on_cpd, theirs, key, home, fault):
    running: list[Any] = []
    cpd_wire.breaks(STORE, fault(happens=lambda: os.kill(running[0].pid, signal.SIGKILL)))
    running.append(children.started(deployers.deploy, asked_of(cpd_wire), str(home), str(theirs), "", key))
    assert children.ended(running[0]) == -signal.SIGKILL
    backend_on_cpd.deploy(theirs, SPEC, key)
    assert len(models_of(cpd_wire.running, theirs)) == cpd_wire.asked[STORE] == 1


def test_a_model_that_was_deleted_is_stored_again(cpd_wire, backend_on_cpd, theirs, key):
    backend_on_cpd.deploy(theirs, SPEC, key)
    (model,) = models_of(cpd_wire.running, theirs)
    backend_on_cpd.service.delete(f"{MODELS}/{model['metadata']['id']}")
    backend_on_cpd.deploy(theirs, SPEC, f"again-{key}")
    assert cpd_wire.asked[STORE] == 2


def importing(state: str) -> Changed:
    """A model is shown in this state of its import."""

    def change(body: dict[str, Any]) -> dict[str, Any]:
        for model in body.get("resources", [body]):
            model["entity"]["content_import_state"] = state
        return body

    return Changed(change)


def test_a_model_that_is_still_imported_is_waited_for(cpd_wire, backend_on_cpd, theirs, key, clock):
    cpd_wire.breaks(SHOW, importing("running"), times=3)
    backend_on_cpd.deploy(theirs, SPEC, key)
    assert clock.pauses == [1, 2, 4]


def test_a_model_that_is_imported_without_an_end_is_given_up(cpd_wire, backend_on_cpd, theirs, key):
    cpd_wire.breaks(SHOW, importing("running"), times=ALWAYS)
    with pytest.raises(Unavailable, match="is not imported after 300 s"):
        backend_on_cpd.deploy(theirs, SPEC, key)
    assert cpd_wire.asked[DEPLOY] == 0


def test_a_model_that_could_not_be_imported_counts_as_none(cpd_wire, backend_on_cpd, theirs, key):
    cpd_wire.breaks(SHOW, importing("failed"), times=2)
    cpd_wire.breaks(LIST, importing("failed"), times=2)
    with pytest.raises(AdapterError, match="could not be imported"):
        backend_on_cpd.deploy(theirs, SPEC, key)
    backend_on_cpd.deploy(theirs, SPEC, key)
    assert (cpd_wire.asked[STORE], cpd_wire.asked[DEPLOY]) == (2, 1)


def test_a_model_that_somebody_stored_in_vain_is_not_taken(cpd_wire, backend_on_cpd, theirs, key):
    sent_by_hand(cpd_wire.running, theirs)
    cpd_wire.breaks(LIST, importing("failed"), times=ALWAYS)
    backend_on_cpd.deploy(theirs, SPEC, key)
    assert cpd_wire.asked[STORE] == 1


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (Refusal(404), "cannot be read"),
        (Refusal(200, b"no json"), "cannot be read"),
        (Refusal(200, b"[]"), "is no request"),
        (Refusal(200, json.dumps({"training": {"id": "another"}}).encode()), "is no request"),
    ],
    ids=["gone", "damaged", "a list", "of another run"],
)
def test_without_the_request_of_the_run_nothing_is_stored(cpd_wire, backend_on_cpd, theirs, key, act, reason):
    cpd_wire.breaks(REQUEST, act, times=ALWAYS)
    with pytest.raises(AdapterError, match=rf"auto_update_model false.*{reason}") as caught:
        backend_on_cpd.deploy(theirs, SPEC, key)
    assert f"store_model(training_id='{theirs.id}')" in caught.value.hint
    assert (cpd_wire.asked[STORE], cpd_wire.asked[DEPLOY]) == (0, 0)


def test_a_run_that_left_its_results_elsewhere_says_what_helps(cpd_wire, backend_on_cpd, theirs, key):
    def elsewhere(body: dict[str, Any]) -> dict[str, Any]:
        body["entity"]["results_reference"] = {"type": "connection_asset", "location": {"bucket": "b", "path": "."}}
        return body

    cpd_wire.breaks("GET /ml/v4/trainings/{id}", Changed(elsewhere), times=ALWAYS)
    with pytest.raises(AdapterError, match="names no request that stores it"):
        backend_on_cpd.deploy(theirs, SPEC, key)


def test_an_outage_of_the_storage_is_told_as_one(cpd_wire, backend_on_cpd, theirs, key):
    cpd_wire.breaks(REQUEST, Refusal(503), times=ALWAYS)
    with pytest.raises(Unavailable):
        backend_on_cpd.deploy(theirs, SPEC, key)
    assert isinstance(backend_on_cpd, Watsonx) and cpd_wire.asked[STORE] == 0
