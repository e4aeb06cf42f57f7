"""A deployment is made once and waited for through outages; questions to it end, whatever answers."""

from __future__ import annotations

import json
import time
import uuid

import pytest

import wxtuning as wx
from tests.server.models import COMMENTS
from tests.watsonx.faults import LOGIN_PAGE, Changed, Drip, Dropped, Instead, Late, LostAnswer, Refusal, Without
from tests.watsonx.test_deploying import LIST, MAKE, PROMOTE, SHOW, identity, initializing, made
from tests.watsonx.test_submit import outcomes
from tests.watsonx.test_submit_proofs import emptied
from tests.watsonx.tuned import completed
from tests.watsonx.wire import ALWAYS, Exchange
from wxtuning.intents import Outcome
from wxtuning.ports import Decoding
from wxtuning.retry import MOST_IN_WINDOW, Patience
from wxtuning.spec import DeploymentSpec

SPEC = DeploymentSpec(name="tone")
TRAINING = "GET /ml/v4/trainings/{id}"
ASK = "POST /ml/v1/deployments/{id}/text/generation"
SHORT = Decoding(max_new_tokens=20)


@pytest.fixture
def key() -> str:
    return f"proven-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def job(cpd, soft):
    return completed(cpd, soft)


def logged(running, request: str) -> int:
    """How often the server's own log shows a request."""
    mark = str(uuid.uuid4())
    with running.http() as http:
        http.get(f"/ml/v4/deployments/{mark}", params={"project_id": running.project})
    return running.said(f"{mark} 404").count(f"{request} ")


# --- D1: an answer is lost --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [LostAnswer("rst"), LostAnswer("fin"), Instead(502), Instead(503), Instead(504), Instead(202, b'{"metadata": {')],
    ids=["reset", "ended", "502", "503", "504", "half"],
)
def test_the_servers_own_log_shows_one_request_to_deploy(cpd_wire, backend_on_cpd, job, key, act):
    before = logged(cpd_wire.running, MAKE)
    cpd_wire.breaks(MAKE, act)
    ref = backend_on_cpd.deploy(job, SPEC, key)
    assert logged(cpd_wire.running, MAKE) == before + 1
    assert [one["metadata"]["id"] for one in made(cpd_wire.running, key)] == [identity(ref)]


@pytest.mark.parametrize("act", [Without("tag.value"), Changed(emptied)], ids=["everything", "nothing"])
def test_a_filter_that_is_ignored_is_made_up_for(cpd_wire, backend_on_cpd, job, key, act):
    backend_on_cpd.deploy(job, SPEC, f"{key}-other")
    cpd_wire.heals()
    cpd_wire.breaks(MAKE, LostAnswer())
    cpd_wire.breaks(LIST, act, where=lambda request: "tag.value" in request.query, times=ALWAYS)
    ref = backend_on_cpd.deploy(job, SPEC, key)
    assert cpd_wire.asked[MAKE] == 1
    assert [one["metadata"]["id"] for one in made(cpd_wire.running, key)] == [identity(ref)]


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"message": "log in first"}', LOGIN_PAGE])
def test_a_list_that_is_none_never_means_that_nothing_was_deployed(cpd_wire, backend_on_cpd, job, key, answer):
    cpd_wire.breaks(MAKE, LostAnswer())
    cpd_wire.breaks(LIST, Refusal(200, answer), first=2, times=ALWAYS)
    with pytest.raises(wx.AmbiguousSubmitError, match=f"wxtuning.{key}"):
        backend_on_cpd.deploy(job, SPEC, key)
    cpd_wire.faults.clear()
    ref = backend_on_cpd.deploy(job, SPEC, key)
    assert cpd_wire.asked[MAKE] == 1
    assert [one["metadata"]["id"] for one in made(cpd_wire.running, key)] == [identity(ref)]


