"""Tokens for a service, and which service it is: by the official SDK over our own transport. Sends nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from wxtuning.adapters.watsonx.answers import Veil, refusal, said
from wxtuning.adapters.watsonx.asks import Asked, Reply
from wxtuning.adapters.watsonx.ended import refuse_unknown
from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.adapters.watsonx.hosts import gives_tokens, origin
from wxtuning.adapters.watsonx.sdk import alone, quiet
from wxtuning.adapters.watsonx.settings import Settings, is_token, revealed
from wxtuning.adapters.watsonx.transport import Transport
from wxtuning.adapters.watsonx.until import held
from wxtuning.errors import AdapterError, NotAuthorized, WxTuningError
from wxtuning.retry import Deadline

VERSION_PATH = "/ml/wml_services/v2/version"


@dataclass(frozen=True)
class Token:
    """A token, and the how manieth time of signing in it comes from."""

    value: SecretStr
    number: int


@dataclass(frozen=True)
class _Made:
    client: Any
    number: int


class SignIn:
    """The SDK's client for one service; for all threads of a process.

    Args:
        settings: Which service, and who asks.
        transport: What its requests go over.
        veil: What must not be shown of the service's words.
    """

    def __init__(self, settings: Settings, transport: Transport, veil: Veil) -> None:
        self._settings = settings
        self._transport = transport
        self._veil = veil
        self._lock = threading.Lock()
        self._made: _Made | None = None

    @property
    def client(self) -> Any:
        """The SDK's client, signed in.

        Raises:
            NotAuthorized: if the credentials are refused.
            Unavailable: if nobody answers.
            AdapterError: if that is no such service.
        """
        with held(self._lock):
            return self._known().client

    def token(self) -> Token:
        """A token; the SDK renews it before it expires."""
        # In one at a time: the SDK, which renews it, makes others wait as long as the service is silent.
        with held(self._lock):
            made = self._known()
            with quiet():
                found = SecretStr(_answered(lambda: made.client.token))
        if not is_token(found):
            raise AdapterError("the service gave a token that cannot be sent", backend=BACKEND, hint="Sign in again.")
        return Token(found, made.number)

    def renew(self, refused: Token) -> bool:
        """Sign in anew, once for all threads whose token was refused; False if that cannot help."""
        if self._settings.token:
            return False
        with held(self._lock):
            # Not told by the token itself: two that are made in the same second may be the same.
            if self._made is None or self._made.number == refused.number:
                self._made = self._signed_in(refused.number + 1)
            return True

    def _known(self) -> _Made:
        if self._made is None:
            self._made = self._signed_in(1)
        return self._made

    def _signed_in(self, number: int) -> _Made:
        # Repeated around the SDK, not below it: the process is without its environment as long as one attempt takes.
        client = self._transport.patiently(lambda deadline: _answered(lambda: self._connected(deadline)))
        client.httpx_client = self._over(self._transport.send)
        return _Made(client, number)

    def _over(self, send: Callable[[Asked], Reply]) -> httpx.Client:
        return httpx.Client(transport=_Guarded(self._settings, send, self._veil), follow_redirects=False)

    def _connected(self, deadline: Deadline) -> Any:
        asked = self._settings
        with alone() as package:
            credentials = package.Credentials(
                url=asked.url, api_key=revealed(asked.api_key), username=asked.username,
                password=revealed(asked.password), token=revealed(asked.token), platform_url=asked.platform_url,
                auth_url=asked.auth_url, version=asked.version, verify=str(asked.ca) if asked.ca else True,
            )  # fmt: skip
            return package.APIClient(
                credentials,
                httpx_client=self._over(lambda request: self._transport.once(request, deadline)),
                async_httpx_client=httpx.AsyncClient(transport=_Unused()),
            )


def _answered(work: Callable[[], Any]) -> Any:
    """What the SDK answers, or its error as ours: without its frames, which hold keys."""
    try:
        return work()
    except WxTuningError as error:
        failure: WxTuningError = error
    except Exception as error:  # noqa: BLE001 - the SDK raises anything where an answer is not what it expects
        failure = _translated(error)
    failure.__cause__ = failure.__context__ = None
    raise failure.with_traceback(None)


def _translated(error: Exception) -> WxTuningError:
    # It reports two errors in one where it tried two ways to sign in; the second is that of the server named by url=.
    for inner in (*reversed(error.args), *vars(error).values()):
        if isinstance(inner, WxTuningError):
            return inner
    # Its words may repeat the service's, and those a key or a token: only what they are known to mean is said.
    words = str(getattr(error, "error_msg", ""))
    for theirs, (ours, hint) in OURS.items():
        if theirs in words:
            return AdapterError(f"the service could not be signed in to: {ours}", backend=BACKEND, hint=hint)
    return AdapterError(
        f"the service could not be signed in to: the SDK ended with {type(error).__name__}",
        backend=BACKEND,
        hint="Check url=, and on Cloud Pak for Data username= and version=.",
    )


OURS = {
    "`username` missing": (
        "it is one of Cloud Pak for Data, where a key alone is not enough",
        "Name the user whose key it is, in username= or WATSONX_USERNAME.",
    ),
    "Missing version": (
        "it is no known one of the cloud, and does not tell its version as Cloud Pak for Data does",
        "Check url=, the address of the server itself. If it is right, and the server is like IBM Cloud, name "
        "platform_url= and auth_url= too; if it is Cloud Pak for Data, its version, such as version='5.2'.",
    ),
}
"""What the SDK says of settings, by its own words, and what a caller of ours can do about it."""


class _Guarded(httpx.BaseTransport):
    """What the SDK signs in over: asks only hosts that were named, and says what is wrong before the SDK does."""

    def __init__(self, settings: Settings, send: Callable[[Asked], Reply], veil: Veil) -> None:
        self._settings = settings
        self._send = send
        self._veil = veil

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = _asked(request)
        self._check_host(asked)
        reply = self._send(asked)
        if asked.address.endswith(VERSION_PATH):
            self._check_version(asked, reply)
        # A platform that does not tell its version is asked for it in `version=`, by the SDK. Of any other answer that
        # is not the one it expects, it repeats the body.
        elif reply.status != 200:
            raise self._refusal(asked, reply)
        headers = {"content-type": reply.headers.get("content-type", "application/json")}
        return httpx.Response(reply.status, headers=headers, content=reply.body)

    def _check_host(self, asked: Asked) -> None:
        # The SDK guesses a host for passwords from the service's name; nobody said that it may have them.
        if origin(asked.address) not in self._settings.origins and not gives_tokens(asked.host):
            raise AdapterError(
                f"{asked.host} was not named as a place to sign in; nothing was sent there",
                backend=BACKEND,
                hint="Name the address that gives tokens in auth_url=.",
            )

    def _check_version(self, asked: Asked, reply: Reply) -> None:
        # The SDK says of any version that it does not know that a newer SDK would.
        if version := self._settings.version or _version_in(reply):
            refuse_unknown(version, _known_versions(), asked.host)

    def _refusal(self, asked: Asked, reply: Reply) -> AdapterError:
        if reply.status in (400, 401, 403):
            return NotAuthorized(
                f"{asked.host} does not take these credentials: {said(reply, self._veil)}", backend=BACKEND, hint=KEYS
            )
        if reply.is_good:
            return AdapterError(
                f"{asked.host} answered {asked.what} with HTTP {reply.status}; expected a token with HTTP 200",
                backend=BACKEND,
                hint=SERVICE,
            )
        found = refusal(asked, reply, self._veil)
        found.hint = found.hint or SERVICE
        return found


def _version_in(reply: Reply) -> str:
    """As a platform tells it; empty if it does not."""
    try:
        found = reply.json.get("version", "") if reply.is_good else ""
    except (ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""


def _known_versions() -> tuple[str, ...]:
    from ibm_watsonx_ai.utils.cpd_version import CPDVersion

    return tuple(CPDVersion.supported_version_list)


KEYS = (
    "Check the key: it may be mistyped, deleted, or of another account or cluster; Cloud Pak for Data needs "
    "username= too."
)
SERVICE = "Check url=, and on the cloud auth_url=: a service that signs in was expected there."


def _asked(request: httpx.Request) -> Asked:
    place = request.url
    kept = {
        name: request.headers[name] for name in ("authorization", "username", "iam-token") if name in request.headers
    }
    return Asked(
        method=request.method, address=f"{place.scheme}://{urlsplit(str(place)).netloc}{place.path}",
        query=tuple(place.params.multi_items()), body=request.read(), mime=request.headers.get("content-type", ""),
        headers=kept, safe=True,
    )  # fmt: skip


class _Unused(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise AdapterError("nothing is asked over the SDK's asynchronous client", backend=BACKEND)
