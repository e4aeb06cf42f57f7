"""The wire between a client and a watsonx server, over TLS: names requests by their path, and keeps what they create.

What the server says of its own address is rewritten to the wire's, so that callers who follow it stay on the wire.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests import wires
from tests.server.processes import Running
from tests.wires import ALWAYS, SECONDS, Act, Answer, Headers  # noqa: F401 - what every wire knows is found here too

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

    @property
    def ready(self) -> dict[str, Any]:
        """What the server wrote, with the wire's address for its own."""
        return {**self.running.ready, "url": self.url}


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
        place = urlsplit(own)
        kept = ((name, value) for name, value in self.request.headers if name.lower() != "host")
        connection = HTTPSConnection(place.netloc, timeout=SECONDS, context=self.wire.running.tls)
        with wires.asked(connection, self.request, (("Host", place.netloc), *kept), self.request.body) as found:
            yield found, tuple((name, value.replace(own, new)) for name, value in found.getheaders())


def _made(request: Request, answer: Answer) -> str:
    if request.method != "POST" or answer.status not in (201, 202):
        return ""
    with suppress(ValueError, AttributeError, TypeError):
        body = json.loads(answer.body)
        found = body.get("metadata", {})
        return str(found.get("id") or found.get("asset_id") or "")
    return ""


def wire_to(running: Running) -> AbstractContextManager[Wire]:
    """A wire to a server, open as long as the block; it shows the server's own certificate."""
    folder = running.home / "server" / "tls"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    return wires.opened(Wire(running=running), Exchange, tls)


def without(request: Request, name: str) -> Request:
    """The request without a name of its query."""
    place = urlsplit(request.target)
    kept = [pair for pair in parse_qsl(place.query, keep_blank_values=True) if pair[0] != name]
    return replace(request, target=f"{place.path}?{urlencode(kept)}")
