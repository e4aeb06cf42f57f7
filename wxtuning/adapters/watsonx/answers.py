"""What an answer means, and what is lost when there is none, as the project's errors. Sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from wxtuning.adapters.watsonx.asks import Asked, Lost, Reply
from wxtuning.adapters.watsonx.faults import BACKEND, Busy, Elsewhere, Missing, Refused, Unsettled
from wxtuning.errors import AdapterError, NotAuthorized, Unavailable
from wxtuning.retry import retry_after
from wxtuning.tables import inert

Veil = Callable[[str], str]
"""Takes out of a text of the service's what must not be shown."""

UNDECIDED = frozenset((401, 408, 425, 429, 499))
"""Refusals that may come from something before the service, which may have acted."""

LATER = "Run the same line again later."
LOOK = "It is looked up before anything is sent again."


def trouble(asked: Asked, outcome: Reply | Lost, veil: Veil) -> AdapterError | None:
    """Why an outcome tells nothing; None where it is an answer, good or bad."""
    if isinstance(outcome, Lost):
        return _of_loss(asked, outcome)
    if outcome.status == 429 or (outcome.status == 503 and "retry-after" in outcome.headers):
        pause = retry_after(outcome.headers)
        return Busy(f"{asked.host} is too busy for {asked.what}: {said(outcome, veil)}", pause=pause, hint=LATER)
    if outcome.status >= 500 or outcome.status < 200:
        return _unknown(asked, f"answered {said(outcome, veil)}", retry_after(outcome.headers))
    if outcome.status in UNDECIDED and not (outcome.status == 401 and asked.safe):
        return _unknown(asked, f"answered {said(outcome, veil)}")
    if outcome.is_good and asked.due == "json" and (fault := _no_json(asked, outcome)):
        return _unknown(asked, f"answered {fault} where JSON was expected (HTTP {outcome.status})", hint=NO_SERVICE)
    return None


NO_SERVICE = "Something before the service may have answered; check url=, and log in to it with a browser once."


def _of_loss(asked: Asked, lost: Lost) -> AdapterError:
    if lost.unsent or asked.safe:
        kind = AdapterError if lost.final else Unavailable
        return kind(f"{asked.host} {lost.reason} ({asked.what})", backend=BACKEND, hint=lost.hint)
    return _unknown(asked, lost.reason)


def _unknown(asked: Asked, what: str, pause: float = 0.0, hint: str = LATER) -> Unavailable:
    message = f"{asked.host} {what} ({asked.what})"
    if asked.safe:
        return Unavailable(message, backend=BACKEND, hint=hint, pause=pause)
    return Unsettled(f"{message}; nobody knows what became of it", backend=BACKEND, hint=LOOK, pause=pause)


def _no_json(asked: Asked, reply: Reply) -> str:
    try:
        found = reply.json
    except ValueError:
        return "a page in HTML" if reply.body.lstrip()[:1] == b"<" else "something else"
    if found is None:
        # Only who asks what is there must be told something, if it is but that there is nothing to tell (204).
        return "nothing" if asked.method == "GET" and reply.status != 204 else ""
    return "" if isinstance(found, dict) else f"a {type(found).__name__}"


def refusal(asked: Asked, reply: Reply, veil: Veil) -> AdapterError:
    """What an answer other than a good one means."""
    message, code = f"{asked.host} refused {asked.what}: {said(reply, veil)}", _words(reply).code
    if reply.status < 400:
        return _redirected(asked, reply)
    if reply.status == 401 or (reply.status == 403 and "auth" in code.lower()):
        return NotAuthorized(message, backend=BACKEND, hint=RIGHTS)
    kind = Missing if reply.status in (404, 410) else Refused
    hint = PLAN if reply.status in (402, 403) else ""
    return kind(message, status=reply.status, code=code, field=_words(reply).field, hint=hint)


RIGHTS = "Check the key and that its owner may work in this project or space; a token that was given is never renewed."


PLAN = (
    "The account's quota or plan does not allow it, or its owner may not do it here: whoever manages the account can "
    "change that; then run the same line again."
)


def _redirected(asked: Asked, reply: Reply) -> Elsewhere:
    place = urlsplit(reply.headers.get("location", "")).netloc or "another address"
    return Elsewhere(
        f"{asked.host} sends {asked.what} on to {place} (HTTP {reply.status}); it was not followed",
        status=reply.status,
        hint=f"If {place} is where the service is, name it in url=.",
    )


@dataclass(frozen=True)
class _Words:
    message: str = ""
    code: str = ""
    trace: str = ""
    field: str = ""


def said(reply: Reply, veil: Veil) -> str:
    """The service's own words on an answer, with its code and the id under which it can be traced."""
    words = _words(reply)
    known = ", ".join(filter(None, (f"HTTP {reply.status}", words.code, words.trace and f"trace {words.trace}")))
    return veil(f"{words.message} ({known})" if words.message else known)


def _words(reply: Reply) -> _Words:
    try:
        found = reply.json
    except ValueError:
        return _Words()
    return _in(found) if isinstance(found, dict) else _Words()


def _in(found: Mapping[str, Any]) -> _Words:
    """In the shapes of watsonx.ai, IAM and Cloud Pak for Data's platform."""
    errors = found.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    target = first.get("target")
    return _Words(
        message=_text(first.get("message") or found.get("errorMessage") or found.get("message") or ""),
        code=_text(first.get("code") or found.get("errorCode") or found.get("_messageCode_") or ""),
        trace=_text(found.get("trace") or ""),
        field=_text(target.get("name") or "") if isinstance(target, dict) else "",
    )


def _text(value: object) -> str:
    # Whoever answers may not speak to the reader's terminal.
    return inert(" ".join(str(value).split())[:1000])
