"""What a person says about a service: where it is, who asks, how patiently. Checked; asks nobody."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Set
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from wxtuning.adapters.watsonx.hosts import is_ibms, origin, tidy
from wxtuning.retry import Patience

if TYPE_CHECKING:
    import httpx

OnUnknown = Literal["settle", "ask"]

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""What a service calls things by, unlike a person."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A service, a project or space of it, and who asks; see `Watsonx`, which says what each means."""

    url: str
    project: str | None = None
    space: str | None = None
    create_project: bool = False
    api_key: SecretStr | None = field(default=None, repr=False)
    username: str | None = None
    password: SecretStr | None = field(default=None, repr=False)
    token: SecretStr | None = field(default=None, repr=False)
    ca: str | Path | None = None
    platform_url: str | None = None
    auth_url: str | None = None
    version: str | None = None
    connection: str | None = None
    submit_settle: float = 120.0
    on_unknown: OnUnknown = "settle"
    http_client: httpx.Client | None = field(default=None, repr=False, compare=False)
    patience: Patience = field(default_factory=Patience, repr=False, compare=False)

    @property
    def origins(self) -> frozenset[str]:
        """The servers that were named."""
        return frozenset(origin(url) for url in (self.url, self.platform_url, self.auth_url) if url)

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """What must be shown to nobody."""
        return tuple(secret for secret in (self.api_key, self.password, self.token) if secret)


def veiled(secret: str | SecretStr | None) -> SecretStr | None:
    """A secret that shows itself to nobody by accident; blanks around it are no part of it.

    What is no text becomes an empty one, so that it is not shown either.
    """
    if secret is None or isinstance(secret, SecretStr):
        return secret
    return SecretStr(secret.strip() if isinstance(secret, str) else "")


def without_user(url: str) -> str:
    """An address without the user and password that it may hold, which nobody may see and which are refused anyway."""
    return f"***@{url.rpartition('@')[2]}" if isinstance(url, str) and "@" in url else url


def revealed(secret: SecretStr | None) -> str | None:
    """The secret itself."""
    return secret.get_secret_value() if secret else None


def problems_of(settings: Settings) -> Iterator[str]:
    """All that is wrong with the settings."""
    yield from _problems_of_addresses(settings)
    yield from _problems_of_credentials(settings)
    yield from _problems_of_place(settings)
    yield from _problems_of_times(settings)
    yield from _problems_of_client(settings.http_client)
    if settings.ca is not None and (reason := _unusable(settings.ca)):
        yield f"ca={str(settings.ca)!r} cannot be used: {reason}"


EXAMPLES = {
    "url": "https://us-south.ml.cloud.ibm.com or https://cpd.example.com",
    "platform_url": "https://api.dataplatform.cloud.ibm.com",
    "auth_url": "https://iam.cloud.ibm.com/identity/token",
}


def _problems_of_addresses(settings: Settings) -> Iterator[str]:
    for name, example in EXAMPLES.items():
        url = getattr(settings, name)
        if url is None and name != "url":
            continue
        if not isinstance(url, str):
            yield f"{name}={url!r}; expected text, such as {example}"
        elif problem := _problem_of(name, url):
            yield f"{problem}; expected for example {example}"


def _problem_of(name: str, url: str) -> str:
    if "@" in url:
        return f"{name} holds a user or a password (an @); give them as arguments or in the environment"
    try:
        found, _ = urlsplit(url), origin(url)
    except ValueError:
        return f"{name}={url!r} is no address of a server"
    if found.scheme == "http" and found.hostname:
        return f"{name}={url!r} is not encrypted, which the official SDK refuses; `wxtuning serve --tls` is"
    if found.scheme != "https" or not found.hostname:
        return f"{name}={url!r} is no address of a server"
    return _problem_of_page(name, url, found)


def _problem_of_page(name: str, url: str, found: SplitResult) -> str:
    # Tokens have an address of their own; all others are found from that of the server.
    page = "" if name == "auth_url" else found.path.strip("/")
    if page or found.query or found.fragment:
        return (
            f"{name}={url!r} is no address of a server but of something there; the server's is https://{found.netloc}"
        )
    return ""


def _problems_of_credentials(settings: Settings) -> Iterator[str]:
    kinds = [name for name in ("api_key", "password", "token") if getattr(settings, name)]
    for name in ("api_key", "password", "token"):
        yield from _problems_of_secret(name, getattr(settings, name))
    if len(kinds) > 1:
        yield f"{' and '.join(f'{name}=' for name in kinds)} are given; expected one of them"
    if not kinds:
        yield "no credentials are given; expected api_key= (with username= on Cloud Pak for Data), password= or token="
    if settings.password and not settings.username:
        yield "username= is missing; expected it beside password="
    if settings.api_key and not settings.username and _is_cluster(settings):
        yield (
            "username= (or WATSONX_USERNAME) is missing; expected it beside api_key= on Cloud Pak for Data, which "
            f"{settings.url} is taken for: it is no address of IBM's, and no platform_url= is given"
        )
    for name in ("username", "version", "connection"):
        value = getattr(settings, name)
        if value is not None and not (isinstance(value, str) and value.strip()):
            yield f"{name}={value!r}; expected text"


