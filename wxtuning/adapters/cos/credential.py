"""The JSON of an IBM service credential, as its console shows it. Knows its names; asks nobody.

Nothing here raises while it holds the text: a traceback would show it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wxtuning.adapters.cos.keys import misspelt
from wxtuning.adapters.cos.secret import veiled

_NAMES = (
    "apikey",
    "cos_hmac_keys",
    "endpoints",
    "resource_instance_id",
    *(f"iam_{name}" for name in ("apikey_description", "apikey_id", "apikey_name", "role_crn", "serviceid_crn")),
)
_HMAC_NAMES = ("access_key_id", "secret_access_key")
_SURELY = 0.8
"""How like one of these a name must be: a credential may hold others, which we need not know."""

WHAT_TO_COPY = (
    "Copy the whole JSON of a credential of your Object Storage instance; turn on 'Include HMAC credential' when you "
    "make one."
)


@dataclass(frozen=True)
class ServiceCredential:
    """The keys in a service credential, as settings of a store; or what is wrong with it."""

    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    problem: str = ""


def service_credential(given: object) -> ServiceCredential:
    """What an IBM service credential holds: its file, its text, or what was read of it. HMAC keys go first."""
    if isinstance(given, Mapping):
        return _in(given)
    if not isinstance(given, str | Path):
        return ServiceCredential(problem=f"the service credential is of type {type(given).__name__}; {_EXPECTED}")
    return _read(given)


_EXPECTED = "expected a file of one JSON object, its text, or a mapping"


def _read(given: str | Path) -> ServiceCredential:
    is_text = isinstance(given, str) and given.lstrip().startswith(("{", "[", '"'))
    try:
        found = json.loads(given if is_text else Path(given).read_text("utf-8-sig"))  # type: ignore[arg-type]
    except OSError as error:
        return ServiceCredential(problem=f"{_named(given)} cannot be read: {error.strerror}")
    except (ValueError, RecursionError):
        return ServiceCredential(problem=f"the service credential is no JSON; {_EXPECTED}")
    if not isinstance(found, dict):
        return ServiceCredential(problem=f"the service credential is JSON, but no object; {_EXPECTED}")
    return _in(found)


def _named(given: str | Path) -> str:
    # What has no look of a file may be a key that was given in the place of one.
    is_file = isinstance(given, Path) or given.endswith(".json")
    return f"the service credential {given}" if is_file else "the file of the service credential"


def _in(document: Mapping[Any, Any]) -> ServiceCredential:
    hmac = document.get("cos_hmac_keys") or {}
    if not isinstance(hmac, Mapping):
        return ServiceCredential(problem="'cos_hmac_keys' of the service credential is no JSON object")
    if wrong := misspelt(document, _NAMES, _SURELY) or misspelt(hmac, _HMAC_NAMES):
        return ServiceCredential(problem=f"the service credential cannot be used: {wrong}")
    if hmac and (missing := [name for name in _HMAC_NAMES if not hmac.get(name)]):
        return ServiceCredential(problem=f"'cos_hmac_keys' of the service credential holds no {missing[0]!r}")
    if wrong := _no_text({**document, **hmac}):
        return ServiceCredential(problem=f"{wrong!r} of the service credential is no text; expected one")
    if hmac:
        return ServiceCredential({"access_key": hmac["access_key_id"], "secret_key": veiled(hmac["secret_access_key"])})
    if not document.get("apikey"):
        return ServiceCredential(problem="the service credential holds neither 'apikey' nor 'cos_hmac_keys'")
    return ServiceCredential(
        {"api_key": veiled(document["apikey"]), "instance_id": document.get("resource_instance_id")}
    )


def _no_text(found: Mapping[Any, object]) -> str:
    needed = ("apikey", "resource_instance_id", *_HMAC_NAMES)
    return next((name for name in needed if name in found and not isinstance(found[name], str)), "")
