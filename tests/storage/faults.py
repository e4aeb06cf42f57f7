"""What can go wrong on the wire, as values: each is told to a `Wire`, and happens to the requests it takes."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from tests.storage.signing import signed
from tests.storage.wire import Exchange
from tests.wires import Answer, Before, Cut, Headers, LostAnswer, Then  # noqa: F401 - what every wire knows is found here too

PIECE_SECONDS = 0.02
DRIPPED_BYTES = 300


@dataclass(frozen=True, kw_only=True)
class Reset:
    """The connection is reset once `after` bytes of the body have come; the storage hears nothing of it."""

    after: int

    def __call__(self, exchange: Exchange) -> None:
        exchange.body(self.after)
        exchange.reset()


@dataclass(frozen=True)
class BlackHole:
    """Reads so much of the body, and then nothing happens any more."""

    after: int = 0

    def __call__(self, exchange: Exchange) -> None:
        exchange.body(self.after)
        exchange.wire.closing.wait()
        exchange.reset()


@dataclass(frozen=True, kw_only=True)
class Drip:
    """An answer that comes a byte at a time, its body or all of it: always another byte, and never the whole."""

    whole: bool

    def __call__(self, exchange: Exchange) -> None:
        exchange.body()
        answer = Answer(status=200, body=b" " * DRIPPED_BYTES)
        exchange.dripped(answer, PIECE_SECONDS, head_at_once=not self.whole)


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Something happens once so much of the body has come, and then nothing any more."""

    then: Callable[[], object]
    after: int = 0

    def __call__(self, exchange: Exchange) -> None:
        exchange.body(self.after)
        self.then()
        exchange.wire.closing.wait()
        exchange.reset()


@dataclass(frozen=True, kw_only=True)
class Slow:
    """A link that takes so many bytes a second of a body."""

    bytes_per_second: int

    def __call__(self, exchange: Exchange) -> None:
        taken = 0
        while taken < exchange.request.size:
            taken = min(exchange.request.size, taken + int(self.bytes_per_second * PIECE_SECONDS))
            exchange.body(taken)
            time.sleep(PIECE_SECONDS)
        exchange.answered(exchange.passed_on())


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An error document in the place of the answer; the storage hears nothing of it."""

    status: int
    code: str
    message: str = "said the wire"
    more: str = ""
    headers: Headers = ()

    def __call__(self, exchange: Exchange) -> None:
        exchange.answered(self.answer())

    def answer(self) -> Answer:
        document = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f"<Error><Code>{self.code}</Code><Message>{self.message}</Message>{self.more}</Error>"
        )
        headers = (("Content-Type", "application/xml"), *self.headers)
        return Answer(status=self.status, headers=headers, body=document.encode())


@dataclass(frozen=True, kw_only=True)
class Echo:
    """A refusal that repeats what was asked, as services do that find a signature wrong; as a page, as proxies do."""

    is_page: bool = False
    status: int = 403

    def __call__(self, exchange: Exchange) -> None:
        exchange.body()
        asked = "\n".join(f"{name.lower()}:{value}" for name, value in exchange.request.headers)
        if self.is_page:
            page = f"<html><body>You asked<pre>{asked}</pre></body></html>".encode()
            return exchange.answered(Answer(status=self.status, headers=(("Content-Type", "text/html"),), body=page))
        more = {"CanonicalRequest": asked, "StringToSign": asked, "CanonicalRequestBytes": asked.encode().hex(" ")}
        elements = "".join(f"<{name}>{text}</{name}>" for name, text in more.items())
        Refusal(status=self.status, code="SignatureDoesNotMatch", message=f"Wrong: {asked}", more=elements)(exchange)


def slow_down(*, retry_after: str = "") -> Refusal:
    """503, with the header if it is given."""
    headers = (("Retry-After", retry_after),) if retry_after else ()
    return Refusal(status=503, code="SlowDown", message="Please reduce your request rate.", headers=headers)


ERROR_IN_OK = Refusal(status=200, code="InternalError", message="We encountered an internal error. Please try again.")
EXPIRED = Refusal(status=403, code="ExpiredToken", message="The provided token has expired.")
DENIED = Refusal(status=403, code="AccessDenied", message="Access Denied")
SKEWED = Refusal(
    status=403,
    code="RequestTimeTooSkewed",
    message="The difference between the request time and the server's time is too large.",
    headers=(("Date", "Mon, 02 Nov 2026 10:20:00 GMT"),),
)
WRONG_REGION = Refusal(
    status=301,
    code="PermanentRedirect",
    message="The bucket you are attempting to access must be addressed using the specified endpoint.",
    headers=(("x-amz-bucket-region", "eu-de"),),
)
WRONG_SIGNING_REGION = Refusal(
    status=400,
    code="AuthorizationHeaderMalformed",
    message="The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-de'",
    more="<Region>eu-de</Region>",
)
UNKNOWN_TOKEN = Refusal(status=401, code="AccessDenied", message="Access Denied")


@dataclass(frozen=True, kw_only=True)
class SignedAgo:
    """The client's clock is late: the storage gets a good signature of a time that has passed."""

    minutes: int

    def __call__(self, exchange: Exchange) -> None:
        headers = signed(exchange.request, exchange.body(), ago=timedelta(minutes=self.minutes))
        exchange.answered(exchange.passed_on(headers))


