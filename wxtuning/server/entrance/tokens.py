"""Who may come in: the keys of the server, tokens that expire, and signed addresses. Knows no routes."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from wxtuning.errors import WxTuningError
from wxtuning.folder import write_atomically
from wxtuning.server.errors import Refused, unauthorized

USERNAME = "wxtuning"
ADDRESS_SECONDS = 600.0
"""How long a signed address is good."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What a server knows its callers by; made at random on its first start.

    Args:
        username, password: The user of Cloud Pak for Data.
        api_key: The user's key, on both platforms.
        access_key_id, secret_access_key: The pair for the object storage of a project.
        signing_key: What tokens and addresses are signed with; it never leaves the server.
    """

    username: str = USERNAME
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    api_key: str = field(default_factory=lambda: secrets.token_urlsafe(33), repr=False)
    access_key_id: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    secret_access_key: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    signing_key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A token, and the second (since 1970) at which it expires."""

    token: str = field(repr=False)
    expires_at: int
    seconds: int


class Tokens:
    """Gives out tokens for keys, and checks them; every comparison takes the same time, right or wrong.

    Args:
        file: Where the keys lie; made for its owner alone if missing.
        seconds: How long a token is good.

    Raises:
        WxTuningError: if the file does not hold keys.
    """

    def __init__(self, file: Path, *, seconds: float) -> None:
        self.keys = _keys(file)
        self._seconds = max(1, math.ceil(seconds))

    def admits(self, *, username: str = USERNAME, api_key: str = "", password: str = "") -> bool:
        """Whether a user's name fits the api key, or the password where no key is given."""
        secret, expected = (api_key, self.keys.api_key) if api_key else (password, self.keys.password)
        return _same(username, self.keys.username) & _same(secret, expected)

    def grant(self) -> Grant:
        """A new token."""
        import jwt

        name, now = self.keys.username, int(time.time())
        expires_at = now + self._seconds
        claims = {"sub": name, "username": name, "iss": "wxtuning", "iat": now, "exp": expires_at}
        token = jwt.encode(claims, self.keys.signing_key, algorithm="HS256")
        return Grant(token=token, expires_at=expires_at, seconds=self._seconds)

    def check(self, token: str) -> None:
        """Raises Refused unless this server gave out the token and it has not expired."""
        import jwt

        try:
            jwt.decode(
                token, self.keys.signing_key, algorithms=["HS256"], issuer="wxtuning",
                options={"require": ["exp", "iat", "sub", "iss"]},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            message = "the token has expired; ask for a new one with the api key"
            raise unauthorized(message, code="authentication_token_expired") from None
        except jwt.PyJWTError:
            raise unauthorized("the token is none of this server's; ask for one with the api key") from None

    def check_bearer(self, headers: Mapping[str, str], *, api_key: bool = False) -> None:
        """Check the header `Authorization: Bearer ...`; the api key itself will do where that is said."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            message = "no token is given; expected the header Authorization: Bearer and a token of this server"
            raise unauthorized(message)
        if not (api_key and _same(token.strip(), self.keys.api_key)):
            self.check(token.strip())

    def signed(self, method: str, path: str, *, seconds: float = ADDRESS_SECONDS) -> str:
        """The path with a signature that stands in for a token: for this method and path only, and not for long."""
        until = str(int(time.time() + seconds))
        return f"{path}?{urlencode({'until': until, 'signature': self._signature(method, path, until)})}"

    def check_signed(self, method: str, path: str, query: Mapping[str, str]) -> None:
        """Raises Refused unless `signed` gave out this address and it is still good."""
        until = query.get("until", "")
        if not _same(query.get("signature", ""), self._signature(method, path, until)):
            raise _not_signed("the address is not signed by this server; ask for the attachment again")
        if int(until) < time.time():
            raise _not_signed("the signed address has expired; ask for the attachment again")

    def _signature(self, method: str, path: str, until: str) -> str:
        text = f"{method}\n{path}\n{until}".encode()
        return hmac.new(self.keys.signing_key.encode(), text, hashlib.sha256).hexdigest()


def _not_signed(message: str) -> Refused:
    return Refused(403, "authorization_rejected", message)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _keys(file: Path) -> Keys:
    if not file.exists():
        made = Keys()
        write_atomically(file, json.dumps(asdict(made), indent=2).encode())
        return made
    try:
        return Keys(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError) as cause:
        raise WxTuningError(
            f"{file} does not hold the keys of a server: {cause}", hint="Put it aside; new keys are made."
        ) from cause
