"""A secret as a value that shows itself to nobody by accident. Knows no service."""

from __future__ import annotations

from pydantic import SecretStr


class NotText(SecretStr):
    """Stands for a secret that was given as something else than text; holds no more than the name of its type."""


def veiled(secret: object) -> SecretStr | None:
    """The secret; None if there is none. Blanks around it are no part of it."""
    if isinstance(secret, SecretStr) or secret is None:
        return secret
    if not isinstance(secret, str):
        return NotText(type(secret).__name__)
    return SecretStr(secret.strip()) if secret.strip() else None


def plain(value: str | SecretStr) -> str:
    """The text itself."""
    return (value.get_secret_value() if isinstance(value, SecretStr) else value).strip()


def can_travel(value: object) -> bool:
    """Whether a text may stand in a request's header; the vendors' packages repeat one that may not in an error."""
    return not isinstance(value, str | SecretStr) or (plain(value).isascii() and plain(value).isprintable())
