"""What is wrong with what a store was told, in words and all at once; a secret is in none of them. Asks nobody."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from wxtuning.adapters.cos.address import BUCKET, HOST, SCHEMES
from wxtuning.adapters.cos.parts import LARGEST_PART, SMALLEST_PART
from wxtuning.adapters.cos.secret import NotText, can_travel
from wxtuning.retry import Patience

LONGEST_PREFIX_BYTES = 680
"""A key has room for 1,024 bytes, of which the names of owners and files take up to 340."""

KEYS_OR_API_KEY = "expected either access_key= and secret_key= (HMAC keys) or api_key= (IAM)"

_LOOPBACK = re.compile(r"localhost|127(\.[0-9]+){3}|::1|.*\.localhost")
_EXAMPLES = {
    "endpoint": "https://s3.eu-de.cloud-object-storage.appdomain.cloud",
    "auth_endpoint": "https://iam.cloud.ibm.com/identity/token",
}
_SECRETS = ("access_key", "secret_key", "session_token", "api_key", "credentials")
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("endpoint", "auth_endpoint", "bucket", "prefix", "scheme"), ((str,), "text")),
    **dict.fromkeys(("access_key", "instance_id", "region"), ((str, NoneType), "text or None")),
    **dict.fromkeys(("secret_key", "session_token", "api_key"), ((SecretStr, NoneType), "text, a SecretStr or None")),
    **dict.fromkeys(("part_bytes", "workers"), ((int,), "a whole number")),
    "ca": ((str, Path, NoneType), "the path of a file, or None"),
    "timeout": ((int, float, NoneType), "seconds above 0, or None"),
    "allow_http": ((bool,), "True or False"),
    "patience": ((Patience,), "a Patience, or None"),
}


def problems_of(told: Mapping[str, Any]) -> Iterator[str]:
    """Everything that is wrong with the settings of a store, by their names."""
    fit = {name: value for name, value in told.items() if _is_fit(name, value)}
    yield from (_of_kind(name, told[name]) for name in told if name not in fit)
    for name, check in _CHECKS.items():
        if name in fit:
            yield from check(fit[name])
    for name in _EXAMPLES:
        if name in fit:
            yield from _of_server(name, fit[name], allow_http=told["allow_http"] is True)
    if all(name in fit for name in _SECRETS):
        yield from _of_keys({name: bool(value) for name, value in fit.items() if name in _SECRETS})


def _is_fit(name: str, value: object) -> bool:
    if name == "credentials":
        return value is None or callable(value)
    kinds, _ = _KINDS[name]
    # True is a whole number to Python, to nobody else.
    return isinstance(value, kinds) and isinstance(value, bool) <= (bool in kinds) and not isinstance(value, NotText)


def _of_kind(name: str, value: object) -> str:
    expected = "a function that gives keys, or None" if name == "credentials" else _KINDS[name][1]
    if name in _SECRETS or not isinstance(value, str | int | float | NoneType):
        kind = value.get_secret_value() if isinstance(value, NotText) else type(value).__name__
        return f"{name}= is of type {kind}; expected {expected}"
    return f"{name}={value!r}; expected {expected}"


def _of_bucket(bucket: str) -> Iterator[str]:
    if not BUCKET.fullmatch(bucket):
        yield f"bucket={bucket!r} is no bucket's name; expected 3 to 255 letters, digits, '-', '_' or '.'"


def _of_prefix(prefix: str) -> Iterator[str]:
    if wrong := next((letter for letter in prefix if letter in "?#" or not letter.isprintable()), None):
        yield f"prefix={prefix!r} holds {wrong!r}; expected letters, digits, '-', '_', '.' and '/'"
    elif prefix.startswith("/"):
        yield f"prefix={prefix!r} begins with '/'; expected none in front"
    elif wrong := next((step for step in prefix.split("/") if step in (".", "..")), None):
        yield f"prefix={prefix!r} holds {wrong!r} as a folder; expected names only"
    elif "//" in prefix:
        yield f"prefix={prefix!r} holds '//'; expected one '/' between two names"
    elif (size := len(prefix.encode())) > LONGEST_PREFIX_BYTES:
        yield f"prefix={prefix[:20]!r}… is {size:,} bytes long; expected up to {LONGEST_PREFIX_BYTES}"


def _of_scheme(scheme: str) -> Iterator[str]:
    if scheme not in SCHEMES:
        yield f"scheme={scheme!r}; expected 'cos' or 's3'"


def _of_region(region: str | None) -> Iterator[str]:
    if region and not re.fullmatch(r"[A-Za-z0-9_-]+", region):
        yield f"region={region!r} is no region; expected for example 'eu-de'"


def _of_part_bytes(part_bytes: int) -> Iterator[str]:
    if not SMALLEST_PART <= part_bytes <= LARGEST_PART:
        yield f"part_bytes={part_bytes:,}; expected {SMALLEST_PART:,} to {LARGEST_PART:,} (5 MiB to 5 GiB)"


def _of_workers(workers: int) -> Iterator[str]:
    if not 1 <= workers <= 16:
        yield f"workers={workers}; expected 1 to 16"


def _of_timeout(timeout: float | None) -> Iterator[str]:
    if timeout is not None and not (timeout > 0 and math.isfinite(timeout)):
        yield f"timeout={timeout}; expected seconds above 0, or None"


def _of_header(name: str) -> Callable[[Any], Iterator[str]]:
    def check(value: str | SecretStr | None) -> Iterator[str]:
        if not can_travel(value):
            yield f"{name}= holds a line end or another character that no request can carry; expected the key alone"

    return check


_CHECKS: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "bucket": _of_bucket,
    "prefix": _of_prefix,
    "scheme": _of_scheme,
    "region": _of_region,
    "part_bytes": _of_part_bytes,
    "workers": _of_workers,
    "timeout": _of_timeout,
    **{name: _of_header(name) for name in ("access_key", "session_token")},
}


def _of_server(name: str, url: str, *, allow_http: bool) -> Iterator[str]:
    try:
        found = urlsplit(url)
        host, _ = found.hostname, found.port
    except ValueError:
        found, host = urlsplit(""), None
    is_address = found.scheme in ("http", "https") and host and HOST.fullmatch(found.netloc) and url.isprintable()
    if "@" in found.netloc:
        yield f"{name} holds a user or a password; give keys as arguments or in the environment"
    elif not is_address or found.query or found.fragment:
        yield f"{name}={url!r} is no address of a server; expected for example {_EXAMPLES[name]}"
    elif name == "endpoint" and found.path.strip("/"):
        yield f"{name}={url!r} holds a path; expected the server alone: a bucket is named in bucket="
    elif found.scheme == "http" and not (allow_http or _LOOPBACK.fullmatch(str(host))):
        yield f"{name}={url!r} is not encrypted; expected https://, or allow_http=True for a network of your own"


def _of_keys(given: Mapping[str, bool]) -> Iterator[str]:
    hmac = (given["access_key"], given["secret_key"])
    if hmac[0] != hmac[1]:
        yield f"{'secret_key' if hmac[0] else 'access_key'}= is missing; {KEYS_OR_API_KEY}"
    elif sum((hmac[0], given["api_key"], given["credentials"])) > 1:
        yield f"more than one kind of credentials was given; {KEYS_OR_API_KEY}, or credentials="
    elif not (hmac[0] or given["api_key"] or given["credentials"]):
        yield f"no credentials were given; {KEYS_OR_API_KEY}"
