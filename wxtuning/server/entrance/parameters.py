"""The parameters of an address: the version of the API, and nothing that the call does not take. Knows no body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from wxtuning.server.errors import invalid
from wxtuning.server.fields import nearest
from wxtuning.server.routing import Route
from wxtuning.server.trainings.quotes import quoted

EVERYWHERE = ("version", "project_id", "space_id")
"""What all calls of the service take."""

DATED = "/ml/v"
"""Below this, every call names the version of the API; the SDK leaves it out elsewhere."""


def check(route: Route, query: Mapping[str, str]) -> None:
    """Check the parameters of a call with a token; signed addresses and those of OpenAI's clients have their own.

    Raises:
        Refused: for a parameter that the call does not take, and for a version that is missing or no date.
    """
    if route.token != "bearer":
        return
    known = (*EVERYWHERE, *route.query)
    if unknown := next((name for name in query if name not in known), None):
        call = f"{route.method} {route.path}"
        raise invalid(f"{quoted(unknown)} is no parameter of {call}; {nearest(unknown, known)}", target=unknown[:100])
    if "version" in query or route.path.startswith(DATED):
        _check_version(query.get("version"))


def _check_version(given: str | None) -> None:
    try:
        date.fromisoformat(given or "")
    except ValueError:
        said = "is missing" if given is None else f"is {quoted(given)}"
        message = f"the query parameter version {said}; expected a date such as 2026-10-14"
        raise invalid(message, target="version", code="invalid_request_parameter") from None
