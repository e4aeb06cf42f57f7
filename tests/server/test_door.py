"""The closed door: nobody comes in who should not, and nobody keeps the others out. Over TLS and without."""

from __future__ import annotations

import json
import re
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.server.processes import Running, limited, serving
from wxtuning.server.application import routes

LIMITS = {
    "head_seconds": 1.0, "body_seconds": 1.5, "upload_seconds": 2.0, "idle_seconds": 1.0, "keep_seconds": 1,
    "linger_seconds": 0.5,
    "header_bytes": 16_384, "body_bytes": 65_536, "upload_bytes": 1_000_000,
}  # fmt: skip
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
OPEN = {
    ("POST", "/identity/token"),
    ("POST", "/icp4d-api/v1/authorize"),
    ("POST", "/idprovider/v1/auth/identitytoken"),
    ("GET", "/v1/preauth/validateAuth"),
    ("GET", "/ml/wml_services/v2/version"),
    ("GET", "/ml/v1/foundation_model_tasks"),
    ("GET", "/ml/v1/foundation_model_specs"),
}


CLOSED = [route for route in routes() if not route.is_open]


@pytest.fixture(params=["cpd", "plain"])
def door(request: pytest.FixtureRequest) -> Running:
    """A server over TLS, and one without."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module", params=[True, False], ids=["tls", "plain"])
def strict(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that does not wait long and does not take much."""
    with limited(tmp_path_factory.mktemp("strict"), {"tls": request.param}, LIMITS) as found:
        yield found


def asked(server: Running, text: bytes) -> bytes:
    """What a server answers to these very bytes, until it closes the connection."""
    with server.connection() as connection:
        connection.sendall(text)
        return everything(connection)


def everything(connection: socket.socket) -> bytes:
    found = b""
    with suppress(ConnectionError, TimeoutError):
        while piece := connection.recv(65536):
            found += piece
    return found


def request(server: Running, line: str, *headers: str, host: str = "", body: bytes = b"") -> bytes:
    named = host or f"127.0.0.1:{server.port}"
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {named}", *headers, "", ""]).encode() + body


def with_token(server: Running) -> str:
    return f"Authorization: Bearer {server.token}"


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def error(answer: bytes) -> dict[str, str]:
    return json.loads(answer.partition(b"\r\n\r\n")[2])["errors"][0]


# --- tokens -------------------------------------------------------------------------------------------------------


def test_only_what_the_sdk_asks_without_a_token_is_open():
    assert {(route.method, route.path) for route in routes() if route.is_open} == OPEN


@pytest.mark.parametrize("route", CLOSED, ids=lambda route: f"{route.method} {route.path}")
def test_every_other_call_needs_a_token(route, server):
    path = re.sub(r"{[^}]*}", "0a1b", route.path)
    with server.http(token="") as client:
        assert client.request(route.method, path, json={}).status_code in (401, 403)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/", "/ml/v4/trainings", "/v2/projects/0a1b", "/no/such/path", "/.env"])
