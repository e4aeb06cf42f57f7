"""A tuned model is deployed once, to the project or to a space, whatever is lost on the way (section D)."""

from __future__ import annotations

from pathlib import Path

import pytest

import wxtuning as wx
from tests.server import models
from tests.server.models import COMMENTS
from tests.server.processes import Running
from tests.watsonx.faults import LOGIN_PAGE, Changed, Instead, Late, LostAnswer, Refusal
from tests.watsonx.tuned import amend, completed, job
from tests.watsonx.wire import ALWAYS
from wxtuning.adapters.watsonx.asking import Asking
from wxtuning.adapters.watsonx.deployments import Deployments
from wxtuning.adapters.watsonx.service import Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.adapters.watsonx.trainings import Trainings
from wxtuning.errors import AdapterError, AmbiguousSubmitError, JobFailed, Unavailable
from wxtuning.ports import Decoding
from wxtuning.spec import DeploymentSpec
from wxtuning.status import DeploymentRef, JobRef

MAKE, LIST, SHOW = "POST /ml/v4/deployments", "GET /ml/v4/deployments", "GET /ml/v4/deployments/{id}"
PROMOTE = "POST /projects/api/rest/catalogs/assets/{id}/promote"
SPEC = DeploymentSpec(name="support tone", description="Tone of comments", tags=("team-a",))
SHORT = Decoding(max_new_tokens=20)


@pytest.fixture
def deployments(service: Service, settings: Settings) -> Deployments:
    return Deployments(service, settings, Trainings(service, settings).details)


@pytest.fixture
def tuned(server: Running, soft: Path) -> JobRef:
    """A completed job of this test's own."""
    return completed(server, soft)


@pytest.fixture
def key(tuned: JobRef) -> str:
    return f"support-{tuned.id[:8]}"


def made(server: Running, key: str, *, space: bool = False) -> list[dict]:
    """What the server itself lists with the key's tag."""
    where = {"space_id": server.space} if space else {"project_id": server.project}
    with server.http() as http:
        listed = http.get("/ml/v4/deployments", params={"version": "2026-01-01", "limit": 200, **where}).json()
    return [one for one in listed["resources"] if f"wxtuning.{key}" in one["metadata"].get("tags", [])]


def identity(ref: DeploymentRef) -> str:
    return ref.id.rpartition("/")[2]


# --- in the project ---------------------------------------------------------------------------------------------------


def test_a_completed_job_answers_under_its_name_with_tags_and_description(deployments, server, tuned, key):
    ref = deployments.deploy(tuned, SPEC, key)
    (one,) = made(server, key)
    assert one["metadata"]["id"] == identity(ref)
    assert one["entity"]["name"] == "support tone"
    assert one["metadata"]["description"] == "Tone of comments"
    assert one["metadata"]["tags"] == [f"wxtuning.{key}", "team-a"]
    assert deployments.find(key) == ref


def test_what_is_deployed_answers_as_the_engine_does(deployments, service, tuned, key, soft):
    ref = deployments.deploy(tuned, SPEC, key)
    answers = Asking(service, lambda model: None).generate(ref, COMMENTS, SHORT)
    assert [answer.text for answer in answers] == models.alone(soft)


def test_the_same_key_is_deployed_once(deployments, service, settings, server, tuned, key, wire):
    ref = deployments.deploy(tuned, SPEC, key)
    elsewhere = Deployments(service, settings, Trainings(service, settings).details)
    assert elsewhere.deploy(tuned, SPEC, key) == ref
    assert wire.asked[MAKE] == len(made(server, key)) == 1


@pytest.mark.parametrize(
    "act",
    [LostAnswer("rst"), LostAnswer("fin"), Instead(502), Instead(500), Instead(401), Instead(202, b"{}"),
     Instead(200, LOGIN_PAGE)],
    ids=["reset", "ended", "502", "500", "401", "no id", "a login page"],
)  # fmt: skip
def test_a_deployment_whose_answer_was_lost_is_found(deployments, server, tuned, key, wire, act):
    wire.breaks(MAKE, act)
    ref = deployments.deploy(tuned, SPEC, key)
    assert wire.asked[MAKE] == 1
    assert [one["metadata"]["id"] for one in made(server, key)] == [identity(ref)]


