"""Requests over sockets, one at a time. Knows time limits and certificates; judges nothing and repeats nothing.

What goes wrong comes back as a value: the frames of a request on its way hold its token, which a traceback would show.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from wxtuning.adapters.watsonx.asks import Asked, Lost, Reply
from wxtuning.adapters.watsonx.departure import leaves
from wxtuning.adapters.watsonx.until import left, until
from wxtuning.retry import Deadline, Patience

CONNECTIONS = 32
"""At once, and kept: httpcore closes what is in use and over the number to keep, as if it were idle."""
KEEP_SECONDS = 5.0
"""Less than servers keep an idle connection, so that none is closed under a request."""


class Line:
    """Connections to hosts.

    Args:
        ca: The file of a certificate authority; None: those that are commonly trusted.
        patience: How long to wait for a connection, and for a byte.
        given: The caller's own `httpx.Client`, whose connections are used instead; None: our own. Of a connection that
            was open before, only each silence is bounded, not the whole of an answer's head.
    """

    def __init__(self, *, ca: str | Path | None, patience: Patience, given: httpx.Client | None = None) -> None:
        self._patience = patience
        self._given = given
        self._trust = ssl.create_default_context(cafile=str(ca)) if ca else httpx.create_ssl_context()
        self._ways: dict[tuple[str, bool], httpx.BaseTransport] = {}

    def send(self, asked: Asked, deadline: Deadline) -> Reply | Lost:
        """The whole answer."""
        if deadline.left <= 0:
            return NOT_ASKED
        limits = self._limits(asked, deadline)
        try:
            with self._opened(asked, deadline, limits) as response:
                body = _whole(response, asked.most, deadline)
                return body if isinstance(body, Lost) else Reply(response.status_code, _named(response), body)
        except httpx.HTTPError as error:
            return _lost(asked, error, limits, deadline)

    def stream(self, asked: Asked, deadline: Deadline) -> Stream | Reply | Lost:
        """A good answer, to be read as it comes; any other one whole."""
        if deadline.left <= 0:
            return NOT_ASKED
        limits = self._limits(asked, deadline)
        try:
            with until(deadline):
                response = self._way(asked).handle_request(_request(asked, limits))
            if response.status_code == 200:
                return Stream(response, deadline, asked.most)
            with closing(response):
                body = _whole(response, asked.most, deadline)
            return body if isinstance(body, Lost) else Reply(response.status_code, _named(response), body)
        except httpx.HTTPError as error:
            return _lost(asked, error, limits, deadline)

    def close(self) -> None:
        """Close the connections that are ours."""
        ways, self._ways = self._ways, {}
        for way in ways.values():
            way.close()

    @contextmanager
    def _opened(self, asked: Asked, deadline: Deadline, limits: httpx.Timeout) -> Iterator[httpx.Response]:
        with until(deadline), closing(self._way(asked).handle_request(_request(asked, limits))) as response:
            yield response

    def _limits(self, asked: Asked, deadline: Deadline) -> httpx.Timeout:
        most = max(deadline.left, 0.001)
        silence = min(self._patience.read_seconds * asked.patience, most)
        return httpx.Timeout(silence, connect=min(self._patience.connect_seconds, most))

    def _way(self, asked: Asked) -> httpx.BaseTransport:
        if self._given is not None:
            return _bounded(self._given._transport_for_url(httpx.URL(asked.address)))
        proxy = _proxy_for(asked.address)
        # What must not be sent twice goes over a connection of its own, which nobody closes for being idle.
        key = proxy, asked.safe
        if key not in self._ways:
            self._ways.setdefault(key, _Transport(self._trust, proxy, kept=CONNECTIONS if asked.safe else 0))
        return self._ways[key]


def _request(asked: Asked, limits: httpx.Timeout) -> httpx.Request:
    # An answer whose size is known is no bomb.
    headers = {"Accept-Encoding": "identity", "User-Agent": _sender(), **asked.headers}
    if asked.mime:
        headers["Content-Type"] = asked.mime
    if asked.token:
        token = asked.token.get_secret_value()
        headers["Authorization"] = f"{'Bearer' if '.' in token else 'Basic'} {token}"
    url = httpx.URL(asked.address, params=list(asked.query)) if asked.query else httpx.URL(asked.address)
    content = asked.body if asked.method not in ("GET", "HEAD", "DELETE") else None
    extensions = {"timeout": limits.as_dict(), **({} if asked.safe else {"trace": _traced})}
    return httpx.Request(asked.method, url, headers=headers, content=content, extensions=extensions)


def _traced(event: str, _: object) -> None:
    # By now there is a connection: what comes next are the request's first bytes.
    if event.endswith("send_request_headers.started"):
        leaves()


def _lost(asked: Asked, error: httpx.HTTPError, limits: httpx.Timeout, deadline: Deadline) -> Lost:
    unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError))
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Lost(f"shows a certificate that is not trusted ({cause.verify_message})", True, UNTRUSTED, True)
        if isinstance(cause, ssl.SSLError) and unsent:
            return Lost(f"does not speak TLS ({cause.reason})", True, NO_TLS)
        if isinstance(cause, socket.gaierror):
            return Lost(f"is not known by that name ({cause.strerror})", True, UNKNOWN)
    hint = PROXY if _proxy_for(asked.address) and unsent else AGAIN
    if isinstance(error, httpx.TimeoutException):
        what = "could not be reached" if unsent else "did not answer"
        return Lost(f"{what} in {_waited(error, limits, deadline):g} s", unsent, hint)
    reason = next((e.strerror for e in _causes(error) if isinstance(e, OSError) and e.strerror), "")
    what = "could not be reached" if unsent else "broke off the connection"
    return Lost(f"{what}{f' ({reason})' if reason else ''}", unsent, hint)


def _waited(error: httpx.TimeoutException, limits: httpx.Timeout, deadline: Deadline) -> float:
    """The seconds that were waited for: until the deadline, or the limit that was reached before it."""
    limit = limits.connect if isinstance(error, httpx.ConnectTimeout) else limits.read
    return round(deadline.seconds if deadline.left <= 0 or limit is None else limit, 1)


UNTRUSTED = (
    "If that is your own cluster, name the file of its certificate authority: Watsonx(ca=...) or WATSONX_CA; an "
    "http_client= trusts what it was made with."
)
NO_TLS = "Check url= and its port; expected a server that speaks https."
UNKNOWN = "Check url= and the network."
PROXY = "The environment names a proxy (HTTPS_PROXY); check it, or name the service in NO_PROXY."
AGAIN = "Check the network; run the same line again later."
NOT_ASKED = Lost("was not asked, as no time is left", unsent=True, hint=AGAIN)


class Stream:
    """An answer that is still coming."""

    def __init__(self, response: httpx.Response, deadline: Deadline, most: int) -> None:
        self._response = response
        self._deadline = deadline
        self._most = most

    def __iter__(self) -> Iterator[bytes | Lost]:
        """Its pieces; the last is a `Lost` where it broke off."""
        pieces, size = iter(self._response.iter_bytes()), 0
        while True:
            try:
                with until(self._deadline):
                    piece = next(pieces, None)
            except httpx.HTTPError as error:
                what = "fell silent" if isinstance(error, httpx.TimeoutException) else "broke off the connection"
                yield Lost(f"{what} in the middle of its answer", hint=AGAIN)
                return
            if piece is None:
                return
            size += len(piece)
            if size > self._most:
                yield Lost(f"answered more than {self._most:,} bytes", hint=AGAIN)
                return
            yield piece

    def close(self) -> None:
        self._response.close()


class _Transport(httpx.HTTPTransport):
    """With connections of our own."""

    def __init__(self, trust: ssl.SSLContext, proxy: str, *, kept: int) -> None:
        limits = httpx.Limits(
            max_connections=CONNECTIONS, max_keepalive_connections=kept, keepalive_expiry=KEEP_SECONDS
        )  # fmt: skip
        super().__init__(verify=trust, trust_env=False, limits=limits, proxy=proxy or None)
        _bounded(self)


def _bounded(way: httpx.BaseTransport) -> httpx.BaseTransport:
    """A transport whose new connections end every wait at the deadline of the request, where it has one."""
    # httpx offers no way to say this; without it a server that sends a header byte by byte is waited for. Requests that
    # a caller sends over a client of his own have no deadline here, and go as before.
    pool = cast(httpx.HTTPTransport, way)._pool
    if not isinstance(pool._network_backend, _Backend):
        pool._network_backend = _Backend(pool._network_backend)
    return way


@dataclass
class _Backend(httpcore.NetworkBackend):
    inner: httpcore.NetworkBackend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *others: Any, **more: Any) -> Any:
        return _Timed(self.inner.connect_tcp(host, port, _at_most(timeout), *others, **more))

    def connect_unix_socket(self, path: str, timeout: float | None = None, *others: Any, **more: Any) -> Any:
        return _Timed(self.inner.connect_unix_socket(path, _at_most(timeout), *others, **more))

    def sleep(self, seconds: float) -> None:
        self.inner.sleep(seconds)


@dataclass
class _Timed(httpcore.NetworkStream):
    inner: httpcore.NetworkStream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.inner.read(max_bytes, _at_most(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.inner.write(buffer, _at_most(timeout))

    def close(self) -> None:
        self.inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(self.inner.start_tls(ssl_context, server_hostname, _at_most(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)


def _at_most(timeout: float | None) -> float | None:
    return None if timeout is None else max(left(timeout), 0.001)


def _whole(response: httpx.Response, most: int, deadline: Deadline) -> bytes | Lost:
    pieces, size = [], 0
    for piece in response.iter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            return Lost(f"answered more than {most:,} bytes", hint="Nothing of it was used.", final=True)
        if deadline.left <= 0:
            return Lost(f"had not ended its answer after {round(deadline.seconds, 1):g} s", hint=AGAIN)
    return b"".join(pieces)


def _named(response: httpx.Response) -> Mapping[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _proxy_for(address: str) -> str:
    place = urlsplit(address)
    if proxy_bypass(place.hostname or ""):
        return ""
    found = getproxies()
    return found.get(place.scheme) or found.get("all") or ""


@cache
def _sender() -> str:
    return f"wxtuning/{version('wxtuning')}"
