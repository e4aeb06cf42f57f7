"""What a server cannot be started with, all of it at once. Knows values; others look where models come from."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterator
from typing import get_args
from urllib.parse import urlsplit

from wxtuning import tiny
from wxtuning.errors import PlanError
from wxtuning.server.settings import Platform, Settings
from wxtuning.server.trainings import origins
from wxtuning.server.trainings.catalog import MOST_RECORDS
from wxtuning.server.trainings.quotes import quoted

MOST_JOBS = 64
LONGEST_TOKEN_SECONDS = 366 * 24 * 3600
RANGES = {
    "port": (0, 65_535),
    "jobs": (1, MOST_JOBS),
    "least_rows": (1, MOST_RECORDS),
    "token_seconds": (1, LONGEST_TOKEN_SECONDS),
}
"""Settings that are numbers, with the least and the most."""

_HINT = "`wxtuning serve --help` and docs/server.md say what each setting means."

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.(?!-)[A-Za-z0-9_-]{1,63})*")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")


def check(settings: Settings) -> None:
    """Whether a server can be started so. Asks the Hub, for a moment, for models that are not on this machine.

    Raises:
        PlanError: naming every value that is none, with what was expected.
    """
    if problems := tuple(_problems(settings)):
        raise PlanError(problems, hint=_HINT)


def _problems(settings: Settings) -> Iterator[str]:
    if settings.platform not in get_args(Platform):
        yield f"platform is {quoted(settings.platform)}; expected cpd or cloud"
    for name, (least, most) in RANGES.items():
        value = getattr(settings, name)
        if not (math.isfinite(value) and least <= value <= most):
            yield f"{name} is {value}; expected {least:,} to {most:,}"
    for name in (settings.host, *settings.names):
        if not _is_host(name):
            yield f"{quoted(name)} is no host name; expected one such as tuner.example, or an address, without a port"
    for url in settings.endpoints:
        if not _is_origin(url):
            yield f"the endpoint {quoted(url)} is no address of a store; expected http://HOST:PORT or https://HOST"
    for name in settings.models:
        yield from _problems_of_name(name)
    yield from origins.problems(settings.models)


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return len(name) < 254 and _HOST_NAME.fullmatch(name) is not None
    return True


def _is_origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    shown = f"[{host}]" if ":" in host else host
    plain = f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}"
    return parts.scheme in ("http", "https") and _is_host(host) and url.rstrip("/").lower() == plain


def _problems_of_name(name: str) -> Iterator[str]:
    if not _MODEL_NAME.fullmatch(name):
        yield f"the model name {quoted(name)} cannot be; expected up to 200 letters, digits and . _ - /"
    if name == tiny.MODEL_ID:
        yield f"the model name {name} is that of the embedded model; choose another one"
