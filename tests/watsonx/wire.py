"""The wire between a client and a watsonx server: passes requests on over TLS, logs them, and breaks where it is told.

What the server says of its own address is rewritten to the wire's, so that callers who follow it stay on the wire.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.server.processes import Running

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
IDENTITY = re.compile(r"(?<=/)([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{24,})(?=/|$)")
ALWAYS = 10**9
SECONDS = 60.0
"""Longer than any test: what waits this long hangs."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it came; `port` is the client's end of the connection."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    port: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """Without the names that come more than once but for their last value."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def operation(self) -> str:
        """Such as `GET /ml/v4/trainings/{id}`."""
        return f"{self.method} {IDENTITY.sub('{id}', self.path)}"

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each.lower() == name.lower()), "")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of the server, or in its name."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Act(Protocol):
    """What happens to a request in the place of an answer."""

    def __call__(self, exchange: Exchange, /) -> None: ...


@dataclass(kw_only=True)
class Fault:
    """Something that goes wrong with the requests of an operation: the `first` ones pass, then so many `times`."""

    operation: str
    act: Act
    first: int = 0
    times: int = 1
    where: Callable[[Request], bool] = lambda request: True
    seen: int = 0

    def takes(self, request: Request) -> bool:
        if not fnmatchcase(request.operation, self.operation) or not self.where(request):
            return False
        self.seen += 1
        return self.first < self.seen <= self.first + self.times


@dataclass
class Wire:
    """The running wire; `requests` are those that came, in their order, whatever became of them.

    `made` are the ids of what was created over it, in their order.
    """

    running: Running
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    errors: list[BaseException] = field(default_factory=list)

    @property
    def ready(self) -> dict[str, Any]:
        """What the server wrote, with the wire's address for its own."""
        return {**self.running.ready, "url": self.url}

    def breaks(self, operation: str, act: Act, **when: Any) -> Fault:
        """From now on, this happens to requests of an operation (a pattern of the shell); `when` as in `Fault`.

        The first fault that takes a request counts.
        """
        fault = Fault(operation=operation, act=act, **when)
        with self.lock:
            self.faults.append(fault)
        return fault

    def heals(self) -> None:
        """From now on nothing goes wrong, and the log is empty."""
        with self.lock:
            self.faults.clear()
            self.requests.clear()

    @property
    def asked(self) -> Counter[str]:
        """How often each operation was asked for."""
        with self.lock:
            return Counter(request.operation for request in self.requests)

    def of(self, operation: str) -> list[Request]:
        """The requests of one operation (a pattern)."""
        with self.lock:
            return [request for request in self.requests if fnmatchcase(request.operation, operation)]

    def act_on(self, request: Request) -> Act:
        with self.lock:
            self.requests.append(request)
            return next((fault.act for fault in self.faults if fault.takes(request)), passed_on)


class Dropped(Exception):
    """The connection to the client is over."""