def test_without_a_token_every_method_on_every_path_is_refused(door, method, path):
    with door.http(token="") as client:
        assert client.request(method, path).status_code == 401


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_with_a_token_what_is_not_offered_says_so(door, method):
    with door.http() as client:
        answer = client.request(method, "/ml/wml_services/v2/version")
        assert answer.status_code == 404
        if method != "HEAD":
            said = answer.json()["errors"][0]
            assert said["message"] == f"not offered by this server: {method} /ml/wml_services/v2/version"
            assert said["code"] == "not_offered"
    assert f"not offered: {method} /ml/wml_services/v2/version" in door.said()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer x",
        "Bearer a.b.c",
        "Basic d3h0dW5pbmc6eA==",
        "Bearer " + "a" * 9000,
        "Bearer \xe9.\xe9.\xe9",
    ],
)
def test_what_is_no_token_is_refused(door, value):
    with door.http(token="") as client:
        answer = client.get("/v2/projects", headers={"Authorization": value.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("claims", [{}, {"exp": 4102444800}, {"exp": 4102444800, "sub": "wxtuning", "iss": "wxtuning"}])
@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_that_another_has_signed_is_refused(door, claims, algorithm):
    import jwt

    forged = jwt.encode(claims, None if algorithm == "none" else "k" * 32, algorithm=algorithm)
    with door.http(token=forged) as client:
        assert client.get("/v2/projects").status_code == 401


def test_a_token_of_another_server_is_refused(cpd, cloud):
    with cloud.http(token=cpd.token) as client:
        assert client.get("/v2/projects").status_code == 401


def test_a_token_in_the_address_is_none(door):
    with door.http(token="") as client:
        token = door.token
        assert client.get("/v2/projects", params={"token": token, "access_token": token}).status_code == 401


def test_the_api_key_is_no_token(door):
    with door.http(token=door.ready["api_key"]) as client:
        assert client.get("/v2/projects").status_code == 401


ANSWERED_BY_A_MODEL = {
    "/ml/v1/text/generation", "/ml/v1/text/generation_stream", "/ml/v1/text/tokenization", "/v1/completions",
    "/ml/v1/deployments/{id}/text/generation", "/ml/v1/deployments/{id}/text/generation_stream", "/v1/chat/completions",
}  # fmt: skip


def test_whatever_asks_a_model_takes_a_place_of_those_that_keep_no_other_call_out():
    assert {route.path for route in routes() if route.place == "answers"} == ANSWERED_BY_A_MODEL


def test_nothing_of_a_body_is_read_that_is_not_called_what_is_expected(door):
    head = request(door, "POST /v2/spaces", with_token(door), "Content-Length: 3000000", "Connection: close")
    assert status(asked(door, head)) == 415


@pytest.mark.parametrize("line", ["GET /storage/project-0a1b/a.json", "PUT /v2/asset_uploads/0a1b"])
def test_nothing_is_read_of_what_comes_to_a_signed_call_without_a_signature(cloud, line):
    form = "Content-Type: multipart/form-data; boundary=b"
    head = request(cloud, line, form, "Content-Length: 3000000", "Connection: close")
    assert status(asked(cloud, head)) == 403


# --- who asks, and for whom ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}", "127.0.0.1:{port}.evil.example", "a@b"]
)
@pytest.mark.parametrize("line", ["GET /ml/wml_services/v2/version", "POST /icp4d-api/v1/authorize", "DELETE /"])
def test_a_request_for_another_host_is_refused(door, host, line):
    answer = asked(door, request(door, line, "Connection: close", host=host.format(port=door.port)))
    assert status(answer) == 421


@pytest.mark.parametrize("host", ["localhost:{port}", "LOCALHOST:{port}", "127.0.0.1:{port}"])
def test_its_own_names_are_answered(door, host):
    line = "GET /ml/wml_services/v2/version"
    assert status(asked(door, request(door, line, "Connection: close", host=host.format(port=door.port)))) == 200


def test_a_name_that_it_was_given_is_answered_with_its_port(tmp_path):
    with serving(tmp_path, "--name", "Tuner.example") as server:
        line, close = "GET /ml/wml_services/v2/version", "Connection: close"
        answers = [
            asked(server, request(server, line, close, host=host))
            for host in (f"tuner.example:{server.port}", "tuner.example", "other.example")
        ]
    assert [status(answer) for answer in answers] == [200, 421, 421]


@pytest.mark.parametrize("headers", [[], ["Host: 127.0.0.1:{port}", "Host: 127.0.0.1:{port}"]])
def test_a_request_names_its_host_once(door, headers):
    named = [header.format(port=door.port) for header in headers]
    text = "\r\n".join(["GET /ml/wml_services/v2/version HTTP/1.1", *named, "", ""]).encode()
    assert status(asked(door, text)) == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://127.0.0.1:{port}", ""])
@pytest.mark.parametrize("method", METHODS)
def test_a_web_page_is_refused_and_told_nothing_of_other_origins(door, origin, method):
    with door.http() as client:
        headers = {"Origin": origin.format(port=door.port), "Access-Control-Request-Method": "POST"}
        answer = client.request(method, "/v2/projects", headers=headers)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_answers_are_what_they_say_and_are_kept_by_nobody(door):
    with door.http() as client:
        answer = client.get("/v2/projects")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


# --- what is asked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_json_must_be_called_json(door, named):
    with door.http() as client:
        answer = client.post("/v2/spaces", content=b'{"name": "x"}', headers={"Content-Type": named})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("levels", [65, 2_000, 100_000])
def test_deep_json_is_refused(door, levels):
    with door.http() as client:
        answer = client.post("/v2/spaces", content=b'{"name":' + b"[" * levels, headers=JSON)
    assert answer.status_code == 400
    assert "64 levels deep" in answer.json()["errors"][0]["message"]


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b'{"name": NaN}', b'{"name": "\\ud800"}', b'{"name": 1' + b"0" * 5000 + b"}", b"[1]", b'"x"'],
)
def test_what_is_no_json_object_is_refused(door, body):
    with door.http() as client:
        answer = client.post("/v2/spaces", content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "json_type_error"


def test_a_long_body_is_refused_before_it_is_read(strict):
    head = request(strict, "POST /v2/spaces", with_token(strict), "Content-Length: 99999999999", *AS_JSON)
    assert status(asked(strict, head)) == 413


AS_JSON = ("Content-Type: application/json", "Connection: close")


def test_a_stranger_may_not_say_much(door):
    with door.http(token="") as client:
        body = {"username": "x" * 20_000, "api_key": "y"}
        path = "/icp4d-api/v1/authorize"
        assert client.post(path, json=body).status_code == 413


def test_a_long_body_that_hides_its_length_is_refused(strict):
    head = request(strict, "POST /v2/spaces", with_token(strict), "Transfer-Encoding: chunked", *AS_JSON)
    chunk = b"%x\r\n%s\r\n" % (60_000, b" " * 60_000)
    assert status(asked(strict, head + chunk * 2)) == 413


def test_who_still_sends_when_refused_gets_the_answer(strict):
    head = request(strict, "POST /v2/spaces", with_token(strict), "Content-Length: 3000000", *AS_JSON)
    with strict.connection() as connection:
        connection.sendall(head)
        for _ in range(30):
            connection.sendall(b" " * 100_000)
        assert status(everything(connection)) == 413


def test_who_never_stops_sending_is_left(strict):
    head = request(strict, "POST /v2/spaces", with_token(strict), "Transfer-Encoding: chunked", *AS_JSON)
    with strict.connection() as connection, pytest.raises(OSError):
        connection.sendall(head)
        while True:
            connection.sendall(b"%x\r\n%s\r\n" % (60_000, b" " * 60_000))


def test_a_length_given_twice_is_refused(door):
    head = request(
        door, "POST /v2/spaces", with_token(door), *AS_JSON, "Content-Length: 2", "Transfer-Encoding: chunked"
    )
    answer = asked(door, head + b"0\r\n\r\nGET /v2/projects HTTP/1.1\r\n\r\n")
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1") == 1


def test_two_different_lengths_are_refused(door):
    head = request(door, "POST /v2/spaces", with_token(door), *AS_JSON, "Content-Length: 2", "Content-Length: 3")
    assert status(asked(door, head + b"{} ")) == 400


def test_who_still_sends_headers_when_they_are_too_long_gets_the_answer(strict):
    assert status(asked(strict, request(strict, "GET /v2/projects", *["X: " + "a" * 100_000] * 30))) == 400


def test_who_never_stops_sending_headers_is_left(strict):
    with strict.connection() as connection, pytest.raises(OSError):
        connection.sendall(request(strict, "GET /v2/projects")[:-2])
        while True:
            connection.sendall(b"X: " + b"a" * 60_000 + b"\r\n")


@pytest.mark.parametrize(
    "path",
    [
        "/v2/projects/../../etc/passwd", "/v2/projects/..%2f..%2fetc%2fpasswd", "/v2/projects/%2e%2e",
        "/v2/projects/..%5c..", "/v2/projects/a%00b", "/v2/projects//etc/passwd", "//etc/passwd", "/v2/projects/.",
    ],
)  # fmt: skip
def test_a_path_that_leaves_its_place_is_not_offered(door, path):
    answer = asked(door, request(door, f"GET {path}", with_token(door), "Connection: close"))
    assert (status(answer), error(answer)["code"]) == (404, "not_offered")


@pytest.mark.parametrize(
    "line", ["OPTIONS *", "GET http://127.0.0.1/v2/projects", "CONNECT 127.0.0.1:80", "TRACE /", "get /v2/projects"]
)
def test_what_is_meant_for_a_proxy_is_not_offered(door, line):
    answer = asked(door, request(door, line, with_token(door), "Connection: close"))
    assert status(answer) in (400, 404)


def test_a_proxys_headers_change_nothing(door):
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "ftp", "Forwarded": "host=evil.example"}
    with door.http() as client:
        assert "evil.example" not in client.get("/v2/projects", params={"limit": 1}, headers=headers).text