def _is_cluster(settings: Settings) -> bool:
    """Whether the service is certainly one of Cloud Pak for Data; a cluster of IBM's own is not known by its name."""
    if settings.platform_url or not isinstance(settings.url, str) or _problem_of("url", settings.url):
        return False
    return not is_ibms(urlsplit(settings.url).netloc)


def _problems_of_secret(name: str, secret: SecretStr | None) -> Iterator[str]:
    if secret is not None and not secret:
        yield f"{name}= is empty, or is no text"
    elif secret and not secret.get_secret_value().isprintable():
        yield f"{name}= holds a line break or another character that cannot be typed; it is not shown here"
    elif secret and name == "token" and not is_token(secret):
        yield "token= holds a blank or a letter that no token has; it is not shown here"


def is_token(secret: SecretStr) -> bool:
    """Whether a text can be sent as a token."""
    value: object = secret.get_secret_value()
    return isinstance(value, str) and value != "" and value.isascii() and value.isprintable() and " " not in value


def _problems_of_place(settings: Settings) -> Iterator[str]:
    given = {name: getattr(settings, name) for name in ("project", "space")}
    for name, value in given.items():
        if value is not None and not (isinstance(value, str) and value.strip()):
            yield f"{name}={value!r}; expected a name or an id"
    if sum(value is not None for value in given.values()) != 1:
        both = "both are" if settings.project is not None else "neither is"
        yield f"{both} given; expected either project= or space=, a name or an id"
    if settings.create_project and settings.project is None:
        yield "create_project=True; expected project= with the name of the project to make"


def _problems_of_times(settings: Settings) -> Iterator[str]:
    settle = settings.submit_settle
    if isinstance(settle, bool) or not isinstance(settle, (int, float)) or not 0 <= settle <= 86_400:
        yield f"submit_settle={settle!r}; expected seconds from 0 to 86,400"
    if settings.on_unknown not in ("settle", "ask"):
        yield f"on_unknown={settings.on_unknown!r}; expected 'settle' or 'ask'"
    if not isinstance(settings.patience, Patience):
        yield f"patience={settings.patience!r}; expected a Patience"


def _problems_of_client(client: object) -> Iterator[str]:
    if client is None:
        return
    import httpx

    if not isinstance(client, httpx.Client):
        yield f"http_client={type(client).__name__}; expected an httpx.Client"
        return
    ways = {client._transport, *filter(None, client._mounts.values())}
    yield from _problems_of_ways(ways)


def _problems_of_ways(ways: Set[httpx.BaseTransport]) -> Iterator[str]:
    import httpx

    # What lies below such a transport cannot be seen, and the SDK's own repeats what must be sent once.
    if others := sorted({type(way).__name__ for way in ways if type(way) is not httpx.HTTPTransport}):
        yield (
            f"http_client= sends over {', '.join(others)}, which may send a request twice and so start a job twice; "
            "expected an httpx.Client with httpx's own transport"
        )
    if not all(_is_checking(trust) for way in ways for trust in _trusts_of(way)):
        yield (
            "http_client= does not check certificates, or not the names in them, so that anybody could take the key; "
            "expected verify=ssl.create_default_context(cafile=FILE), or no http_client= and the FILE in ca="
        )


def _trusts_of(way: httpx.BaseTransport) -> Iterator[ssl.SSLContext]:
    """What decides whom a transport trusts: servers, and a proxy that is reached over TLS."""
    pool = getattr(way, "_pool", None)
    found = (getattr(pool, name, None) for name in ("_ssl_context", "_proxy_ssl_context"))
    return (trust for trust in found if trust is not None)


def _is_checking(trust: ssl.SSLContext) -> bool:
    return trust.verify_mode == ssl.CERT_REQUIRED and trust.check_hostname


def _unusable(ca: object) -> str:
    if not isinstance(ca, (str, Path)):
        return "expected the path of a file"
    try:
        ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as cause:
        return str(cause.strerror) if isinstance(cause, FileNotFoundError) else "expected certificates in PEM format"
    return ""


def tidied(settings: Settings) -> Settings:
    """The same with addresses as they are compared."""
    urls: dict[str, Any] = {name: tidy(url) for name in EXAMPLES if (url := getattr(settings, name))}
    return replace(settings, **urls)


def public(settings: Settings) -> dict[str, Any]:
    """What may be shown, and what another process needs besides."""
    shown = {each.name: getattr(settings, each.name) for each in fields(settings) if each.repr}
    return {**shown, "patience": settings.patience}
