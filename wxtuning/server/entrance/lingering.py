"""An answer that comes before its request has ended. Knows no route and no limits but how long it may last."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Message, Receive, Send


class Lingering:
    """The two ends of one ASGI call, for a caller who still sends while the answer is on its way.

    Closing a connection on which bytes lie unread resets it, and a reset may take the answer with it (RFC 9112,
    section 9.6). So the answer goes out whole, and what still comes is read and dropped for a while before the end.

    Args:
        receive: The call's.
        send: The call's.
        seconds: How long what still comes is read, at most.
    """

    def __init__(self, receive: Receive, send: Send, seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._seconds = seconds
        self._heard_all = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._heard_all = self._heard_all or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False) and not self._heard_all:
            await self._send({**message, "more_body": True})
            await self._listen()
            message = {"type": "http.response.body"}
        await self._send(message)

    async def _listen(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                while not self._heard_all:
                    await self.receive()
