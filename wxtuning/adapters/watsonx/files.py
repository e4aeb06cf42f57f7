"""Files that a job leaves: its metrics and its log. Knows where each platform keeps them; knows no shapes inside.

On a cluster they lie among the assets of the project; on the cloud in the object storage of the project, which is read
with the keys that the project tells those who may see them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from wxtuning.adapters.watsonx.faults import BACKEND, Refused
from wxtuning.adapters.watsonx.settings import revealed, veiled
from wxtuning.adapters.watsonx.until import left
from wxtuning.errors import MissingDependency, NotOffered, Unavailable

if TYPE_CHECKING:
    from wxtuning.adapters.watsonx.service import Service
    from wxtuning.adapters.watsonx.settings import Settings

MOST_BYTES = 16 * 2**20
PIECE_BYTES = 2**20

CONNECT_SECONDS, READ_SECONDS = 5, 30
ROLES = ("viewer", "editor", "admin")
"""Whose keys are taken, those that may least first."""

ROOTS = ("/wx_prompt_tune/", "/wx_fine_tune/")

EMPTY = 416
"""What is answered to who asks for a part of an empty file."""


def read(service: Service, settings: Settings, place: str) -> bytes:
    """The bytes of a file, at most 16 MiB.

    Raises:
        NotOffered: if the service says nothing about how to get there.
        AdapterError: if it cannot be read.
    """
    if address := _asset_file(service, place):
        return service.read(address, most=MOST_BYTES)
    return _object(_storage(service), place, _whole, settings)


def end(service: Service, settings: Settings, place: str, size: int) -> bytes:
    """The last bytes of a file, at most so many, however large it is.

    Raises:
        NotOffered, AdapterError: as for `read`.
    """
    if not (address := _asset_file(service, place)):
        return _object(_storage(service), place, partial(_end, size=size), settings)
    try:
        return service.end(address, size=size)
    except Refused as refusal:
        if refusal.status == EMPTY:
            return b""
        raise


def _asset_file(service: Service, place: str) -> str:
    """The address of a file among the project's assets; empty for one that lies elsewhere."""
    container = service.container
    for root in ROOTS:
        before, found, rest = place.partition(root)
        if found and before.endswith("/assets"):
            return f"/v2/asset_files{root}{rest}?{container.kind}_id={container.id}"
    return ""


@dataclass(frozen=True)
class _Storage:
    """The object storage of a project, and its keys."""

    endpoint: str
    bucket: str
    access_key: SecretStr = field(repr=False)
    secret_key: SecretStr = field(repr=False)


def _storage(service: Service) -> _Storage:
    found = _told(service)
    if found is None:
        container = service.container
        raise NotOffered(
            f"the files of jobs in {container.kind} {container.id} cannot be read: it tells no keys of its storage",
            backend=BACKEND,
            hint="Ask for the role of an editor there.",
        )
    return found


def _told(service: Service) -> _Storage | None:
    """What the project tells of its storage. Nothing is raised here once it did: this frame holds keys."""
    container = service.container
    told = service.get(f"/v2/{container.kind}s/{container.id}", include="everything,credentials")
    match told:
        case {"entity": {"storage": {"properties": {"credentials": dict(credentials), **properties}}}}:
            found = (credentials.get(role) for role in ROLES)
            keys: dict[str, Any] = next((each for each in found if each and isinstance(each, dict)), {})
        case _:
            return None
    access, secret = veiled(keys.get("access_key_id")), veiled(keys.get("secret_access_key"))
    endpoint, bucket = properties.get("endpoint_url"), properties.get("bucket_name")
    return _Storage(str(endpoint), str(bucket), access, secret) if access and secret and endpoint and bucket else None


def _object(storage: _Storage, name: str, reading: Reading, settings: Settings) -> bytes:
    try:
        import ibm_boto3  # noqa: F401 - told here if it is missing
    except ImportError as cause:
        raise MissingDependency(
            "the files of a job on the cloud are read with ibm-cos-sdk", backend=BACKEND,
            hint="pip install 'wxtuning[watsonx]'",
        ) from cause  # fmt: skip
    found = _content(storage, name.lstrip("/"), reading, settings)
    if isinstance(found, bytes):
        return found
    raise Unavailable(
        f"{name} could not be read from the storage of the project, {storage.bucket} at {storage.endpoint} ({found})",
        backend=BACKEND,
        hint="Ask again later; if it stays so, see in the project whether the file and its storage are there.",
    )


Reading = Callable[[Any, dict[str, str]], bytes | str]
"""Takes from a client what is wanted of an object, or says why that cannot be had."""


def _whole(client: Any, place: dict[str, str]) -> bytes | str:
    with closing(client.get_object(**place)["Body"]) as body:
        content = bytes(body.read(MOST_BYTES + 1))
    # A part of it must not be taken for the whole.
    return content if len(content) <= MOST_BYTES else f"it has more than {MOST_BYTES:,} bytes"


def _end(client: Any, place: dict[str, str], *, size: int) -> bytes:
    content = b""
    # A store that knows no ranges gives out the whole.
    with closing(client.get_object(**place, Range=f"bytes=-{size}")["Body"]) as body:
        for piece in body.iter_chunks(PIECE_BYTES):
            content = (content + piece)[-size:]
    return content


def _content(storage: _Storage, key: str, reading: Reading, settings: Settings) -> bytes | str:
    """The bytes of an object, or what kind of error there was: its frames hold keys, so it goes no further."""
    from ibm_botocore.exceptions import BotoCoreError, ClientError

    try:
        with closing(_client(storage, settings)) as client:
            return reading(client, {"Bucket": storage.bucket, "Key": key})
    except ClientError as refusal:
        code = str(refusal.response.get("Error", {}).get("Code") or "ClientError")
        return b"" if code in ("InvalidRange", str(EMPTY)) else code
    except (BotoCoreError, OSError, ValueError) as error:
        return type(error).__name__


def _client(storage: _Storage, settings: Settings) -> Any:
    import ibm_boto3
    from ibm_botocore.config import Config

    return ibm_boto3.client(
        "s3",
        endpoint_url=storage.endpoint if "://" in storage.endpoint else f"https://{storage.endpoint}",
        aws_access_key_id=revealed(storage.access_key),
        aws_secret_access_key=revealed(storage.secret_key),
        verify=str(settings.ca) if settings.ca else True,
        config=Config(
            connect_timeout=max(left(CONNECT_SECONDS), 0.001),
            read_timeout=max(left(READ_SECONDS), 0.001),
            retries={"max_attempts": 2},
        ),
    )
