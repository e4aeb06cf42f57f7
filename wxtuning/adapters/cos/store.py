"""A bucket as a store, IBM Cloud Object Storage first: what it is told and what it offers. The work is elsewhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from wxtuning.adapters.cos import settings
from wxtuning.adapters.cos.connection import Connection, Place
from wxtuning.adapters.cos.crew import Meter
from wxtuning.adapters.cos.faults import BACKEND, Missing
from wxtuning.adapters.cos.fetching import pieces
from wxtuning.adapters.cos.iam import CLOUD, TokenService
from wxtuning.adapters.cos.incoming import Incoming
from wxtuning.adapters.cos.keys import Authority, Credentials, credentials_in, nobody, veiled
from wxtuning.adapters.cos.owners import Owners
from wxtuning.adapters.cos.parts import MIB
from wxtuning.adapters.cos.sending import Sending
from wxtuning.adapters.cos.upload import open_uploads
from wxtuning.errors import NotOffered, PlanError, Unavailable, UploadIntegrityError
from wxtuning.folder import replacing
from wxtuning.ports import Watch, unwatched
from wxtuning.retry import Patience
from wxtuning.status import DataRef
from wxtuning.stored import opened, plain

SECONDS_AT_LEAST = 600.0
BYTES_A_SECOND_AT_LEAST = 20_000


@dataclass(frozen=True, kw_only=True, init=False)
class COS:
    """Keeps files in a bucket of IBM Cloud Object Storage, or of any server that speaks S3.

    Nothing is asked before the first use. Secrets are in no text of it, and do not travel with it: in another process
    they are taken from the environment.

    Args:
        endpoint: The server, such as `https://s3.eu-de.cloud-object-storage.appdomain.cloud`; http only on this
            machine, unless `allow_http`.
        bucket: The bucket, which is there already.
        prefix: What all keys begin with; no slash at the ends.
        access_key, secret_key, session_token: HMAC keys. They sign the content too, so the server checks it.
        api_key, instance_id: An IAM API key instead, and the service instance's id.
        auth_endpoint: Where tokens are had for it.
        credentials: A function that gives any of these; asked again when the store says that they have expired.
        region: None: the one that IBM's endpoint names, else us-east-1.
        ca: The file of a certificate authority; None: those that are commonly trusted.
        part_bytes: Larger files are sent in parts of this size, 5 MiB to 5 GiB; grows for files of over 10,000 parts.
        workers: Parts sent at once, 1 to 16; each takes `part_bytes` of memory, and there is one more.
        timeout: Seconds for one transfer; None: ten minutes and what the size takes at 20 kB/s.
        allow_http: Whether a server elsewhere may be asked without encryption.

    Raises:
        PlanError: if any of that cannot be; names every problem at once.
    """

    endpoint: str
    bucket: str
    prefix: str = ""
    access_key: str | None = field(default=None, repr=False)
    secret_key: SecretStr | None = field(default=None, repr=False)
    session_token: SecretStr | None = field(default=None, repr=False)
    api_key: SecretStr | None = field(default=None, repr=False)
    instance_id: str | None = field(default=None, repr=False)
    auth_endpoint: str = CLOUD
    credentials: Callable[[], Mapping[str, str]] | None = field(default=None, repr=False)
    region: str | None = None
    ca: str | Path | None = None
    part_bytes: int = 12 * MIB
    workers: int = 2
    timeout: float | None = None
    allow_http: bool = False
    patience: Patience = field(default_factory=Patience, repr=False, compare=False)
    name: str = field(default=BACKEND, init=False, repr=False)

    def __init__(
        self,
        *,
        endpoint: str,
        bucket: str,
        prefix: str = "",
        access_key: str | None = None,
        secret_key: str | SecretStr | None = None,
        session_token: str | SecretStr | None = None,
        api_key: str | SecretStr | None = None,
        instance_id: str | None = None,
        auth_endpoint: str = CLOUD,
        credentials: Callable[[], Mapping[str, str]] | None = None,
        region: str | None = None,
        ca: str | Path | None = None,
        part_bytes: int = 12 * MIB,
        workers: int = 2,
        timeout: float | None = None,
        allow_http: bool = False,
        patience: Patience | None = None,
    ) -> None:
        # Written by hand so that a secret is veiled before anything can go wrong in a frame that holds it.
        secret_key, session_token, api_key = _veiled(secret_key), _veiled(session_token), _veiled(api_key)
        given = {name: value for name, value in locals().items() if name not in ("self", "patience", "prefix")}
        for name, value in given.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "prefix", prefix.strip("/"))
        object.__setattr__(self, "endpoint", endpoint.rstrip("/"))
        object.__setattr__(self, "patience", patience or Patience())
        object.__setattr__(self, "name", BACKEND)
        if problems := list(self._problems()):
            raise PlanError(problems)

    def _problems(self) -> Iterator[str]:
        yield from settings.problems_of_address(
            self.endpoint, self.bucket, self.auth_endpoint, allow_http=self.allow_http
        )
        yield from settings.problems_of_numbers(self.part_bytes, self.workers, self.timeout)
        yield from settings.problems_of_keys(
            hmac=(bool(self.access_key), bool(self.secret_key)), iam=bool(self.api_key), asked=bool(self.credentials)
        )

    # --- where settings come from -----------------------------------------------------------------------------------

    @classmethod
    def from_env(cls, *, bucket: str | None = None, prefix: str | None = None, **more: Any) -> COS:
        """The store that the environment describes: COS_ENDPOINT, COS_BUCKET, COS_PREFIX, COS_ACCESS_KEY_ID and
        COS_SECRET_ACCESS_KEY (or COS_API_KEY and COS_INSTANCE_ID), COS_AUTH_ENDPOINT, COS_REGION, COS_CA_BUNDLE.

        Args:
            bucket, prefix, more: Settings that count instead.

        Raises:
            PlanError: if something is missing; names all of it.
        """
        known = settings.Settings(settings.COS, os.environ, {"bucket": bucket, "prefix": prefix, **more})
        more.clear()  # it may hold keys, and a traceback may show this frame
        return cls._known(known, "cos")

    @classmethod
    def from_uri(cls, uri: str, environ: Mapping[str, str] | None = None) -> COS:
        """The store at `cos://bucket/prefix` with the settings of the variables COS_..., or at `s3://bucket/prefix`
        with those of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION and
        AWS_CA_BUNDLE.

        Args:
            uri: The address.
            environ: Other variables than this process's.

        Raises:
            PlanError: if it is no such address, or something is missing; names all of it.
        """
        scheme, bucket, prefix = settings.bucket_in(uri)
        known = settings.Settings(
            settings.SCHEMES[scheme],
            environ if environ is not None else os.environ,
            {"bucket": bucket, "prefix": prefix},
        )
        del environ  # it holds keys, and a traceback may show this frame
        return cls._known(known, scheme)

    @classmethod
    def from_credentials(
        cls, credentials: Mapping[str, Any] | str | Path, *, endpoint: str, bucket: str, **more: Any
    ) -> COS:
        """A store with the keys of an IBM service credential, the JSON that its console shows: a file, its text, or
        what was read of it. HMAC keys are used where it has them.

        Raises:
            PlanError: if it holds no keys.
        """
        keys = settings.service_credentials(credentials)
        del credentials  # a traceback may show this frame
        return cls(**keys, endpoint=endpoint, bucket=bucket, **more)

    @classmethod
    def _known(cls, known: settings.Settings, scheme: str) -> COS:
        if problems := known.missing():
            raise PlanError(problems)
        store = cls(**known.all())
        object.__setattr__(store, "_scheme", scheme)
        return store

    # --- what a store offers ----------------------------------------------------------------------------------------

    def describe(self) -> str:
        """The address, such as `cos://bucket/prefix`."""
        return f"{self._place.address}/{self.prefix}".rstrip("/")

    def check(self) -> None:
        """Make sure that files could be put here; changes nothing.

        Raises:
            NotAuthorized: without the right to write.
            NotOffered: if there is no such bucket.
            Unavailable: if nobody answers.
        """
        with self._connected() as connection:
            try:
                # A part for an upload that is not there is refused either way: what for says whether it was allowed.
                connection.ask(
                    "upload_part", Key=f"{self._folder}.check", UploadId="none", PartNumber=1, Body=b""
                )  # fmt: skip
            except Missing:
                return

    def put(self, data: DataRef, name: str, *, owner: str, watch: Watch = unwatched) -> DataRef:
        """Store a file of this machine; see `Store`."""
        plain(name)
        plain(owner)
        with opened(data) as file, self._connected(data.size_bytes) as connection:
            meter = Meter(watch, data.size_bytes)
            sending = Sending(connection, self._folder, owner, self.workers, self.part_bytes, meter)
            return sending.stored(file, data, name)

    @contextmanager
    def writing(self, name: str, *, owner: str, watch: Watch = unwatched) -> Iterator[Incoming]:
        """Store bytes as they are made; see `Store`. `timeout` then counts from part to part."""
        with self._connected() as connection:
            meter = Meter(watch, None)
            incoming = Incoming(
                connection, self._folder, name, owner, self.workers, self.part_bytes, meter, self._seconds
            )
            try:
                yield incoming
                incoming.finish()
            except Missing as cause:
                incoming.give_up()
                raise _ended_by_others(cause) from cause
            except BaseException:
                incoming.give_up()
                raise

    def get(self, ref: DataRef, to: str | Path) -> None:
        """Fetch a file; see `Store`."""
        key = self._key(ref)
        with (
            _naming(ref),
            self._connected(ref.size_bytes) as connection,
            replacing(Path(to), needed=ref.size_bytes) as file,
        ):
            digest = hashlib.sha256()
            for piece in pieces(connection, key, ref.size_bytes):
                digest.update(piece)
                file.write(piece)
            if (found := digest.hexdigest()) != ref.sha256:
                raise UploadIntegrityError(
                    f"{ref.uri} is not what was stored: its SHA-256 is {found}, expected {ref.sha256}",
                    backend=self.name,
                    hint="Somebody replaced it; delete it and put the file again.",
                )

    def exists(self, ref: DataRef) -> bool:
        """Whether a file of this name and size is there."""
        with self._connected() as connection:
            return _is_there(connection, self._key(ref), ref)

    def delete(self, ref: DataRef) -> None:
        """Remove a file, whoever owns it; nothing happens if it is gone."""
        key = self._key(ref)
        with self._connected() as connection:
            self._remove(connection, key)
            owners = Owners(connection, self._folder)
            for owner, file in owners.all():
                if file == key.removeprefix(self._folder):
                    owners.remove(owner, file)

    def list(self, owner: str) -> tuple[DataRef, ...]:
        """The files that this owner needs, by name."""
        with self._connected() as connection:
            noted = Owners(connection, self._folder).files(owner)
            return tuple(ref for ref in noted if _is_there(connection, self._key(ref), ref))

    def release(self, owner: str) -> tuple[DataRef, ...]:
        """Give up an owner's files; see `Store`."""
        with self._connected() as connection:
            owners = Owners(connection, self._folder)
            owners.clear_incoming(owner)
            owned = [*owners.files(owner)]
            needed = {file for other, file in owners.all() if other != owner} if owned else set()
            return tuple(ref for ref in owned if self._released(connection, owners, owner, ref, needed))

    def _released(
        self, connection: Connection, owners: Owners, owner: str, ref: DataRef, needed: AbstractSet[str]
    ) -> bool:
        key = self._key(ref)
        file = key.removeprefix(self._folder)
        is_removed = file not in needed and _is_there(connection, key, ref)
        if file not in needed:
            self._remove(connection, key)
        # The note goes last: as long as it is there, what is left can be found.
        owners.remove(owner, file)
        return is_removed

    def _remove(self, connection: Connection, key: str) -> None:
        for upload in [*open_uploads(connection, key)]:
            upload.abort()
        connection.ask("delete_object", Key=key)

    # --- how it is reached ------------------------------------------------------------------------------------------

    @property
    def _folder(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""

    def _key(self, ref: DataRef) -> str:
        scheme, _, path = ref.uri.partition("://")
        key = path.removeprefix(f"{self.bucket}/")
        if scheme not in settings.SCHEMES or key == path or not key.startswith(self._folder) or key == self._folder:
            raise NotOffered(
                f"{ref.uri} is not in this store", backend=self.name, hint=f"Expected a file in {self.describe()}."
            )
        return key

    @contextmanager
    def _connected(self, size: int = 0) -> Iterator[Connection]:
        if self.ca:
            settings.check_bundle(self.ca)
        connection = Connection(self._place, self._authority, self.patience, self._seconds(size))
        try:
            yield connection
        finally:
            connection.close()

    def _seconds(self, size: int) -> float:
        asked = self.patience.total_seconds or self.timeout
        return asked or SECONDS_AT_LEAST + size / BYTES_A_SECOND_AT_LEAST

    @property
    def _place(self) -> Place:
        region = self.region or settings.region_of(self.endpoint)
        return Place(self.endpoint, self.bucket, region, self.ca, self.workers, self._known_scheme)

    @property
    def _known_scheme(self) -> str:
        """What the store's address begins with; it decides which variables it is made from again."""
        return str(self.__dict__.get("_scheme", "cos"))

    @property
    def _authority(self) -> Authority:
        # A child process has none: a lock that somebody held when it was born would stay locked in it.
        known: dict[int, Authority] = self.__dict__.setdefault("_authorities", {})
        if os.getpid() not in known:
            known[os.getpid()] = Authority(
                self._credentials, self._token_service, self._place.region, can_change=bool(self.credentials)
            )
        return known[os.getpid()]

    def _credentials(self) -> Credentials:
        found = credentials_in(self.credentials() if self.credentials else self.__dict__)
        if found is None:
            found = credentials_in(settings.SCHEMES[self._known_scheme].read(os.environ))
        if found is None:
            raise nobody()
        return found

    def _token_service(self, api_key: SecretStr) -> TokenService:
        times = self.patience
        return TokenService(
            self.auth_endpoint, api_key, self.ca, times.connect_seconds, times.read_seconds, times.clock
        )

    # --- how it travels ---------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in _STAYS_HERE} | dict.fromkeys(
            _SECRETS
        )

    def __copy__(self) -> COS:
        return self

    def __deepcopy__(self, _: object) -> COS:
        return self


_SECRETS = ("access_key", "secret_key", "session_token", "api_key", "credentials")
_STAYS_HERE = (*_SECRETS, "_authorities")


def _veiled(secret: str | SecretStr | None) -> SecretStr | None:
    return veiled(secret) if secret else None


def _ended_by_others(cause: Missing) -> Unavailable:
    return Unavailable(
        f"what was written is gone: {cause.args[0]}",
        backend=BACKEND,
        hint="Another program has ended the upload. Run the same line again; the bytes have to be made anew.",
    )


@contextmanager
def _naming(ref: DataRef) -> Iterator[None]:
    try:
        yield
    except Missing as cause:
        raise NotOffered(
            f"{ref.uri} is not there", backend=BACKEND, hint="It may have been released; put it again."
        ) from cause


def _is_there(connection: Connection, key: str, ref: DataRef) -> bool:
    try:
        return int(connection.ask("head_object", Key=key)["ContentLength"]) == ref.size_bytes
    except Missing:
        return False
