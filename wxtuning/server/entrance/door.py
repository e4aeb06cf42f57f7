"""What is checked of every request before anything else, and what is said of it in the log. Knows no route.

The checks are those against browsers that were sent here by other pages, and against requests that two programs would
read differently.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from wxtuning.server.entrance.dispatch import written
from wxtuning.server.entrance.lingering import Lingering
from wxtuning.server.errors import Refused, invalid
from wxtuning.server.routing import Answer
from wxtuning.server.settings import Settings

log = logging.getLogger("wxtuning.server.access")

SAFETY = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
"""Headers of every answer: a page or a proxy makes nothing of it but what it says it is."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Door:
    """Stands before an ASGI application; lets in what is addressed to this server and comes from no web page."""

    def __init__(self, inside: ASGIApp, settings: Settings) -> None:
        self._inside = inside
        self._names = host_names(settings)
        self._limits = settings.limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await _no_websocket(scope, receive, send)
            return
        call = Lingering(receive, send, self._limits.linger_seconds)
        answer = _Answering(call.send)
        try:
            self._check(scope)
            await self._inside(scope, call.receive, answer)
        except Refused as refusal:
            await written(Answer(body=refusal.body(), status=refusal.status, headers=refusal.headers))(
                scope, call.receive, answer
            )
        finally:
            log.info("%s %s %s %.0f ms", scope["method"], _path(scope), answer.status, answer.milliseconds)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if sum(len(name) + len(value) for name, value in headers.raw) > self._limits.header_bytes:
            raise _closing(
                Refused(431, "request_too_large", f"the headers are longer than {self._limits.header_bytes:,} bytes")
            )
        if "transfer-encoding" in headers and "content-length" in headers:
            raise _closing(invalid("the request says its length twice, with Content-Length and Transfer-Encoding"))
        if headers.get("host", "").lower() not in self._hosts(scope):
            raise _closing(Refused(421, "misdirected_request", "the Host header names another server than this one"))
        if "origin" in headers:
            raise _closing(Refused(403, "authorization_rejected", "requests from web pages are refused"))

    def _hosts(self, scope: Scope) -> set[str]:
        port = (scope.get("server") or ("", 0))[1]
        hosts = {f"{name}:{port}" for name in self._names}
        return hosts | self._names if port == _DEFAULT_PORTS.get(scope["scheme"]) else hosts


def host_names(settings: Settings) -> set[str]:
    """The names by which callers may call this server, as they stand in a Host header without a port."""
    names = {"127.0.0.1", "localhost", "[::1]", *settings.names}
    if settings.host not in ("0.0.0.0", "::"):
        names.add(f"[{settings.host}]" if ":" in settings.host else settings.host)
    return {name.lower() for name in names}


async def _no_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a connection that another ASGI server than ours has taken for one; ours never does."""
    log.warning("not offered: websocket %s", _path(scope))
    await WebSocketClose(reason="not offered by this server")(scope, receive, send)


class _Answering:
    """Sends an answer on, with the headers of safety, and remembers what the log says of it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._began = time.monotonic()
        self.status = 0

    @property
    def milliseconds(self) -> float:
        return (time.monotonic() - self._began) * 1000

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *SAFETY]
        await self._send(message)


def _closing(refusal: Refused) -> Refused:
    refusal.headers["Connection"] = "close"
    return refusal


def _path(scope: Scope) -> str:
    # Never the query: a signed address is as good as a token. HTTP leaves only printable ASCII in a path.
    with suppress(KeyError):
        return bytes(scope["raw_path"])[:200].decode("latin-1")
    return str(scope["path"])[:200].encode("ascii", "backslashreplace").decode()
