"""Keeps what a request carried from coming back: in answers that repeat it, in errors that hold it. Asks nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, TypeVar
from urllib.parse import quote

Error = TypeVar("Error", bound=BaseException)

_SECRET_HEADERS = ("Authorization", "X-Amz-Security-Token")
_HIDDEN = b"(hidden)"

_IS_ERROR = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<Error(?:Response)?[\s>]")
_TOLD = re.compile(
    rb"<(Code|Message|Region|Endpoint|BucketName|Key|Resource|RequestTime|ServerTime|RequestId|HostId)>([^<]*)</\1>"
)


def redacted(body: bytes, status: int, headers: Mapping[str, str | bytes]) -> bytes:
    """An answer without the request that it repeats.

    A server that finds a signature wrong sends back all that was signed, in several spellings. So of what a storage
    says of an error no more is kept than what is understood; token services say it in JSON, which is kept.

    Args:
        body: What was answered.
        status: With which status.
        headers: Of the request.
    """
    if _IS_ERROR.match(body) or (status >= 300 and not body.lstrip().startswith(b"{")):
        body = _error(body)
    for secret in _secrets(headers):
        body = body.replace(secret, _HIDDEN)
    return body


def _error(body: bytes) -> bytes:
    told = b"".join(b"<%b>%b</%b>" % (name, text, name) for name, text in _TOLD.findall(body))
    return b"<Error>%b</Error>" % told if body else b""


def _secrets(headers: Mapping[str, str | bytes]) -> Iterator[bytes]:
    for name in _SECRET_HEADERS:
        value = headers.get(name, "")
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if secret := text.removeprefix("Bearer "):
            yield from {secret.encode(), escape(secret).encode(), quote(secret, safe="").encode()}


def bared(error: Error) -> Error:
    """The same error without its frames, its causes and the request, all of which hold what was sent."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    held: dict[str, Any] = vars(error)
    for name in ("request", "_request"):
        if name in held:
            held[name] = None
    return error