@pytest.mark.parametrize("seconds", [0.4, 5, 60])
def test_a_list_that_lags_behind_is_waited_for(deployments, server, tuned, key, wire, clock, seconds):
    wire.breaks(MAKE, LostAnswer())
    wire.breaks(LIST, Late(hiding=lambda: clock() < seconds), times=ALWAYS)
    ref = deployments.deploy(tuned, SPEC, key)
    assert wire.asked[MAKE] == 1
    assert [one["metadata"]["id"] for one in made(server, key)] == [identity(ref)]


def test_a_lost_answer_that_cannot_be_looked_up_stops_the_chain(deployments, tuned, key, wire):
    wire.breaks(MAKE, LostAnswer())
    wire.breaks(LIST, Refusal(403), first=2, times=ALWAYS)
    with pytest.raises(AmbiguousSubmitError, match=f"wxtuning.{key}"):
        deployments.deploy(tuned, SPEC, key)
    assert wire.asked[MAKE] == 1


def test_a_deployment_that_was_deleted_is_made_again(deployments, server, tuned, key):
    first = deployments.deploy(tuned, SPEC, key)
    deployments.delete(first)
    deployments.delete(first)
    assert deployments.find(key) is None
    again = deployments.deploy(tuned, SPEC, key)
    assert again != first
    assert [one["metadata"]["id"] for one in made(server, key)] == [identity(again)]


# --- waiting ----------------------------------------------------------------------------------------------------------


def turned(state):
    """To what a deployment in this state is shown as."""
    return lambda shown: {**shown, "entity": {**shown["entity"], "status": {"state": state}}}


initializing = turned("initializing")


def test_a_deployment_is_waited_for_with_growing_pauses(deployments, tuned, key, wire, clock):
    wire.breaks(SHOW, Changed(initializing), times=4)
    deployments.deploy(tuned, SPEC, key)
    assert clock.pauses[-4:] == [1, 2, 4, 8]


def test_a_deployment_that_never_gets_ready_is_given_up_and_gone_on_with(deployments, server, tuned, key, wire):
    wire.breaks(SHOW, Changed(initializing), times=ALWAYS)
    with pytest.raises(Unavailable, match="is not ready after 1800 s"):
        deployments.deploy(tuned, SPEC, key)
    wire.heals()
    ref = deployments.deploy(tuned, SPEC, key)
    assert [one["metadata"]["id"] for one in made(server, key)] == [identity(ref)]


def test_a_deployment_that_failed_says_why_and_a_rerun_only_deploys(deployments, server, tuned, key, wire):
    weights = weights_of(server, tuned)
    kept = weights.read_bytes()
    weights.write_bytes(b"damaged")
    with pytest.raises(AdapterError, match="failed: ") as caught:
        deployments.deploy(tuned, SPEC, key)
    assert "model is kept" in caught.value.hint
    weights.write_bytes(kept)
    ref = deployments.deploy(tuned, SPEC, key)
    assert [one["metadata"]["id"] for one in made(server, key)] == [identity(ref)]
    assert not wire.of("POST /ml/v4/trainings")


def test_a_deployment_that_failed_makes_way_once(deployments, server, tuned, key, wire):
    weights = weights_of(server, tuned)
    kept = weights.read_bytes()
    weights.write_bytes(b"damaged")
    with pytest.raises(AdapterError, match="failed: "):
        deployments.deploy(tuned, SPEC, key)
    weights.write_bytes(kept)
    wire.breaks(MAKE, Refusal(429, headers={"Retry-After": "1"}))
    ref = deployments.deploy(tuned, SPEC, key)
    assert [one["metadata"]["id"] for one in made(server, key)] == [identity(ref)]
    assert wire.asked["DELETE /ml/v4/deployments/{id}"] == 1


def weights_of(server: Running, job: JobRef) -> Path:
    with server.http() as http:
        query = {"version": "2026-01-01", "project_id": server.project}
        model = http.get(f"/ml/v4/trainings/{job.id}", params=query).json()["entity"]["model_id"]
    return server.home / "server" / "models" / model / "adapter" / "adapter_model.safetensors"


def test_a_model_that_is_not_there_yet_is_waited_for(deployments, server, soft, clock, patience):
    late = job(server, "training")
    model = models.put(server, soft)
    clock_sleep = clock.sleep

    def sleep(seconds):
        clock_sleep(seconds)
        if clock() > 20:
            amend(server, late, model_id=model)

    object.__setattr__(patience, "sleep", sleep)
    ref = deployments.deploy(late, SPEC, f"late-{late.id[:8]}")
    assert identity(ref)
    assert clock() > 20