def test_two_deployments_with_our_tag_are_listed_and_neither_is_touched(
    cpd_wire, backend_on_cpd, connected, job, key, tmp_path_factory, monkeypatch
):
    backend_on_cpd.deploy(job, SPEC, key)
    monkeypatch.setenv("WXTUNING_HOME", str(tmp_path_factory.mktemp("elsewhere")))
    cpd_wire.breaks(LIST, Late(requests=1))
    connected(cpd_wire).deploy(job, SPEC, key)
    monkeypatch.setenv("WXTUNING_HOME", str(tmp_path_factory.mktemp("third")))
    with pytest.raises(wx.DuplicateJobsError) as caught:
        connected(cpd_wire).deploy(job, SPEC, key)
    assert set(caught.value.found) == {one["metadata"]["id"] for one in made(cpd_wire.running, key)}
    assert not [operation for operation in cpd_wire.asked if operation.startswith(("DELETE", "PATCH"))]


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_is_too_busy_to_deploy_is_waited_for(cpd_wire, clock, connected, job, key, status):
    backend = connected(cpd_wire)
    cpd_wire.breaks(MAKE, Refusal(status, headers={"Retry-After": "30"}))
    ref = backend.deploy(job, SPEC, key)
    assert [one["metadata"]["id"] for one in made(cpd_wire.running, key)] == [identity(ref)]
    assert (cpd_wire.asked[MAKE], clock.now >= 30.0) == (2, True)
    assert outcomes(f"wxtuning.{key}") == [Outcome.REFUSED, Outcome.MADE]


@pytest.mark.parametrize("operation", [MAKE, PROMOTE])
def test_a_redirected_deployment_is_not_followed(cpd_wire, cloud_wire, backend_on_cpd, job, key, operation):
    cpd_wire.breaks(operation, Refusal(308, b"{}", {"Location": f"{cloud_wire.url}/ml/v4/deployments"}))
    spec = DeploymentSpec(name="tone", space=cpd_wire.running.space)
    with pytest.raises(wx.NotOffered, match="not followed"):
        backend_on_cpd.deploy(job, spec, key)
    assert (cloud_wire.requests, cpd_wire.asked[operation]) == ([], 1)


# --- D5: not there yet ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [Dropped(), Refusal(503), Refusal(200, b"")], ids=["reset", "503", "nothing"])
@pytest.mark.parametrize("operation", [SHOW, TRAINING])
def test_an_outage_while_something_is_waited_for_is_waited_out_politely(
    cpd_wire, clock, connected, job, key, operation, act
):
    backend = connected(cpd_wire)
    cpd_wire.breaks(operation, act, where=lambda request: clock.now < 280.0, times=ALWAYS)
    ref = backend.deploy(job, SPEC, key)
    assert [one["metadata"]["id"] for one in made(cpd_wire.running, key)] == [identity(ref)]
    assert clock.now >= 280.0
    assert cpd_wire.asked[operation] <= MOST_IN_WINDOW * (clock.now / 60.0 + 1.0)
    assert cpd_wire.asked[MAKE] == 1


def test_an_outage_that_does_not_end_ends_the_waiting_with_its_cause(cpd_wire, backend_on_cpd, clock, job, key):
    cpd_wire.breaks(SHOW, Changed(initializing))
    cpd_wire.breaks(SHOW, Refusal(503), times=ALWAYS)
    with pytest.raises(wx.Unavailable, match="is not ready after 1800 s") as caught:
        backend_on_cpd.deploy(job, SPEC, key)
    assert isinstance(caught.value.__cause__, wx.Unavailable) and clock.now < 2000.0
    cpd_wire.faults.clear()
    backend_on_cpd.deploy(job, SPEC, key)
    assert cpd_wire.asked[MAKE] == 1


@pytest.mark.parametrize("answer", [b"{}", b'{"message": "log in first"}', b'{"metadata": {"id": "1"}, "entity": 7}'])
@pytest.mark.parametrize("operation", [SHOW, TRAINING])
def test_an_answer_that_tells_nothing_is_an_error_of_ours_and_the_same_line_goes_on(
    cpd_wire, backend_on_cpd, job, key, operation, answer
):
    cpd_wire.breaks(operation, Refusal(200, answer), times=ALWAYS)
    with pytest.raises(wx.Unavailable, match=r"after (1800|300) s"):
        backend_on_cpd.deploy(job, SPEC, key)
    cpd_wire.faults.clear()
    ref = backend_on_cpd.deploy(job, SPEC, key)
    assert [one["metadata"]["id"] for one in made(cpd_wire.running, key)] == [identity(ref)]
    assert cpd_wire.asked[MAKE] == 1


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"message": "log in first"}'])
def test_a_deployment_that_is_shown_as_nothing_is_not_made_a_second_time(cpd_wire, backend_on_cpd, job, key, answer):
    ref = backend_on_cpd.deploy(job, SPEC, key)
    cpd_wire.breaks(SHOW, Refusal(200, answer), times=ALWAYS)
    with pytest.raises(wx.Unavailable):
        backend_on_cpd.deploy(job, SPEC, key)
    cpd_wire.faults.clear()
    assert backend_on_cpd.deploy(job, SPEC, key) == ref
    assert cpd_wire.asked[MAKE] == 1