class Exchange:
    """One request and what may be done with it."""

    def __init__(self, wire: Wire, handler: _Handler, request: Request) -> None:
        self.wire = wire
        self.request = request
        self._handler = handler

    def passed_on(self) -> Answer:
        """The server's answer, whole."""
        with self._asked() as (found, headers):
            body = found.read().replace(self.wire.running.url.encode(), self.wire.url.encode())
            answer = Answer(status=found.status, headers=headers, body=body)
        if identity := _made(self.request, answer):
            self.wire.made.append(identity)
        return answer

    def relayed(self) -> None:
        """Answer with what the server answers, piece by piece if it comes so."""
        if "event-stream" not in self.request.header("accept") and "stream" not in self.request.path:
            return self.answered(self.passed_on())
        with self._asked() as (found, headers):
            self._begin(found.status, headers, {"Transfer-Encoding": "chunked"})
            while piece := found.read1(65536):
                self._handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self._handler.wfile.flush()
            self._handler.wfile.write(b"0\r\n\r\n")
        return None

    def answered(self, answer: Answer, *, cut_after: int | None = None) -> None:
        """Answer the client; hang up after so many bytes of the body."""
        has_body = answer.status not in (204, 304)
        self._begin(answer.status, answer.headers, {"Content-Length": str(len(answer.body))} if has_body else {})
        if has_body and self.request.method != "HEAD":
            self.sent(answer.body if cut_after is None else answer.body[:cut_after])
        if cut_after is not None:
            self.hung_up()

    def sent(self, content: bytes) -> None:
        """Send bytes as they are."""
        self._handler.wfile.write(content)
        self._handler.wfile.flush()

    def hung_up(self) -> None:
        """End the connection as a server that ends does: the client sees its end."""
        raise Dropped

    def reset(self) -> None:
        """End the connection as a crash does: the client sees it reset."""
        bare = self._handler.bare
        with suppress(OSError):
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self._handler.connection.detach())
        raise Dropped

    def _begin(self, status: int, headers: tuple[tuple[str, str], ...], more: dict[str, str]) -> None:
        self._handler.send_response_only(status)
        for name, value in (*headers, *more.items()):
            self._handler.send_header(name, value)
        self._handler.end_headers()

    @contextmanager
    def _asked(self) -> Iterator[tuple[HTTPResponse, tuple[tuple[str, str], ...]]]:
        connection = self._connection()
        try:
            kept = {name: value for name, value in self.request.headers if name.lower() not in HOP_BY_HOP}
            length = {"Content-Length": str(len(self.request.body))} if self.request.body else {}
            connection.request(self.request.method, self.request.target, self.request.body or None, {**kept, **length})
            found = connection.getresponse()
            own, new = self.wire.running.url, self.wire.url
            pairs = found.getheaders()
            yield found, tuple((n, v.replace(own, new)) for n, v in pairs if n.lower() not in HOP_BY_HOP)
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        place = urlsplit(self.wire.running.url)
        context = self.wire.running.tls
        return HTTPSConnection(place.hostname or "", place.port, timeout=SECONDS, context=context)


def _made(request: Request, answer: Answer) -> str:
    if request.method != "POST" or answer.status not in (201, 202):
        return ""
    with suppress(ValueError, AttributeError, TypeError):
        body = json.loads(answer.body)
        found = body.get("metadata", {})
        return str(found.get("id") or found.get("asset_id") or "")
    return ""


def passed_on(exchange: Exchange) -> None:
    """What happens when nothing goes wrong."""
    exchange.relayed()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    @property
    def bare(self) -> socket.socket:
        return self.connection

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()

    def handle_any(self) -> None:
        request = Request(
            method=self.command, target=self.path, headers=tuple(self.headers.items()),
            body=self.rfile.read(int(self.headers.get("Content-Length", 0))), port=self.client_address[1],
        )  # fmt: skip
        try:
            self.server.wire.act_on(request)(Exchange(self.server.wire, self, request))
        except (Dropped, OSError):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        """The wire has a log of its own."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, wire: Wire, tls: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wire = wire
        self.tls = tls
        self.open: set[socket.socket] = set()
        wire.url = f"https://127.0.0.1:{self.server_port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.wire.connections += 1
        request.settimeout(10)
        with suppress(OSError), self.tls.wrap_socket(request, server_side=True) as secured:
            secured.settimeout(None)
            self.open.add(secured)
            try:
                super().finish_request(secured, client_address)
            finally:
                self.open.discard(secured)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error and not isinstance(error, OSError):
            self.wire.errors.append(error)

    def hang_up(self) -> None:
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire_to(running: Running) -> Iterator[Wire]:
    """A wire to a server, open as long as the block; it shows the server's own certificate."""
    folder = running.home / "server" / "tls"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    wire = Wire(running)
    server = _Server(wire, tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield wire
    finally:
        wire.closing.set()
        server.shutdown()
        thread.join()
        server.hang_up()
        server.server_close()
        if wire.errors:
            raise wire.errors[0]


def without(request: Request, name: str) -> Request:
    """The request without a name of its query."""
    place = urlsplit(request.target)
    kept = [pair for pair in parse_qsl(place.query, keep_blank_values=True) if pair[0] != name]
    return replace(request, target=f"{place.path}?{urlencode(kept)}")
