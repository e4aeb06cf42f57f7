"""What goes wrong at an object storage, in wxtuning's words. The only place that knows the vendors' exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from wxtuning.adapters.cos.redaction import bared
from wxtuning.errors import AdapterError, NotAuthorized, NotOffered, Unavailable, UploadIntegrityError, WxTuningError
from wxtuning.retry import retry_after

BACKEND = "cos"

PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504, 507, 509})
_PASSING_CODES = frozenset({"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "ThrottlingException"})
_DAMAGED = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "IncompleteBody"})
_NOT_OUR_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "401"})
_WRONG_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "Unauthorized", "InvalidSecurity"})
_ABSENT = frozenset({"NoSuchKey", "NoSuchUpload", "404", "NotFound"})
_NEEDS_ONLY_THE_BUCKET = frozenset(
    {"put_object", "create_multipart_upload", "list_objects_v2", "list_multipart_uploads"}
)
_ELSEWHERE = frozenset(
    {"PermanentRedirect", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed", "301", "302", "307"}
)
_UNKNOWN_TO_IT = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})

_MOST_SKEW_SECONDS = 300.0

_RIGHTS = {
    "head_object": "read objects (s3:GetObject)",
    "get_object": "read objects (s3:GetObject)",
    "put_object": "write objects (s3:PutObject)",
    "upload_part": "write objects (s3:PutObject)",
    "upload_part_copy": "write objects (s3:PutObject)",
    "copy_object": "write objects (s3:PutObject)",
    "create_multipart_upload": "write objects (s3:PutObject)",
    "complete_multipart_upload": "write objects (s3:PutObject)",
    "abort_multipart_upload": "end uploads (s3:AbortMultipartUpload)",
    "list_parts": "list the parts of an upload (s3:ListMultipartUploadParts)",
    "list_multipart_uploads": "list the uploads of the bucket (s3:ListBucketMultipartUploads)",
    "list_objects_v2": "list the bucket (s3:ListBucket)",
    "delete_object": "delete objects (s3:DeleteObject)",
}


class Missing(NotOffered):
    """The object or the upload that was asked for is not there."""


class Unsupported(NotOffered):
    """This server does not know the request."""


class TokensOut(Exception):
    """The service that gives tokens did not give one; it may later, after so many seconds if it says so."""

    def __init__(self, host: str, reason: str, after: float = 0.0) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason
        self.after = after


class HalfAnswer(Exception):
    """An answer without what was asked for; some say 200 and send an error document."""


_ANSWERS = {
    "create_multipart_upload": "UploadId",
    "upload_part": "ETag",
    "upload_part_copy": "CopyPartResult",
    "put_object": "ETag",
    "head_object": "ContentLength",
    "get_object": "ContentLength",
}


def check_whole(operation: str, answer: Mapping[str, Any]) -> None:
    """Make sure that an answer holds what was asked for.

    Raises:
        HalfAnswer: if it does not.
    """
    needed = _ANSWERS.get(operation)
    if needed and answer.get(needed) is None:
        raise HalfAnswer(f"an answer without {needed}")


@dataclass(frozen=True)
class Request:
    """What was asked of whom, for messages."""

    operation: str
    bucket: str
    host: str
    region: str
    key: str = ""

    @property
    def where(self) -> str:
        return f"bucket {self.bucket!r} at {self.host} (region {self.region})"

    @property
    def what(self) -> str:
        return f"{self.key} in {self.where}" if self.key else self.where

    @property
    def right(self) -> str:
        return _RIGHTS.get(self.operation, self.operation)


def of_vendors() -> tuple[type[BaseException], ...]:
    """Everything that the vendors' packages may raise out of a request."""
    from ibm_botocore.exceptions import BotoCoreError, ClientError
    from ibm_botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    return (BotoCoreError, ClientError, ResponseParserError, HTTPError, OSError, TokensOut, HalfAnswer)


def passing(error: BaseException) -> float | None:
    """The seconds to wait before the same request may succeed, 0.0 if nobody says; None if it never will."""
    from ibm_botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return retry_after(_headers(error)) if _is_passing(error) else None
    if isinstance(error, TokensOut):
        return error.after
    return 0.0 if isinstance(error, of_vendors()) and not _is_final(error) else None


