"""Who asks: credentials, and how a request is signed with them. Knows nothing of what is asked.

Requests are signed where they leave, past the point where the SDK logs them: its log holds no token, at any level.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from types import NoneType
from typing import Any, Protocol

from pydantic import SecretStr

from wxtuning.adapters.cos.faults import BACKEND
from wxtuning.adapters.cos.iam import Token, TokenService
from wxtuning.adapters.cos.limits import Limits
from wxtuning.adapters.cos.secret import can_travel, plain, veiled
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


NAMES = ("access_key", "secret_key", "session_token", "api_key", "instance_id")


def credentials_in(found: Mapping[str, Any]) -> Credentials | None:
    """The credentials among named values: access_key and secret_key (session_token), else api_key (instance_id)."""
    secret, token, api_key = (veiled(found.get(name)) for name in ("secret_key", "session_token", "api_key"))
    if found.get("access_key") and secret:
        return Hmac(plain(found["access_key"]), secret, token)
    return ApiKey(api_key, found.get("instance_id")) if api_key else None


def given_by(function: Callable[[], object]) -> Credentials:
    """The credentials that a function gives.

    Raises:
        NotAuthorized: if they are none; names what is misspelt or missing.
    """
    found = _understood(function())
    if isinstance(found, str):
        raise NotAuthorized(
            f"the function in credentials= gave no keys: {found}",
            backend=BACKEND,
            hint="Let it return a dict of access_key and secret_key (and session_token), or of api_key.",
        )
    return found


def _understood(answer: object) -> Credentials | str:
    # Raises nothing: a traceback would show a frame that holds keys.
    if not isinstance(answer, Mapping):
        return f"it returned {type(answer).__name__}, expected a mapping of names to keys"
    if wrong := misspelt(answer, NAMES):
        return wrong
    if kinds := [name for name in NAMES if not isinstance(answer.get(name), str | SecretStr | NoneType)]:
        return f"{kinds[0]} is of type {type(answer[kinds[0]]).__name__}, expected text"
    if unfit := [name for name in ("access_key", "session_token") if not can_travel(answer.get(name))]:
        return f"{unfit[0]} holds a line end or another character that no request can carry"
    return credentials_in(answer) or "neither access_key and secret_key nor api_key is there"


def misspelt(found: Mapping[Any, object], names: Sequence[str], cutoff: float = 0.6) -> str:
    """Which of the names that were found is nearly one of these and which one that is; empty if none is."""
    for each in (name for name in found if isinstance(name, str) and name not in names):
        # A name that is like none of ours is not repeated: who mixes up names and values has a key there.
        if nearest := get_close_matches(each.lower(), names, 1, cutoff):
            return f"{each!r} is no name of a key; did you mean {nearest[0]!r}?"
    return ""


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

    def ready(self, limits: Limits) -> Signer:
        """What signs the next request; fetches what it takes, within the limits of the transfer that needs it.

        Raises:
            NotAuthorized: if there are no credentials, or they are refused.
            TokensOut: if the token service does not answer.
        """
        with self._alone(limits):
            if self._signer is None or self._signer.is_over():
                self._signer = self._made(limits)
                self.generation += 1
            return self._signer

    def renew(self, generation: int, limits: Limits) -> bool:
        """Forget the credentials of this generation, which have expired; says whether there may be new ones."""
        with self._alone(limits):
            if self._signer is not None and self.generation == generation:
                if isinstance(self._signer, _HmacSigner) and not self._can_change:
                    return False
                self._signer = None
            return True

    @contextmanager
    def _alone(self, limits: Limits) -> Iterator[None]:
        # Another transfer may hold it while it waits for a token, by limits of its own.
        limits.within(limits.read_seconds, self._take_turn)
        try:
            yield
        finally:
            self._lock.release()

    def _take_turn(self, seconds: float) -> None:
        if not self._lock.acquire(timeout=seconds):
            raise TimeoutError

    def _made(self, limits: Limits) -> _HmacSigner | _BearerSigner:
        credentials = self._ask()
        if isinstance(credentials, Hmac):
            return _HmacSigner(credentials, self._region)
        service = self._service(credentials.api_key)
        return _BearerSigner(service.token(limits), service.clock)


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