def test_a_websocket_is_refused_plainly(door):
    headers = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")
    answer = asked(door, request(door, "GET /v2/projects", with_token(door), "Connection: upgrade, close", *headers))
    assert status(answer) == 404
    assert "websocket GET /v2/projects" in error(answer)["message"]


@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS is deprecated:DeprecationWarning")  # the library's own
def test_the_live_messages_of_a_run_are_refused_to_the_clients_own_library_without_a_warning(cpd):
    from lomond import WebSocket
    from lomond.events import Rejected

    websocket = WebSocket(f"{cpd.url.replace('https', 'wss')}/ml/v4/trainings/0a1b?version=2025-02-27")
    websocket.add_header(b"Authorization", f"Bearer {cpd.token}".encode())
    (refused,) = [event for event in websocket.connect(ping_rate=0) if isinstance(event, Rejected)]
    assert refused.response.status_code == 404
    said = cpd.said("not offered: websocket GET /ml/v4/trainings/0a1b")
    assert "WARNING not offered: websocket GET /ml/v4/trainings/0a1b" in said
    assert "Unsupported upgrade" not in said and "WebSocket library" not in said


@pytest.mark.parametrize(
    "text", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 900]
)
def test_what_is_no_http_is_refused(strict, text):
    assert status(asked(strict, text)) in (0, 400, 421)


