"""What a service answers instead of what was asked for, as the project's errors. Knows answers; sends nothing."""

from __future__ import annotations

from wxtuning.errors import AdapterError, NotOffered, Unavailable

BACKEND = "watsonx"


class Refused(AdapterError):
    """The service said no, for good: the same request would be refused again.

    `status` is the HTTP status, `code` the service's own word, `field` what it complains about, if it says so.
    """

    def __init__(self, message: str, *, status: int, code: str = "", field: str = "", hint: str = "") -> None:
        super().__init__(message, backend=BACKEND, hint=hint)
        self.status = status
        self.code = code
        self.field = field


class Missing(Refused):
    """There is no such thing (404, 410)."""


class Elsewhere(Refused, NotOffered):
    """The service sends on to another host, which is never followed: no token may go there."""


class Busy(Unavailable):
    """Plainly refused for now (429, 503 with Retry-After): nothing was created. `pause` is what the service asks."""

    def __init__(self, message: str, *, pause: float, hint: str = "") -> None:
        super().__init__(message, backend=BACKEND, hint=hint, pause=pause)


class Unsettled(Unavailable):
    """A request that creates something was sent, and nobody knows whether it did: its answer was lost, or is none."""


class CutOff(Unavailable):
    """A streamed answer ended before it was whole; `came` is what came of it."""

    def __init__(self, message: str, *, came: str) -> None:
        super().__init__(message, backend=BACKEND, hint="Ask again; the pieces so far are only a part of the answer.")
        self.came = came
