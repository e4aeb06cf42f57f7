"""Objects of an S3-compatible store, fetched with the keys of a connection. Knows nothing of trainings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wxtuning.server.data.endpoints import checked
from wxtuning.server.errors import Refused, invalid
from wxtuning.server.private import create
from wxtuning.server.trainings.quotes import quoted

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 10, 60, 3
BLOCK_BYTES = 1 << 20
TOKENS = "https://iam.cloud.ibm.com/identity/token"

# A name like an ARN would choose another endpoint.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,62}")


def fetch(
    properties: Mapping[str, Any], bucket: str, name: str, to: Path, *, allowed: Sequence[str], most_bytes: int
) -> None:
    """Copy an object into a file.

    Args:
        properties: Of the connection: `url`, and `access_key` with `secret_key`, or `api_key` (and `iam_url`).
        bucket, name: Which object.
        to: The file to write.
        allowed: Addresses of stores that need not be on the internet.
        most_bytes: A larger object is refused.

    Raises:
        Refused: if the store may not be called, does not answer, or does not give the object.
    """
    from ibm_botocore.exceptions import BotoCoreError, ClientError

    if not _BUCKET.fullmatch(bucket):
        raise invalid(f"{quoted(bucket)} is no name of a bucket", target="bucket")
    client = _client(properties, allowed)
    try:
        answer = client.get_object(Bucket=bucket, Key=name)
        _copy(answer["Body"], to, most_bytes=most_bytes, what=f"{bucket}/{name}")
    except ClientError as cause:
        code = cause.response.get("Error", {}).get("Code", "unknown")
        raise _not_given(bucket, name, f"the store answered {code}") from None
    except (BotoCoreError, OSError) as cause:
        raise _not_given(bucket, name, type(cause).__name__) from None
    finally:
        client.close()


def _client(properties: Mapping[str, Any], allowed: Sequence[str]) -> Any:
    endpoint = checked(_text(properties, "url"), allowed)
    if properties.get("access_key"):
        named = {
            "aws_access_key_id": _text(properties, "access_key"),
            "aws_secret_access_key": _text(properties, "secret_key"),
            "region_name": "us-east-1",
            "config": _config("s3v4"),
        }
    else:
        named = {"token_manager": _Token(properties, allowed), "config": _config("oauth")}
    # A store that sends us to another host is not followed: with an endpoint of its own, the client stays there.
    return _session().client("s3", endpoint_url=endpoint, **named)


def _session() -> Any:
    """A session that takes nothing of this machine's own keys and settings: the caller's are the only ones."""
    import ibm_boto3.session
    import ibm_botocore.session

    # For each variable: its name in a file of settings and in the environment, what it is otherwise, how it is read.
    nowhere = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    bare = ibm_botocore.session.Session(session_vars={"profile": (None, None, None, None), **nowhere})
    return ibm_boto3.session.Session(botocore_session=bare)


def _config(signature: str) -> Any:
    from ibm_botocore.config import Config

    return Config(
        signature_version=signature,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"max_attempts": ATTEMPTS},
        s3={"addressing_style": "path"},
    )


class _Token:
    """A token of IBM Cloud for an api key. The client's own way of asking for it follows redirects; this does not."""

    def __init__(self, properties: Mapping[str, Any], allowed: Sequence[str]) -> None:
        self._key = _text(properties, "api_key")
        given = urlsplit(str(properties.get("iam_url") or TOKENS))
        self._address = f"{checked(f'{given.scheme}://{given.netloc}', allowed)}{given.path}"

    def set_from_config(self, config: Any) -> None:
        """The client calls it; what it brings is of no use here."""

    def get_token(self) -> str:
        import httpx

        form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": self._key}
        try:
            answer = httpx.post(self._address, data=form, timeout=READ_SECONDS, follow_redirects=False)
            return str(answer.raise_for_status().json()["access_token"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            raise OSError("no token for the api key") from None


def _text(properties: Mapping[str, Any], name: str) -> str:
    value = properties.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"the connection has no {name!r}; expected url, access_key and secret_key", target=name)
    return value


def _copy(body: Any, to: Path, *, most_bytes: int, what: str) -> None:
    copied = 0
    with create(to) as file:
        for block in body.iter_chunks(BLOCK_BYTES):
            copied += len(block)
            if copied > most_bytes:
                raise invalid(f"the object {what} is larger than {most_bytes:,} bytes")
            file.write(block)


def _not_given(bucket: str, name: str, reason: str) -> Refused:
    message = f"the object {quoted(name)} of bucket {bucket} cannot be read: {reason}; check connection and names"
    return Refused(400, "invalid_request_entity", message)