def test_a_model_that_never_comes_ends_the_waiting(deployments, server, clock):
    late = job(server, "training")
    with pytest.raises(Unavailable, match="its model is not there after 300 s"):
        deployments.deploy(late, SPEC, f"late-{late.id[:8]}")
    assert clock() >= 300


@pytest.mark.parametrize(
    ("state", "error"),
    [("running", AdapterError), ("failed", JobFailed), ("error", JobFailed), ("canceled", JobFailed),
     ("cancelled", JobFailed)],
)  # fmt: skip
def test_a_job_without_a_model_is_not_deployed(deployments, server, wire, state, error):
    other = job(server, "training", state=state)
    with pytest.raises(error, match=f"is {state}"):
        deployments.deploy(other, SPEC, f"other-{other.id[:8]}")
    assert wire.asked[MAKE] == 0


# --- serving names ----------------------------------------------------------------------------------------------------


def test_a_serving_name_is_given_on_and_answers(deployments, server, tuned, key):
    name = f"tone_{key[-8:]}"
    deployments.deploy(tuned, SPEC.model_copy(update={"serving_name": name}), key)
    (one,) = made(server, key)
    assert one["entity"]["online"]["parameters"]["serving_name"] == name


def test_a_serving_name_of_another_model_is_refused_with_its_holder(deployments, server, soft, tuned, key):
    name = f"tone_{key[-8:]}"
    other = completed(server, soft)
    holder = deployments.deploy(other, SPEC.model_copy(update={"serving_name": name}), f"other-{key}")
    with pytest.raises(AdapterError, match=f"{name!r} is taken by deployment {identity(holder)}"):
        deployments.deploy(tuned, SPEC.model_copy(update={"serving_name": name}), key)
    assert made(server, key) == []


def test_a_serving_name_that_is_ours_already_is_taken_over(deployments, server, tuned, key):
    asked = SPEC.model_copy(update={"serving_name": f"tone_{key[-8:]}"})
    first = deployments.deploy(tuned, asked, f"earlier-{key}")
    assert deployments.deploy(tuned, asked, key) == first
    assert deployments.find(key) == first
    assert deployments.find(f"earlier-{key}") == first


def test_a_serving_name_that_is_taken_over_gets_what_is_asked_for_now(deployments, server, tuned, key):
    plain = DeploymentSpec(name="first", serving_name=f"tone_{key[-8:]}", tags=("team-a",))
    deployments.deploy(tuned, plain, f"earlier-{key}")
    asked = {"name": "second", "description": "new text", "tags": ("team-b",)}
    deployments.deploy(tuned, plain.model_copy(update=asked), key)
    (one,) = made(server, key)
    assert (one["entity"]["name"], one["metadata"]["description"]) == ("second", "new text")
    assert one["metadata"]["tags"] == [f"wxtuning.earlier-{key}", "team-a", f"wxtuning.{key}", "team-b"]
    deployments.deploy(tuned, plain.model_copy(update={**asked, "description": "third"}), f"later-{key}")
    assert made(server, key)[0]["metadata"]["description"] == "third"


def test_a_list_that_lags_takes_no_tag_away_from_a_serving_name_that_is_taken_over(
    deployments, server, tuned, key, wire
):
    asked = SPEC.model_copy(update={"serving_name": f"tone_{key[-8:]}"})
    for run in (f"earlier-{key}", f"meanwhile-{key}"):
        deployments.deploy(tuned, asked, run)
    wire.breaks(LIST, Changed(lambda page: without(page, f"wxtuning.meanwhile-{key}")), times=ALWAYS)
    deployments.deploy(tuned, asked, key)
    assert made(server, f"meanwhile-{key}") == made(server, key)


def without(page, tag):
    """A list from before somebody put a tag."""
    for one in page["resources"]:
        one["metadata"]["tags"] = [other for other in one["metadata"].get("tags", []) if other != tag]
    return page


# --- spaces -----------------------------------------------------------------------------------------------------------


def in_space(server: Running) -> DeploymentSpec:
    return SPEC.model_copy(update={"space": server.space})


def test_a_model_is_promoted_once_and_deployed_in_the_space(deployments, service, server, tuned, key, wire, soft):
    ref = deployments.deploy(tuned, in_space(server), key)
    assert deployments.deploy(tuned, in_space(server), key) == ref
    assert deployments.deploy(tuned, in_space(server), f"again-{key}") != ref
    assert (wire.asked[PROMOTE], wire.asked[MAKE]) == (1, 2)
    assert [one["metadata"]["id"] for one in made(server, key, space=True)] == [identity(ref)]
    (answer,) = Asking(service, lambda model: None).generate(ref, COMMENTS[:1], SHORT)
    assert answer.text == models.alone(soft, COMMENTS[:1])[0]


