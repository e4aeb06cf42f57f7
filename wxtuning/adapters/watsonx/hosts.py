"""Whose a host is, and when two addresses name one server. Asks nobody."""

from __future__ import annotations

from urllib.parse import urlsplit

PORTS = {"https": 443, "http": 80}

IBM = (".ibm.com", ".ibmforusgov.com")
"""IBM's own; a cluster may be there too."""
SAAS = (".cloud.ibm.com", ".wxai.ibm.com", ".saas.ibm.com", ".ibmforusgov.com")
"""Where IBM itself runs watsonx.ai."""
TOKENS = ("iam.cloud.ibm.com", "account-iam.platform.saas.ibm.com")
"""Where IBM gives tokens, and any host of this ending:"""
TOKENS_ENDING = ".ibmforusgov.com"


def origin(address: str) -> str:
    """The server of an address, the same however that is spelt.

    Raises:
        ValueError: if that is no address.
    """
    place = urlsplit(address)
    name = place.hostname or ""
    host = f"[{name}]" if ":" in name else name
    return f"{place.scheme}://{host}{'' if place.port in (None, PORTS.get(place.scheme)) else f':{place.port}'}"


def tidy(address: str) -> str:
    """An address without a query as it is compared: `origin`, and no slash at the end.

    Raises:
        ValueError: if that is no address.
    """
    return f"{origin(address)}{urlsplit(address).path.rstrip('/')}"


def is_ibms(host: str) -> bool:
    """Whether a host, with its port or without, has a name of IBM's."""
    return _name(host).endswith(IBM)


def is_saas(host: str) -> bool:
    """Whether IBM itself runs watsonx.ai there."""
    return f".{_name(host)}".endswith(SAAS)


def gives_tokens(host: str) -> bool:
    """Whether IBM gives tokens there."""
    return _name(host) in TOKENS or _name(host).endswith(TOKENS_ENDING)


def _name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""
