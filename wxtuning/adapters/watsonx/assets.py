"""Files of lines as data assets of a project or space: sent once, and proven before any job refers to one.

An asset is named after its content, so the same bytes are found again by name. The runs that need it are its owners,
by tag; it goes with the last of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from wxtuning.adapters.watsonx.faults import BACKEND, Busy, Missing, Refused, Unsettled
from wxtuning.adapters.watsonx.listed import PAGE, entries_of, id_of, is_known, metadata_of
from wxtuning.adapters.watsonx.once import Found, found_in, id_in, once, tag_of
from wxtuning.adapters.watsonx.service import MOST_PAGES, Json, Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.errors import NotOffered, Unavailable, UploadIntegrityError
from wxtuning.intents import TAG
from wxtuning.status import DataRef
from wxtuning.stored import check_same, file_names, opened

ASSETS = "/v2/assets"
SEARCH = "/v2/asset_types/data_asset/search"
MIME = "application/json"

ATTEMPTS = 3
"""Uploads of one file, until the service holds it."""

MOST_BYTES = 200 * 10**6
"""The largest file that watsonx tunes on; no larger one is read."""


class Assets:
    """The data assets of one project or space.

    Args:
        service: Who keeps them.
        settings: How patiently it is asked.
    """

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._settings = settings
        self._read: dict[str, str] = {}

    def put(self, data: DataRef, name: str, key: str) -> str:
        """The id of an asset that holds a file of this machine; nothing is sent of bytes that are there already.

        Args:
            data: The file (`file:` address), what it holds and how much.
            name: For people, the first part of the asset's name.
            key: The run that needs it, which becomes one of the asset's owners.

        Raises:
            InputChangedError: if the file is no longer what `data` says.
            UploadIntegrityError: if what the service holds cannot be proven to be what was sent.
        """
        content = _content(data)
        if (known := self._read.get(data.sha256)) and self._holds(known, data):
            return known
        named = _Named(self._service, file_names(name, data.sha256)[0])
        for asset in named.all():
            if self._serves(asset, data, key):
                return id_of(asset)
        return self._sent(content, data, named, key)

    def read(self, name_or_id: str) -> tuple[str, bytes]:
        """Name and content of an asset. Lines that equal it will need no asset of their own.

        Raises:
            NotOffered: if there is none, or several have the name, or it holds no file of its own.
        """
        asset = self._found(name_or_id)
        shown = self._file(asset)
        if shown is None:
            raise NotOffered(
                f"data asset {name_or_id!r} holds no file of its own that could be read",
                backend=BACKEND,
                hint="Name one that was uploaded whole; what lies in a bucket is read from there.",
            )
        content = self._service.read(str(shown["url"]), most=MOST_BYTES)
        self._read[hashlib.sha256(content).hexdigest()] = id_of(asset)
        return str(metadata_of(asset).get("name", "")), content

    def release(self, key: str) -> tuple[str, ...]:
        """Give up a run's assets; returns the ids of those that were removed because nobody else needs them."""
        owner = tag_of(key)
        owned = [asset for asset in _search(self._service, "*:*") if owner in _tags(asset)]
        return tuple(id_of(asset) for asset in owned if self._is_removed(asset, owner))

    # --- what is there ----------------------------------------------------------------------------------------------

    def _found(self, name_or_id: str) -> Json:
        with suppress(Refused):  # a name with a slash, say, is no id
            return self._service.get(f"{ASSETS}/{name_or_id}")
        named = _Named(self._service, name_or_id).all()
        if len(named) == 1:
            return self._service.get(f"{ASSETS}/{id_of(named[0])}")
        place = self._service.container
        raise NotOffered(
            f"{place.kind} {place.id} has {len(named) or 'no'} data assets {name_or_id!r}; expected one",
            backend=BACKEND,
            hint=f"Name one by its id: {', '.join(map(id_of, named))}." if named else "Check the name and the project.",
        )

    def _serves(self, asset: Json, data: DataRef, key: str) -> bool:
        """Whether the run can use this asset, and owns it now; what a half upload of its own left is removed."""
        if self._holds(id_of(asset), data):
            return self._owns(asset, key)
        if tag_of(key) in _tags(asset) and self._service.get(f"{ASSETS}/{id_of(asset)}").get("attachments"):
            self._remove(id_of(asset))
        return False

    def _owns(self, asset: Json, key: str) -> bool:
        # Somebody else's asset that cannot be marked as needed might go at any time.
        with suppress(Refused):
            self._mark(asset, [*dict.fromkeys([*_tags(asset), tag_of(key)])])
            return True
        return False

    def _holds(self, identity: str, data: DataRef) -> bool:
        """Whether an asset is there and holds these very bytes, read back."""
        try:
            shown = self._file(self._service.get(f"{ASSETS}/{identity}"))
            if shown is None or (shown.get("size") or data.size_bytes) != data.size_bytes:
                return False
            content = self._service.read(str(shown["url"]), most=MOST_BYTES)
        except Missing:
            return False
        return hashlib.sha256(content).hexdigest() == data.sha256

    def _file(self, asset: Json) -> Json | None:
        """The asset's only attachment; None if it is not whole, or lies in a store elsewhere."""
        listed: list[Json] = asset.get("attachments") or []
        if len(listed) != 1:
            return None
        number = listed[0].get("attachment_id") or listed[0].get("id")
        shown = self._service.get(f"{ASSETS}/{id_of(asset)}/attachments/{number}")
        return shown if shown.get("url") and shown.get("transfer_complete", True) else None

    # --- what is sent -----------------------------------------------------------------------------------------------

    def _sent(self, content: bytes, data: DataRef, named: _Named, key: str) -> str:
        """A new asset with the content. One that is not whole in the end is removed: no job may refer to it."""
        for attempt in range(1, ATTEMPTS + 1):
            asset = self._made(data, named, key)
            try:
                self._fill(asset, named.name, content)
                break
            except (Missing, Busy, Unsettled) as error:
                self._remove(asset)
                if attempt == ATTEMPTS:
                    raise
                self._settings.patience.sleep(getattr(error, "pause", 0.0))
        if not self._holds(asset, data):
            self._remove(asset)
            raise UploadIntegrityError(
                f"data asset {named.name} does not hold what was sent: {data.size_bytes:,} bytes with SHA-256 "
                f"{data.sha256}",
                backend=BACKEND,
                hint="It was removed. Run the same line again.",
            )
        return asset

    def _made(self, data: DataRef, named: _Named, key: str) -> str:
        """An empty asset of this run's: a new one, or the one whose upload never began."""
        metadata = {
            "name": named.name,
            "description": f"{data.rows:,} lines to tune on, SHA-256 {data.sha256}",
            "tags": [tag_of(key)],
            "asset_type": "data_asset",
            "origin_country": "us",
            "asset_category": "USER",
        }
        body = {"metadata": metadata, "entity": {"data_asset": {"mime_type": MIME}}}
        return once(named, tag_of(key), lambda: body, settings=self._settings, is_there=named.has)

    def _fill(self, asset: str, name: str, content: bytes) -> None:
        place = f"{ASSETS}/{asset}/attachments"
        announced = {"asset_type": "data_asset", "name": name, "mime": MIME}
        made = self._service.create(place, announced, in_query=True)
        if not made.get("url1") or not made.get("attachment_id"):
            raise Unsettled(f"the service did not say where the content of asset {asset} goes", backend=BACKEND)
        # Cloud Pak for Data takes a form, the cloud's object storage the bytes as they are.
        self._service.put(str(made["url1"]), content, as_form=bool(self._service.version), mime=MIME)
        self._service.ask(f"{place}/{made['attachment_id']}/complete", {}, within=self._service.container)

    def _mark(self, asset: Json, tags: Sequence[str]) -> None:
        if list(tags) != list(_tags(asset)):
            change = {"op": "replace", "path": "/metadata/tags", "value": list(tags)}
            self._service.patch(f"{ASSETS}/{id_of(asset)}", [change])

    def _is_removed(self, asset: Json, owner: str) -> bool:
        left = [tag for tag in _tags(asset) if tag != owner]
        if any(tag.startswith(TAG) for tag in left):
            self._mark(asset, left)
            return False
        self._remove(id_of(asset))
        return True

    def _remove(self, asset: str) -> None:
        self._service.delete(f"{ASSETS}/{asset}", purge_on_delete="true")