@pytest.mark.parametrize("act", [LostAnswer(), Instead(502), Instead(200, b"{}")], ids=["reset", "502", "no id"])
def test_a_promotion_whose_answer_was_lost_is_found(deployments, server, tuned, key, wire, act):
    wire.breaks(PROMOTE, act)
    deployments.deploy(tuned, in_space(server), key)
    assert wire.asked[PROMOTE] == 1
    (one,) = made(server, key, space=True)
    with server.http() as http:
        where = {"version": "2026-01-01", "space_id": server.space}
        copy = http.get(f"/ml/v4/models/{one['entity']['asset']['id']}", params=where).json()
    assert copy["metadata"]["description"].startswith("Promoted by wxtuning: wxtuning.")


def test_a_deployment_in_a_space_is_deleted_there(deployments, server, tuned, key):
    ref = deployments.deploy(tuned, in_space(server), key)
    assert deployments.has(ref)
    deployments.delete(ref)
    assert made(server, key, space=True) == []
    assert not deployments.has(ref)


def test_a_deployment_is_there_until_it_is_removed_or_failed_wherever_it_is(deployments, server, tuned, key, wire):
    refs = [deployments.deploy(tuned, spec, f"{key}-{spec.space}") for spec in (SPEC, in_space(server))]
    assert [deployments.has(ref) for ref in refs] == [True, True]
    wire.breaks(SHOW, Changed(turned("failed")), times=2)
    assert [deployments.has(ref) for ref in refs] == [False, False]
    for ref in refs:
        deployments.delete(ref)
    assert [deployments.has(ref) for ref in refs] == [False, False]


# --- LoRA -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def on_cpd(service: Service) -> None:
    if not service.version:
        pytest.skip("the cloud has no LoRA")


@pytest.mark.usefixtures("on_cpd")
def test_an_adapter_of_lora_goes_onto_its_deployed_base(deployments, server, lora):
    base = models.deployed(server, models.put(server, None, method="base"))
    adapter = completed(server, lora, method="lora")
    key = f"lora-{adapter.id[-8:]}"
    deployments.deploy(adapter, SPEC, key)
    (one,) = made(server, key)
    assert one["entity"]["base_deployment_id"]
    with server.http() as http:
        where = {"version": "2026-01-01", "project_id": server.project}
        http.delete(f"/ml/v4/deployments/{base['metadata']['id']}", params=where)


@pytest.mark.usefixtures("on_cpd")
def test_an_adapter_is_not_put_onto_a_base_whose_deployment_failed(deployments, server, lora, wire):
    base = models.deployed(server, models.put(server, None, method="base"))["metadata"]["id"]
    adapter = completed(server, lora, method="lora")
    wire.breaks(LIST, Changed(lambda page: with_failed(page, base)), times=ALWAYS)
    deployments.deploy(adapter, SPEC, f"lora-{adapter.id[-8:]}")
    (request,) = wire.of(MAKE)
    assert request.json.get("base_deployment_id") != base
    with server.http() as http:
        http.delete(f"/ml/v4/deployments/{base}", params={"version": "2026-01-01", "project_id": server.project})


def with_failed(page, identity):
    """A list in which this deployment has failed."""
    for one in page["resources"]:
        if one["metadata"]["id"] == identity:
            one["entity"]["status"] = {"state": "failed"}
    return page


@pytest.mark.usefixtures("on_cpd")
def test_a_missing_base_deployment_is_explained(deployments, server, lora, wire):
    adapter = completed(server, lora, method="lora")
    wire.breaks(MAKE, Refusal(400, needs_base()))
    with pytest.raises(AdapterError, match="base_deployment_id") as caught:
        deployments.deploy(adapter, SPEC, f"lora-{adapter.id[-8:]}")
    assert "Deploy the base model" in caught.value.hint


def needs_base() -> bytes:
    return (
        b'{"errors": [{"code": "invalid_request_entity", "message": "base_deployment_id is missing", '
        b'"target": {"type": "field", "name": "base_deployment_id"}}], "trace": "1", "status_code": 400}'
    )


