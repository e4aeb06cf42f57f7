"""Files that a job leaves: its metrics and its log. Knows where each platform keeps them; knows no shapes inside.

On a cluster they lie among the assets of the project; on the cloud in the object storage of the project, which is read
with the keys that the project tells those who may see them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.errors import MissingDependency, NotOffered, Unavailable

if TYPE_CHECKING:
    from wxtuning.adapters.watsonx.service import Service
    from wxtuning.adapters.watsonx.settings import Settings

MOST_BYTES = 16 * 2**20

CONNECT_SECONDS, READ_SECONDS = 5, 30
ROLES = ("viewer", "editor", "admin")
"""Whose keys are taken, those that may least first."""

ROOTS = ("/wx_prompt_tune/", "/wx_fine_tune/")


def read(service: Service, settings: Settings, place: str) -> bytes:
    """The bytes of a file, at most 16 MiB.

    Raises:
        NotOffered: if the service says nothing about how to get there.
        AdapterError: if it cannot be read.
    """
    for root in ROOTS:
        before, found, rest = place.partition(root)
        if found and before.endswith("/assets"):
            return _asset_file(service, f"{root}{rest}")
    return _object(_storage(service), place, settings)


def _asset_file(service: Service, path: str) -> bytes:
    container = service.container
    return service.read(f"/v2/asset_files{path}?{container.kind}_id={container.id}", most=MOST_BYTES)


def _storage(service: Service) -> Mapping[str, Any]:
    """Endpoint, bucket and keys of the project's object storage."""
    container = service.container
    told = service.get(f"/v2/{container.kind}s/{container.id}", include="everything,credentials")
    properties = ((told.get("entity") or {}).get("storage") or {}).get("properties") or {}
    credentials = properties.get("credentials") or {}
    keys = next((credentials[role] for role in ROLES if credentials.get(role)), None)
    if not (keys and properties.get("endpoint_url") and properties.get("bucket_name")):
        raise NotOffered(
            f"the files of jobs in {container.kind} {container.id} cannot be read: it tells no keys of its storage",
            backend=BACKEND,
            hint="Ask for the role of an editor there.",
        )
    return {**properties, "keys": keys}


def _object(storage: Mapping[str, Any], name: str, settings: Settings) -> bytes:
    try:
        import ibm_boto3
        from ibm_botocore.config import Config
        from ibm_botocore.exceptions import BotoCoreError, ClientError
    except ImportError as cause:
        raise MissingDependency(
            "the files of a job on the cloud are read with ibm-cos-sdk", backend=BACKEND,
            hint="pip install 'wxtuning[watsonx]'",
        ) from cause  # fmt: skip
    endpoint = str(storage["endpoint_url"])
    client = ibm_boto3.client(
        "s3",
        endpoint_url=endpoint if "://" in endpoint else f"https://{endpoint}",
        aws_access_key_id=storage["keys"]["access_key_id"],
        aws_secret_access_key=storage["keys"]["secret_access_key"],
        verify=str(settings.ca) if settings.ca else True,
        config=Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"max_attempts": 2}),
    )
    with closing(client):
        try:
            with closing(client.get_object(Bucket=storage["bucket_name"], Key=name.lstrip("/"))["Body"]) as body:
                return bytes(body.read(MOST_BYTES))
        except (BotoCoreError, ClientError) as cause:
            # Its frames hold keys, so of the cause only the kind is told.
            raise Unavailable(
                f"{name} could not be read from the storage of the project ({type(cause).__name__})", backend=BACKEND
            ) from None
