"""A server that speaks the watsonx.ai REST protocol, with the engine behind it. Needs the `server` extra.

`wxtuning serve` starts it; `app(settings)` is the ASGI application for embedding it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wxtuning.server.application import app
    from wxtuning.server.settings import Settings

__all__ = ["Settings", "app"]

_ON_USE = {"Settings": "settings", "app": "application"}


def __getattr__(name: str) -> Any:
    if name not in _ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ON_USE[name]}"), name)