def _is_passing(error: Any) -> bool:
    status, code = _status(error), _code(error)
    # A 200 that holds an error document reaches us as an error with the status 200.
    return status in PASSING_STATUS or status < 300 or code in _PASSING_CODES or code in _DAMAGED


def _is_final(error: BaseException) -> bool:
    from ibm_botocore.exceptions import ParamValidationError

    return isinstance(error, ParamValidationError) or about_tls(error, "") is not None


def is_expired(error: BaseException) -> bool:
    """Whether new credentials may help."""
    from ibm_botocore.exceptions import ClientError

    return isinstance(error, ClientError) and (_code(error) in _EXPIRED or _status(error) == 401)


def is_unexplained(error: BaseException) -> bool:
    """Whether the server refused without a word, as it must where an answer has no body."""
    from ibm_botocore.exceptions import ClientError

    return isinstance(error, ClientError) and _code(error) in ("400", "403") and _status(error) in (400, 403)


def translation(error: BaseException, request: Request, attempts: int = 1) -> WxTuningError:
    """The error to raise for what a vendor raised, which is laid bare: it may become a cause."""
    from ibm_botocore.exceptions import ClientError

    bared(error)
    if isinstance(error, ClientError):
        return _answered(error, request, attempts)
    if isinstance(error, TokensOut):
        return Unavailable(
            f"{error.host} gave no token {_after(attempts)} ({error.reason})", backend=BACKEND, hint=_LATER
        )
    return about_tls(error, request.host) or Unavailable(
        f"{request.host} did not answer ({_kind(error)}) {_after(attempts)} for {request.what}",
        backend=BACKEND,
        hint=_LATER,
    )


def about_tls(error: BaseException, host: str) -> Unavailable | None:
    """What a host does with TLS that it will do again; None if that is not what went wrong."""
    if any(word in str(error) for word in _UNTRUSTED):
        return Unavailable(
            f"the certificate of {host} was not accepted",
            backend=BACKEND,
            hint="Name the file of its certificate authority in ca= or COS_CA_BUNDLE; verification is never off.",
        )
    if word := next((word for word in _NO_TLS if word in str(error)), ""):
        return Unavailable(
            f"{host} does not speak the TLS that was expected at this port ({word})",
            backend=BACKEND,
            hint="Check host and port. A server without TLS is written http://, and elsewhere than on this machine "
            "takes allow_http=True.",
        )
    return None


_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed", "CA bundle")
_NO_TLS = (
    *("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"),
    *("UNSUPPORTED_PROTOCOL", "ALERT_PROTOCOL_VERSION", "HANDSHAKE_FAILURE"),
)
"""What OpenSSL calls an answer that is no TLS, or of no version or cipher that this machine takes."""


_LATER = "Run the same line again later; what has been stored is kept."


def _after(attempts: int) -> str:
    return "when asked" if attempts == 1 else f"in {attempts} attempts"


def _kind(error: BaseException) -> str:
    inner = getattr(error, "kwargs", {}).get("error") if type(error).__name__ == "HTTPClientError" else None
    return type(inner or error).__name__


def _answered(error: Any, request: Request, attempts: int) -> WxTuningError:
    code, status = _code(error), _status(error)
    if _is_skewed(error, code):
        return _clock_off(error, request)
    if code == "NoSuchBucket":
        return _no_bucket(request)
    if code in _ELSEWHERE:
        return _other_region(error, request)
    if code in _EXPIRED or code in _WRONG_KEYS or status in (401, 403):
        return _refused(request, code)
    if code in _ABSENT and request.operation in _NEEDS_ONLY_THE_BUCKET:
        return _no_storage(request, code)
    if code in _ABSENT:
        return Missing(f"{request.what} is not there ({code})", backend=BACKEND, hint="It may have been released.")
    if code in _UNKNOWN_TO_IT:
        return Unsupported(f"{request.host} does not offer {request.operation}", backend=BACKEND)
    if code in _NOT_OUR_PARTS:
        return UploadIntegrityError(
            f"the parts that {request.host} holds of {request.key} are not those that were sent ({code})",
            backend=BACKEND,
            hint="Nothing was kept. Run the same line again; if it happens again, do not trust this store.",
        )
    if code in _DAMAGED:
        return _damaged(request, code, attempts)
    if _is_passing(error):
        return Unavailable(
            f"{request.host} answered {_words(error)} {_after(attempts)} for {request.what}",
            backend=BACKEND,
            hint=_LATER,
        )
    return AdapterError(f"{request.host} answered {_words(error)} for {request.what}", backend=BACKEND)


