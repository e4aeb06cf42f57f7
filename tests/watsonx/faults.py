"""What can go wrong on the wire: answers lost after the server acted, refusals, silence, lists that lag."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.watsonx.wire import Exchange, without
from tests.wires import SECONDS, Answer, Before, Cut, LostAnswer, Then  # noqa: F401 - what every wire knows is found here too

JSON = (("Content-Type", "application/json"),)
HTML = (("Content-Type", "text/html"),)
HELD_SECONDS = 5.0
LOGIN_PAGE = b"<!DOCTYPE html><html><title>Log in</title></html>"
TRACE = "0123456789abcdef0123456789abcdef"


def refusal(status: int, code: str = "", message: str = "") -> bytes:
    """A refusal as watsonx writes it."""
    error = {"code": code or f"code_{status}", "message": message or f"refused with {status}", "more_info": ""}
    return json.dumps({"errors": [error], "trace": TRACE, "status_code": status}).encode()


def token_for(*, seconds: float) -> str:
    """A token that ends so soon; no server knows it."""
    told = ({"alg": "RS256"}, {"exp": time.time() + seconds, "iat": time.time()})
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in told)
    return f"{'.'.join(parts)}.signed"


def _answer(status: int, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    content = refusal(status) if body is None else body
    kind = HTML if content.startswith(b"<") else JSON
    return Answer(status=status, headers=(*kind, *headers.items()), body=content)


@dataclass(frozen=True)
class Instead:
    """The server acts; the client is answered something else. Without a body: a refusal in watsonx's shape."""

    status: int = 502
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, exchange: Exchange) -> None:
        exchange.passed_on()
        exchange.answered(_answer(self.status, self.body, self.headers))


@dataclass(frozen=True)
class Refusal:
    """The server is not asked; the client is answered this. Without a body: a refusal in watsonx's shape."""

    status: int
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, exchange: Exchange) -> None:
        exchange.answered(_answer(self.status, self.body, self.headers))


@dataclass(frozen=True)
class Dropped:
    """The server is not asked; the client sees the connection reset, or ended."""

    how: Literal["rst", "fin"] = "rst"

    def __call__(self, exchange: Exchange) -> None:
        if self.how == "rst":
            exchange.reset()
        exchange.hung_up()


@dataclass(frozen=True)
class Silence:
    """No answer, ever; `acting`: the server has acted all the same."""

    acting: bool = False

    def __call__(self, exchange: Exchange) -> None:
        if self.acting:
            exchange.passed_on()
        exchange.wire.closing.wait(SECONDS)
        exchange.hung_up()


@dataclass
class Held:
    """Something happens, and no answer comes until it is `let_go`; `ended` requests were given up before."""

    happens: Callable[[], object] = lambda: None
    free: threading.Event = field(default_factory=threading.Event)
    ended: int = 0

    def __call__(self, exchange: Exchange) -> None:
        exchange.body()
        self.happens()
        self.ended += not self.free.wait(HELD_SECONDS)
        exchange.hung_up()

    def let_go(self) -> None:
        """Wait until nobody asks any more."""
        self.free.set()
        for thread in threading.enumerate():
            if thread.name == "wxtuning-abreast":
                thread.join(SECONDS)


@dataclass(frozen=True)
class Drip:
    """The answer comes byte by byte, with so many seconds between them; from its status line on, or its body only."""

    every: float = 0.02
    headers_too: bool = False

    def __call__(self, exchange: Exchange) -> None:
        exchange.dripped(exchange.passed_on(), self.every, head_at_once=not self.headers_too)


@dataclass
class Late:
    """Lists hide what was created over this wire: for the next `requests` of them, or while `hiding()`.

    The fault itself must take the lists for as long: `times=ALWAYS`.
    """

    requests: int = 0
    hiding: Callable[[], bool] | None = None
    seen: int = 0

    def __call__(self, exchange: Exchange) -> None:
        self.seen += 1
        answer = exchange.passed_on()
        hides = self.hiding() if self.hiding else self.seen <= self.requests
        exchange.answered(_without_new(answer, exchange.wire.made) if hides and answer.status == 200 else answer)


def _without_new(answer: Answer, made: list[str]) -> Answer:
    body = json.loads(answer.body)
    name = "resources" if "resources" in body else "results"
    body[name] = [one for one in body.get(name, []) if _identity(one) not in made]
    return replace(answer, body=json.dumps(body).encode())


def _identity(resource: dict[str, Any]) -> str:
    found = resource.get("metadata", {})
    return str(found.get("id") or found.get("asset_id") or found.get("guid") or "")


@dataclass(frozen=True)
class Without:
    """The server does not see a name of the query, as if it ignored it."""

    name: str

    def __call__(self, exchange: Exchange) -> None:
        exchange.request = without(exchange.request, self.name)
        exchange.relayed()


@dataclass(frozen=True)
class Changed:
    """The server's answer in JSON, changed."""

    change: Callable[[Any], Any]

    def __call__(self, exchange: Exchange) -> None:
        answer = exchange.passed_on()
        exchange.answered(replace(answer, body=json.dumps(self.change(json.loads(answer.body))).encode()))


@dataclass(frozen=True)
class Endless:
    """A body that does not end, of so many bytes a piece."""

    piece: int = 2**20

    def __call__(self, exchange: Exchange) -> None:
        exchange.sent(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"a":"')
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            exchange.sent(b"a" * self.piece)
