"""The wire between a client and the storage: passes requests on as they are, logs them, and breaks where it is told to.

A signature covers the Host header, so clients are given the wire's own address and the header passes unchanged.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, Self
from urllib.parse import parse_qsl, urlsplit

Headers = tuple[tuple[str, str], ...]
TOKEN_PATH = "/identity/token"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it came; `size` is that of its body, as announced, `port` the client's end of the connection."""

    method: str
    target: str
    headers: Headers
    size: int
    port: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def key(self) -> str:
        """The object's key; empty for a bucket."""
        return self.path.lstrip("/").partition("/")[2]

    @property
    def operation(self) -> str:
        """S3's own word for what is asked, or `Token`."""
        if self.path == TOKEN_PATH:
            return "Token"
        return _operation(self.method, bool(self.key), set(self.query), bool(self.header("x-amz-copy-source")))

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each.lower() == name), "")


_OPERATIONS = (
    # method, with a key, needed in the query, copying: the first that fits
    ("PUT", True, "uploadId", True, "UploadPartCopy"),
    ("PUT", True, "uploadId", False, "UploadPart"),
    ("PUT", True, "", True, "CopyObject"),
    ("PUT", True, "", False, "PutObject"),
    ("PUT", False, "", False, "CreateBucket"),
    ("POST", True, "uploads", False, "CreateMultipartUpload"),
    ("POST", True, "uploadId", False, "CompleteMultipartUpload"),
    ("POST", False, "delete", False, "DeleteObjects"),
    ("DELETE", True, "uploadId", False, "AbortMultipartUpload"),
    ("DELETE", True, "", False, "DeleteObject"),
    ("GET", True, "uploadId", False, "ListParts"),
    ("GET", True, "", False, "GetObject"),
    ("GET", False, "uploads", False, "ListMultipartUploads"),
    ("GET", False, "", False, "ListObjects"),
    ("HEAD", True, "", False, "HeadObject"),
    ("HEAD", False, "", False, "HeadBucket"),
)


def _operation(method: str, key: bool, query: set[str], copying: bool) -> str:
    for verb, with_key, needed, copies, name in _OPERATIONS:
        if (verb, with_key, copies) == (method, key, copying) and (not needed or needed in query):
            return name
    return f"{method}?"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of the storage, or in its name."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def with_headers(self, **changed: str) -> Self:
        """The same answer with these headers (`_` for `-`) in the place of its own."""
        names = {name.replace("_", "-").lower(): value for name, value in changed.items()}
        kept = tuple((name, value) for name, value in self.headers if name.lower() not in names)
        return replace(self, headers=(*kept, *names.items()))


class Act(Protocol):
    """What happens to a request in the place of an answer."""

    def __call__(self, exchange: Exchange, /) -> None: ...


class Gate(Protocol):
    """What stands before the storage: gets its answer, or refuses in its place."""

    def __call__(self, exchange: Exchange, headers: Headers, body: bytes, /) -> Answer: ...


ALWAYS = 10**9


@dataclass(kw_only=True)
class Fault:
    """Something that goes wrong with the requests of one operation, from the `first` on and so many `times`."""

    operation: str
    act: Act
    first: int = 1
    times: int = 1
    where: Callable[[Request], bool] = lambda request: True
    seen: int = 0

    def takes(self, request: Request) -> bool:
        if self.operation not in ("*", request.operation) or not self.where(request):
            return False
        self.seen += 1
        return self.first <= self.seen < self.first + self.times


@dataclass
class Wire:
    """The running wire; `requests` are those that came, in their order, whatever became of them."""

    storage: str
    gate: Gate | None = None
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    endpoint: str = ""
    errors: list[BaseException] = field(default_factory=list)

    def breaks(self, operation: str, act: Act, **when: Any) -> Fault:
        """From now on, this happens to requests of an operation (`*`: of any); `when` as in `Fault`."""
        with self.lock:
            self.faults.append(Fault(operation=operation, act=act, **when))
        return self.faults[-1]

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
        """The requests of one operation."""
        with self.lock:
            return [request for request in self.requests if request.operation == operation]

    def act_on(self, request: Request) -> Act:
        with self.lock:
            self.requests.append(request)
            faults = [fault for fault in self.faults if fault.takes(request)]
        return faults[0].act if faults else passed_on


class Dropped(Exception):
    """The connection to the client is over."""


