"""IBM's IAM in front of the storage: gives tokens for an API key, and takes requests that carry one unsigned."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from urllib.parse import parse_qs

from tests.storage.faults import UNKNOWN_TOKEN
from tests.storage.signing import signed
from tests.storage.wire import TOKEN_PATH, Answer, Exchange, Headers

API_KEY = "iam-api-key-9d3e5f7a1b2c"
INSTANCE_ID = "crn:v1:bluemix:public:cloud-object-storage:global:a/0:1::"
UNKNOWN_KEY = {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}


@dataclass
class Iam:
    """A gate for a `Wire`. It keeps the tokens it gave until they lapse, after `lifetime` seconds, or are revoked."""

    lifetime: int = 3600
    clock: Callable[[], float] = time.time
    tokens: dict[str, float] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)
    refused: int = 0
    """Token requests with a wrong key."""
    turned_away: int = 0
    """Requests to the storage with a token that was not valid (any more)."""
    numbers: count[int] = field(default_factory=lambda: count(1))

    def __call__(self, exchange: Exchange, headers: Headers, body: bytes) -> Answer:
        if exchange.request.path == TOKEN_PATH:
            return self._token(body)
        if not self._knows(exchange.request.header("authorization")):
            self.turned_away += 1
            return UNKNOWN_TOKEN.answer()
        return exchange.stored(signed(replace(exchange.request, headers=headers), body), body)

    def revoke(self) -> None:
        """Forget every token."""
        self.tokens.clear()

    def _knows(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self.tokens.get(token, 0) > self.clock()

    def _token(self, form: bytes) -> Answer:
        asked = {name: values[0] for name, values in parse_qs(form.decode()).items()}
        if asked.get("apikey") != API_KEY:
            self.refused += 1
            return _json(400, UNKNOWN_KEY)
        token = f"iam-bearer-token-{next(self.numbers)}-4b8e2a6d"
        self.given.append(token)
        self.tokens[token] = self.clock() + self.lifetime
        return _json(200, {
            "access_token": token, "refresh_token": "not_supported", "token_type": "Bearer",
            "expires_in": self.lifetime, "expiration": int(self.clock()) + self.lifetime,
        })  # fmt: skip


def _json(status: int, document: object) -> Answer:
    headers = (("Content-Type", "application/json"),)
    return Answer(status=status, headers=headers, body=json.dumps(document).encode())
