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
from typing import Any

from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.errors import MissingDependency

LEAST = (1, 8)

READ = (
    "USER_ACCESS_TOKEN", "RUNTIME_ENV_ACCESS_TOKEN_FILE", "RUNTIME_ENV_APSX_URL", "PROJECT_ID", "SPACE_ID",
    "FLIGHT_SERVICE_LOCATION", "FLIGHT_SERVICE_PORT", "WX_CLIENT_VERIFY_REQUESTS", "IBM_SDK_API_CLIENT_HEADERS",
)  # fmt: skip
WRITTEN = ("DEPLOYMENT_PLATFORM", "DEPLOYMENT_PRIVATE", "WX_CLIENT_VERIFY_REQUESTS")
LOGGERS = ("ibm_watsonx_ai.client", "ibm_watsonx_ai.wml_client_error")

_lock = threading.RLock()


def _fresh_lock() -> None:
    global _lock
    _lock = threading.RLock()


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
    with _lock:
        package = sdk()
        with _environment(), _settings(), _silence():
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
def _silence() -> Iterator[None]:
    # It warns of what is no fault of the caller's, and logs every error that it makes, with the service's answer.
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.disabled = was
