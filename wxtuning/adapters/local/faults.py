"""What goes wrong on this machine, as the project's errors: the engine's, a package that is missing, a wrong key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from wxtuning.engine.errors import EngineError
from wxtuning.errors import AdapterError, MissingDependency

BACKEND = "local"
MODELS = "Name wxtuning/tiny, a folder with config.json and model.safetensors, or a Hugging Face model id."
"""What a model may be, for whoever named another."""

_PACKAGES = ("torch", "transformers", "peft", "safetensors")


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the engine and of the files of a model come out as AdapterErrors."""
    try:
        yield
    except EngineError as cause:
        raise AdapterError(str(cause), backend=BACKEND, hint=cause.hint) from cause
    except OSError as cause:
        raise AdapterError(f"the model cannot be read: {cause}", backend=BACKEND, hint=MODELS) from cause


def require_packages() -> None:
    """Look for what the engine computes with, without loading it.

    Raises:
        MissingDependency: names what is missing.
    """
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        raise MissingDependency(
            f"tuning on this machine needs {', '.join(missing)}", backend=BACKEND, hint="pip install 'wxtuning[local]'"
        )


def plain(key: str) -> str:
    """The key, which is the name of a folder and no way out of it.

    Raises:
        AdapterError: for any other key.
    """
    if not key or key.startswith(".") or set(key) & set("/\\\0"):
        raise AdapterError(f"{key!r} is no key of this machine", backend=BACKEND, hint="`wxtuning runs` lists them.")
    return key
