"""One request and its answer as values. Knows what a secret is; knows no sockets and no watsonx."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

MIB = 2**20
MOST_BYTES = 64 * MIB
"""The largest answer in JSON."""

Due = Literal["json", "bytes"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request. What identifies its sender, or could, is in no text of it.

    Args:
        method, address, query: What; the address without its query, which may hold a signature.
        body, mime: What is sent with it, if anything.
        headers: More headers.
        token: Who asks; put into the request where it leaves.
        safe: Whether it may be sent again when nobody knows what became of it.
        due: What a good answer holds.
        most: The largest answer in bytes.
        patience: How many times the usual silence it takes to give an answer up; models think before they speak.
    """

    method: str
    address: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    mime: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: SecretStr | None = None
    safe: bool
    due: Due = "json"
    most: int = MOST_BYTES
    patience: float = 1.0

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    @property
    def what(self) -> str:
        """For people, such as `GET /ml/v4/trainings`."""
        return f"{self.method} {urlsplit(self.address).path}"


@dataclass(frozen=True)
class Reply:
    """A whole answer; names of `headers` in small letters."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    @cached_property
    def json(self) -> Any:
        """What it says, None if it says nothing.

        Raises:
            ValueError: if that is no JSON.
        """
        try:
            return json.loads(self.body) if self.body.strip() else None
        except RecursionError as cause:
            raise ValueError("nested too deep") from cause


@dataclass(frozen=True)
class Lost:
    """Why there is no whole answer.

    Args:
        reason: For people, what happened; begins as a verb.
        unsent: No byte of the request can have reached the server.
        hint: What to do about it.
        final: It will not pass by itself.
    """

    reason: str
    unsent: bool = False
    hint: str = ""
    final: bool = False
