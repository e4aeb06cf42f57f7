"""What a route, a call and an answer are. Values; knows no kind of resource and reads no request.

A handler is a plain function of a `Call`; what it returns is the answer. It may take its time: each runs in a thread.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from starlette.responses import Response

from wxtuning.server.errors import Refused, invalid
from wxtuning.server.resources import Key

if TYPE_CHECKING:
    from wxtuning.server.house import House
    from wxtuning.server.settings import Platform

JSON = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, read.

    Args:
        house: What the routes share.
        method: In capitals.
        url: The server's own address as the caller named it, such as `https://127.0.0.1:8443`, without a last slash.
        path: The parts of the address that the route's pattern names.
        query: The parameters, the last one of each name; `query_list` gives all values of a name.
        headers: By lower-case name.
        body: The JSON object or the form of the request, empty where it has none.
        items: The items of a JSON array, such as the operations of a JSON Patch, for routes that take `list`.
        file: What an upload brought, in the server's own folder; the handler may move it, else it is removed.
        gone: Says whether the caller has left, so that long work can be dropped.
    """

    house: House
    method: str
    url: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: JSON = field(default_factory=dict)
    items: tuple[Any, ...] = ()
    file: Path | None = None
    queries: tuple[tuple[str, str], ...] = ()
    gone: Callable[[], bool] = bool

    def query_list(self, name: str) -> list[str]:
        return [value for given, value in self.queries if given == name]

    @property
    def container(self) -> str:
        """The project or space the call is about, as `project/ID` or `space/ID`; it is there.

        Raises:
            Refused: if none is named, or there is no such one.
        """
        named = {
            f"{kind}/{identity}"
            for kind in ("project", "space")
            for place in (self.query, self.body)
            if isinstance(identity := place.get(f"{kind}_id"), str) and identity
        }
        if len(named) != 1:
            given = "several projects or spaces are given" if named else "neither project_id nor space_id is given"
            raise invalid(f"{given}; expected one of project_id and space_id")
        (found,) = named
        self.house.resource(*found.split("/", 1))
        return found

    @property
    def key(self) -> Key | None:
        """What makes a create happen once: the header Idempotency-Key, or `custom.key` of the body; None if neither."""
        custom = self.body.get("custom")
        named = custom.get("key") if isinstance(custom, Mapping) else None
        text = self.headers.get("idempotency-key", "") or (named if isinstance(named, str) else "")
        return Key(text=text, owner="caller", asked=self._asked()) if text else None

    def _asked(self) -> str:
        """A digest of all that a create says; the version of the API is none of it."""
        queries = sorted((name, value) for name, value in self.queries if name != "version")
        return hashlib.sha256(json.dumps([self.path, queries, self.body], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A JSON answer with another status than 200, or with headers; without a body, there is none."""

    body: JSON | list[Any] | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """An answer that comes in pieces, as server-sent events unless said otherwise.

    Args:
        pieces: Starts them. A plain iterator is advanced in a thread, and closed when the caller has left.
    """

    pieces: Callable[[], AsyncIterator[bytes] | Iterator[bytes]]
    media_type: str = "text/event-stream"


Handler = Callable[[Call], "JSON | Answer | Stream | Response"]
Place = Literal["requests", "answers"]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One call that the server offers.

    Args:
        method, path: As in `GET /ml/v4/trainings/{id}`; a last `{name:path}` takes several segments.
        handler: What answers it.
        is_open: Answered without a token; only what a client must know before it can have one.
        query: The parameters that it takes, besides those that all calls take.
        place: Which of two limits it counts for: `requests`, or `answers` for what waits for a model.
        takes: What the body is: `json` (an object, or nothing), `list` (a JSON array), `form`, or `file` (raw bytes or
            one multipart field `file`).
        token: What lets a caller in: `bearer` (a token), `key` (a token or the api key itself, as bearer), `url` (a
            signed address that this server gave out), or `s3` (a request signed with the keys of the object storage).
        only: The platform that has this call; both if empty.
        refusal: How a refusal is written, where it is not as watsonx does.
    """

    method: str
    path: str
    handler: Handler
    is_open: bool = False
    query: Sequence[str] = ()
    place: Place = "requests"
    takes: Literal["json", "list", "form", "file"] = "json"
    token: Literal["bearer", "key", "url", "s3"] = "bearer"
    only: Platform | Literal[""] = ""
    refusal: Callable[[Refused], JSON] = Refused.body


__all__ = ["JSON", "Answer", "Call", "Handler", "Place", "Refused", "Route", "Stream"]