def _no_bucket(request: Request) -> NotOffered:
    return NotOffered(
        f"there is no {request.where}",
        backend=BACKEND,
        hint="Check bucket= and endpoint=; a bucket is found only at the endpoint of its own region.",
    )


def _no_storage(request: Request, code: str) -> NotOffered:
    return NotOffered(
        f"{request.host} keeps nothing at this address: {request.operation} of {request.what} was answered by {code}",
        backend=BACKEND,
        hint="Check endpoint= and bucket=: is that the address of the object storage itself?",
    )


def _other_region(error: Any, request: Request) -> NotOffered:
    document = error.response.get("Error", {})
    region = _headers(error).get("x-amz-bucket-region") or document.get("Region")
    known = f"region {region!r}" if region else "another region"
    endpoint = document.get("Endpoint")
    return NotOffered(
        f"{request.where} was asked, but the bucket is in {known}",
        backend=BACKEND,
        hint=f"Name that region's endpoint in endpoint={f' ({endpoint})' if endpoint else ''} and region=.",
    )


def _refused(request: Request, code: str) -> NotAuthorized:
    if code in _EXPIRED:
        return NotAuthorized(
            f"the credentials for {request.where} have expired, and new ones were refused or not to be had ({code})",
            backend=BACKEND,
            hint="Put valid keys into the environment, or give credentials= a function that fetches new ones.",
        )
    if code in _WRONG_KEYS:
        return NotAuthorized(
            f"{request.host} does not know the keys that were given for {request.where} ({code})",
            backend=BACKEND,
            hint="Check access key and secret key: they may be of another instance or region, cut off, or deleted.",
        )
    return NotAuthorized(
        f"the keys do not have the right to {request.right} in {request.where}; refused for {request.key or 'it'}"
        f" ({code})",
        backend=BACKEND,
        hint="Ask the bucket's owner for that right (on IBM Cloud the role Writer of this bucket).",
    )


def _damaged(request: Request, code: str, attempts: int) -> UploadIntegrityError:
    return UploadIntegrityError(
        f"{request.what}: the bytes arrived damaged {_after(attempts)} ({code})",
        backend=BACKEND,
        hint="Something between here and the store changes bytes, such as a proxy; try another network.",
    )


def _is_skewed(error: Any, code: str) -> bool:
    if code in ("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"):
        return True
    # Where an answer has no body, its date tells.
    difference = _ahead_seconds(error)
    return _status(error) == 403 and code in ("403", "") and abs(difference or 0.0) > _MOST_SKEW_SECONDS


def _clock_off(error: Any, request: Request) -> NotAuthorized:
    difference = _ahead_seconds(error) or 0.0
    known = f"{abs(difference) / 60:.0f} minutes {'ahead of' if difference > 0 else 'behind'}"
    return NotAuthorized(
        f"the clock of this machine is {known if abs(difference) >= 30 else 'not that of'} {request.host}, "
        f"so every signature is refused (RequestTimeTooSkewed)",
        backend=BACKEND,
        hint="Set the clock (for example with a time service), then run the same line again.",
    )


def _ahead_seconds(error: Any) -> float | None:
    """How far this machine's clock is ahead of the server's, where the answer tells."""
    document = error.response.get("Error", {})
    if (sent := _moment(document.get("RequestTime"))) and (theirs := _moment(document.get("ServerTime"))):
        return (sent - theirs).total_seconds()
    theirs = _moment(_headers(error).get("date"))
    return (datetime.now(UTC) - theirs).total_seconds() if theirs else None


def _moment(text: str | None) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text or "")
        except (ValueError, TypeError):
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _words(error: Any) -> str:
    message = str(error.response.get("Error", {}).get("Message", "")).strip()
    return f"{_code(error)}: {message}" if message else _code(error)


def _code(error: Any) -> str:
    # An answer without an error document has no 'Error' at all.
    return str(error.response.get("Error", {}).get("Code") or _status(error))


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def _headers(error: Any) -> Mapping[str, str]:
    headers: Mapping[str, str] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers
