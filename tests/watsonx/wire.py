"""The wire between a client and a watsonx server, over TLS: names requests by their path, and keeps what they create.

What the server says of its own address is rewritten to the wire's, so that callers who follow it stay on the wire.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests import wires
from tests.server.processes import Running
from tests.wires import ALWAYS, SECONDS, Act, Answer, Headers  # noqa: F401 - what every wire knows is found here too

KEEP_SECONDS = 1.0
"""Much less than the server keeps a connection, so that it is never closed under a request."""
IDENTITY = re.compile(r"(?<=/)([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{24,})(?=/|$)")


@dataclass(frozen=True, kw_only=True)
class Request(wires.Request):
    """One request to the server, with all of its body."""

    body: bytes = b""

    @property
    def operation(self) -> str:
        """Such as `GET /ml/v4/trainings/{id}`."""
        return f"{self.method} {IDENTITY.sub('{id}', self.path)}"

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass(kw_only=True)
class Wire(wires.Wire):
    """The running wire to a server; `made` are the ids of what was created over it, in their order."""

    running: Running
    made: list[str] = field(default_factory=list)
    kept: deque[tuple[HTTPSConnection, float]] = field(default_factory=deque)

    @property
    def ready(self) -> dict[str, Any]:
        """What the server wrote, with the wire's address for its own."""
        return {**self.running.ready, "url": self.url}

    @contextmanager
    def connection(self) -> Iterator[HTTPSConnection]:
        """A connection to the server for one request; kept for the next one if that was answered whole."""
        connection = self._kept() or HTTPSConnection(
            urlsplit(self.running.url).netloc, timeout=SECONDS, context=self.running.tls
        )
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self.kept.append((connection, time.monotonic()))

    def _kept(self) -> HTTPSConnection | None:
        with suppress(IndexError):
            while True:
                connection, since = self.kept.pop()
                if time.monotonic() - since < KEEP_SECONDS:
                    return connection
                connection.close()
        return None


class Exchange(wires.Exchange):
    """One request and what may be done with it; its body is read at once."""

    def __init__(self, wire: Wire, handler: wires.Handler) -> None:
        super().__init__(wire, handler, Request(**handler.heard()))
        self.request = replace(self.request, body=self.body())

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
            return super().relayed()
        with self._asked() as (found, headers):
            self.begun(found.status, headers, (("Transfer-Encoding", "chunked"),))
            while piece := found.read1(65536):
                self.sent(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.sent(b"0\r\n\r\n")
        return None

    @contextmanager
    def _asked(self) -> Iterator[tuple[HTTPResponse, Headers]]:
        own, new = self.wire.running.url, self.wire.url
        host = urlsplit(own).netloc
        kept = ((name, value) for name, value in self.request.headers if name.lower() != "host")
        with self.wire.connection() as connection:
            found = wires.sent(connection, self.request, (("Host", host), *kept), self.request.body)
            yield found, tuple((name, value.replace(own, new)) for name, value in found.getheaders())
            if not found.isclosed():
                connection.close()


def _made(request: Request, answer: Answer) -> str:
    if request.method != "POST" or answer.status not in (201, 202):
        return ""
    with suppress(ValueError, AttributeError, TypeError):
        body = json.loads(answer.body)
        found = body.get("metadata", {})
        return str(found.get("id") or found.get("asset_id") or "")
    return ""


@contextmanager
def wire_to(running: Running) -> Iterator[Wire]:
    """A wire to a server, open as long as the block; it shows the server's own certificate."""
    folder = running.home / "server" / "tls"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    wire = Wire(running=running)
    with wires.opened(wire, Exchange, tls):
        yield wire
    for connection, _ in wire.kept:
        connection.close()


def without(request: Request, name: str) -> Request:
    """The request without a name of its query."""
    place = urlsplit(request.target)
    kept = [pair for pair in parse_qsl(place.query, keep_blank_values=True) if pair[0] != name]
    return replace(request, target=f"{place.path}?{urlencode(kept)}")
