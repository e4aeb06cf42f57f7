"""Tokens of IBM Cloud IAM for an API key. Knows the token service; knows nothing of object storage.

The SDK has a token manager of its own. It asks three times with a wrong key, keeps a thread, and never asks again when
a token is refused; so we ask ourselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from wxtuning.adapters.cos.faults import (
    BACKEND,
    PASSING_STATUS,
    TokensOut,
    about_tls,
    of_vendors,
)
from wxtuning.adapters.cos.limits import Limits
from wxtuning.adapters.cos.redaction import bared
from wxtuning.adapters.cos.secret import NotText, can_travel, veiled
from wxtuning.adapters.cos.wire import session
from wxtuning.errors import AdapterError, NotAuthorized
from wxtuning.retry import retry_after

CLOUD = "https://iam.cloud.ibm.com/identity/token"

_GRANT = "urn:ibm:params:oauth:grant-type:apikey"
_NOBODY = "Basic Yng6Yng="
"""The client, bx, that IAM expects to be named; it is the same for everybody, and no secret."""

_SOONEST_SECONDS = 300.0
_CODE = re.compile(r"[A-Za-z0-9_]{1,32}")


_CHECK_ADDRESS = "Check auth_endpoint=; expected the address of an IAM token service."
_CHECK_KEY = "Check the key: it may be mistyped, deleted, locked, or of another account than auth_endpoint."


@dataclass(frozen=True)
class Token:
    """A bearer token, to be used until `until`, seconds on the clock it was asked with."""

    value: SecretStr
    until: float


@dataclass(frozen=True)
class TokenService:
    """Where tokens are had for an API key.

    Args:
        url: The endpoint, such as https://iam.cloud.ibm.com/identity/token.
        api_key: The key.
        ca: The file of a certificate authority; None: those that are commonly trusted.
        clock: Seconds, for the end of a token's life.
    """

    url: str
    api_key: SecretStr
    ca: str | Path | None
    clock: Callable[[], float]

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def token(self, limits: Limits) -> Token:
        """A new token; asks once.

        Args:
            limits: Of the transfer that needs it.

        Raises:
            NotAuthorized: if the key is refused.
            Unavailable: if the service cannot be trusted.
            TokensOut: if nobody answers, or not now.
        """
        asked = self.clock()
        answer = self._post(limits)
        if answer.status_code in (400, 401, 403):
            raise self._refused(answer)
        if answer.status_code in PASSING_STATUS:
            raise TokensOut(self.host, f"HTTP {answer.status_code}", retry_after(answer.headers))
        if answer.status_code >= 300 or not (token := _token(answer, asked)):
            raise self._no_service(answer)
        return token

    def _post(self, limits: Limits) -> Any:
        server = session(self.url, ca=self.ca, limits=limits, connections=1)
        try:
            return server.send(self._request())
        except of_vendors() as cause:
            if final := about_tls(cause, self.host):
                raise final from bared(cause)
            raise TokensOut(self.host, str(cause) or type(cause).__name__) from bared(cause)
        finally:
            server.close()

    def _request(self) -> Any:
        from ibm_botocore.awsrequest import AWSRequest

        return AWSRequest(
            "POST",
            self.url,
            headers={
                "Accept": "application/json",
                "Authorization": _NOBODY,
                "Content-Type": "application/x-www-form-urlencoded",
            },
            data=urlencode(
                {
                    "grant_type": _GRANT,
                    "response_type": "cloud_iam",
                    "apikey": self.api_key.get_secret_value(),
                }
            ).encode(),
        ).prepare()

    def _refused(self, answer: Any) -> NotAuthorized:
        found = _document(answer)
        code = _CODE.fullmatch(str(found.get("errorCode") or found.get("error") or ""))
        return NotAuthorized(
            f"{self.host} gives no token for this API key ({code[0] if code else f'HTTP {answer.status_code}'})",
            backend=BACKEND,
            hint=_CHECK_KEY if code else f"{_CHECK_ADDRESS} If it is one: {_CHECK_KEY}",
        )

    def _no_service(self, answer: Any) -> AdapterError:
        return AdapterError(
            f"{self.url} answered no token (HTTP {answer.status_code})",
            backend=BACKEND,
            hint=_CHECK_ADDRESS,
        )


def _token(answer: Any, asked: float) -> Token | None:
    found = _document(answer)
    value, life = veiled(found.get("access_token")), found.get("expires_in")
    if not value or isinstance(value, NotText) or not can_travel(value) or not _is_life(life):
        return None
    # Renewed while it still lives: a request must not begin with a token that ends on the way.
    return Token(value, asked + life - min(_SOONEST_SECONDS, life / 4))


def _is_life(seconds: object) -> TypeGuard[float]:
    return isinstance(seconds, int | float) and 0 < seconds < float("inf")


def _document(answer: Any) -> dict[str, Any]:
    try:
        found = json.loads(answer.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
