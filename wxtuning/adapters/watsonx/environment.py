"""Where settings come from that nobody typed: the environment, and what `wxtuning serve` wrote. Asks no service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wxtuning.adapters.watsonx.hosts import tidy
from wxtuning.adapters.watsonx.settings import veiled, without_user
from wxtuning.errors import PlanError

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "url": ("WATSONX_URL",),
    "api_key": ("WATSONX_APIKEY", "WATSONX_API_KEY"),
    "username": ("WATSONX_USERNAME",),
    "password": ("WATSONX_PASSWORD",),
    "token": ("WATSONX_TOKEN",),
    "project": ("WATSONX_PROJECT_ID", "WATSONX_PROJECT"),
    "space": ("WATSONX_SPACE_ID", "WATSONX_DEPLOYMENT_SPACE_ID"),
    "ca": ("WATSONX_CA",),
    "platform_url": ("WATSONX_PLATFORM_URL",),
    "auth_url": ("WATSONX_AUTH_URL",),
    "version": ("WATSONX_VERSION",),
}
"""What the environment may say, under the names of IBM's and LangChain's users; the first that is set counts."""

SECRETS = ("api_key", "password", "token")
ADDRESSES = ("url", "platform_url", "auth_url")
ALTERNATIVES = (SECRETS, ("project", "space"))
"""Of these one is enough: what was given stands for all of them."""


def said(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings in the environment."""
    found = hidden({name: value for name, names in VARIABLES.items() if (value := _first(environ, names))})
    for group in ALTERNATIVES:
        there = [name for name in group if name in found]
        found = {name: value for name, value in found.items() if name not in there[1:]}
    return found


def complete(told: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the environment, those given before them.

    Raises:
        PlanError: if something is missing; names all of it.
    """
    found = chosen(told, given)
    if problems := list(_missing(found)):
        raise PlanError(problems)
    return found


def hidden(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with secrets that show themselves to nobody; done before anything can go wrong in a frame with them."""
    hiding = {**dict.fromkeys(SECRETS, veiled), **dict.fromkeys(ADDRESSES, without_user)}
    return {name: hiding[name](value) if name in hiding else value for name, value in values.items()}


def _missing(found: Mapping[str, Any]) -> Iterator[str]:
    for group in (("url",), *ALTERNATIVES):
        if not any(found.get(name) for name in group):
            names = " or ".join(VARIABLES[name][0] for name in group)
            yield f"{names} is not set, and no {' or '.join(f'{name}=' for name in group)} was given"


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environ[name].strip() for name in names if environ.get(name, "").strip()), "")


def from_ready(file: str | Path) -> dict[str, Any]:
    """The settings in what `wxtuning serve --ready-file` wrote.

    Raises:
        PlanError: if it is no such file.
    """
    told = _read(file)
    missing = [name for name in ("url", "platform", "api_key", "project_id") if not told.get(name)]
    if missing:
        raise PlanError([f"{file} does not say {', '.join(missing)}; expected what `wxtuning serve` wrote"])
    found = {"url": told["url"], "ca": told.get("ca"), "project": told["project_id"]}
    if told["platform"] == "cloud":
        found |= {"platform_url": told["url"], "auth_url": f"{told['url']}/identity/token"}
    else:
        found["username"] = told.get("username")
    return {**found, "api_key": told["api_key"]}


def _read(file: str | Path) -> Mapping[str, Any]:
    # Nothing of the text may reach a message or a frame that a traceback shows: it holds keys.
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as cause:
        raise PlanError([f"{file} cannot be read: {cause.strerror}"], hint=READY) from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise PlanError([f"{file} holds no JSON object"], hint=READY)
    return hidden({name: found.get(name) for name in TOLD})


TOLD = ("url", "platform", "ca", "username", "api_key", "project_id")
READY = "Start the server with `wxtuning serve --ready-file FILE`, and wait until it has written it."


def chosen(found: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were found, those given before them and before what they stand for."""
    meant = {name: value for name, value in given.items() if value is not None}
    replaced = {name for group in ALTERNATIVES for name in group if set(group) & set(meant)}
    return {**{name: value for name, value in found.items() if name not in replaced}, **meant}


def credentials_for(url: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """The credentials in the environment, if it speaks of no other service."""
    if (other := _first(environ, VARIABLES["url"])) and not _is_same(other, url):
        return {}
    found = hidden({name: _first(environ, VARIABLES[name]) for name in SECRETS})
    return next(({name: value} for name, value in found.items() if value), {})


def _is_same(address: str, other: str) -> bool:
    try:
        return tidy(address) == tidy(other)
    except ValueError:
        return False
