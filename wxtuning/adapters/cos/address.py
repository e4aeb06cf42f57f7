"""How a place in an object storage is written: `cos://bucket@host/prefix`. Knows text; asks nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from wxtuning.errors import PlanError

SCHEMES = ("cos", "s3")
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,254}")
HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

_WRITTEN = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<bucket>[^/@]*)(?:@(?P<host>[^/@]*))?(?:/(?P<prefix>[^?#]*))?")
_USUAL_PORTS = {"https": ":443", "http": ":80"}


@dataclass(frozen=True, kw_only=True)
class Address:
    """A place: buckets of one name at two endpoints are two places.

    `host` is that of the endpoint, with its port if it is no usual one; empty in an address that leaves it open.
    """

    scheme: str
    bucket: str
    host: str = ""
    prefix: str = ""

    @property
    def root(self) -> str:
        """The bucket's own address, without a slash at its end."""
        return f"{self.scheme}://{self.bucket}@{self.host}" if self.host else f"{self.scheme}://{self.bucket}"

    def __str__(self) -> str:
        return f"{self.root}/{self.prefix}".rstrip("/")


def host_of(endpoint: str) -> str:
    """The host of an endpoint, as it stands in an address; empty if it has none."""
    try:
        found = urlsplit(endpoint)
    except ValueError:
        return ""
    return found.netloc.rpartition("@")[2].lower().removesuffix(_USUAL_PORTS.get(found.scheme, ""))


def parsed(uri: str) -> Address:
    """The place that an address names.

    Raises:
        PlanError: if it is none of a bucket; does not repeat it, for what stands before an @ may be a key.
    """
    found = _WRITTEN.fullmatch(uri)
    if not (found and found["scheme"] in SCHEMES and BUCKET.fullmatch(found["bucket"]) and _is_host(found["host"])):
        raise PlanError(
            [
                "the address of the store is no address of a bucket; expected cos://bucket/prefix or s3://bucket/prefix"
                " (or bucket@host, to name the endpoint's host too)"
            ]
        )
    host = (found["host"] or "").lower().removesuffix(_USUAL_PORTS["https"])
    prefix = (found["prefix"] or "").strip("/")
    return Address(scheme=found["scheme"], bucket=found["bucket"], host=host, prefix=prefix)


def _is_host(host: str | None) -> bool:
    return host is None or HOST.fullmatch(host) is not None
