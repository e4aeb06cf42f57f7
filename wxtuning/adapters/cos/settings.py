"""What a COS store is told, and from where: arguments, the environment, IBM's service credentials. Asks nobody."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from wxtuning.adapters.cos.parts import LARGEST_PART, SMALLEST_PART
from wxtuning.errors import PlanError

_IBM = re.compile(
    r"s3(?:-api)?\.(?:private\.|direct\.)?([a-z0-9-]+)\."
    r"(?:cloud-object-storage\.appdomain\.cloud|objectstorage\.softlayer\.net)"
)
DEFAULT_REGION = "us-east-1"
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]+){3}|::1|.*\.localhost")


def region_of(endpoint: str) -> str:
    """The region that an endpoint of IBM names; the one that everybody else's servers take, for the others."""
    found = _IBM.fullmatch(urlsplit(endpoint).hostname or "")
    return found.group(1) if found else DEFAULT_REGION


def problems_of_address(endpoint: str, bucket: str, auth_endpoint: str, *, allow_http: bool) -> Iterator[str]:
    """What is wrong with where files should go, and with where tokens come from."""
    yield from _problems_of_server("endpoint", endpoint, allow_http=allow_http)
    yield from _problems_of_server("auth_endpoint", auth_endpoint, allow_http=allow_http)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", bucket):
        yield f"bucket={bucket!r} is no bucket's name; expected 3 to 63 letters, digits, '-' or '.'"


def _problems_of_server(name: str, url: str, *, allow_http: bool) -> Iterator[str]:
    try:
        found = urlsplit(url)
        host, _ = found.hostname, found.port
    except ValueError:
        found, host = urlsplit(""), None
    if "@" in found.netloc:
        yield f"{name} holds a user or a password; give keys as arguments or in the environment"
    elif found.scheme not in ("http", "https") or not host or found.query or found.fragment:
        yield f"{name}={url!r} is no address of a server; expected for example {_EXAMPLES[name]}"
    elif found.scheme == "http" and not (allow_http or _LOOPBACK.fullmatch(host)):
        yield f"{name}={url!r} is not encrypted; expected https://, or allow_http=True for a network of your own"


_EXAMPLES = {
    "endpoint": "https://s3.eu-de.cloud-object-storage.appdomain.cloud",
    "auth_endpoint": "https://iam.cloud.ibm.com/identity/token",
}


def problems_of_numbers(part_bytes: int, workers: int, timeout: float | None) -> Iterator[str]:
    """What is wrong with sizes and times."""
    if not SMALLEST_PART <= part_bytes <= LARGEST_PART:
        yield f"part_bytes={part_bytes:,}; expected {SMALLEST_PART:,} to {LARGEST_PART:,} (5 MiB to 5 GiB)"
    if not 1 <= workers <= 16:
        yield f"workers={workers}; expected 1 to 16"
    if timeout is not None and timeout <= 0:
        yield f"timeout={timeout}; expected seconds above 0, or None"


def check_bundle(ca: str | Path) -> None:
    """Make sure that a file holds certificates.

    Raises:
        PlanError: if it does not.
    """
    try:
        ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as cause:
        reason = cause.strerror if isinstance(cause, FileNotFoundError) else "expected certificates in PEM format"
        raise PlanError([f"ca={str(ca)!r} cannot be used: {reason}"]) from cause


KEYS_OR_API_KEY = "expected either access_key= and secret_key= (HMAC keys) or api_key= (IAM)"


def problems_of_keys(*, hmac: tuple[bool, bool], iam: bool, asked: bool) -> Iterator[str]:
    """What is wrong with which credentials were given: the halves of an HMAC key, an API key, a function to ask."""
    if hmac[0] != hmac[1]:
        yield f"{'secret_key' if hmac[0] else 'access_key'}= is missing; {KEYS_OR_API_KEY}"
    elif sum((hmac[0], iam, asked)) > 1:
        yield f"more than one kind of credentials was given; {KEYS_OR_API_KEY}, or credentials="
    elif not (hmac[0] or iam or asked):
        yield f"no credentials were given; {KEYS_OR_API_KEY}"