@dataclass(frozen=True)
class _Named:
    """The data assets of one name, as `once` sees them."""

    service: Service
    name: str

    @property
    def place(self) -> str:
        container = self.service.container
        return f"{ASSETS} {self.name} in {container.kind} {container.id} of {self.service.host}"

    def all(self) -> list[Json]:
        # The service looks for the words of a name, and so finds longer names too.
        found = _search(self.service, f'asset.name:"{self.name}"')
        return [asset for asset in found if metadata_of(asset).get("name") == self.name]

    def tagged(self, tag: str) -> Iterator[Found]:
        # Of several with equal content, which cost nothing, any will do: the oldest.
        ours = sorted((one for one in self.newest() if tag in one.tags), key=lambda one: one.created_at)
        return iter(ours[:1])

    def newest(self) -> Iterator[Found]:
        return map(found_in, self.all())

    def has(self, identity: str) -> bool:
        return is_known(self.service, f"{ASSETS}/{identity}")

    def create(self, body: Json) -> str:
        return id_in(self.service.create(ASSETS, body, in_query=True))


def _search(service: Service, query: str) -> Iterator[Json]:
    asked: Json = {"query": query, "limit": PAGE}
    for _ in range(MOST_PAGES):
        answer = service.ask(SEARCH, asked, within=service.container)
        if (found := entries_of(answer, "results")) is None:
            raise _odd(service, "something else than a list")
        yield from found
        following = answer.get("next")
        if not isinstance(following, dict):
            return
        if following == asked:
            break
        asked = following
    raise _odd(service, "a list without an end")


def _odd(service: Service, what: str) -> Unavailable:
    return Unavailable(
        f"{service.host} answered a search for data assets with {what}", backend=BACKEND, hint="Ask again later."
    )


def _content(data: DataRef) -> bytes:
    with opened(data) as file:
        content = file.read()
    found = DataRef(
        uri=data.uri, sha256=hashlib.sha256(content).hexdigest(), rows=data.rows, size_bytes=len(content)
    )  # fmt: skip
    check_same(found, data)
    return content


def _tags(asset: Json) -> Sequence[str]:
    return [str(tag) for tag in metadata_of(asset).get("tags") or ()]
