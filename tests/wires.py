"""A wire between a client and a server: passes requests on, logs them, and breaks where it is told to.

Knows HTTP, connections and faults; knows nothing of what is asked, nor how a server is asked in the client's place.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import sys
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Protocol, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

Headers = tuple[tuple[str, str], ...]
ALWAYS = 10**9
SECONDS = 60.0
"""Longer than any test: what waits this long hangs."""
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


@dataclass(frozen=True, kw_only=True)
class Request(ABC):
    """One request as it came; `size` is that of its body, as announced, `port` the client's end of the connection."""

    method: str
    target: str
    headers: Headers
    size: int
    port: int

    @property
    @abstractmethod
    def operation(self) -> str:
        """What is asked, in the words that faults are told in."""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """Without the names that come more than once but for their last value."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each.lower() == name.lower()), "")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of the server, or in its name."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def with_headers(self, **changed: str) -> Self:
        """The same answer with these headers (`_` for `-`) in the place of its own."""
        names = {name.replace("_", "-").lower(): value for name, value in changed.items()}
        kept = tuple((name, value) for name, value in self.headers if name.lower() not in names)
        return replace(self, headers=(*kept, *names.items()))


class Act(Protocol):
    """What happens to a request in the place of an answer; it takes the exchange of its own wire."""

    def __call__(self, exchange: Any, /) -> None: ...


@dataclass(kw_only=True)
class Fault:
    """Something that goes wrong with the requests of an operation, from the `first` on and so many `times`."""

    operation: str
    act: Act
    first: int = 1
    times: int = 1
    where: Callable[[Any], bool] = lambda request: True
    seen: int = 0

    def takes(self, request: Request) -> bool:
        if not fnmatchcase(request.operation, self.operation) or not self.where(request):
            return False
        self.seen += 1
        return self.first <= self.seen < self.first + self.times


@dataclass(kw_only=True)
class Wire:
    """The running wire at `url`; `requests` are those that came, in their order, whatever became of them."""

    url: str = ""
    requests: list[Any] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    errors: list[BaseException] = field(default_factory=list)
    hang_up: Callable[[], None] = lambda: None
    """Ends every connection, as a server that ends does."""

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

    def of(self, operation: str) -> list[Any]:
        """The requests of one operation (a pattern)."""
        with self.lock:
            return [request for request in self.requests if fnmatchcase(request.operation, operation)]

    def act_on(self, request: Request) -> Act:
        with self.lock:
            self.requests.append(request)
            return next((fault.act for fault in self.faults if fault.takes(request)), passed_on)


def passed_on(exchange: Exchange) -> None:
    """What happens when nothing goes wrong."""
    exchange.relayed()


class Dropped(Exception):
    """The connection to the client is over."""


class Exchange(ABC):
    """One request and what may be done with it."""

    def __init__(self, wire: Any, handler: Handler, request: Any) -> None:
        self.wire = wire
        self.request = request
        self._handler = handler
        self._left = request.size
        self._read = b""

    @abstractmethod
    def passed_on(self) -> Answer:
        """The server's answer, whole."""

    def relayed(self) -> None:
        """Answer with what the server answers."""
        self.answered(self.passed_on())

    def body(self, most: int | None = None) -> bytes:
        """The body, or what has come of it once `most` bytes have."""
        if self._left and not self._read and "100-continue" in self.request.header("expect").lower():
            self.sent(b"HTTP/1.1 100 Continue\r\n\r\n")
        wanted = self._left if most is None else min(self._left, max(0, most - len(self._read)))
        new = self._handler.rfile.read(wanted)
        self._read += new
        self._left -= len(new)
        if len(new) < wanted:
            raise Dropped
        return self._read

    def answered(self, answer: Answer, *, cut_after: int | None = None) -> None:
        """Answer the client, whose whole request is read first; hang up after so many bytes of the body."""
        self.body()
        length = {name.lower(): value for name, value in answer.headers}.get("content-length", "")
        size = length if self.request.method == "HEAD" and length else str(len(answer.body))
        has_body = answer.status not in (204, 304)
        self.begun(answer.status, answer.headers, (("Content-Length", size),) if has_body else ())
        if has_body and self.request.method != "HEAD":
            self.sent(answer.body if cut_after is None else answer.body[:cut_after])
        if cut_after is not None:
            self.hung_up()

    def begun(self, status: int, headers: Headers, framing: Headers) -> None:
        """Send the head of an answer, with this framing for the server's own."""
        self._handler.send_response_only(status)
        for name, value in (*end_to_end(headers), *framing):
            self._handler.send_header(name, value)
        self._handler.end_headers()

    def dripped(self, answer: Answer, every_seconds: float, *, head_at_once: bool) -> None:
        """Answer a byte at a time."""
        framing = (("Content-Length", str(len(answer.body))), ("Connection", "close"))
        lines = [f"{name}: {value}\r\n" for name, value in (*end_to_end(answer.headers), *framing)]
        head = f"HTTP/1.1 {answer.status} Slowly\r\n{''.join(lines)}\r\n".encode()
        if head_at_once:
            self.sent(head)
        for byte in answer.body if head_at_once else head + answer.body:
            self.wire.closing.wait(every_seconds)
            self.sent(bytes([byte]))
        self.hung_up()

    def sent(self, content: bytes) -> None:
        """Send bytes as they are."""
        self._handler.wfile.write(content)

    def heard_the_end(self) -> None:
        """Wait until the client ends the connection."""
        while self._handler.rfile.read1():
            pass

    def hung_up(self) -> None:
        """End the connection as a server that ends does: the client sees its end."""
        raise Dropped

    def reset(self) -> None:
        """End the connection as a crash does: the client sees it reset."""
        connection = self._handler.connection
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(connection.detach())
        raise Dropped