def test_many_parameters_are_refused(door):
    with door.http() as client:
        assert client.get("/v2/projects?" + "&".join(f"a{n}=1" for n in range(200))).status_code == 400


# --- slow callers -------------------------------------------------------------------------------------------------


LONG = 15.0
"""Seconds in which a busy machine, too, has ended whom the limits of `strict` give two; a caller waits for twenty."""


def slowly(server: Running, text: bytes, *, every: float = 0.2, seconds: float = LONG) -> float:
    """Send a byte now and then; the seconds until the server has enough."""
    began = time.monotonic()
    with server.connection() as connection:
        connection.setblocking(True)
        connection.settimeout(every)
        for byte in text:
            try:
                connection.send(bytes([byte]))
                if not connection.recv(1):
                    break
            except TimeoutError:
                if time.monotonic() - began > seconds:
                    break
            except OSError:
                break
    return time.monotonic() - began


def test_headers_that_come_slowly_end_the_connection(strict):
    assert slowly(strict, b"GET /ml/wml_services/v2/version HTTP/1.1\r\nX: " + b"a" * 200) < LONG


def test_a_caller_who_does_not_agree_on_tls_is_left(strict):
    with socket.create_connection(("127.0.0.1", strict.port), timeout=20) as connection:
        assert connection.recv(1) == b""


