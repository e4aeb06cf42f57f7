"""What one process holds of a service: its connections, who is signed in, and how a signed request is answered.

Knows tokens and hosts; knows no paths.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from wxtuning.adapters.watsonx.answers import refusal, said
from wxtuning.adapters.watsonx.asks import Asked, Reply
from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.adapters.watsonx.hosts import origin
from wxtuning.adapters.watsonx.line import Line
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.adapters.watsonx.signin import SignIn
from wxtuning.adapters.watsonx.transport import Transport
from wxtuning.errors import AdapterError, Unavailable

Answer = TypeVar("Answer", bound=Reply | Generator[bytes])

LEAST_HIDDEN = 6
"""A shorter secret is found in every text."""


class Wired:
    """Connections to a service, signed in when they are first used; not for the other side of a fork."""

    def __init__(self, settings: Settings) -> None:
        self.process = os.getpid()
        self._veil = partial(_veiled, settings.secrets)
        self._line = Line(ca=settings.ca, patience=settings.patience, given=settings.http_client)
        self._transport = Transport(self._line, settings.patience, self._veil)
        self._signin = SignIn(settings, self._transport, self._veil)
        self._host = urlsplit(settings.url).netloc

    @property
    def client(self) -> Any:
        """The SDK's client, signed in."""
        return self._signin.client

    def base(self, path: str) -> str:
        """The address of the host that answers a path."""
        if path.startswith("/ml/"):
            return str(self.client.credentials.url)
        platform = str(self.client.PLATFORM_URL or self.client.credentials.url)
        # The platform's pages, which also promote, are beside its API.
        return platform.replace("://api.", "://", 1) if path.startswith("/projects/") else platform

    def is_own(self, asked: Asked) -> bool:
        """Whether a request goes to the service itself, which may see its token."""
        return origin(asked.address) in {origin(self.base(path)) for path in ("/ml/", "/v2/", "/projects/")}

    def good(self, asked: Asked, *, signed: bool = True) -> Reply:
        """The answer to a request, if it is a good one; sent with a token if it is `signed`."""
        found = self._signed(asked, self._transport.send) if signed else self._transport.send(asked)
        if not found.is_good:
            raise refusal(asked, found, self._veil)
        return found

    def pieces(self, asked: Asked) -> Generator[bytes]:
        """A good answer as it comes."""
        found = self._signed(asked, self._transport.stream)
        if not isinstance(found, Reply):
            return found
        if found.is_good:  # a part of a file, say
            return (body for body in (found.body,))
        raise refusal(asked, found, self._veil)

    def broken_off(self, asked: Asked, event: Mapping[str, Any]) -> AdapterError:
        """What an error in the middle of an answer means."""
        status = event.get("status_code")
        reply = Reply(status if isinstance(status, int) else 500, {}, json.dumps(event).encode())
        if 400 <= reply.status < 500:
            return refusal(asked, reply, self._veil)
        return Unavailable(
            f"{asked.host} broke off its answer: {said(reply, self._veil)}", backend=BACKEND, hint="Ask again later."
        )

    def close(self) -> None:
        """Close the connections, where they are this process's own."""
        if self.process == os.getpid():
            self._line.close()

    def _signed(self, asked: Asked, send: Callable[[Asked], Answer]) -> Answer:
        """The answer to a request with a token; once more with a new one if the token was refused."""
        if not self.is_own(asked):
            raise AdapterError(f"{asked.host} is not {self._host}; no token is sent there", backend=BACKEND)
        token = self._signin.token()
        found = send(replace(asked, token=token.value))
        # 401 to what must be sent once never gets here: something before the service may have said it.
        if isinstance(found, Reply) and found.status == 401 and self._signin.renew(token):
            found = send(replace(asked, token=self._signin.token().value))
        return found


def _veiled(secrets: tuple[SecretStr, ...], text: str) -> str:
    """A text of the service's without the secrets that it may repeat."""
    for secret in secrets:
        if len(value := secret.get_secret_value()) >= LEAST_HIDDEN:
            text = text.replace(value, "***")
    return _TOKEN.sub("***", text)


_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
"""A token as everybody writes them (JWT)."""
