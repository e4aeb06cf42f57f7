"""One connection to a service: what it asks, whom, and what answers mean."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.server.processes import Running
from tests.shown import places_of, raised_by
from tests.watsonx.conftest import Connect
from tests.watsonx.faults import Changed, Cut, Drip, Dropped, Endless, Instead, LostAnswer, Refusal, refusal
from tests.watsonx.wire import ALWAYS, Wire, wire_to
from wxtuning.adapters.watsonx.asking import Asking, base
from wxtuning.adapters.watsonx.containers import named
from wxtuning.adapters.watsonx.departure import before_it_leaves
from wxtuning.adapters.watsonx.faults import Missing, Refused, Unsettled
from wxtuning.adapters.watsonx.service import NOWHERE, Container, Service
from wxtuning.errors import (
    AdapterError,
    AmbiguousSubmitError,
    JournalError,
    NotAuthorized,
    NotOffered,
    Unavailable,
)
from wxtuning.ports import Decoding
from wxtuning.retry import Patience
from wxtuning.spec import PromptTuning
from wxtuning.testing import FakeClock
from wxtuning.unsettled import submit_again

TRAININGS, DEPLOYMENTS = "/ml/v4/trainings", "/ml/v4/deployments"
LIST, PROJECT = f"GET {TRAININGS}", "GET /v2/projects/{id}"
SPACES = "/v2/spaces"
OF_NOBODY: dict[str, Any] = {"tag.value": "of-nobody"}
"""What is asked for on a server where other tests have left things."""


def new_space(service: Service, name: str) -> str:
    return str(service.create(SPACES, {"name": name}, within=NOWHERE)["metadata"]["id"])


# --- who is asked, and how --------------------------------------------------------------------------------------------


def test_the_way_in_costs_few_requests(wire: Wire, service: Service) -> None:
    assert list(service.pages(TRAININGS, **OF_NOBODY)) == []
    assert service.get(TRAININGS, limit=1, **OF_NOBODY)["resources"] == []
    ways_in = {
        "cpd": {"GET /ml/wml_services/v2/version", "POST /icp4d-api/v1/authorize"},
        "cloud": {"POST /identity/token"},
    }
    asked = dict.fromkeys({*ways_in[wire.ready["platform"]], PROJECT}, 1)
    assert dict(wire.asked) == {**asked, LIST: 2}


def test_every_list_names_the_project_and_the_version(wire: Wire, service: Service) -> None:
    service.get(TRAININGS, **{"tag.value": "a"})
    query = wire.of(LIST)[0].query
    assert query["project_id"] == wire.running.project
    assert query["tag.value"] == "a"
    assert len(query["version"]) == len("2026-01-01")


def test_the_version_tells_the_platform(wire: Wire, service: Service) -> None:
    assert service.version == {"cpd": "5.2", "cloud": ""}[wire.ready["platform"]]
    assert service.host == wire.url.removeprefix("https://")


def test_nobody_says_anything(wire: Wire, service: Service, capfd: pytest.CaptureFixture[str]) -> None:
    service.get(TRAININGS)
    with pytest.raises(Missing):
        service.get(f"{TRAININGS}/11111111-1111-4111-8111-111111111111")
    assert capfd.readouterr() == ("", "")


def test_a_list_goes_on_through_all_its_pages(wire: Wire, service: Service) -> None:
    names = [f"page {number} of {threading.get_ident()}" for number in range(5)]
    made = {new_space(service, name) for name in names}
    found = [one["metadata"]["id"] for one in service.pages(SPACES, within=NOWHERE, limit=2)]
    assert made <= set(found)
    assert len(found) == len(set(found))
    assert wire.asked[f"GET {SPACES}"] >= 3


def test_a_list_without_an_end_is_given_up(cpd_wire: Wire, connected: Connect) -> None:
    service = connected(cpd_wire).service
    cpd_wire.breaks(LIST, Changed(lambda page: {**page, "next": {"href": "/x?start=1"}}), times=ALWAYS)
    with pytest.raises(Unavailable, match="without an end"):
        list(service.pages(TRAININGS))
    assert cpd_wire.asked[LIST] == 2


# --- projects and spaces ----------------------------------------------------------------------------------------------


def test_a_project_is_found_by_its_name(wire: Wire, connected: Connect) -> None:
    assert connected(wire, project="wxtuning").service.container == Container("project", wire.running.project)


def test_a_space_is_found_by_name_and_by_id(wire: Wire, connected: Connect) -> None:
    for name in ("wxtuning", wire.running.space):
        found = connected(wire, project=None, space=name).service
        assert found.container == Container("space", wire.running.space) == named(found, "space", "wxtuning")


def test_an_unknown_name_is_answered_with_those_that_are_near(wire: Wire, connected: Connect) -> None:
    with pytest.raises(NotOffered, match="no project named 'wxtunning'; it has 'wxtuning'"):
        _ = connected(wire, project="wxtunning").service.container


def test_an_unknown_id_is_refused(wire: Wire, connected: Connect) -> None:
    unknown = "11111111-1111-4111-8111-111111111111"
    with pytest.raises(NotOffered, match=f"knows no project {unknown}"):
        _ = connected(wire, project=unknown).service.container


def test_a_name_of_several_is_refused_with_their_ids(wire: Wire, connected: Connect) -> None:
    service = connected(wire).service
    ids = {new_space(service, "twice") for _ in range(2)}
    with pytest.raises(NotOffered) as failure:
        named(service, "space", "twice")
    assert all(identity in str(failure.value) for identity in ids)


@pytest.mark.parametrize("how", ["rst", "fin"])
def test_a_missing_project_is_made_once(cpd_wire: Wire, connected: Connect, how: Any) -> None:
    name = f"made {how} {cpd_wire.url}"
    cpd_wire.breaks("POST /transactional/v2/projects", LostAnswer(how))
    found = connected(cpd_wire, project=name, create_project=True).service.container
    again = connected(cpd_wire, project=name, create_project=True).service.container
    assert found == again
    assert cpd_wire.asked["POST /transactional/v2/projects"] == 1


def test_a_project_that_may_have_been_made_has_a_way_out(cpd_wire: Wire, connected: Connect) -> None:
    asking = {"project": f"doubtful {cpd_wire.url}", "create_project": True, "on_unknown": "ask"}
    cpd_wire.breaks("POST /transactional/v2/projects", Dropped())
    with pytest.raises(AmbiguousSubmitError) as failure:
        _ = connected(cpd_wire, **asking).service.container
    submit_again(failure.value.tag)
    assert connected(cpd_wire, **asking).service.container.kind == "project"


def test_a_missing_project_of_the_cloud_is_not_made(cloud: Running, cloud_wire: Wire, connected: Connect) -> None:
    with pytest.raises(NotOffered, match="without an Object Storage"):
        _ = connected(cloud_wire, project="not there", create_project=True).service.container


# --- what answers mean ------------------------------------------------------------------------------------------------


def test_a_refusal_carries_the_services_own_words(service: Service) -> None:
    with pytest.raises(Refused) as failure:
        service.create(TRAININGS, {"name": "n"})
    assert failure.value.status == 400
    assert failure.value.code
    assert failure.value.field
    assert all(word in str(failure.value) for word in (f"POST {TRAININGS}", "HTTP 400", "trace "))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "json_type_error", Refused),
        (403, "user_authorization_failed", NotAuthorized),
        (403, "token_quota_reached", Refused),
        (404, "not_found", Missing),
        (409, "already_exists", Refused),
        (410, "gone", Missing),
        (422, "invalid", Refused),
    ],
)
@pytest.mark.parametrize("method", ["get", "create"])
def test_a_refusal_is_final(
    cpd_wire: Wire, connected: Connect, method: str, status: int, code: str, kind: type
) -> None:
    service = connected(cpd_wire).service
    cpd_wire.breaks(f"* {DEPLOYMENTS}", Refusal(status, refusal(status, code, "the reason")), times=ALWAYS)
    with pytest.raises(kind, match=f"the reason .HTTP {status}, {code}, trace ") as failure:
        service.get(DEPLOYMENTS) if method == "get" else service.create(DEPLOYMENTS, {})
    assert type(failure.value) is kind
    assert sum(cpd_wire.asked[f"{verb} {DEPLOYMENTS}"] for verb in ("GET", "POST")) == 1


@pytest.mark.parametrize(
    "act",
    [
        LostAnswer("rst"),
        LostAnswer("fin"),
        Cut(3),
        *(Instead(status) for status in (401, 408, 500, 502, 503, 504, 520, 524)),
        Instead(200, b"<html>Log in</html>"),
        Instead(201, b'{"metadata": {'),
        Instead(201, b"[]"),
    ],
    ids=repr,
)
def test_nobody_knows_what_became_of_a_create_without_an_answer(cpd_wire: Wire, connected: Connect, act: Any) -> None:
    service = connected(cpd_wire).service
    cpd_wire.breaks(f"POST {SPACES}", act)
    with pytest.raises(Unsettled):
        service.create(SPACES, {"name": "n"}, within=NOWHERE)
    assert cpd_wire.asked[f"POST {SPACES}"] == 1


def test_a_create_that_never_left_is_sent_when_it_can_be(cpd: Running, connected: Connect, clock: FakeClock) -> None:
    with wire_to(cpd) as wire:
        service = connected(wire).service
        _ = service.container
    with pytest.raises(Unavailable, match="could not be reached") as failure:
        service.create(SPACES, {"name": "n"}, within=NOWHERE)
    assert not isinstance(failure.value, Unsettled)
    assert len(clock.pauses) == 5


def test_a_create_goes_over_a_connection_of_its_own(cpd_wire: Wire, connected: Connect) -> None:
    service = connected(cpd_wire).service
    service.get(TRAININGS)
    for number in range(2):
        new_space(service, f"own {number}")
    ports = [request.port for request in cpd_wire.of(f"POST {SPACES}")]
    assert len({*ports, cpd_wire.of(LIST)[0].port}) == 3


@pytest.mark.parametrize("of_the_caller", [False, True])
def test_who_wants_to_know_when_a_create_leaves_is_told_before_it_has(
    cpd_wire: Wire, connected: Connect, of_the_caller: bool
) -> None:
    with httpx.Client(verify=cpd_wire.running.tls) as client:
        service = connected(cpd_wire, http_client=client if of_the_caller else None).service
        _ = service.container
        seen: list[tuple[int, int]] = []

        def leaves() -> None:
            seen.append((cpd_wire.asked[f"POST {SPACES}"], cpd_wire.connections - opened))

        opened = cpd_wire.connections
        with before_it_leaves(leaves):
            service.get(TRAININGS)
            new_space(service, "told")
        new_space(service, "not told")
    assert [sent for sent, _ in seen] == [0]
    assert of_the_caller or seen == [(0, 1)]  # the connection is there by then


def test_a_create_that_never_left_is_not_told(cpd: Running, connected: Connect) -> None:
    with wire_to(cpd) as wire:
        service = connected(wire).service
        _ = service.container
    with (
        pytest.raises(Unavailable, match="could not be reached"),
        before_it_leaves(lambda: pytest.fail("nothing leaves")),
    ):
        service.create(SPACES, {"name": "n"}, within=NOWHERE)


def test_a_create_that_cannot_be_written_down_does_not_leave(cpd_wire: Wire, connected: Connect) -> None:
    service = connected(cpd_wire).service
    _ = service.container

    def full() -> None:
        raise JournalError("the disk is full")

    with before_it_leaves(full):
        error = raised_by(lambda: service.create(SPACES, {"name": "n"}, within=NOWHERE))
    assert str(error).startswith("the disk is full")
    assert cpd_wire.asked[f"POST {SPACES}"] == 0
    token = cpd_wire.of("GET *")[-1].header("authorization").rpartition(" ")[2]
    assert token
    assert token not in "\n".join(places_of(error))


def test_what_is_gone_is_removed(service: Service) -> None:
    identity = new_space(service, "gone")
    for _ in range(2):
        service.delete(f"{SPACES}/{identity}", within=NOWHERE)


# --- redirects and other hosts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["get", "create"])
def test_a_redirect_is_not_followed(
    cpd_wire: Wire, cloud_wire: Wire, connected: Connect, method: str, status: int
) -> None:
    service = connected(cpd_wire).service
    headers = {"Location": f"{cloud_wire.url}{DEPLOYMENTS}"}
    cpd_wire.breaks(f"* {DEPLOYMENTS}", Refusal(status, b"{}", headers))
    with pytest.raises(NotOffered, match=f"sends .* on to {cloud_wire.url.removeprefix('https://')}"):
        service.get(DEPLOYMENTS) if method == "get" else service.create(DEPLOYMENTS, {})
    assert cloud_wire.requests == []


def test_a_redirected_sign_in_is_not_followed(cpd_wire: Wire, cloud_wire: Wire, connected: Connect) -> None:
    headers = {"Location": f"{cloud_wire.url}/icp4d-api/v1/authorize"}
    cpd_wire.breaks("POST /icp4d-api/*", Refusal(307, b"{}", headers))
    with pytest.raises(NotOffered, match="it was not followed"):
        connected(cpd_wire).service.get(DEPLOYMENTS)
    assert cloud_wire.requests == []


def test_no_token_goes_to_another_host(cpd_wire: Wire, connected: Connect) -> None:
    service = connected(cpd_wire).service
    with wire_to(cpd_wire.running) as other:
        other.breaks("GET /x", Refusal(200, b"signed"))
        with pytest.raises(AdapterError, match="no token is sent there"):
            service.get(f"{other.url}{TRAININGS}")
        with pytest.raises(AdapterError, match="does not begin with https://"):
            service.get(f"{cpd_wire.url.replace('https', 'http')}{TRAININGS}")
        assert service.read(f"{other.url}/x?signature=1", most=10) == b"signed"
        assert [(request.query, request.header("authorization")) for request in other.requests] == [
            ({"signature": "1"}, "")
        ]


# --- answers of the wrong size, and too slow ones ---------------------------------------------------------------------


def test_an_endless_answer_is_given_up(cpd_wire: Wire, connected: Connect) -> None:
    service = connected(cpd_wire).service
    cpd_wire.breaks(LIST, Endless(), times=ALWAYS)
    with pytest.raises(AdapterError, match="answered more than 67,108,864 bytes"):
        service.get(TRAININGS)
    assert cpd_wire.asked[LIST] == 1


def test_no_more_is_read_than_was_asked_for(cpd_wire: Wire, connected: Connect) -> None:
    service = connected(cpd_wire).service
    with pytest.raises(AdapterError, match="more than 10 bytes"):
        service.read(f"{TRAININGS}?version=2026-01-01&project_id={cpd_wire.running.project}", most=10)


@pytest.mark.parametrize("of_the_caller", [False, True])
@pytest.mark.parametrize("headers_too", [False, True])
def test_an_answer_byte_by_byte_ends_at_the_deadline(
    cpd_wire: Wire, connected: Connect, headers_too: bool, of_the_caller: bool
) -> None:
    with httpx.Client(verify=cpd_wire.running.tls) as client:
        own = {"http_client": client} if of_the_caller else {}
        service = connected(cpd_wire, patience=Patience(total_seconds=0.6), **own).service
        _ = service.container
        cpd_wire.breaks(LIST, Drip(0.1, headers_too), times=ALWAYS)
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"0\.6 s"):
            service.get(TRAININGS)
        assert time.monotonic() - began < 7  # the headers alone take twice as long
    assert cpd_wire.asked[LIST] == 1


# --- streams ----------------------------------------------------------------------------------------------------------

STREAM = "/ml/v1/text/generation_stream"
EVENTS = b'id: 1\nevent: message\ndata: {"n": 1}\n\nid: 2\nevent: message\ndata: {"n":\ndata: 2}\n\n'


class Streamed:
    """Answers with these bytes as events; the end is cut off if it is not `whole`."""

    def __init__(self, content: bytes, *, whole: bool = True) -> None:
        self.content = content
        self.whole = whole

    def __call__(self, exchange: Any) -> None:
        size = len(self.content) + (0 if self.whole else 10)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {size}\r\n\r\n"
        exchange.sent(head.encode() + self.content)
        exchange.hung_up()


def streamed(service: Service) -> Iterator[dict[str, Any]]:
    return service.stream(STREAM, {"input": "x"})


def test_events_come_one_by_one(cpd_wire: Wire, connected: Connect) -> None:
    cpd_wire.breaks(f"POST {STREAM}", Streamed(EVENTS))
    assert list(streamed(connected(cpd_wire).service)) == [{"n": 1}, {"n": 2}]


def test_only_the_beginning_of_a_stream_is_asked_for_again(cpd_wire: Wire, connected: Connect) -> None:
    service = connected(cpd_wire).service
    cpd_wire.breaks(f"POST {STREAM}", Refusal(503), times=2)
    cpd_wire.breaks(f"POST {STREAM}", Streamed(EVENTS, whole=False))
    events = streamed(service)
    assert [next(events), next(events)] == [{"n": 1}, {"n": 2}]
    with pytest.raises(Unavailable, match="in the middle of its answer"):
        next(events)
    assert cpd_wire.asked[f"POST {STREAM}"] == 3


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (500, Unavailable)])
def test_an_error_among_the_events_is_raised(cpd_wire: Wire, connected: Connect, status: int, kind: type) -> None:
    failed = b"event: error\ndata: " + refusal(status, "too_long", "the prompt is too long") + b"\n\n"
    cpd_wire.breaks(f"POST {STREAM}", Streamed(EVENTS + failed))
    events = streamed(connected(cpd_wire).service)
    with pytest.raises(kind, match="the prompt is too long"):
        list(events)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"data: <html>\n\n", "no JSON object"), (b"data: " + b"x" * 1_500_000, "more than 1,048,576 bytes")],
)
def test_events_that_are_none_are_refused(cpd_wire: Wire, connected: Connect, content: bytes, said: str) -> None:
    cpd_wire.breaks(f"POST {STREAM}", Streamed(content))
    with pytest.raises(Unavailable, match=said):
        list(streamed(connected(cpd_wire).service))


@pytest.mark.parametrize("asking", [False, True])
@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (b"event: error\ndata: " + refusal(500, "trouble", "it broke") + b"\n\n", Unavailable),
        (b"data: {}\n\n", Unavailable),
        (b"data: <html>\n\n", Unavailable),
    ],
    ids=["error", "no result", "no object"],
)
def test_a_stream_that_went_wrong_keeps_no_connection_however_long_its_error_is_kept(
    cpd_wire: Wire, connected: Connect, event: bytes, kind: type, asking: bool
) -> None:
    service, ended = connected(cpd_wire).service, threading.Event()

    def endless(exchange: Any) -> None:
        exchange.sent(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99999\r\n\r\n" + event)
        exchange.heard_the_end()
        ended.set()

    cpd_wire.breaks("POST *_stream", endless)
    with pytest.raises(kind) as kept:
        consumed(service, asking=asking)
    assert ended.wait(10)
    assert kept.value.__traceback__


def consumed(service: Service, *, asking: bool) -> None:
    """Read a stream until something is wrong with it."""
    if asking:
        ref = base(PromptTuning(model="google/flan-t5-small"), "{{input}}")
        list(Asking(service, lambda model: None).stream(ref, "x", Decoding(max_new_tokens=5)))
    for event in streamed(service):
        if "n" not in event:
            raise Unavailable("no result", backend="watsonx")


# --- a client of the caller's -----------------------------------------------------------------------------------------


def test_the_callers_client_sends_a_create_once(cpd_wire: Wire, connected: Connect) -> None:
    with httpx.Client(verify=cpd_wire.running.tls, transport=None, headers={"X-Own": "1"}) as client:
        service = connected(cpd_wire, http_client=client).service
        assert service.get(TRAININGS, **OF_NOBODY)["resources"] == []
        cpd_wire.breaks(f"POST {SPACES}", LostAnswer("fin"))
        with pytest.raises(Unsettled):
            service.create(SPACES, {"name": "n"}, within=NOWHERE)
    assert cpd_wire.asked[f"POST {SPACES}"] == 1
    assert {request.header("x-own") for request in cpd_wire.requests} == {""}
