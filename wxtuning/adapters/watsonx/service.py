"""One signed-in connection to a service: requests in, JSON out. Knows no tuning.

The official SDK chooses the platform, signs in, keeps the token and its addresses; what it does beyond that (printing,
polling, repeating, switching off checks) is kept away from the caller's process. Every request leaves through one
transport of our own, the only place that repeats anything.
"""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import SplitResult, parse_qsl, urljoin, urlsplit

from wxtuning.adapters.watsonx.asks import Asked
from wxtuning.adapters.watsonx.faults import BACKEND, Missing
from wxtuning.adapters.watsonx.hosts import origin
from wxtuning.adapters.watsonx.pages import MOST_PAGES, PAGE, entries_of
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.errors import AdapterError, MissingDependency, Unavailable

if TYPE_CHECKING:
    from wxtuning.adapters.watsonx.wired import Wired

Json = dict[str, Any]

MODEL_PATIENCE = 4.0
"""How many times the usual silence a model may think."""


@dataclass(frozen=True)
class Container:
    """A project or a space."""

    kind: Literal["project", "space"]
    id: str

    @property
    def query(self) -> Mapping[str, str]:
        """As every request but a create names it: `project_id=...` or `space_id=...`; empty for `NOWHERE`."""
        return {f"{self.kind}_id": self.id} if self.id else {}


NOWHERE = Container("project", "")
"""For requests that name neither a project nor a space."""