# --- T1, T4, T5: questions --------------------------------------------------------------------------------------------


@pytest.fixture
def deployed(backend_on_cpd, cpd_wire, job, key):
    ref = backend_on_cpd.deploy(job, SPEC, key)
    cpd_wire.heals()
    return ref


def test_the_pause_that_a_model_asks_for_is_kept(cpd_wire, backend_on_cpd, clock, deployed):
    cpd_wire.breaks(ASK, Refusal(503, headers={"Retry-After": "20"}))
    began = clock.now
    assert backend_on_cpd.generate(deployed, COMMENTS[:1], SHORT)[0].text
    assert clock.now == began + 20.0


def test_questions_in_an_outage_stay_within_the_budget(cpd_wire, backend_on_cpd, clock, deployed):
    cpd_wire.breaks(ASK, Refusal(503), times=ALWAYS)
    began = clock.now
    while clock.now < began + 600.0:
        with pytest.raises(wx.Unavailable):
            backend_on_cpd.generate(deployed, COMMENTS[:1], SHORT)
        clock.sleep(1.0)
    assert cpd_wire.asked[ASK] <= MOST_IN_WINDOW * ((clock.now - began) / 60.0 + 1.0)


def test_an_answer_of_a_hundred_megabytes_is_cut_off_at_the_size_cap(cpd_wire, backend_on_cpd, deployed):
    body = b'{"results": [{"generated_text": "' + b"a" * 100_000_000 + b'"}]}'
    cpd_wire.breaks(ASK, Refusal(200, body), times=ALWAYS)
    with pytest.raises(wx.AdapterError, match="answered more than 67,108,864 bytes"):
        backend_on_cpd.generate(deployed, COMMENTS[:1], SHORT)
    assert cpd_wire.asked[ASK] == 1


class Babbling:
    """A stream of small events without an end."""

    def __call__(self, exchange: Exchange) -> None:
        exchange.sent(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        data = {"results": [{"generated_text": "a" * 100_000, "stop_reason": "not_finished"}]}
        event = f"id: 1\nevent: message\ndata: {json.dumps(data)}\n\n".encode()
        for _ in range(2_000):
            exchange.sent(event)


def test_a_stream_without_end_is_cut_off_at_the_size_cap(cpd_wire, backend_on_cpd, deployed):
    cpd_wire.breaks(f"{ASK}_stream", Babbling(), times=ALWAYS)
    came = 0
    with pytest.raises(wx.Unavailable, match="answered more than 67,108,864 bytes"):
        for piece in backend_on_cpd.stream(deployed, COMMENTS[0], SHORT):
            came += len(piece)
    assert came <= 2**26
    assert cpd_wire.asked[f"{ASK}_stream"] == 1


def test_a_deployment_that_tells_nothing_of_itself_is_an_error_of_ours(cpd_wire, backend_on_cpd, deployed):
    cpd_wire.breaks(SHOW, Refusal(200, b'{"message": "log in first"}'), times=ALWAYS)
    with pytest.raises(wx.Unavailable, match="without its entity"):
        backend_on_cpd.generate(deployed, ["lamp " * 800], SHORT)
    assert cpd_wire.asked[ASK] == 0


def test_a_stream_that_comes_byte_by_byte_ends_at_the_deadline(cpd_wire, connected, deployed):
    backend = connected(cpd_wire, patience=Patience(total_seconds=0.2))
    cpd_wire.breaks(f"{ASK}_stream", Drip(0.1), times=ALWAYS)
    began = time.monotonic()
    with pytest.raises(wx.Unavailable):
        list(backend.stream(deployed, COMMENTS[0], SHORT))
    assert time.monotonic() - began < 8
    assert cpd_wire.asked[f"{ASK}_stream"] == 1