class Exchange:
    """One request and what may be done with it."""

    def __init__(self, wire: Wire, handler: _Handler, request: Request) -> None:
        self.wire = wire
        self.request = request
        self._handler = handler
        self._left = request.size
        self._read = b""

    def body(self, most: int | None = None) -> bytes:
        """The body, or what has come of it once `most` bytes have."""
        if self._left and not self._read and "100-continue" in self.request.header("expect").lower():
            self._handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        wanted = self._left if most is None else min(self._left, max(0, most - len(self._read)))
        new = self._handler.rfile.read(wanted)
        self._read += new
        self._left -= len(new)
        if len(new) < wanted:
            raise Dropped
        return self._read

    def passed_on(self, headers: Headers | None = None, body: bytes | None = None, target: str = "") -> Answer:
        """The storage's answer to the request, or to another in its place."""
        self.request = replace(self.request, target=target or self.request.target)
        body = self.body() if body is None else body
        headers = self.request.headers if headers is None else headers
        return self.wire.gate(self, headers, body) if self.wire.gate else self.stored(headers, body)

    def stored(self, headers: Headers, body: bytes) -> Answer:
        """What the storage itself answers, past the gate."""
        return self._handler.ask(self.request, headers, body)

    def answered(self, answer: Answer, *, cut_after: int | None = None) -> None:
        """Answer the client, whose whole request is read first; hang up after so many bytes of the body."""
        self.body()
        length = {name.lower(): value for name, value in answer.headers}.get("content-length", "")
        self._handler.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in HOP_BY_HOP:
                self._handler.send_header(name, value)
        size = length if self.request.method == "HEAD" and length else str(len(answer.body))
        if answer.status != 204:
            self._handler.send_header("Content-Length", size)
        self._handler.end_headers()
        if self.request.method != "HEAD":
            self._handler.wfile.write(answer.body if cut_after is None else answer.body[:cut_after])
        if cut_after is not None:
            raise Dropped

    def dripped(self, answer: Answer, every_seconds: float, *, head_at_once: bool) -> None:
        """Answer a byte at a time."""
        lines = (f"HTTP/1.1 {answer.status} Slowly", f"Content-Length: {len(answer.body)}", "Connection: close", "", "")
        head = "\r\n".join(lines).encode()
        if head_at_once:
            self._handler.wfile.write(head)
        for byte in answer.body if head_at_once else head + answer.body:
            self.wire.closing.wait(every_seconds)
            self._handler.wfile.write(bytes([byte]))
        raise Dropped

    def dropped(self) -> None:
        """End the connection as a crash does: the client sees it reset."""
        connection = self._handler.connection
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(connection.detach())
        raise Dropped


def passed_on(exchange: Exchange) -> None:
    """What happens when nothing goes wrong."""
    exchange.answered(exchange.passed_on())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)
        self._storage = HTTPConnection(urlsplit(self.server.wire.storage).netloc, timeout=60)

    def finish(self) -> None:
        self._storage.close()
        self.server.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def handle_expect_100(self) -> bool:
        return True  # answered when the body is read, if it is

    def handle_any(self) -> None:
        request = Request(
            method=self.command,
            target=self.path,
            headers=tuple(self.headers.items()),
            size=int(self.headers.get("Content-Length", 0)),
            port=self.client_address[1],
        )
        try:
            self.server.wire.act_on(request)(Exchange(self.server.wire, self, request))
        except (Dropped, OSError):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    def ask(self, request: Request, headers: Headers, body: bytes) -> Answer:
        self._storage.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self._storage.putheader(name, value)
        self._storage.putheader("Content-Length", str(len(body)))
        self._storage.endheaders(body)
        found = self._storage.getresponse()
        return Answer(status=found.status, headers=tuple(found.getheaders()), body=found.read())

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)

    def log_message(self, format: str, *args: Any) -> None:
        """The wire has a log of its own."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, wire: Wire, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wire = wire
        self.tls = tls
        self.connections: set[socket.socket] = set()
        wire.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls:
            request.settimeout(10)
            with suppress(OSError), self.tls.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        else:
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error and not isinstance(error, OSError):
            self.wire.errors.append(error)

    def hang_up(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire_to(storage: str, *, gate: Gate | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """A wire to the storage at this address, open as long as the block.

    `gate` stands before the storage, if there is one; with `tls` the wire speaks https.
    """
    wire = Wire(storage, gate)
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
