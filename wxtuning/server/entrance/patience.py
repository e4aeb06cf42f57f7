"""How long the server waits for TLS, for a request's headers, and for a caller to read. Knows connections only.

uvicorn has no such limits: a caller who sends a byte now and then, or reads nothing, would keep a connection for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from wxtuning.server.settings import Limits

QUIET_SECONDS = 0.25
"""A refused caller who has sent nothing for so long has sent everything."""


def protocol(limits: Limits) -> type[InTime]:
    """`InTime` with these limits; uvicorn makes one for each connection, and can hand it none."""
    return type("InTime", (InTime,), {"limits": limits})


class InTime(H11Protocol):
    """uvicorn's HTTP/1.1, for callers whose headers come in time and who read what they asked for."""

    limits = Limits()
    _deadline: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _leaving: asyncio.TimerHandle | None = None
    _heard_until = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        if self._leaving:
            self._leave_when_quiet()
            return
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:
        # uvicorn closes at once, which resets the connection of who still sends (see `lingering`, for whole requests).
        text = msg.encode()
        fields = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(text))),
            ("connection", "close"),
        ]
        answer = h11.Response(status_code=400, reason="Bad Request", headers=fields)
        for event in (answer, h11.Data(data=text), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._heard_until = self.loop.time() + self.limits.linger_seconds
        self._leave_when_quiet()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading = self.loop.call_later(self.limits.idle_seconds, self._too_late)

    def resume_writing(self) -> None:
        self._unread()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        self._unread()
        if self._leaving:
            self._leaving.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        # An idle caller over TLS would be waited for, until it agrees to the end of the connection.
        if self._is_answering():
            super().shutdown()
        else:
            self.transport.abort()

    def _leave_when_quiet(self) -> None:
        if self._leaving:
            self._leaving.cancel()
        end = min(self.loop.time() + QUIET_SECONDS, self._heard_until)
        self._leaving = self.loop.call_at(end, self.transport.close)

    def _watch(self) -> None:
        # From the first byte of a request on; between two requests the shorter limit for idle connections holds.
        if self._is_answering() or self._is_between() or self.transport.is_closing():
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.limits.head_seconds, self._too_late)

    def _unwatch(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _unread(self) -> None:
        if self._reading:
            self._reading.cancel()
            self._reading = None

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _is_between(self) -> bool:
        return self.timeout_keep_alive_task is not None and self.conn.their_state is h11.IDLE

    def _too_late(self) -> None:
        # abort, not close: closing would wait for one who does not read.
        self.transport.abort()

    def _should_upgrade(self) -> bool:
        return False


class Loop(asyncio.SelectorEventLoop):
    """asyncio's, for callers who agree on TLS in time; asyncio itself gives them a minute.

    Args:
        limits: `head_seconds` is that time.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits

    async def create_server(self, *values: Any, **how: Any) -> asyncio.Server:
        if how.get("ssl"):
            how["ssl_handshake_timeout"] = self._limits.head_seconds
        return await super().create_server(*values, **how)
