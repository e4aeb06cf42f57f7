"""Who asks: credentials, and how a request is signed with them. Knows nothing of what is asked.

Requests are signed where they leave, past the point where the SDK logs them: its log holds no token, at any level.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

from pydantic import SecretStr

from wxtuning.adapters.cos.faults import BACKEND
from wxtuning.adapters.cos.iam import Token, TokenService
from wxtuning.errors import NotAuthorized


@dataclass(frozen=True)
class Hmac:
    """An access key and its secret; `session_token` for keys that end."""

    access_key: str
    secret_key: SecretStr
    session_token: SecretStr | None = None


@dataclass(frozen=True)
class ApiKey:
    """An IAM API key; `instance_id` is that of the service instance."""

    api_key: SecretStr
    instance_id: str | None = None


Credentials = Hmac | ApiKey


def credentials_in(found: Mapping[str, Any]) -> Credentials | None:
    """The credentials among named values: access_key and secret_key (session_token), else api_key (instance_id)."""
    if found.get("access_key") and found.get("secret_key"):
        token = found.get("session_token")
        return Hmac(str(found["access_key"]), veiled(found["secret_key"]), veiled(token) if token else None)
    if found.get("api_key"):
        return ApiKey(veiled(found["api_key"]), found.get("instance_id"))
    return None


def veiled(secret: str | SecretStr) -> SecretStr:
    """A secret that shows itself to nobody by accident. Blanks around it are no part of it."""
    return secret if isinstance(secret, SecretStr) else SecretStr(secret.strip())


class Signer(Protocol):
    """Signs a request that is about to leave."""

    def sign(self, request: Any) -> None: ...


class Authority:
    """The credentials in use, until the store says that they have expired; for all threads of a process.

    Args:
        ask: Gives the credentials.
        can_change: Whether it may give others when those that it gave have expired.
        service: The token service for an API key.
        region: What a signature names as the region.
    """

    def __init__(
        self,
        ask: Callable[[], Credentials],
        service: Callable[[SecretStr], TokenService],
        region: str,
        *,
        can_change: bool,
    ) -> None:
        self._ask = ask
        self._can_change = can_change
        self._service = service
        self._region = region
        self._lock = threading.Lock()
        self._signer: _HmacSigner | _BearerSigner | None = None
        self.generation = 0

    def ready(self) -> Signer:
        """What signs the next request; fetches what it takes.

        Raises:
            NotAuthorized: if there are no credentials, or they are refused.
            TokensOut: if the token service does not answer.
        """
        with self._lock:
            if self._signer is None or self._signer.is_over():
                self._signer = self._made()
                self.generation += 1
            return self._signer

    def renew(self, generation: int) -> bool:
        """Forget the credentials of this generation, which have expired; says whether there may be new ones."""
        with self._lock:
            if self._signer is not None and self.generation == generation:
                if isinstance(self._signer, _HmacSigner) and not self._can_change:
                    return False
                self._signer = None
            return True

    def _made(self) -> _HmacSigner | _BearerSigner:
        credentials = self._ask()
        if isinstance(credentials, Hmac):
            return _HmacSigner(credentials, self._region)
        service = self._service(credentials.api_key)
        return _BearerSigner(service.token(), service.clock)


class _BearerSigner:
    """Puts a token into the request."""

    def __init__(self, token: Token, clock: Callable[[], float]) -> None:
        self._token = token
        self._clock = clock

    def is_over(self) -> bool:
        return self._clock() >= self._token.until

    def sign(self, request: Any) -> None:
        request.headers["Authorization"] = f"Bearer {self._token.value.get_secret_value()}"


class _HmacSigner:
    """Signs the request and its content, version 4."""

    def __init__(self, keys: Hmac, region: str) -> None:
        self._keys = keys
        self._region = region

    def is_over(self) -> bool:
        return False

    def sign(self, request: Any) -> None:
        from ibm_botocore.awsrequest import AWSRequest

        signed = AWSRequest(request.method, request.url, headers=_to_sign(request.headers), data=request.body)
        _quiet_signature()(self._botocore_keys(), "s3", self._region).add_auth(signed)
        for name in ("Authorization", "X-Amz-Date", "X-Amz-Content-SHA256", "X-Amz-Security-Token"):
            if name in signed.headers:
                request.headers[name] = signed.headers[name]

    def _botocore_keys(self) -> Any:
        from ibm_botocore.credentials import Credentials

        token = self._keys.session_token
        return Credentials(
            self._keys.access_key, self._keys.secret_key.get_secret_value(), token.get_secret_value() if token else None
        )


def _to_sign(headers: Mapping[str, str | bytes]) -> dict[str, str]:
    texts = {name: value.decode() if isinstance(value, bytes) else value for name, value in headers.items()}
    return {name: value for name, value in texts.items() if name.lower() != "content-length"}


@cache
def _quiet_signature() -> Any:
    from ibm_botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth

    class QuietSignature(S3SigV4Auth):  # type: ignore[misc]
        """Signs as its parent does, but logs nothing, for that holds the session token; hashes nothing twice."""

        def add_auth(self, request: Any) -> None:
            request.context["timestamp"] = datetime.now(UTC).strftime(SIGV4_TIMESTAMP)
            self._modify_request_before_signing(request)
            text = self.string_to_sign(request, self.canonical_request(request))
            self._inject_signature_to_request(request, self.signature(text, request))

        def payload(self, request: Any) -> Any:
            return getattr(request.data, "sha256", None) or super().payload(request)

    return QuietSignature


def nobody() -> NotAuthorized:
    """There are no credentials at all."""
    return NotAuthorized(
        "this COS store has no credentials: secrets do not travel with a store from process to process",
        backend=BACKEND,
        hint="Put them into the environment (COS_ACCESS_KEY_ID and COS_SECRET_ACCESS_KEY, or COS_API_KEY), "
        "or make the store anew.",
    )
