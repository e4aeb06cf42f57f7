"""The object storage that a project or space of IBM Cloud has: what is told of it, and whose requests are answered."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from wxtuning.server.errors import Refused
from wxtuning.server.ground import Ground

PREFIX = "/storage"
CLOCK = timedelta(minutes=15)
"""How far a signer's clock may be off."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,]+)/(?P<day>\d{8})/(?P<region>[^/,]*)/s3/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


def storage_of(ground: Ground, container: str, url: str) -> dict[str, Any]:
    """`entity.storage` of a project or space, with the keys that the SDK reads metrics with."""
    keys = ground.tokens.keys
    pair = {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
    return {
        "type": "bmcos_object_storage",
        "guid": container.partition("/")[2],
        "properties": {
            "bucket_name": bucket_of(container),
            "bucket_region": "us-south",
            "endpoint_url": f"{url}{PREFIX}",
            "credentials": {"admin": pair, "editor": pair, "viewer": pair},
        },
    }


def bucket_of(container: str) -> str:
    """The bucket of `project/ID` or `space/ID`."""
    return container.replace("/", "-", 1)


def container_of(bucket: str) -> str:
    """The project or space whose bucket this is, as far as its name tells."""
    return bucket.replace("-", "/", 1)


def check_signature(ground: Ground, method: str, path: str, headers: Mapping[str, str]) -> None:
    """Check a request that was signed with the storage's keys, as S3 does (Signature Version 4).

    Args:
        path: The address of the request, decoded.
        headers: Of the request, by lower-case name.

    Raises:
        Refused: if it is not signed with them, or its time is more than a quarter of an hour away.
    """
    keys, found = ground.tokens.keys, _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None or not hmac.compare_digest(found["key"].encode(), keys.access_key_id.encode()):
        raise _refused("the request is not signed with the keys of this storage")
    names = found["headers"].split(";")
    if not {"host", "x-amz-date"} <= set(names) or not _is_now(headers.get("x-amz-date", "")):
        raise _refused("the request's time is not signed, or more than 15 minutes away from the server's clock")
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
    payload = headers.get("x-amz-content-sha256", "")
    request = "\n".join([method, quote(path, safe="/-_.~"), "", lines, found["headers"], payload])
    scope = f"{found['day']}/{found['region']}/s3/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashed}"
    expected = _signature(keys.secret_access_key, (found["day"], found["region"], "s3", "aws4_request"), text)
    if not hmac.compare_digest(expected.encode(), found["signature"].encode()):
        raise _refused("the signature does not fit the request")


def _signature(secret: str, scope: Iterable[str], text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _is_now(stamp: str) -> bool:
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - signed) <= CLOCK


def _refused(message: str) -> Refused:
    return Refused(403, "authorization_rejected", message)
