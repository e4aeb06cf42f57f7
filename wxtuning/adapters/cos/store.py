"""A bucket as a store, IBM Cloud Object Storage first: what it is told and what it offers. The work is elsewhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from wxtuning.adapters.cos import settings
from wxtuning.adapters.cos.address import Address, host_of, parsed
from wxtuning.adapters.cos.connection import Connection, Place
from wxtuning.adapters.cos.credential import WHAT_TO_COPY, service_credential
from wxtuning.adapters.cos.crew import Meter
from wxtuning.adapters.cos.faults import BACKEND, Missing
from wxtuning.adapters.cos.fetching import pieces
from wxtuning.adapters.cos.iam import CLOUD, TokenService
from wxtuning.adapters.cos.incoming import Incoming
from wxtuning.adapters.cos.keys import ApiKey, Authority, Credentials, credentials_in, given_by, nobody
from wxtuning.adapters.cos.owners import Owners
from wxtuning.adapters.cos.parts import MIB
from wxtuning.adapters.cos.problems import problems_of
from wxtuning.adapters.cos.releasing import is_there, released
from wxtuning.adapters.cos.rights import check_rights
from wxtuning.adapters.cos.secret import veiled
from wxtuning.adapters.cos.sending import Sending
from wxtuning.adapters.cos.tidying import end_uploads
from wxtuning.errors import NotOffered, PlanError, Unavailable, UploadIntegrityError
from wxtuning.folder import replacing
from wxtuning.ports import EndingWatch, Watch, unwatched
from wxtuning.retry import Patience
from wxtuning.status import DataRef
from wxtuning.stored import opened, plain, referred
from wxtuning.writing import Writer

SECONDS_AT_LEAST = 600.0
BYTES_A_SECOND_AT_LEAST = 20_000


@dataclass(frozen=True, kw_only=True, init=False)
class COS:
    """Keeps files in a bucket of IBM Cloud Object Storage, or of any server that speaks S3.

    Nothing is asked before the first use. Secrets are in no text of it, and do not travel with it: in another process
    they are taken from the environment.

    Args:
        endpoint: The server, such as `https://s3.eu-de.cloud-object-storage.appdomain.cloud`, without a path; http
            only on this machine, unless `allow_http`.
        bucket: The bucket, which is there already.
        prefix: What all keys begin with, up to 680 bytes; no slash in front, no `?`, `#`, `..` or control character.
        access_key, secret_key, session_token: HMAC keys. They sign the content too, so the server checks it.
        api_key, instance_id: An IAM API key instead. The id of the service instance is taken because credentials hold
            it; a service asks for it only where buckets are made or listed, so it is never sent.
        auth_endpoint: Where tokens are had for it.
        credentials: A function that gives any of these; asked again when the store says that they have expired.
        region: None: the one that IBM's endpoint names, else us-east-1.
        ca: The file of a certificate authority; None: those that are commonly trusted.
        part_bytes: Larger files are sent in parts of this size, 5 MiB to 5 GiB; grows for files of over 10,000 parts.
        workers: Parts sent at once, 1 to 16; each takes `part_bytes` of memory, and there is one more.
        timeout: Seconds for one transfer; None: ten minutes and what the size takes at 20 kB/s.
        allow_http: Whether a server elsewhere may be asked without encryption.
        scheme: What its address begins with: `cos`, or `s3` for a store that takes its keys from the variables AWS_...

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
    scheme: str = field(default="cos", repr=False)
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
        scheme: str = "cos",
        patience: Patience | None = None,
    ) -> None:
        # Written by hand so that a secret is veiled before anything can go wrong in a frame that holds it.
        secret_key, session_token, api_key = veiled(secret_key), veiled(session_token), veiled(api_key)
        patience = Patience() if patience is None else patience
        told = {name: value for name, value in locals().items() if name != "self"}
        for name, value in {**told, "name": BACKEND}.items():
            object.__setattr__(self, name, value)
        if problems := list(problems_of(told)):
            raise PlanError(problems)
        object.__setattr__(self, "endpoint", endpoint.rstrip("/"))
        object.__setattr__(self, "prefix", prefix.rstrip("/"))

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
        return cls._known(known)

    @classmethod
    def from_uri(cls, uri: str, environ: Mapping[str, str] | None = None) -> COS:
        """The store at `cos://bucket/prefix` with the settings of the variables COS_..., or at `s3://bucket/prefix`
        with those of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION and
        AWS_CA_BUNDLE.

        Args:
            uri: The address; `cos://bucket@host/prefix`, as `describe()` writes it, names the endpoint too, which then
                need not be set.
            environ: Other variables than this process's.

        Raises:
            PlanError: if it is no such address, if the endpoint that is set is at another host, or if something is
                missing; names all of it.
        """
        at = parsed(uri)
        given = {"bucket": at.bucket, "prefix": at.prefix, "scheme": at.scheme}
        variables = settings.SCHEMES[at.scheme]
        known = settings.Settings(variables, os.environ if environ is None else environ, given, at.host)
        del environ  # it holds keys, and a traceback may show this frame
        return cls._known(known)

    @classmethod
    def from_credentials(
        cls, credentials: Mapping[str, Any] | str | Path, *, endpoint: str, bucket: str, **more: Any
    ) -> COS:
        """A store with the keys of an IBM service credential, the JSON that its console shows: a file, its text, or
        what was read of it. HMAC keys are used where it has them.

        Raises:
            PlanError: if it holds no keys, or names that are misspelt.
        """
        found = service_credential(credentials)
        # A traceback may show this frame.
        del credentials
        more = {name: veiled(value) if name in _VEILED else value for name, value in more.items()}
        if found.problem:
            raise PlanError([found.problem], hint=WHAT_TO_COPY)
        return cls(**found.settings, endpoint=endpoint, bucket=bucket, **more)

    @classmethod
    def _known(cls, known: settings.Settings) -> COS:
        if known.problems:
            raise PlanError(known.problems)
        return cls(**known.all())

    # --- what a store offers ----------------------------------------------------------------------------------------

    def describe(self) -> str:
        """The address, such as `cos://bucket@host/prefix`; `from_uri` makes the store again from it."""
        return str(self._address)

    def connection_properties(self) -> Mapping[str, str | SecretStr]:
        """What a service that reads from this bucket by itself is told, in the words of watsonx's connections.

        Returns:
            `url`, `bucket`, and `access_key` with `secret_key`, or `api_key` with `iam_url` and, if it is known,
            `resource_instance_id`.

        Raises:
            NotOffered: if the keys are short-lived ones; a connection needs keys that last.
            NotAuthorized: if there are no keys.
        """
        place = {"url": self.endpoint, "bucket": self.bucket}
        keys = self._credentials()
        if isinstance(keys, ApiKey):
            instance = {"resource_instance_id": keys.instance_id} if keys.instance_id else {}
            return {**place, "api_key": keys.api_key, "iam_url": self.auth_endpoint, **instance}
        if keys.session_token:
            raise NotOffered(
                f"the keys of {self.describe()} end with their session, and a connection needs keys that last",
                backend=self.name,
                hint="Take HMAC keys or an API key of a service ID, or name a connection that is there already.",
            )
        return {**place, "access_key": keys.access_key, "secret_key": keys.secret_key}

    def check(self) -> tuple[str, ...]:
        """Make sure that files could be put here, and tell what could not be removed; changes nothing.

        Raises:
            NotAuthorized: without the right to list, read or write objects, or to list and read uploads.
            NotOffered: if there is no such bucket.
            Unavailable: if nobody answers.
        """
        with self._connected() as connection:
            return check_rights(connection, self._folder)

    def put(self, data: DataRef, name: str, *, owner: str, watch: Watch = unwatched) -> DataRef:
        """Store a file of this machine; see `Store`."""
        plain(name)
        plain(owner)
        referred(data)
        with opened(data) as file, self._connected(data.size_bytes, watch) as connection:
            meter = Meter(watch, data.size_bytes)
            sending = Sending(connection, self._folder, owner, self.workers, self.part_bytes, meter)
            return sending.stored(file, data, name)

    @contextmanager
    def writing(self, name: str, *, owner: str, watch: Watch = unwatched) -> Iterator[Writer]:
        """Store bytes as they are made; see `Store`. `timeout` then counts from part to part."""
        with self._connected(watch=watch) as connection:
            meter = Meter(watch, None)
            incoming = Incoming(
                connection, self._folder, name, owner, self.workers, self.part_bytes, meter, self._seconds
            )
            try:
                with Writer(incoming.write, self.name).open(incoming.finish) as writer:
                    yield writer
            except Missing as cause:
                incoming.give_up()
                raise _gone(cause) from cause
            except Exception:
                incoming.give_up()
                raise
            except BaseException:
                incoming.leave()
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
            return is_there(connection, self._key(ref), ref)

    def delete(self, ref: DataRef) -> None:
        """Remove a file, whoever owns it; nothing happens if it is gone."""
        key = self._key(ref)
        with self._connected() as connection:
            end_uploads(connection, key)
            connection.ask("delete_object", Key=key)
            owners = Owners(connection, self._folder)
            file = key.removeprefix(self._folder)
            for owner in owners.are_of(file):
                owners.remove(owner, file)

    def list(self, owner: str) -> tuple[DataRef, ...]:
        """The files that this owner needs, by name."""
        with self._connected() as connection:
            noted = Owners(connection, self._folder).files(owner)
            return tuple(ref for ref in noted if is_there(connection, self._key(ref), ref))

    def release(self, owner: str) -> tuple[DataRef, ...]:
        """Give up an owner's files; see `Store`."""
        plain(owner)
        with self._connected() as connection:
            return released(connection, self._folder, owner)

    # --- how it is reached ------------------------------------------------------------------------------------------

    @property
    def _folder(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""

    def _key(self, ref: DataRef) -> str:
        referred(ref)
        # An address that leaves the endpoint open is one of this store's own.
        roots = (f"{self._address.root}/", f"{replace(self._address, host='').root}/")
        key = next((ref.uri.removeprefix(root) for root in roots if ref.uri.startswith(root)), "")
        # What lies deeper belongs to a store whose prefix is longer.
        if not key.startswith(self._folder) or key == self._folder or "/" in key.removeprefix(self._folder):
            raise NotOffered(
                f"{ref.uri} is not in this store", backend=self.name, hint=f"Expected a file in {self.describe()}."
            )
        return key

    @contextmanager
    def _connected(self, size: int = 0, watch: Watch = unwatched) -> Iterator[Connection]:
        if self.ca:
            settings.check_bundle(self.ca)
        connection = Connection(self._place, self._authority, self.patience, self._seconds(size))
        if isinstance(watch, EndingWatch):
            watch.at_end(connection.end)
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
        return Place(self.endpoint, self.bucket, region, self.ca, self.workers, self._address.root)

    @property
    def _address(self) -> Address:
        return Address(scheme=self.scheme, bucket=self.bucket, host=host_of(self.endpoint), prefix=self.prefix)

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
        if self.credentials:
            return given_by(self.credentials)
        found = credentials_in(self.__dict__)
        if found is None:
            found = credentials_in(settings.SCHEMES[self.scheme].read(os.environ))
        if found is None:
            raise nobody()
        return found

    def _token_service(self, api_key: SecretStr) -> TokenService:
        return TokenService(self.auth_endpoint, api_key, self.ca, self.patience.clock)

    # --- how it travels ---------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in _STAYS_HERE} | dict.fromkeys(
            _SECRETS
        )

    def __copy__(self) -> COS:
        return self

    def __deepcopy__(self, _: object) -> COS:
        return self


_VEILED = ("secret_key", "session_token", "api_key")
_SECRETS = ("access_key", *_VEILED, "credentials")
_STAYS_HERE = (*_SECRETS, "_authorities")


def _gone(cause: Missing) -> Unavailable:
    return Unavailable(
        f"what was written is gone: {cause.args[0]}",
        backend=BACKEND,
        hint="Make sure that nobody cleans up this bucket, and run the same line again; the bytes are made anew then.",
    )


@contextmanager
def _naming(ref: DataRef) -> Iterator[None]:
    try:
        yield
    except Missing as cause:
        raise NotOffered(
            f"{ref.uri} is not there", backend=BACKEND, hint="It may have been released; put it again."
        ) from cause
