"""What is asked again, how often and after how long, when a service is down, slow, confused or gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.watsonx.conftest import Connect, asked_of
from tests.watsonx.faults import HTML, Cut, Dropped, Refusal, Silence
from tests.watsonx.wire import ALWAYS, Answer, Wire
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.service import NOWHERE, Service
from wxtuning.errors import AdapterError, Unavailable, WxTuningError
from wxtuning.retry import MOST_IN_WINDOW, Patience
from wxtuning.testing import FakeClock

TRAININGS = "/ml/v4/trainings"
LIST = f"GET {TRAININGS}"
SEARCH = "/v2/asset_types/data_asset/search"


@pytest.fixture
def service(cpd_wire: Wire, connected: Connect) -> Service:
    """Signed in, with a project that is known."""
    found = connected(cpd_wire).service
    _ = found.container
    return found


def page(content: bytes) -> Callable[[Any], None]:
    return lambda exchange: exchange.answered(Answer(status=200, headers=HTML, body=content))


PASSING = {
    "500": Refusal(500),
    "502": Refusal(502, b"<html>Bad gateway</html>"),
    "503": Refusal(503),
    "504": Refusal(504),
    "520": Refusal(520),
    "521": Refusal(521),
    "524": Refusal(524),
    "408": Refusal(408),
    "429": Refusal(429),
    "reset": Dropped("rst"),
    "ended": Dropped("fin"),
    "a page": page(b"<html>Log in</html>"),
    "cut": Cut(5),
    "half": Refusal(200, b'{"resources": ['),
    "a list": Refusal(200, b"[]"),
    "deep": Refusal(200, b"[" * 100_000),
    "no text": Refusal(200, b"\xff\xfe{"),
}


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_not_seen(cpd_wire: Wire, service: Service, fault: str) -> None:
    cpd_wire.breaks(LIST, PASSING[fault], times=3)
    assert "resources" in service.get(TRAININGS)
    assert cpd_wire.asked[LIST] == 4


@pytest.mark.parametrize("fault", PASSING)
def test_what_does_not_pass_is_said(cpd_wire: Wire, service: Service, clock: FakeClock, fault: str) -> None:
    cpd_wire.breaks(LIST, PASSING[fault], times=ALWAYS)
    with pytest.raises(Unavailable, match=f"{service.host} .*GET {TRAININGS}"):
        service.get(TRAININGS)
    assert cpd_wire.asked[LIST] == 6
    assert sum(clock.pauses) < 60


def test_an_empty_answer_is_no_list(cpd_wire: Wire, service: Service) -> None:
    cpd_wire.breaks(LIST, Refusal(200, b""), times=3)
    assert "resources" in service.get(TRAININGS)
    assert cpd_wire.asked[LIST] == 4


def test_a_question_that_changes_nothing_is_asked_again(cpd_wire: Wire, service: Service) -> None:
    cpd_wire.breaks(f"POST {SEARCH}", Refusal(503), times=2)
    assert "results" in service.ask(SEARCH, {"query": "*:*"}, within=service.container)
    assert cpd_wire.asked[f"POST {SEARCH}"] == 3


def test_a_file_is_put_again_from_its_beginning(cpd_wire: Wire, service: Service) -> None:
    for as_form in (False, True):
        cpd_wire.heals()
        cpd_wire.breaks("PUT /x", Refusal(500), times=2)
        cpd_wire.breaks("PUT /x", Refusal(200, b"{}"))
        service.put("/x?signature=1", b"content " * 1000, as_form=as_form)
        bodies = {request.body for request in cpd_wire.of("PUT /x")}
        assert len(bodies) == 1
        assert b"content " * 1000 in bodies.pop()
        assert [request.header("authorization") for request in cpd_wire.requests] == [""] * 3


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("-1", 0.0),
        ("1000000000", 60.0),
        ("1e9", 60.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", 0.0),
        ("9" * 400, 0.0),
    ],
)
def test_what_a_service_asks_to_wait_is_obeyed_up_to_a_minute(
    cpd_wire: Wire, service: Service, clock: FakeClock, value: str, pause: float
) -> None:
    cpd_wire.breaks(LIST, Refusal(429, headers={"Retry-After": value}))
    service.get(TRAININGS)
    [waited] = clock.pauses
    assert waited == pause if pause else waited <= 0.5


def test_a_date_to_wait_for_is_obeyed(cpd_wire: Wire, service: Service, clock: FakeClock) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    cpd_wire.breaks(LIST, Refusal(503, headers={"Retry-After": date}))
    service.get(TRAININGS)
    assert 20 < clock.pauses[0] <= 30


def test_an_outage_costs_at_most_thirty_requests_a_minute(cpd_wire: Wire, service: Service, clock: FakeClock) -> None:
    cpd_wire.breaks("*", Refusal(503), times=ALWAYS)
    began = clock()
    while clock() < began + 600:
        with pytest.raises(Unavailable):
            service.get(TRAININGS)
        clock.sleep(1.0)
    assert cpd_wire.asked[LIST] <= MOST_IN_WINDOW * (clock() - began) / 60 + MOST_IN_WINDOW
    cpd_wire.heals()
    assert "resources" in service.get(TRAININGS)


# --- silence ----------------------------------------------------------------------------------------------------------


def impatient(wire: Wire, seconds: float) -> Service:
    """Signed in, waiting for real but not for long; it asks often enough to outlast a machine that stalls."""
    service = Watsonx(**asked_of(wire, patience=Patience(read_seconds=seconds, attempts=20))).service
    service.get(TRAININGS, limit=1)
    wire.heals()
    return service


def test_silence_is_not_waited_for(cpd_wire: Wire) -> None:
    service = impatient(cpd_wire, 0.2)
    cpd_wire.breaks(LIST, Silence())
    assert "resources" in service.get(TRAININGS)
    assert cpd_wire.asked[LIST] >= 2


def test_silence_after_a_create_tells_nothing(cpd_wire: Wire) -> None:
    service, came = impatient(cpd_wire, 0.2), threading.Event()

    def silent(exchange: Any) -> None:
        came.set()
        Silence(acting=True)(exchange)

    cpd_wire.breaks("POST /v2/spaces", silent, times=ALWAYS)
    with pytest.raises(Unavailable, match=r"did not answer in 0.2 s .*; nobody knows what became of it"):
        service.create("/v2/spaces", {"name": "n"}, within=NOWHERE)
    assert came.wait(10)
    assert cpd_wire.asked["POST /v2/spaces"] == 1


def test_a_model_may_think_longer(cpd_wire: Wire) -> None:
    service = impatient(cpd_wire, 2.0)
    cpd_wire.breaks(f"POST {SEARCH}", lambda exchange: (exchange.wire.closing.wait(2.2), exchange.relayed())[1])
    assert "results" in service.ask(SEARCH, {"query": "*:*"}, within=service.container)
    assert cpd_wire.asked[f"POST {SEARCH}"] == 1


def test_a_connection_that_died_while_idle_is_replaced(cpd_wire: Wire, service: Service) -> None:
    service.get(TRAININGS)
    opened = cpd_wire.connections
    cpd_wire.hang_up()
    assert "resources" in service.get(TRAININGS)
    assert (cpd_wire.connections, cpd_wire.asked[LIST]) == (opened + 1, 2)


# --- nobody there -----------------------------------------------------------------------------------------------------


def refused_by(url: str, wire: Wire, clock: FakeClock, **changed: Any) -> AdapterError:
    patience = Patience(sleep=clock.sleep, clock=clock, connect_seconds=0.2)
    with pytest.raises(AdapterError) as failure:
        _ = Watsonx(**asked_of(wire, url=url, patience=patience, **changed)).service.container
    return failure.value


def test_a_name_that_nobody_knows_is_named(cpd_wire: Wire, clock: FakeClock) -> None:
    error = refused_by("https://no-such-host.invalid", cpd_wire, clock)
    assert isinstance(error, Unavailable)
    assert "no-such-host.invalid is not known by that name" in str(error)


def test_a_closed_port_is_named(cpd_wire: Wire, clock: FakeClock) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    error = refused_by(f"https://127.0.0.1:{port}", cpd_wire, clock)
    assert f"127.0.0.1:{port} could not be reached (Connection refused)" in str(error)


def test_a_proxy_of_the_environment_is_used(
    cpd_wire: Wire, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.getsockname()[1]}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(Unavailable, match="could not be reached") as failure:
        connected(cpd_wire).service.get(TRAININGS)
    assert "HTTPS_PROXY" in failure.value.hint
    assert cpd_wire.connections == 0
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert "resources" in connected(cpd_wire).service.get(TRAININGS)


def test_many_threads_share_few_connections(cpd_wire: Wire, service: Service) -> None:
    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(lambda _: service.get(TRAININGS), range(200)))
    assert all("resources" in answer for answer in answers)
    assert cpd_wire.connections <= 64


def test_a_server_without_tls_is_named(cpd_wire: Wire, clock: FakeClock) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server, ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            connection, _ = server.accept()
            with closing(connection):
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        work = pool.submit(answer)
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        patience = Patience(attempts=1, sleep=clock.sleep, clock=clock)
        with pytest.raises(Unavailable, match="does not speak TLS"):
            _ = Watsonx(**asked_of(cpd_wire, url=url, patience=patience)).service.container
        work.result(10)


def test_an_untrusted_certificate_is_final_and_sends_nothing(cpd_wire: Wire, connected: Connect) -> None:
    asked = {name: value for name, value in asked_of(cpd_wire).items() if name != "ca"}
    with pytest.raises(AdapterError, match="certificate that is not trusted") as failure:
        _ = Watsonx(**asked).service.container
    assert not isinstance(failure.value, Unavailable)
    assert "ca=" in failure.value.hint
    assert (cpd_wire.requests, cpd_wire.connections) == ([], 1)
    assert Path(asked_of(cpd_wire)["ca"]).is_file()


def test_the_second_address_of_a_name_answers_where_the_first_is_dead(
    cpd_wire: Wire, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, real = cpd_wire.url.replace("127.0.0.1", "localhost"), socket.getaddrinfo

    def both(host: Any, port: Any, *more: Any, **how: Any) -> Any:
        dead = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        return [dead, *real("127.0.0.1", port, *more, **how)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert connected(cpd_wire, url=asked).service.container.id == cpd_wire.running.project


def test_every_failure_is_one_of_ours(cpd_wire: Wire, connected: Connect) -> None:
    faults = [
        *PASSING.values(),
        *(Refusal(status) for status in (300, 304, 400, 401, 402, 403, 404, 405, 418, 451, 600)),
    ]
    for act in faults:
        cpd_wire.heals()
        cpd_wire.breaks("*", act, times=ALWAYS)
        with pytest.raises(WxTuningError):
            connected(cpd_wire).service.get(TRAININGS)