def test_a_connection_that_says_nothing_is_ended(strict):
    with strict.connection() as connection:
        assert connection.recv(1) == b""


def test_headers_that_come_slowly_after_a_first_request_end_the_connection(strict):
    with strict.connection() as connection:
        connection.sendall(request(strict, "GET /ml/wml_services/v2/version"))
        assert status(connection.recv(65536)) == 200
        connection.settimeout(0.2)
        began, ended = time.monotonic(), False
        while not ended and time.monotonic() - began < LONG:
            try:
                connection.send(b"G")
                ended = connection.recv(1) == b""
            except TimeoutError:
                pass
            except OSError:
                ended = True
    assert ended


def test_a_body_that_comes_slowly_is_refused(strict):
    head = request(strict, "POST /v2/spaces", with_token(strict), *AS_JSON, "Content-Length: 1000")
    with strict.connection() as connection:
        connection.sendall(head)
        answer = b""
        connection.settimeout(0.2)
        began = time.monotonic()
        while not answer and time.monotonic() - began < LONG:
            connection.send(b" ")
            with suppress(TimeoutError):
                answer = connection.recv(65536)
    assert status(answer) == 408


def test_a_body_that_never_comes_is_refused(strict):
    head = request(strict, "POST /icp4d-api/v1/authorize", *AS_JSON, "Content-Length: 1000")
    assert status(asked(strict, head)) == 408


def test_a_body_that_goes_on_after_the_refusal_ends_the_connection(strict):
    assert slowly_after(strict, request(strict, "POST /v2/spaces", "Content-Length: 100000")) < LONG


def slowly_after(server: Running, head: bytes) -> float:
    began = time.monotonic()
    with server.connection() as connection:
        connection.sendall(head)
        assert status(connection.recv(65536)) == 401
        connection.settimeout(0.2)
        while time.monotonic() - began < LONG:
            try:
                connection.send(b" ")
                if not connection.recv(65536):
                    break
            except TimeoutError:
                pass
            except OSError:
                break
    return time.monotonic() - began


@pytest.mark.parametrize("sends", [b"", b"GET /v2/projects HTT"])
def test_400_idle_connections_keep_no_good_caller_out(door, sends):
    with ExitStack() as open_ones:
        for _ in range(400):
            connection = open_ones.enter_context(socket.create_connection(("127.0.0.1", door.port), timeout=20))
            connection.sendall(sends)
        with door.http(timeout=9) as client:  # an idle one has ten seconds
            assert client.get("/v2/projects").status_code == 200


def test_slow_bodies_keep_no_good_caller_out(door):
    head = request(door, "POST /icp4d-api/v1/authorize", *AS_JSON, "Content-Length: 1000")
    with ExitStack() as open_ones:
        for _ in range(150):
            open_ones.enter_context(door.connection()).sendall(head)
        with door.http() as client:
            assert client.get("/v2/projects").status_code == 200


def test_200_callers_who_ask_at_the_same_moment_are_all_answered(plain):
    poll = request(plain, "GET /v2/projects", with_token(plain), "Connection: close")
    with ExitStack() as open_ones:
        connections = [open_ones.enter_context(plain.connection()) for _ in range(200)]
        for connection in connections:
            connection.sendall(poll)
        assert {status(everything(connection)) for connection in connections} == {200}


# --- what is shown of a caller's values