# --- before anything is paid ------------------------------------------------------------------------------------------


def test_a_space_that_is_not_there_is_told_beforehand(deployments, wire):
    with pytest.raises(AdapterError, match="no space named 'nospace'"):
        deployments.check(SPEC.model_copy(update={"space": "nospace"}), "key", lambda: False)
    assert wire.asked[MAKE] == 0


def test_a_serving_name_is_free_for_the_run_that_has_it_and_taken_for_a_run_that_tunes_anew(deployments, tuned, key):
    asked = SPEC.model_copy(update={"serving_name": f"tone_{key[-8:]}"})
    deployments.check(asked, key, lambda: False)
    holder = deployments.deploy(tuned, asked, key)
    deployments.check(asked, key, lambda: False)
    deployments.check(asked, f"other-{key}", lambda: True)
    with pytest.raises(AdapterError, match=f"is taken by deployment {identity(holder)}"):
        deployments.check(asked, f"other-{key}", lambda: False)


def test_a_serving_name_that_is_taken_in_another_place_is_told_beforehand(deployments, server, tuned, key, wire):
    asked = SPEC.model_copy(update={"serving_name": f"tone_{key[-8:]}"})
    elsewhere = in_space(server).model_copy(update={"serving_name": asked.serving_name})
    deployments.check(asked, key, lambda: True)
    deployments.deploy(tuned, elsewhere, f"other-{key}")
    with pytest.raises(AdapterError, match="is taken by a deployment in another project or space"):
        deployments.check(asked, key, lambda: True)
    deployments.check(elsewhere, f"other-{key}", lambda: True)
    assert wire.asked[MAKE] == 1


def test_a_name_that_the_runs_own_deployment_has_is_free_also_while_no_list_shows_that(deployments, tuned, key, wire):
    asked = SPEC.model_copy(update={"serving_name": f"tone_{key[-8:]}"})
    deployments.deploy(tuned, asked, key)
    wire.breaks(LIST, Changed(lambda page: {**page, "resources": []}), where=by_name, times=ALWAYS)
    deployments.check(asked, key, lambda: True)


def by_name(request):
    return "serving_name" in request.query and "conflict" not in request.query


@pytest.mark.parametrize(
    "answer", [Refusal(200, b'{"resources": []}'), Refusal(400), Refusal(404), Refusal(403), Refusal(500)],
    ids=["a list", "400", "404", "403", "500"],
)  # fmt: skip
def test_a_service_that_does_not_tell_whether_a_name_is_free_elsewhere_is_not_in_the_way(
    deployments, key, wire, answer
):
    wire.breaks(LIST, answer, where=lambda request: "conflict" in request.query, times=ALWAYS)
    deployments.check(SPEC.model_copy(update={"serving_name": f"tone_{key[-8:]}"}), key, lambda: False)


def test_a_model_of_a_space_is_not_to_be_promoted_and_the_plan_says_so(cpd_wire, connected):
    rows = [{"input": f"comment {n}", "output": "good" if n % 2 else "bad"} for n in range(60)]
    own = cpd_wire.running.space
    with cpd_wire.running.http() as http:
        body = {"name": "second", "storage": {}, "compute": []}
        second = http.post("/v2/spaces", params={"version": "2026-01-01"}, json=body).json()["metadata"]["id"]
    experiment = wx.TuningExperiment("s").load(rows).tune(wx.PromptTuning())
    experiment = experiment.on(connected(cpd_wire, project=None, space=own))
    with pytest.raises(wx.PlanError, match="promoted from a project only"):
        experiment.deploy("sp", space=second).plan()
    assert experiment.deploy("sp", space=own).plan()
    assert experiment.deploy("sp").plan()


def test_a_plan_tells_what_stands_against_its_deployment_beside_all_else(cpd_wire, connected):
    rows = [{"input": f"comment {n}", "output": "good" if n % 2 else "bad"} for n in range(60)]
    experiment = wx.TuningExperiment("s").load(rows).tune(wx.PromptTuning()).on(connected(cpd_wire))
    assert experiment.deploy("sp").plan()
    with pytest.raises(wx.PlanError, match="no space named 'nospace'"):
        experiment.deploy("sp", space="nospace").plan()
    with pytest.raises(wx.PlanError) as caught:
        experiment.tune(wx.PromptTuning(num_epochs=1000)).deploy("sp", space="nospace").plan()
    assert all(word in str(caught.value) for word in ("num_epochs is 1000", "nospace"))
