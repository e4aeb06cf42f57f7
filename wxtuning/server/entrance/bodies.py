"""The body of a request, read within its limits: JSON, a form, or a file. Knows no route and no handler."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from wxtuning.rows.jsontext import MOST_LEVELS, is_deep
from wxtuning.server.entrance.uploads import Upload
from wxtuning.server.errors import Refused, invalid
from wxtuning.server.settings import MIB, Limits
from wxtuning.server.trainings.quotes import quoted

MOST_FIELDS = 100
"""Fields of a form, and parameters of an address."""


async def read_json(request: Request, limits: Limits) -> Any:
    """The JSON value of a request, or an empty object where it has no body.

    Raises:
        Refused: if the body is no JSON, is not called so, or is too long, too deep or too slow.
    """
    if not _has_body(request):
        return {}
    named = _media_type(request)
    if named != "application/json" and not re.fullmatch(r"application/[\w.-]+\+json", named):
        raise _called_otherwise(named, "application/json")
    content = await _whole(request, limits)
    # In a thread: megabytes take a moment, in which others are answered.
    return await asyncio.to_thread(_parsed, content) if content else {}


async def read_form(request: Request, limits: Limits) -> dict[str, str]:
    """The fields of a form, the last one of each name."""
    named = _media_type(request)
    if named != "application/x-www-form-urlencoded":
        raise _called_otherwise(named, "application/x-www-form-urlencoded")
    return dict(pairs((await _whole(request, limits)).decode("latin-1")))


async def read_file(request: Request, limits: Limits, folder: Path) -> Path:
    """A new file in the folder with what the request brought: its body, or the multipart field `file`.

    Raises:
        Refused: if it is too large or too slow, or is a form without that field; the file is removed again.
    """
    upload = Upload(folder / uuid.uuid4().hex, request.headers.get("content-type", ""))
    try:
        await _within(limits.upload_seconds, _save(request, limits, upload))
        return upload.finished()
    except BaseException:
        upload.drop()
        raise


async def _save(request: Request, limits: Limits, upload: Upload) -> None:
    with upload:
        async for piece in _pieces(request, limits, most=limits.upload_bytes):
            upload.write(piece)


def pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of a form or of an address's parameters."""
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise invalid(f"the parameters cannot be read; expected at most {MOST_FIELDS}, in UTF-8") from None


async def _whole(request: Request, limits: Limits) -> bytes:
    content = bytearray()

    async def read() -> None:
        async for piece in _pieces(request, limits, most=limits.body_bytes):
            content.extend(piece)

    await _within(limits.body_seconds, read())
    return bytes(content)


async def _within(seconds: float, work: Any) -> None:
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        raise _too_slow(seconds) from None
    except ClientDisconnect:
        raise invalid("the body ended before its time") from None


async def _pieces(request: Request, limits: Limits, *, most: int) -> AsyncIterator[bytes]:
    if int(request.headers.get("content-length", "0")) > most:
        raise _too_long(most)
    seen = 0
    async with aclosing(request.stream()) as stream:
        while piece := await _next(stream, limits.idle_seconds):
            seen += len(piece)
            if seen > most:
                raise _too_long(most)
            yield piece


async def _next(stream: AsyncIterator[bytes], seconds: float) -> bytes:
    async with asyncio.timeout(seconds):
        return await anext(stream, b"")


def _parsed(content: bytes) -> Any:
    try:
        text = content.decode()
        if is_deep(text):
            raise invalid(f"the JSON is nested more than {MOST_LEVELS} levels deep; flatten it")
        value = json.loads(text, parse_constant=_no_number)
        # Fails on half a surrogate pair, which no file can hold, and on numbers too large to be written as JSON.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as cause:
        raise Refused(400, "json_type_error", f"the body cannot be read as JSON: {_reason(cause)}") from None
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _reason(cause: ValueError) -> str:
    return "it is not UTF-8 throughout" if isinstance(cause, UnicodeError) else str(cause)[:200]


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _called_otherwise(named: str, expected: str) -> Refused:
    return Refused(415, "unsupported_media_type", f"the body is called {quoted(named)}; expected {expected}")


def _media_type(request: Request) -> str:
    return str(request.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _too_long(most: int) -> Refused:
    return Refused(413, "request_too_large", f"the body is longer than {most:,} bytes ({most / MIB:g} MiB); send less")


def _too_slow(seconds: float) -> Refused:
    return Refused(408, "request_timeout", f"the body did not come in time ({seconds:g} s); send it faster")
