"""Signs a request with the storage owner's keys, for those in the middle that change it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from ibm_botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth
from ibm_botocore.awsrequest import AWSRequest
from ibm_botocore.credentials import Credentials

from tests.storage.swift import OWNER
from tests.storage.wire import Headers, Request

SIGNATURE = {"authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
NO_TIME = timedelta()


def signed(request: Request, body: bytes, *, without: Collection[str] = (), ago: timedelta = NO_TIME) -> Headers:
    """The headers of the request with this body, signed anew so long ago; those `without` are left out."""
    left_out = SIGNATURE | set(without) | {"expect"}
    kept = {name: value for name, value in request.headers if name.lower() not in left_out}
    again = AWSRequest(method=request.method, url=f"http://{kept['Host']}{request.target}", headers=kept, data=body)
    _Signature(ago).add_auth(again)
    return tuple(again.headers.items())


class _Signature(S3SigV4Auth):
    """Its parent's, at a time of one's own choosing."""

    def __init__(self, ago: timedelta) -> None:
        super().__init__(Credentials(OWNER.access_key, OWNER.secret_key), "s3", "us-east-1")
        self._ago = ago

    def add_auth(self, request: Any) -> None:
        request.context["timestamp"] = (datetime.now(UTC) - self._ago).strftime(SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))
