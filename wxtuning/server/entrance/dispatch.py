"""From a request to its handler and back: who may come in, what was sent, what is answered.

Knows no kind of resource.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from wxtuning.server.data.storage import check_signature
from wxtuning.server.entrance import bodies, parameters
from wxtuning.server.entrance.paths import Match, Table
from wxtuning.server.entrance.places import Places
from wxtuning.server.errors import Refused, invalid, not_offered
from wxtuning.server.house import House
from wxtuning.server.routing import JSON, Answer, Call, Route, Stream

STRANGERS_BYTES = 16 * 1024
"""The longest body of a caller without a token."""

OPENAI = "/v1/"
"""Below this are the calls of OpenAI's clients."""

log = logging.getLogger("wxtuning.server")


class Dispatch:
    """The routes as an ASGI application.

    Handlers run in places, those that wait for a model in places of their own. A caller's body is read before a place
    is taken, so that a slow sender keeps nobody out.
    """

    def __init__(self, house: House, routes: tuple[Route, ...]) -> None:
        self._house = house
        self._limits = house.settings.limits
        self._strangers = replace(self._limits, body_bytes=min(self._limits.body_bytes, STRANGERS_BYTES))
        self._table = Table([route for route in routes if route.only in ("", house.settings.platform)])
        self._of_openai = next((route for route in routes if route.token == "key"), None)
        self._places = {
            "requests": Places(self._limits.requests, "requests"),
            "answers": Places(self._limits.answers, "answers"),
        }

    def close(self) -> None:
        """Start no more calls."""
        for places in self._places.values():
            places.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        match = self._table.match(request.method, _raw_path(scope))
        manners = match.route if match else self._manners(_raw_path(scope))
        write = manners.refusal if manners else Refused.body
        try:
            asked = await self._asked(request, match)
            with asked.file_removed(), asked.places.one():
                response = await self._answer(asked, receive)
                await response(scope, receive, send)
        except Refused as refusal:
            await _refused(refusal, write)(scope, receive, send)

    def _manners(self, path: str) -> Route | None:
        """A route that knows how the callers of an unknown address show who they are, and how they are refused."""
        return self._of_openai if path.startswith(OPENAI) else None

    async def _asked(self, request: Request, match: Match | None) -> _Asked:
        """The request as its handler wants it; the body is read last, when all else is in order."""
        queries = tuple(bodies.pairs(request.url.query))
        headers = dict(request.headers)
        self._admit(request, match, dict(queries), headers)
        if match is None or _is_websocket(request):
            raise _unknown(request)
        parameters.check(match.route, dict(queries))
        gone = threading.Event()
        call = Call(
            house=self._house, method=request.method, url=f"{request.url.scheme}://{headers['host']}",
            path=match.parts, query=dict(queries), queries=queries, headers=headers,
            gone=gone.is_set, **await self._body(request, match.route),
        )  # fmt: skip
        return _Asked(call, match.route, self._places[match.route.place], gone)

    def _admit(self, request: Request, match: Match | None, query: dict[str, str], headers: dict[str, str]) -> None:
        # What is not offered asks for a token like everything else: a stranger learns nothing.
        path = _raw_path(request.scope)
        manners = match.route if match else self._manners(path)
        if manners is None:
            self._house.tokens.check_bearer(headers)
        elif manners.token == "url":
            self._house.tokens.check_signed(request.method, path, query)
        elif manners.token == "s3":
            check_signature(self._house, request.method, unquote(path), headers)
        elif not manners.is_open:
            self._house.tokens.check_bearer(headers, api_key=manners.token == "key")

    async def _body(self, request: Request, route: Route) -> dict[str, Any]:
        if route.takes == "file":
            return {"file": await bodies.read_file(request, self._limits, self._house.folder("incoming"))}
        limits = self._strangers if route.is_open else self._limits
        if route.takes == "form":
            return {"body": await bodies.read_form(request, limits)}
        found = await bodies.read_json(request, limits)
        expected = list if route.takes == "list" else dict
        if not isinstance(found, expected):
            wanted = "array" if expected is list else "object"
            raise invalid(f"the body is {_JSON[type(found)]}; expected an {wanted}", code="json_type_error")
        return {"items": tuple(found)} if isinstance(found, list) else {"body": found}

    async def _answer(self, asked: _Asked, receive: Receive) -> Response:
        watch = asyncio.ensure_future(_watch(receive, asked.gone))
        try:
            answer = await asked.places.run(asked.route.handler, asked.call)
        except Refused:
            raise
        except Exception as fault:  # noqa: BLE001 - what a handler did not foresee ends this call, not the server
            raise _failed(asked.call, fault) from None
        finally:
            watch.cancel()
            # Before the answer goes out: who has it may rely on the upload being gone.
            asked.remove_file()
        return _response(answer, asked)


