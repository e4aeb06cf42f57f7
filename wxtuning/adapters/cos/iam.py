"""Tokens of IBM Cloud IAM for an API key. Knows the token service; knows nothing of object storage.

The SDK has a token manager of its own. It asks three times with a wrong key, keeps a thread, and never asks again when
a token is refused; so we ask ourselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from wxtuning.adapters.cos.faults import BACKEND, TokensOut, is_about_certificates, retry_after, untrusted
from wxtuning.errors import AdapterError, NotAuthorized

CLOUD = "https://iam.cloud.ibm.com/identity/token"

_GRANT = "urn:ibm:params:oauth:grant-type:apikey"
_NOBODY = ("bx", "bx")
"""The client that IAM expects to be named; it is the same for everybody, and no secret."""

_SOONEST_SECONDS = 300.0


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
        connect_seconds, read_seconds: How long to wait.
        clock: Seconds, for the end of a token's life.
    """

    url: str
    api_key: SecretStr
    ca: str | Path | None
    connect_seconds: float
    read_seconds: float
    clock: Callable[[], float]

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def token(self) -> Token:
        """A new token; asks once.

        Raises:
            NotAuthorized: if the key is refused.
            Unavailable: if the service cannot be trusted.
            TokensOut: if nobody answers, or not now.
        """
        asked = self.clock()
        answer = self._post()
        if answer.status_code in (400, 401, 403):
            raise self._refused(answer)
        if answer.status_code >= 300:
            raise TokensOut(self.host, f"HTTP {answer.status_code}", retry_after(answer.headers))
        if not (token := _token(answer, asked)):
            raise self._no_service(answer)
        return token

    def _post(self) -> Any:
        import httpx

        limits = httpx.Timeout(self.read_seconds, connect=self.connect_seconds)
        try:
            with httpx.Client(verify=_trusted(self.ca), timeout=limits, follow_redirects=False) as client:
                return client.post(
                    self.url,
                    auth=_NOBODY,
                    headers={"Accept": "application/json"},
                    data={
                        "grant_type": _GRANT,
                        "response_type": "cloud_iam",
                        "apikey": self.api_key.get_secret_value(),
                    },
                )
        except httpx.HTTPError as cause:
            if is_about_certificates(cause):
                raise untrusted(self.host) from cause
            raise TokensOut(self.host, str(cause) or type(cause).__name__) from cause

    def _refused(self, answer: Any) -> NotAuthorized:
        found = _document(answer)
        code = found.get("errorCode") or found.get("error") or f"HTTP {answer.status_code}"
        return NotAuthorized(
            f"{self.host} gives no token for this API key ({code})",
            backend=BACKEND,
            hint="Check the key: it may be mistyped, deleted, locked, or of another account than auth_endpoint.",
        )

    def _no_service(self, answer: Any) -> AdapterError:
        return AdapterError(
            f"{self.url} answered no token (HTTP {answer.status_code})",
            backend=BACKEND,
            hint="Check auth_endpoint=; expected the address of an IAM token service.",
        )


def _token(answer: Any, asked: float) -> Token | None:
    found = _document(answer)
    try:
        value, life = SecretStr(found["access_token"]), float(found["expires_in"])
    except (KeyError, TypeError, ValueError):
        return None
    # Renewed while it still lives: a request must not begin with a token that ends on the way.
    return Token(value, asked + life - min(_SOONEST_SECONDS, life / 4))


def _trusted(ca: str | Path | None) -> Any:
    if ca is None:
        return True
    import ssl

    return ssl.create_default_context(cafile=str(ca))


def _document(answer: Any) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
