"""Which object stores the server may call for a caller: those on the internet over https, and those it was told of.

Machines of the server's own network, itself, and the metadata services of clouds are none of them.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from wxtuning.server.errors import Refused, invalid
from wxtuning.server.trainings.quotes import quoted


def checked(url: str, allowed: Sequence[str]) -> str:
    """The address of a store, if it may be called.

    Args:
        url: As the connection says; `https://` is added where it has no scheme, as the SDK does.
        allowed: Addresses that may be called wherever they are.

    Raises:
        Refused: for a scheme other than https, a user or path in the address, or a host that is not on the internet.
    """
    address = url if "://" in url else f"https://{url}"
    parts = _parts(address)
    origin = f"{parts.scheme}://{parts.netloc}"
    if origin in [one.rstrip("/") for one in allowed]:
        return origin
    if parts.scheme != "https":
        raise _refused(url, "expected an https address")
    # A name that is led elsewhere after this look still has to show a certificate for itself.
    if not all(_is_public(found) for found in _addresses(parts)):
        raise _refused(url, "its host is not on the internet")
    return origin


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        is_plain = bool(parts.hostname) and (parts.port or 443) > 0 and parts.username is None
    except ValueError:
        raise invalid("the endpoint is no address; expected https://HOST", target="url") from None
    if not is_plain or parts.path.strip("/") or parts.query or parts.fragment:
        raise invalid("the endpoint is not of the form https://HOST or https://HOST:PORT", target="url")
    return parts


def _addresses(parts: SplitResult) -> list[str]:
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused(
            400, "invalid_request_entity", f"the endpoint's host {quoted(parts.hostname)} is not known"
        ) from None
    return [str(address[4][0]) for address in found]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_global) and not mapped.is_multicast


def _refused(url: str, reason: str) -> Refused:
    return Refused(
        403,
        "endpoint_not_allowed",
        f"the endpoint {quoted(url)} is not called: {reason}; start the server with --allow-endpoint and its address "
        "if it is yours",
        target="url",
    )
