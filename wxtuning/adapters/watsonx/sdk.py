"""The official SDK, kept to itself: what it reads from the process and what it leaves there. Knows no service.

It takes tokens, addresses and headers from the environment, writes to it, and keeps settings for the whole process.
None of that happens while a block of `alone` runs, or all of it is as before when the block ends.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.adapters.watsonx.until import held
from wxtuning.errors import MissingDependency

LEAST = (1, 8)

READ = (
    "USER_ACCESS_TOKEN", "RUNTIME_ENV_ACCESS_TOKEN_FILE", "RUNTIME_ENV_APSX_URL", "PROJECT_ID", "SPACE_ID",
    "FLIGHT_SERVICE_LOCATION", "FLIGHT_SERVICE_PORT", "WX_CLIENT_VERIFY_REQUESTS", "IBM_SDK_API_CLIENT_HEADERS",
)  # fmt: skip
WRITTEN = ("DEPLOYMENT_PLATFORM", "DEPLOYMENT_PRIVATE", "WX_CLIENT_VERIFY_REQUESTS")
LOGGERS = ("ibm_watsonx_ai.client", "ibm_watsonx_ai.wml_client_error")

_lock = threading.Lock()
_is_quiet: ContextVar[bool] = ContextVar("is_quiet", default=False)


def _fresh_lock() -> None:
    global _lock
    _lock = threading.Lock()


# A child must not inherit a lock that a thread holds which it does not have.
os.register_at_fork(after_in_child=_fresh_lock)


def sdk() -> Any:
    """The SDK's package.

    Raises:
        MissingDependency: if it is not installed, or too old.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import ibm_watsonx_ai
            from ibm_watsonx_ai import APIClient  # noqa: F401 - what it needs is imported here
    except ImportError as cause:
        raise MissingDependency(
            f"the watsonx backend needs IBM's SDK: {cause}", backend=BACKEND, hint=INSTALL
        ) from cause
    found = tuple(int(part) for part in ibm_watsonx_ai.__version__.split(".")[:2] if part.isdigit())
    if found < LEAST:
        raise MissingDependency(
            f"ibm-watsonx-ai {ibm_watsonx_ai.__version__} is too old; expected {'.'.join(map(str, LEAST))} or newer",
            backend=BACKEND,
            hint=INSTALL,
        )
    return ibm_watsonx_ai


INSTALL = "pip install --upgrade 'ibm-watsonx-ai>=1.8'"


@contextmanager
def alone() -> Iterator[Any]:
    """The SDK, uninfluenced and without a trace; one thread of the process at a time."""
    with held(_lock):
        package = sdk()
        with _environment(), _settings(), _no_warnings(), quiet():
            yield package


@contextmanager
def _environment() -> Iterator[None]:
    names = {*READ, *WRITTEN}
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        for name in WRITTEN:
            os.environ.pop(name, None)
        for name, value in before.items():
            os.environ.setdefault(name, value)  # another thread may have set it meanwhile


@contextmanager
def _settings() -> Iterator[None]:
    from ibm_watsonx_ai._wrappers.httpx import GlobalHttpxSettings as shared

    before = shared.verify, shared.proxies
    try:
        yield
    finally:
        shared.verify, shared.proxies = before


@contextmanager
def _no_warnings() -> Iterator[None]:
    # It warns of what is no fault of the caller's.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """What the SDK logs in this block and thread is heard by nobody: it logs every error with the service's answer."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_heard)
    before = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(before)


def _heard(_: logging.LogRecord) -> bool:
    # It stays with the loggers, where it changes nothing: taken away, it might be missed by another thread's block.
    return not _is_quiet.get()