class Service:
    """Safe for threads; asks nobody before the first request. Not pickled: made again from its settings.

    Every method raises `NotAuthorized`, `Unavailable`, or `Refused` with its child `Missing` (see `faults`). `path`
    begins with `/ml/`, `/v2/`, ... and the platform's host is chosen by it; an absolute address of the service's own
    (a signed one, `next.href`) is taken as it is, and sent no token if it is another host.

    Args:
        settings: Where it is, and who asks.
        place: Looks up where jobs run and assets lie.
    """

    def __init__(self, settings: Settings, place: Callable[[Service, Settings], Container]) -> None:
        self._settings = settings
        self._place = place
        self._lock = threading.Lock()
        self._wiring: Wired | None = None
        self._container: Container | None = None

    @property
    def host(self) -> str:
        """The service's name, with its port where that is no usual one."""
        return urlsplit(self._settings.url).netloc

    @property
    def container(self) -> Container:
        """Where jobs run and assets lie; looked up once."""
        if self._container is None:
            self._container = self._place(self, self._settings)
        return self._container

    @property
    def version(self) -> str:
        """Of Cloud Pak for Data, such as "5.2"; empty on the cloud."""
        client = self._wired.client
        return "" if client.CLOUD_PLATFORM_SPACES else str(client.credentials.version)

    def get(self, path: str, *, within: Container | None = None, **query: Any) -> Json:
        """What is there; asked again while that may help. A name with a dot is given as `**{"tag.value": tag}`."""
        return self._json("GET", path, query=self._query(within, query))

    def pages(self, path: str, *, within: Container | None = None, **query: Any) -> Iterator[Json]:
        """The resources of a list, through all its pages of up to 200."""
        asked = {"limit": PAGE, **self._query(within, query)}
        for _ in range(MOST_PAGES):
            found = self._json("GET", path, query=asked)
            yield from self._listed(path, found)
            following = _following(found)
            if not following:
                return
            if following.items() <= {name: str(value) for name, value in asked.items()}.items():
                break
            asked = {**asked, **following}
        raise Unavailable(f"{self.host} lists {path} without an end", backend=BACKEND, hint="Ask again later.")

    def ask(self, path: str, body: Json, *, within: Container | None = None) -> Json:
        """What is answered to a POST that changes nothing (generation, search); asked again while that may help.

        Only with `within` is a project or space named, in the query.
        """
        query = self._query(within or NOWHERE, {})
        return self._json("POST", path, query=query, body=body, patience=MODEL_PATIENCE)

    def stream(self, path: str, body: Json) -> Generator[Json]:
        """The events of an answer as they come (server-sent events); the beginning is asked again, never the middle."""
        from wxtuning.adapters.watsonx.events import events

        asked = self._asked("POST", path, query=self._query(NOWHERE, {}), body=body, patience=MODEL_PATIENCE)
        # Closed here: an error that is kept keeps this frame, and so the connection.
        with closing(self._wired.pieces(replace(asked, headers={"Accept": "text/event-stream"}))) as pieces:
            for event in events(pieces, asked.host):
                if event.name == "error":
                    raise self._wired.broken_off(asked, event.data)
                yield event.data

    def create(self, path: str, body: Json, *, within: Container | None = None, in_query: bool = False) -> Json:
        """Send a POST once; never repeated by anything below.

        Args:
            path, body: What to create.
            within: Where, if not in the service's own container; its id goes into the body, `in_query` into the query.

        Raises:
            Refused, NotAuthorized, Unavailable: nothing was created.
            Busy: nothing was created, for now.
            Unsettled: nobody knows.
        """
        place = self.container if within is None else within
        query, sent = (place, body) if in_query else (NOWHERE, {**body, **place.query})
        return self._json("POST", path, query=self._query(query, {}), body=sent, safe=False)

    def put(self, address: str, content: bytes, *, as_form: bool, mime: str = "application/json") -> None:
        """Put a file where an attachment's `url1` says; repeated with the whole content while that may help."""
        asked = self._asked("PUT", address, query={}, due="bytes")
        body, kind = _form(content, mime) if as_form else (content, mime)
        # What such an address is signed with stands for a token, and storage refuses two.
        self._wired.good(replace(asked, body=body, mime=kind), signed=False)

    def read(self, address: str, *, most: int) -> bytes:
        """The bytes behind an address, at most so many."""
        asked = replace(self._asked("GET", address, query={}, due="bytes"), most=most)
        return self._wired.good(asked, signed=self._wired.is_own(asked)).body

    def end(self, address: str, *, size: int) -> bytes:
        """The last bytes behind an address, at most so many, also where it gives out nothing but the whole."""
        asked = self._asked("GET", address, query={}, due="bytes", headers={"Range": f"bytes=-{size}"})
        found = b""
        for piece in self._wired.pieces(asked):
            found = (found + piece)[-size:]
        return found

    def patch(self, path: str, body: list[Json], *, within: Container | None = None) -> Json:
        """Change something (JSON patch)."""
        query = self._query(within, {})
        return self._json("PATCH", path, query=query, body=body, mime="application/json-patch+json")

    def delete(self, path: str, *, within: Container | None = None, **query: Any) -> None:
        """Remove; nothing happens to what is gone."""
        try:
            self._json("DELETE", path, query=self._query(within, query))
        except Missing:
            return

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        wiring, self._wiring = self._wiring, None
        if wiring:
            wiring.close()

    # --- how a request is made and answered -------------------------------------------------------------------------

    def _query(self, within: Container | None, query: Mapping[str, Any]) -> dict[str, Any]:
        place = self.container if within is None else within
        return {"version": self._wired.client.version_param, **place.query, **query}

    def _listed(self, path: str, page: Json) -> list[Json]:
        """The resources of a page. What names none at all is no list: it must not pass for one that is empty."""
        if (found := entries_of(page, "resources")) is not None:
            return found
        raise Unavailable(
            f"{self.host} answered GET {path} with something else than a list", backend=BACKEND, hint="Ask again later."
        )

    def _json(self, method: str, path: str, *, query: Mapping[str, Any], **how: Any) -> Json:
        found = self._wired.good(self._asked(method, path, query=query, **how)).json
        return found if isinstance(found, dict) else {}

    def _asked(self, method: str, path: str, *, query: Mapping[str, Any], body: object = None, **how: Any) -> Asked:
        place = self._placed(path)
        own = parse_qsl(place.query, keep_blank_values=True)
        sent = {} if body is None else {"body": json.dumps(body).encode(), "mime": "application/json"}
        return Asked(
            method=method, address=f"{place.scheme}://{place.netloc}{place.path}",
            query=(*own, *((name, str(value)) for name, value in query.items())), **{"safe": True, **sent, **how},
        )  # fmt: skip

    def _placed(self, path: str) -> SplitResult:
        # The service itself says where files are; neither they nor a token go there in clear.
        with suppress(ValueError):
            place = urlsplit(urljoin(self._wired.base(path), path))
            if origin(place.geturl()).startswith("https://"):
                return place
        raise AdapterError(
            f"{self.host} gave an address that does not begin with https://, or is none; nothing was sent there",
            backend=BACKEND,
            hint="Whoever runs the service can change what it says of itself and of its storage.",
        )

    @property
    def _wired(self) -> Wired:
        found = self._wiring
        if found is None or found.process != os.getpid():
            found = self._wire()
        return found

    def _wire(self) -> Wired:
        if self._wiring is not None and self._wiring.process != os.getpid():
            # Neither a socket nor a lock that another thread may hold is taken over from the process before a fork.
            self._lock, self._wiring = threading.Lock(), None
        with self._lock:
            if self._wiring is None:
                self._wiring = _wired(self._settings)
                weakref.finalize(self, self._wiring.close)
            return self._wiring


def _wired(settings: Settings) -> Wired:
    try:
        from wxtuning.adapters.watsonx.wired import Wired
    except ImportError as cause:
        raise MissingDependency(
            f"the watsonx backend needs a package that is missing: {cause}",
            backend=BACKEND,
            hint="pip install --upgrade wxtuning",
        ) from cause
    return Wired(settings)


def _following(page: Json) -> dict[str, str]:
    """The query of the next page; empty after the last."""
    following = page.get("next")
    href = following.get("href", "") if isinstance(following, dict) else ""
    return {
        name: value for name, value in parse_qsl(urlsplit(str(href)).query) if name in ("start", "bookmark", "offset")
    }


def _form(content: bytes, mime: str) -> tuple[bytes, str]:
    """A form with one file, and its type."""
    boundary = os.urandom(16).hex()
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: {mime}\r\n\r\n'
    )
    return b"".join(
        (head.encode(), content, f"\r\n--{boundary}--\r\n".encode())
    ), f"multipart/form-data; boundary={boundary}"
