"""What happens around a handler, whatever it does. Handlers of the tests' own, over uvicorn without TLS."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import uvicorn

from wxtuning.server.entrance.dispatch import Dispatch
from wxtuning.server.entrance.door import Door
from wxtuning.server.entrance.patience import protocol
from wxtuning.server.errors import Refused
from wxtuning.server.house import House
from wxtuning.server.routing import Answer, Call, Route, Stream
from wxtuning.server.settings import Limits, Settings

CUT = b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nx"
"""A form whose one part does not end."""

LONG_HEADER = b"--b\r\n" + b"X: " + b"a" * 100_000
"""A form whose one part has a header that does not end."""

LONG = 60.0
"""Seconds after which what should have happened has not, also on a busy machine."""
LIMITS = Limits(requests=2, answers=3, idle_seconds=0.5, upload_bytes=200_000, upload_seconds=5)


def fails(call: Call) -> dict:
    raise ValueError(f"secret {call.query.get('secret')}")


class Gate:
    """A handler that waits until it may go on, or its caller has left."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()
        self.left = threading.Event()

    def __call__(self, call: Call) -> dict:
        self.entered.release()
        while not self.opened.wait(0.01):
            if call.gone():
                self.left.set()
                break
        return {"done": True}


class Pieces:
    """A stream that goes on until it is closed."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.closed = threading.Event()

    def __call__(self, call: Call) -> Stream:
        return Stream(pieces=self.pieces)

    def pieces(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * self.size
                time.sleep(0.001)
        finally:
            self.closed.set()


def echo(call: Call) -> dict:
    return {
        "body": call.body, "items": list(call.items), "path": dict(call.path), "list": call.query_list("a"),
        "file": call.file.read_bytes().decode() if call.file else None, "url": call.url,
    }  # fmt: skip


def keeps(call: Call) -> Answer:
    call.file.rename(call.house.folder("kept") / "file")
    return Answer(body=None, status=204)


def in_openai_shape(refusal: Refused) -> dict:
    return {"error": {"message": refusal.message}}


@pytest.fixture
def gate() -> Iterator[Gate]:
    found = Gate()
    yield found
    found.opened.set()


@pytest.fixture
def pieces() -> Pieces:
    return Pieces(100_000)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(Settings(home=tmp_path / "home", limits=LIMITS))


@pytest.fixture
def client(house, gate, pieces) -> Iterator[httpx.Client]:
    def route(method: str, path: str, handler: object, **how: object) -> Route:
        return Route(method=method, path=path, handler=handler, **how)

    routes = (
        route("GET", "/fails", fails, query=("secret",)),
        route("GET", "/gate", gate),
        route("GET", "/answer", gate, place="answers"),
        route("GET", "/stream", pieces),
        route("POST", "/echo/{name}/{rest:path}", echo, query=("a",)),
        route("POST", "/list", echo, takes="list"),
        route("PUT", "/file", echo, takes="file"),
        route("PUT", "/keep", keeps, takes="file"),
        route("PUT", "/signed/{id}", echo, takes="file", token="url"),
        route("GET", "/key", lambda call: {}, token="key", refusal=in_openai_shape),
        route("GET", "/elsewhere", lambda call: {}, only="cloud"),
    )
    with serving(Door(Dispatch(house, routes), house.settings)) as url:
        headers = {"Authorization": f"Bearer {house.tokens.grant().token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=LONG) as client:
            yield client


@contextmanager
def serving(application: object) -> Iterator[str]:
    config = uvicorn.Config(application, http=protocol(LIMITS), ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    sock = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


def test_one_request_more_than_the_limit_is_asked_to_come_again(client, gate):
    with ThreadPoolExecutor() as callers:
        waiting = [callers.submit(client.get, "/gate") for _ in range(LIMITS.requests)]
        for _ in waiting:
            assert gate.entered.acquire(timeout=LONG)
        answer = client.get("/gate")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["errors"][0]["code"] == "too_many_requests"
        gate.opened.set()
        assert [one.result().status_code for one in waiting] == [200, 200]
    assert client.get("/gate").status_code == 200


@contextmanager
def all_answering(client: httpx.Client, gate: Gate) -> Iterator[list[Future[httpx.Response]]]:
    """Every place of those who wait for a model is taken; they are answered when the block has ended."""
    with ThreadPoolExecutor() as callers:
        waiting = [callers.submit(client.get, "/answer") for _ in range(LIMITS.answers)]
        for _ in waiting:
            assert gate.entered.acquire(timeout=LONG)
        yield waiting
        gate.opened.set()


def test_while_all_answers_wait_for_a_model_every_other_call_is_answered(client, gate):
    with all_answering(client, gate) as waiting:
        assert [client.get("/key").status_code for _ in range(200)] == [200] * 200
        assert not any(one.done() for one in waiting)
    assert [one.result().status_code for one in waiting] == [200] * LIMITS.answers


def test_one_answer_more_than_the_limit_is_asked_to_come_again(client, gate):
    with all_answering(client, gate):
        answer = client.get("/answer")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "3 answers are being worked on" in answer.json()["errors"][0]["message"]


def test_a_handler_learns_that_its_caller_has_left(client, gate):
    with suppress(httpx.ReadTimeout):
        client.get("/gate", timeout=0.2)
    assert gate.left.wait(LONG)


def test_a_stream_is_closed_when_its_caller_has_left(client, pieces):
    with client.stream("GET", "/stream") as answer:
        read = answer.iter_raw()  # named, as httpx leaves when nobody holds what it is read with
        next(read)
        assert not pieces.closed.is_set()
    assert pieces.closed.wait(LONG)


def test_a_stream_whose_caller_does_not_read_is_closed(client, pieces):
    with client.stream("GET", "/stream"):
        assert pieces.closed.wait(10)


def test_streams_count_as_requests_until_they_end(client, pieces):
    with client.stream("GET", "/stream"), client.stream("GET", "/stream"):
        assert client.get("/key").status_code == 503
    assert pieces.closed.wait(LONG)
    until = time.monotonic() + 5
    while client.get("/key").status_code == 503 and time.monotonic() < until:
        time.sleep(0.02)
    assert client.get("/key").status_code == 200


def test_a_fault_is_the_servers_and_its_log_tells_it_by_the_trace(client, caplog):
    answer = client.get("/fails?secret=word")
    assert answer.status_code == 500
    assert "word" not in answer.text
    assert answer.json()["trace"] in caplog.text
    assert "ValueError" in caplog.text


def test_a_call_is_read_as_its_handler_wants_it(client):
    answer = client.post("/echo/a%20b/c/d%C3%A9?a=1&a=2", json={"x": [1]})
    assert answer.json() == {
        "body": {"x": [1]}, "items": [], "path": {"name": "a b", "rest": "c/dé"}, "list": ["1", "2"], "file": None,
        "url": str(client.base_url).rstrip("/"),
    }  # fmt: skip


def test_arrays_come_where_they_are_taken(client):
    assert client.post("/list", json=[{"op": "replace"}]).json()["items"] == [{"op": "replace"}]
    assert client.post("/list", json={}).status_code == 400
    assert client.post("/echo/a/b", json=[]).status_code == 400


@pytest.mark.parametrize(
    "sent",
    [{"content": b"some text"}, {"files": {"file": ("../../x", b"some text")}}, {"content": iter([b"some ", b"text"])}],
)
def test_a_file_comes_as_it_is_or_in_a_form_and_is_removed_after(client, house, sent):
    assert client.put("/file", **sent).json()["file"] == "some text"
    assert list(house.folder("incoming").iterdir()) == []


def test_a_file_that_finds_no_place_is_removed(client, gate, house):
    with ThreadPoolExecutor() as callers:
        waiting = [callers.submit(client.get, "/gate") for _ in range(LIMITS.requests)]
        for _ in waiting:
            assert gate.entered.acquire(timeout=LONG)
        assert client.put("/file", content=b"x").status_code == 503
        assert list(house.folder("incoming").iterdir()) == []
        gate.opened.set()


def test_a_file_that_a_handler_takes_stays(client, house):
    assert client.put("/keep", content=b"some text").status_code == 204
    assert (house.folder("kept") / "file").read_bytes() == b"some text"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"content": b"x" * 200_001}, 413),
        ({"content": iter([b"x" * 120_000, b"x" * 120_000])}, 413),
        ({"files": {"other": b"x"}}, 400),
        ({"files": [("file", b"x"), ("file", b"y")]}, 400),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400),
        ({"content": CUT, "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400),
        ({"files": [(str(n), b"") for n in range(30)]}, 400),
        ({"content": LONG_HEADER, "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400),
    ],
)  # fmt: skip
def test_a_file_that_is_refused_leaves_nothing(client, house, sent, status):
    assert client.put("/file", **sent).status_code == status
    assert list(house.folder("incoming").iterdir()) == []


def test_a_signed_address_is_good_for_one_method_and_one_file(client, house):
    signed = house.tokens.signed("PUT", "/signed/1")
    del client.headers["Authorization"]
    assert client.put(signed, content=b"x").status_code == 200
    assert client.put(signed.replace("/1?", "/2?"), content=b"x").status_code == 403
    assert client.put(signed.replace("until=", "until=9"), content=b"x").status_code == 403
    assert client.put("/signed/1", content=b"x").status_code == 403
    assert client.put(house.tokens.signed("GET", "/signed/1"), content=b"x").status_code == 403


def test_a_signed_address_expires(client, house):
    assert client.put(house.tokens.signed("PUT", "/signed/1", seconds=-1), content=b"x").status_code == 403


def test_the_key_itself_will_do_where_that_is_said(client, house):
    client.headers["Authorization"] = f"Bearer {house.tokens.keys.api_key}"
    assert client.get("/key").status_code == 200
    assert client.get("/gate").status_code == 401


def test_a_route_may_refuse_in_a_shape_of_its_own(client):
    client.headers["Authorization"] = "Bearer x"
    assert list(client.get("/key").json()) == ["error"]


def test_a_call_of_the_other_platform_is_not_offered(client):
    assert client.get("/elsewhere").json()["errors"][0]["code"] == "not_offered"
