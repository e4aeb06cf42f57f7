"""Files of lines as data assets of a project or space: sent once, and proven before any job refers to one.

An asset is named after its content, so the same bytes are found again by name. The runs that need it are its owners,
by tag; it goes with the last of them.

The service replaces a list of tags as a whole, so who owns an asset is read right before it is changed, and again after
it. Processes of one home wait for each other. Two machines do not: one may remove what the other has just found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from wxtuning.adapters.watsonx.capabilities import MOST_BYTES
from wxtuning.adapters.watsonx.faults import BACKEND, Busy, Missing, Refused, Unsettled
from wxtuning.adapters.watsonx.listed import Found, found_in, id_in, id_of, is_known, metadata_of, shown, tag_of
from wxtuning.adapters.watsonx.once import alone, intents_of, once
from wxtuning.adapters.watsonx.pages import MOST_PAGES, PAGE, entries_of
from wxtuning.adapters.watsonx.service import Json, Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.errors import AdapterError, NotOffered, Unavailable, UploadIntegrityError
from wxtuning.intents import TAG, Outcome
from wxtuning.status import DataRef
from wxtuning.stored import check_same, file_names, opened

ASSETS = "/v2/assets"
SEARCH = "/v2/asset_types/data_asset/search"
MIME = "application/json"

ATTEMPTS = 3
"""Uploads of one file until the service holds it, and changes of its owners until they stay."""


@dataclass(frozen=True)
class Content:
    """What an asset held when it was read."""

    asset: str
    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class _Proof:
    """What an asset must still hold."""

    asset: str
    sha256: str
    size_bytes: int


class Assets:
    """The data assets of one project or space.

    Args:
        service: Who keeps them.
        settings: How patiently it is asked.
    """

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._settings = settings
        self._same: dict[str, _Proof] = {}

    def put(self, data: DataRef, name: str, key: str) -> str:
        """The id of an asset that holds a file of this machine; nothing is sent of what is there already.

        Args:
            data: The file (`file:` address), what it holds and how much.
            name: For people, the first part of the asset's name.
            key: The run that needs it, which becomes one of the asset's owners.

        Raises:
            InputChangedError: if the file is no longer what `data` says.
            UploadIntegrityError: if what the service holds cannot be proven to be what was sent.
        """
        content = _content(data)
        same = self._same.get(data.sha256)
        if same and self._holds(same):
            return same.asset
        named = _Named(self._service, file_names(name, data.sha256)[0])
        with alone(named.owning, self._settings):
            for asset in self._known(named):
                if self._serves(asset, data, key):
                    return asset
            return self._sent(content, data, named, key)

    def read(self, name_or_id: str) -> Content:
        """What an asset holds.

        Raises:
            NotOffered: if there is none, or several have the name, or it holds no file of its own.
        """
        asset = self._found(name_or_id)
        file = self._file(asset)
        if file is None:
            raise NotOffered(
                f"data asset {name_or_id!r} holds no file of its own that could be read",
                backend=BACKEND,
                hint="Name one that was uploaded whole; what lies in a bucket is read from there.",
            )
        return Content(id_of(asset), _name(asset), self._service.read(str(file["url"]), most=MOST_BYTES))

    def stand_for(self, lines: str, found: Content) -> None:
        """Let lines with this SHA-256 need no asset of their own, as this one says the same while it is unchanged."""
        digest = hashlib.sha256(found.content).hexdigest()
        self._same[lines] = _Proof(found.asset, digest, len(found.content))

    def release(self, key: str) -> tuple[str, ...]:
        """Give up a run's assets; returns the ids of those that were removed because nobody else needs them."""
        owner = tag_of(key)
        owned = [asset for asset in _search(self._service, "*:*") if owner in _tags(asset)]
        return tuple(id_of(asset) for asset in owned if self._is_removed(id_of(asset), _name(asset), owner))

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

    def _known(self, named: _Named) -> Iterator[str]:
        """Assets of this name: the one that this home sent last, which a search may not show yet, then all others."""
        last = intents_of(self._settings).last(named.place, named.tag)
        if last:
            yield last.id
        yield from (id_of(asset) for asset in named.all() if not (last and id_of(asset) == last.id))

    def _serves(self, asset: str, data: DataRef, key: str) -> bool:
        """Whether the run can use this asset, and owns it now; what a half upload of its own left is removed."""
        if self._holds(_Proof(asset, data.sha256, data.size_bytes)):
            return self._owns(asset, tag_of(key))
        found = shown(self._service, f"{ASSETS}/{asset}")
        if found and found.get("attachments") and tag_of(key) in _tags(found):
            self._remove(asset)
        return False

    def _owns(self, asset: str, owner: str) -> bool:
        """Whether an asset is marked as needed, now or before; not if it is gone."""
        # Somebody else's asset that cannot be marked might go at any time.
        with suppress(Refused):
            for _ in range(ATTEMPTS):
                tags = self._tags_now(asset)
                if owner in tags:
                    return True
                self._mark(asset, [*tags, owner])
            return owner in self._tags_now(asset)
        return False

    def _tags_now(self, asset: str) -> Sequence[str]:
        return _tags(self._service.get(f"{ASSETS}/{asset}"))

    def _holds(self, proof: _Proof) -> bool:
        """Whether the asset is there and holds these very bytes, read back."""
        try:
            file = self._file(self._service.get(f"{ASSETS}/{proof.asset}"))
            if file is None or (file.get("size") or proof.size_bytes) != proof.size_bytes:
                return False
            content = self._service.read(str(file["url"]), most=MOST_BYTES)
        except Missing:
            return False
        return hashlib.sha256(content).hexdigest() == proof.sha256

    def _file(self, asset: Json) -> Json | None:
        """The asset's only attachment; None if it is not whole, or lies in a store elsewhere."""
        listed: list[Json] = asset.get("attachments") or []
        if len(listed) != 1:
            return None
        number = listed[0].get("attachment_id") or listed[0].get("id")
        file = self._service.get(f"{ASSETS}/{id_of(asset)}/attachments/{number}")
        return file if file.get("url") and file.get("transfer_complete", True) else None

    # --- what is sent -----------------------------------------------------------------------------------------------

    def _sent(self, content: bytes, data: DataRef, named: _Named, key: str) -> str:
        """A new asset with the content. One that is not whole in the end is removed: no job may refer to it."""
        for attempt in range(1, ATTEMPTS + 1):
            asset = self._made(data, named, key)
            try:
                self._fill(asset, named.name, content)
                self._check_holds(asset, data, named)
                break
            except BaseException as error:
                again = isinstance(error, (Missing, Busy, Unsettled)) and attempt < ATTEMPTS
                if not (self._is_dropped(asset) and again):
                    raise
                self._settings.patience.sleep(getattr(error, "pause", 0.0))
        intents_of(self._settings).begin(named.place, named.tag, Outcome.MADE, asset)
        return asset

    def _check_holds(self, asset: str, data: DataRef, named: _Named) -> None:
        if not self._holds(_Proof(asset, data.sha256, data.size_bytes)):
            raise UploadIntegrityError(
                f"data asset {named.name} does not hold what was sent: {data.size_bytes:,} bytes with SHA-256 "
                f"{data.sha256}",
                backend=BACKEND,
                hint="It is not used. Run the same line again.",
            )

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
        address, number = made.get("url1"), made.get("attachment_id")
        if not (address and number):
            raise Unsettled(f"{self._service.host} does not say where the lines of {name} go", backend=BACKEND)
        # Cloud Pak for Data takes a form, the cloud's object storage the bytes as they are.
        self._service.put(str(address), content, as_form=bool(self._service.version), mime=MIME)
        self._service.ask(f"{place}/{number}/complete", {}, within=self._service.container)

    def _mark(self, asset: str, tags: Sequence[str]) -> None:
        change = {"op": "replace", "path": "/metadata/tags", "value": list(tags)}
        self._service.patch(f"{ASSETS}/{asset}", [change])

    def _is_removed(self, asset: str, name: str, owner: str) -> bool:
        """Take an owner from an asset; whether it went, as it had no other."""
        with alone(_Named(self._service, name).owning, self._settings), suppress(Missing):
            for _ in range(ATTEMPTS):
                tags = self._tags_now(asset)
                left = [tag for tag in tags if tag != owner]
                if left == list(tags):
                    return False
                if not any(tag.startswith(TAG) for tag in left):
                    self._remove(asset)
                    return True
                self._mark(asset, left)
        return False

    def _remove(self, asset: str) -> None:
        self._service.delete(f"{ASSETS}/{asset}", purge_on_delete="true")

    def _is_dropped(self, asset: str) -> bool:
        """Remove what is not whole, if that can be done now; else the next upload of its run does."""
        with suppress(AdapterError):
            self._remove(asset)
            return True
        return False


@dataclass(frozen=True)
class _Named:
    """The data assets of one name, as `once` sees them."""

    service: Service
    name: str

    @property
    def place(self) -> str:
        container = self.service.container
        return f"{ASSETS} {self.name} in {container.kind} {container.id}"

    @property
    def owning(self) -> str:
        """What is held while their owners change."""
        return f"owners of {self.place}"

    @property
    def tag(self) -> str:
        """In the journal, what this home has sent under the name, whichever run needed it."""
        return tag_of(self.name)

    def all(self) -> list[Json]:
        # The service looks for the words of a name, and so finds longer names too.
        found = _search(self.service, f'asset.name:"{self.name}"')
        return [asset for asset in found if _name(asset) == self.name]

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


def _name(asset: Json) -> str:
    return str(metadata_of(asset).get("name") or "")


def _tags(asset: Json) -> Sequence[str]:
    return [str(tag) for tag in metadata_of(asset).get("tags") or ()]
