"""Refusals in the words of watsonx. Knows statuses and codes; knows no routes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from wxtuning.server.trainings.quotes import quoted


class Refused(Exception):
    """A request that is answered with an error; `code` and `message` are what the service would say.

    Args:
        status: The HTTP status.
        code: One of watsonx's codes, such as `invalid_request_entity`.
        message: What happened with the value, what was expected, what to do next.
        target: The field or parameter that is meant, if one is.
        headers: More headers of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, *, target: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.headers = dict(headers or {})
        self.trace = secrets.token_hex(16)

    def body(self) -> dict[str, Any]:
        """The answer's JSON, as the service writes it."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "more_info": ""}
        if self.target:
            error["target"] = {"type": "field", "name": self.target}
        return {"errors": [error], "trace": self.trace, "status_code": self.status}


def not_found(what: str, identity: str) -> Refused:
    return Refused(404, "not_found", f"there is no {what} {quoted(identity)}")


def not_offered(call: str) -> Refused:
    return Refused(404, "not_offered", f"not offered by this server: {call}")


def invalid(message: str, *, target: str = "", code: str = "invalid_request_entity") -> Refused:
    return Refused(400, code, message, target=target)


def unauthorized(message: str, *, code: str = "authentication_token_not_valid") -> Refused:
    return Refused(401, code, message, headers={"WWW-Authenticate": "Bearer"})


def busy(requests: int) -> Refused:
    message = f"{requests} requests are being worked on, which is the limit; try again in a second"
    return Refused(503, "too_many_requests", message, headers={"Retry-After": "1"})