HUGE = "\x1b[2J\u202e" + "x" * 1_000_000
OF_A_MODEL = "?version=2025-02-27"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/ml/v1/text/generation{OF_A_MODEL}", {"model_id": HUGE, "input": "a"}),
        (f"/ml/v1/text/generation{OF_A_MODEL}", {"model_id": [HUGE], "input": "a"}),
        (f"/ml/v1/text/generation{OF_A_MODEL}", {"model_id": "wxtuning/tiny", "input": [HUGE]}),
        (f"/ml/v1/text/generation{OF_A_MODEL}", {"model_id": "wxtuning/tiny", "input": "a", "parameters": HUGE}),
        (f"/ml/v1/text/generation{OF_A_MODEL}", {"model_id": "wxtuning/tiny", "input": "a", "parameters": {HUGE: 1}}),
        (f"/ml/v1/text/tokenization{OF_A_MODEL}", {"model_id": "wxtuning/tiny", "input": "a", "parameters": HUGE}),
        ("/v1/completions", {"model": HUGE, "prompt": "a"}),
        ("/v1/completions", {"model": "wxtuning/tiny", "prompt": "a", "stop": [HUGE, 1]}),
        ("/v1/completions", {"model": "wxtuning/tiny", "prompt": "a", "suffix": HUGE}),
        ("/v1/chat/completions", {"model": "wxtuning/tiny", "messages": [{"role": HUGE, "content": "a"}]}),
        ("/v2/spaces", {"name": HUGE}),
        ("/v2/spaces", {"name": "x", HUGE: 1}),
    ],
)
def test_a_huge_value_is_refused_with_its_start_and_nothing_that_a_terminal_obeys(cpd, path, body):
    with cpd.http() as client:
        answer = client.post(path, json=body)
    assert 400 <= answer.status_code < 500
    assert len(answer.content) < 5_000
    found = answer.json()
    message = found["errors"][0]["message"] if "errors" in found else found["error"]["message"]
    assert message.isprintable()
    assert max(map(len, cpd.said().splitlines())) < 5_000


# --- what stays inside --------------------------------------------------------------------------------------------


def test_no_secret_is_in_the_log(server):
    token = server.token
    with server.http(token=token) as client:
        client.get("/v2/projects", params={"api_key": server.ready["api_key"]})
        client.get("/no/such/call", params={"token": token})
        client.post("/v2/spaces", json={"name": server.ready["password"], "api_key": server.ready["api_key"]})
        client.get(f"/v2/asset_uploads/0a1b?until=9&signature={'5' * 64}")
    said = server.said("GET /v2/asset_uploads/0a1b 40")
    assert "GET /v2/asset_uploads/0a1b 40" in said
    secrets = (token, server.ready["api_key"], server.ready["password"], "5" * 64, "Bearer")
    assert not [secret for secret in secrets if secret in said]


@pytest.mark.parametrize("platform", ["cpd", "cloud"])
def test_the_files_are_for_their_owner_alone(tmp_path, platform):
    with serving(tmp_path, "--platform", platform) as server, server.http() as client:
        client.post("/v2/spaces", json={"name": "x"}).raise_for_status()
        home = Path(server.ready["home"])
        found = [home, *home.rglob("*")]
        assert {path.name for path in found} > {"keys.json", "server.db", "ca-key.pem", "server-key.pem", "ready.json"}
        wide = [path for path in found if stat.S_IMODE(path.stat().st_mode) not in (0o700 if path.is_dir() else 0o600,)]
        assert not wide


NASTY = "<script>alert(1)</script>\x1b[2J\x9b2J\u202e=cmd()"


def test_names_are_shown_inertly(door):
    with door.http() as client:
        made = client.post("/v2/spaces", json={"name": NASTY})
        shown = client.get(f"/v2/spaces/{made.json()['metadata']['id']}")
    assert shown.json()["entity"]["name"] == NASTY
    assert shown.content.isascii() and shown.headers["content-type"] == "application/json"
    assert not re.search(rb"[\x00-\x1f\x7f]", shown.content)


def test_the_log_is_inert(door):
    with door.http() as client:
        client.get("/%1b[2J%9b%E2%80%AE<script>")
    said = door.said("GET /%1b[2J%9b%E2%80%AE%3Cscript%3E 404")
    assert "GET /%1b[2J%9b%E2%80%AE%3Cscript%3E 404" in said
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said)
