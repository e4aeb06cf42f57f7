"""The wire between a client and the storage: names requests as S3 does, and passes them on as they are.

A signature covers the Host header, so clients are given the wire's own address and the header passes unchanged.
"""

from __future__ import annotations

import ssl
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from typing import Protocol
from urllib.parse import urlsplit

from tests import wires
from tests.wires import ALWAYS, SECONDS, Act, Answer, Headers  # noqa: F401 - what every wire knows is found here too

TOKEN_PATH = "/identity/token"


@dataclass(frozen=True, kw_only=True)
class Request(wires.Request):
    """One request to the storage, or to IAM."""

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


class Gate(Protocol):
    """What stands before the storage: gets its answer, or refuses in its place."""

    def __call__(self, exchange: Exchange, headers: Headers, body: bytes, /) -> Answer: ...


@dataclass(kw_only=True)
class Wire(wires.Wire):
    """The running wire to the storage at this address, with what stands before it."""

    storage: str
    gate: Gate | None


class Exchange(wires.Exchange):
    """One request and what may be done with it, in the place of its headers, body and target too."""

    def __init__(self, wire: Wire, handler: wires.Handler) -> None:
        super().__init__(wire, handler, Request(**handler.heard()))

    def passed_on(self, headers: Headers | None = None, body: bytes | None = None, target: str = "") -> Answer:
        """The storage's answer to the request, or to another in its place."""
        self.request = replace(self.request, target=target or self.request.target)
        body = self.body() if body is None else body
        headers = self.request.headers if headers is None else headers
        return self.wire.gate(self, headers, body) if self.wire.gate else self.stored(headers, body)

    def stored(self, headers: Headers, body: bytes) -> Answer:
        """What the storage itself answers, past the gate."""
        connection = HTTPConnection(urlsplit(self.wire.storage).netloc, timeout=SECONDS)
        with wires.asked(connection, self.request, headers, body) as found:
            return Answer(status=found.status, headers=tuple(found.getheaders()), body=found.read())


def wire_to(
    storage: str, *, gate: Gate | None = None, tls: ssl.SSLContext | None = None
) -> AbstractContextManager[Wire]:
    """A wire to the storage at this address, open as long as the block.

    `gate` stands before the storage, if there is one; with `tls` the wire speaks https.
    """
    return wires.opened(Wire(storage=storage, gate=gate), Exchange, tls)
