"""Refusals in the words of watsonx. Knows statuses and codes; knows no routes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from wxtuning.server.trainings.quotes import LONGEST, inert, quoted

LONGEST_MESSAGE = 2_000
"""Characters of a message, whatever a caller has sent."""


class Refused(Exception):
    """A request that is answered with an error; `code` and `message` are what the service would say.

    Args:
        status: The HTTP status.
        code: One of watsonx's codes, such as `invalid_request_entity`.
        message: What happened with the value, what was expected, what to do next; only its start if it is longer than
            2,000 characters, and nothing in it that a terminal would obey.
        target: The field or parameter that is meant, if one is.
        headers: More headers of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, *, target: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.message = inert(message, most=LONGEST_MESSAGE)
        self.target = inert(target, most=LONGEST)
        self.headers = dict(headers or {})
        self.trace = secrets.token_hex(16)
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """The answer's JSON, as the service writes it."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "more_info": ""}
        if self.target:
            error["target"] = {"type": "field", "name": self.target}
        return {"errors": [error], "trace": self.trace, "status_code": self.status}


def not_found(what: str, identity: str, *, where: str = "") -> Refused:
    place = f" in {where}" if where else ""
    return Refused(404, "not_found", f"there is no {what} {quoted(identity)}{place}")


HERE = "this project or space"
"""Where a call looks for what it names."""


def not_offered(call: str) -> Refused:
    return Refused(404, "not_offered", f"not offered by this server: {call}")


def invalid(message: str, *, target: str = "", code: str = "invalid_request_entity") -> Refused:
    return Refused(400, code, message, target=target)


def unauthorized(message: str, *, code: str = "authentication_token_not_valid") -> Refused:
    return Refused(401, code, message, headers={"WWW-Authenticate": "Bearer"})


def busy(most: int, what: str) -> Refused:
    message = f"{most} {what} are being worked on, which is the limit; try again in a second"
    return Refused(503, "too_many_requests", message, headers={"Retry-After": "1"})