def _response(answer: JSON | Answer | Stream | Response, asked: _Asked) -> Response:
    match answer:
        case Response():
            return answer
        case Stream():
            return StreamingResponse(_pieces(answer, asked), media_type=answer.media_type)
        case Answer():
            return written(answer)
    return written(Answer(body=answer))


async def _pieces(stream: Stream, asked: _Asked) -> AsyncIterator[bytes]:
    pieces = stream.pieces()
    one_by_one = _OneByOne(pieces) if isinstance(pieces, Iterator) else None
    try:
        if one_by_one is None:
            async for piece in cast(AsyncIterator[bytes], pieces):
                yield piece
        else:
            while (found := await asked.places.run(one_by_one.next)) is not None:
                yield found
    finally:
        asked.gone.set()
        if one_by_one:
            asked.places.begin(one_by_one.close)


_JSON = {
    dict: "an object", list: "an array", str: "a text", int: "a number", float: "a number", bool: "true or false",
    type(None): "null",
}  # fmt: skip


@dataclass(frozen=True)
class _Asked:
    """A call, what answers it, where, and the sign that its caller has left."""

    call: Call
    route: Route
    places: Places
    gone: threading.Event

    @contextmanager
    def file_removed(self) -> Iterator[None]:
        """Remove what was uploaded, unless the handler took it."""
        try:
            yield
        finally:
            self.remove_file()

    def remove_file(self) -> None:
        if self.call.file:
            self.call.file.unlink(missing_ok=True)


class _OneByOne:
    """An iterator that several threads in turn advance and close, never two at once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._turn = threading.Lock()

    def next(self) -> bytes | None:
        with self._turn:
            return next(self._pieces, None)

    def close(self) -> None:
        with self._turn:
            close = getattr(self._pieces, "close", None)
            if close:
                close()


def written(answer: Answer) -> Response:
    """An answer's bytes. All but ASCII is escaped, so that no terminal or page acts on a name in it."""
    if answer.body is None:
        return Response(status_code=answer.status, headers=dict(answer.headers))
    content = json.dumps(answer.body, separators=(",", ":"))
    return Response(content, answer.status, dict(answer.headers), "application/json")


def _refused(refusal: Refused, write: Callable[[Refused], JSON] = Refused.body) -> Response:
    return written(Answer(body=write(refusal), status=refusal.status, headers=refusal.headers))


def _failed(call: Call, fault: Exception) -> Refused:
    refusal = Refused(500, "internal_error", "the server failed on this call; its log says why, under the trace")
    log.error("%s failed, trace %s", call.method, refusal.trace, exc_info=fault)
    return refusal


async def _watch(receive: Receive, gone: threading.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _unknown(request: Request) -> Refused:
    kind = "websocket " if _is_websocket(request) else ""
    shown = f"{kind}{request.method} {_shown(request.scope)}"
    log.warning("not offered: %s", shown)
    return not_offered(shown)


def _is_websocket(request: Request) -> bool:
    return request.headers.get("upgrade", "").lower() == "websocket"


def _raw_path(scope: Scope) -> str:
    return bytes(scope["raw_path"]).decode("latin-1")


def _shown(scope: Scope) -> str:
    return _raw_path(scope)[:200]