def end_to_end(headers: Headers) -> Headers:
    """The headers but for those that are about one connection."""
    return tuple((name, value) for name, value in headers if name.lower() not in HOP_BY_HOP)


@contextmanager
def asked(connection: HTTPConnection, request: Request, headers: Headers, body: bytes) -> Iterator[HTTPResponse]:
    """What a server answers to a request with these headers and this body; the connection is closed in the end."""
    try:
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in (*end_to_end(headers), ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders(body)
        yield connection.getresponse()
    finally:
        connection.close()


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()

    def handle_expect_100(self) -> bool:
        return True  # answered when the body is read, if it is

    def heard(self) -> dict[str, Any]:
        """What a `Request` is made of."""
        return {
            "method": self.command,
            "target": self.path,
            "headers": tuple(self.headers.items()),
            "size": int(self.headers.get("Content-Length", 0)),
            "port": self.client_address[1],
        }

    def handle_any(self) -> None:
        try:
            exchange = self.server.exchange(self.server.wire, self)
            self.server.wire.act_on(exchange.request)(exchange)
        except (Dropped, OSError):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        """The wire has a log of its own."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, wire: Wire, exchange: Callable[[Any, Handler], Exchange], tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.wire = wire
        self.exchange = exchange
        self.tls = tls
        self.accepted: list[socket.socket] = []
        wire.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.wire.connections += 1
        self.accepted.append(request)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with suppress(OSError), self._secured(request) as connection:
            self.accepted.append(connection)
            super().finish_request(connection, client_address)

    def _secured(self, request: socket.socket) -> AbstractContextManager[socket.socket]:
        if not self.tls:
            return nullcontext(request)
        request.settimeout(10)
        secured = self.tls.wrap_socket(request, server_side=True)
        secured.settimeout(None)
        return secured

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error and not isinstance(error, OSError):
            self.wire.errors.append(error)

    def hang_up(self) -> None:
        for connection in self.accepted:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


AnyWire = TypeVar("AnyWire", bound=Wire)


@contextmanager
def opened(
    wire: AnyWire, exchange: Callable[[AnyWire, Handler], Exchange], tls: ssl.SSLContext | None
) -> Iterator[AnyWire]:
    """The wire, open as long as the block; each request is an `exchange` of its own. With `tls` it speaks https."""
    server = _Server(wire, exchange, tls)
    wire.hang_up = server.hang_up
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


# --- what can go wrong before any server ------------------------------------------------------------------------------


@dataclass(frozen=True)
class LostAnswer:
    """The server acts; the client sees the connection reset, or ended, and no answer."""

    how: Literal["rst", "fin"] = "rst"

    def __call__(self, exchange: Exchange) -> None:
        exchange.passed_on()
        if self.how == "rst":
            exchange.reset()
        exchange.hung_up()


@dataclass(frozen=True)
class Cut:
    """The server acts; its answer ends after so many bytes of the body, and before that something else happens."""

    after: int = 10
    happens: Callable[[], object] = field(default=lambda: None, repr=False)

    def __call__(self, exchange: Exchange) -> None:
        answer = exchange.passed_on()
        self.happens()
        exchange.answered(answer, cut_after=self.after)


@dataclass(frozen=True, kw_only=True)
class Before:
    """Something happens, and then the request is passed on."""

    happens: Callable[[], object]

    def __call__(self, exchange: Exchange) -> None:
        exchange.body()
        self.happens()
        exchange.answered(exchange.passed_on())


@dataclass(frozen=True, kw_only=True)
class Then:
    """The request is passed on; before the answer is, something else happens."""

    happens: Callable[[], object]

    def __call__(self, exchange: Exchange) -> None:
        answer = exchange.passed_on()
        self.happens()
        exchange.answered(answer)