@dataclass(frozen=True)
class Variables:
    """The names of the environment's variables for one kind of address; for each setting the first that is set."""

    names: Mapping[str, tuple[str, ...]]

    def read(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """The settings that are there."""
        found = {setting: _first(environ, names) for setting, names in self.names.items()}
        return _without_second_keys({setting: value for setting, value in found.items() if value})

    def missing(self, settings: Mapping[str, Any]) -> list[str]:
        """What is not there and has to be, as problems."""
        needed = [setting for setting in ("endpoint", "bucket") if not settings.get(setting)]
        problems = [f"{self._shown(setting)} is not set, and no {setting}= was given" for setting in needed]
        if not (settings.get("credentials") or settings.get("api_key") or _has_hmac(settings)):
            problems.append(self._no_keys())
        return problems

    def _no_keys(self) -> str:
        hmac = f"{self._shown('access_key')} and {self._shown('secret_key')}"
        api_key = f", or {self._shown('api_key')}," if "api_key" in self.names else ""
        return f"{hmac}{api_key} are not set, and no keys were given"

    def _shown(self, setting: str) -> str:
        return self.names[setting][0] if setting in self.names else f"{setting}="


def _has_hmac(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("access_key") and settings.get("secret_key"))


class Settings:
    """What was given, and what the environment says where nothing was. Shows nobody what it holds."""

    def __init__(self, variables: Variables, environ: Mapping[str, str], given: Mapping[str, Any]) -> None:
        self._variables = variables
        chosen = {name: value for name, value in given.items() if value is not None}
        found = variables.read(environ)
        if any(name in chosen for name in KEYS):
            found = {name: value for name, value in found.items() if name not in KEYS}
        self._all = {**found, **chosen}

    def missing(self) -> list[str]:
        """What is not there and has to be, as problems."""
        return self._variables.missing(self._all)

    def all(self) -> dict[str, Any]:
        """The arguments of a store."""
        return self._all


KEYS = ("access_key", "secret_key", "session_token", "api_key", "credentials")


COS = Variables(
    {
        "endpoint": ("COS_ENDPOINT",),
        "bucket": ("COS_BUCKET",),
        "prefix": ("COS_PREFIX",),
        "access_key": ("COS_ACCESS_KEY_ID",),
        "secret_key": ("COS_SECRET_ACCESS_KEY",),
        "api_key": ("COS_API_KEY",),
        "instance_id": ("COS_INSTANCE_ID",),
        "auth_endpoint": ("COS_AUTH_ENDPOINT",),
        "region": ("COS_REGION",),
        "ca": ("COS_CA_BUNDLE",),
    }
)
AWS = Variables(
    {
        "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        "access_key": ("AWS_ACCESS_KEY_ID",),
        "secret_key": ("AWS_SECRET_ACCESS_KEY",),
        "session_token": ("AWS_SESSION_TOKEN",),
        "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
        "ca": ("AWS_CA_BUNDLE",),
    }
)
SCHEMES = {"cos": COS, "s3": AWS}


def _veiled(secret: object) -> SecretStr | None:
    return SecretStr(secret) if secret and isinstance(secret, str) else None


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environ[name].strip() for name in names if environ.get(name, "").strip()), "")


def _without_second_keys(settings: dict[str, Any]) -> dict[str, Any]:
    # Where both are there, as in IBM's service credentials, HMAC keys are the better ones: they sign the content too.
    if _has_hmac(settings):
        return {name: value for name, value in settings.items() if name not in ("api_key", "instance_id")}
    return {name: value for name, value in settings.items() if name not in ("access_key", "secret_key")}


def bucket_in(uri: str) -> tuple[str, str, str]:
    """Scheme, bucket and prefix of an address.

    Raises:
        PlanError: if it is none of a bucket.
    """
    found = urlsplit(uri)
    if found.scheme not in SCHEMES or not found.hostname or found.query or found.fragment or "@" in found.netloc:
        raise PlanError(
            ["the address of the store is no address of a bucket; expected cos://bucket/prefix or s3://bucket/prefix"]
        )
    return found.scheme, found.netloc, found.path.strip("/")


def service_credentials(given: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """The settings in the JSON of an IBM service credential: its file, its text, or what was read of it.

    Raises:
        PlanError: if it is none.
    """
    document = given if isinstance(given, Mapping) else _read(given)
    hmac = document.get("cos_hmac_keys") or {}
    settings = _without_second_keys(
        {
            "access_key": hmac.get("access_key_id"),
            "secret_key": _veiled(hmac.get("secret_access_key")),
            "api_key": _veiled(document.get("apikey")),
            "instance_id": document.get("resource_instance_id"),
        }
    )
    if not (settings.get("access_key") or settings.get("api_key")):
        raise PlanError(
            ["the service credential holds neither 'apikey' nor 'cos_hmac_keys'"],
            hint="Copy the whole JSON of a credential of your Object Storage instance; "
            "turn on 'Include HMAC credential' when you make one.",
        )
    return settings


def _read(given: str | Path) -> Mapping[str, Any]:
    # Nothing of the text may reach a message, or a frame that a traceback shows: it is a secret.
    text = ""
    try:
        text = given if isinstance(given, str) and given.lstrip().startswith("{") else Path(given).read_text("utf-8")
        found = json.loads(text)
    except OSError as cause:
        raise PlanError([f"the service credential {given} cannot be read: {cause.strerror}"]) from cause
    except ValueError:
        found = None
    del given, text
    if not isinstance(found, dict):
        raise PlanError(["the service credential cannot be read as JSON; expected a file of one object, or its text"])
    return found