@dataclass(frozen=True, kw_only=True)
class Flip:
    """One bit of the body arrives wrong."""

    at: int

    def __call__(self, exchange: Exchange) -> None:
        exchange.answered(exchange.passed_on(body=flipped(exchange.body(), self.at)))


def flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


@dataclass(frozen=True, kw_only=True)
class StoreOther:
    """The storage keeps other bytes than it was sent, and says so in the ETag, or tells the ETag of what was sent."""

    at: int = 0
    lying: bool = False

    def __call__(self, exchange: Exchange) -> None:
        other = flipped(exchange.body(), self.at)
        headers = signed(exchange.request, other, without={"content-md5"})
        answer = exchange.passed_on(headers, other)
        exchange.answered(answer.with_headers(ETag=etag_of(exchange.body())) if self.lying else answer)


def etag_of(content: bytes) -> str:
    """The ETag of an object sent in one piece."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


@dataclass(frozen=True, kw_only=True)
class Instead:
    """Something happens once so much of the body has come, and the storage never hears of the request."""

    happens: Callable[[], object]
    after: int = 0

    def __call__(self, exchange: Exchange) -> None:
        exchange.body(self.after)
        self.happens()
        exchange.reset()


KMS = (("x-amz-server-side-encryption", "aws:kms"),)
_OPAQUE = str.maketrans("0123456789abcdef", "fedcba9876543210")
_ETAG = re.compile(rb"[0-9a-f]{32}")
_ETAG_OF_PARTS = re.compile(rb"[0-9a-f]{32}-[0-9]+")


@dataclass(frozen=True, kw_only=True)
class KeysOfTheService:
    """ETags that are no MD5, with the header that says why; as where the service encrypts with keys of its own."""

    then: Callable[[], object] = lambda: None

    def __call__(self, exchange: Exchange) -> None:
        answer = exchange.passed_on(*self._asked(exchange))
        self.then()
        told = _with_etags(exchange, answer, _ETAG, _opaque)
        exchange.answered(replace(told, headers=told.headers + KMS))

    def _asked(self, exchange: Exchange) -> tuple[Headers, bytes]:
        if exchange.request.operation != "CompleteMultipartUpload":
            return exchange.request.headers, exchange.body()
        body = _ETAG.sub(_opaque, exchange.body())
        return signed(exchange.request, body, without={"content-md5"}), body


def _opaque(etag: re.Match[bytes]) -> bytes:
    """The other form of an ETag; done twice, the ETag as it was."""
    return etag[0].decode().translate(_OPAQUE).encode()


@dataclass(frozen=True, kw_only=True)
class PlainETags:
    """An object of many parts has the MD5 of the whole as its ETag, as rclone serves it."""

    content: bytes

    def __call__(self, exchange: Exchange) -> None:
        etag = etag_of(self.content).strip('"').encode()
        exchange.answered(_with_etags(exchange, exchange.passed_on(), _ETAG_OF_PARTS, lambda _: etag))


def _with_etags(
    exchange: Exchange, answer: Answer, found: re.Pattern[bytes], changed: Callable[[re.Match[bytes]], bytes]
) -> Answer:
    headers = tuple(
        (name, found.sub(changed, value.encode()).decode() if name.lower() == "etag" else value)
        for name, value in answer.headers
    )
    is_document = exchange.request.operation != "GetObject"
    return replace(answer, headers=headers, body=found.sub(changed, answer.body) if is_document else answer.body)


@dataclass(frozen=True, kw_only=True)
class TwoAtATime:
    """A listing that names no more than two objects in one answer."""

    def __call__(self, exchange: Exchange) -> None:
        target = re.sub(r"[?&]max-keys=\d+", "", exchange.request.target) + "&max-keys=2"
        asked = replace(exchange.request, target=target)
        exchange.answered(exchange.passed_on(signed(asked, b""), b"", target=target))
