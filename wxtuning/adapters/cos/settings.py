"""What a COS store is told where nobody says otherwise: by the environment, by its endpoint. Asks nobody."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wxtuning.adapters.cos.address import host_of
from wxtuning.errors import PlanError

_IBM = re.compile(
    r"s3(?:-api)?\.(?:private\.|direct\.)?([a-z0-9-]+)\."
    r"(?:cloud-object-storage\.appdomain\.cloud|objectstorage\.softlayer\.net)"
)
DEFAULT_REGION = "us-east-1"


def region_of(endpoint: str) -> str:
    """The region that an endpoint of IBM names; the one that everybody else's servers take, for the others."""
    found = _IBM.fullmatch(urlsplit(endpoint).hostname or "")
    return found.group(1) if found else DEFAULT_REGION


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

    def other_endpoint(self, environ: Mapping[str, str], host: str) -> str:
        """What stands against this host, as a problem: that another one is set; empty if nothing does."""
        names = [name for name in self.names["endpoint"] if environ.get(name, "").strip()]
        found = host_of(environ[names[0]].strip()) if names else host
        return f"the address of the store is at {host}, but {names[0]} names {found}" if found != host else ""

    def _no_keys(self) -> str:
        hmac = f"{self._shown('access_key')} and {self._shown('secret_key')}"
        api_key = f", or {self._shown('api_key')}," if "api_key" in self.names else ""
        return f"{hmac}{api_key} are not set, and no keys were given"

    def _shown(self, setting: str) -> str:
        return self.names[setting][0] if setting in self.names else f"{setting}="


def _has_hmac(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("access_key") and settings.get("secret_key"))


class Settings:
    """What was given, and what the environment says where nothing was. Shows nobody what it holds.

    Args:
        variables: Which of the environment are asked.
        environ: The environment.
        given: What was given; None counts as nothing.
        host: Where the endpoint has to be; empty: anywhere. It is the endpoint where none is known.
    """

    def __init__(
        self, variables: Variables, environ: Mapping[str, str], given: Mapping[str, Any], host: str = ""
    ) -> None:
        # Raises nothing: a traceback would show the environment.
        chosen = {name: value for name, value in given.items() if value is not None}
        found = variables.read(environ)
        if any(name in chosen for name in KEYS):
            found = {name: value for name, value in found.items() if name not in KEYS}
        at_host = {"endpoint": f"https://{host}"} if host else {}
        self._all = {**at_host, **found, **chosen}
        elsewhere = variables.other_endpoint(environ, host) if host else ""
        self.problems = (*([elsewhere] if elsewhere else ()), *variables.missing(self._all))

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


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environ[name].strip() for name in names if environ.get(name, "").strip()), "")


def _without_second_keys(settings: dict[str, Any]) -> dict[str, Any]:
    # Where both are there, as in IBM's service credentials, HMAC keys are the better ones: they sign the content too.
    if _has_hmac(settings):
        return {name: value for name, value in settings.items() if name not in ("api_key", "instance_id")}
    return {name: value for name, value in settings.items() if name not in ("access_key", "secret_key")}
