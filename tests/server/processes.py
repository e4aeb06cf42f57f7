"""Servers in processes of their own, and callers in processes of their own."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import httpx

Ask = Callable[..., Any]

TELLS_IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
"""The environment of a Python that tells in its log what it imports."""


@dataclass(frozen=True)
class Running:
    """A server that answers. `ready` is what it wrote; `log` is where its log goes."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    home: Path
    log: Path

    @property
    def url(self) -> str:
        return self.ready["url"]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def project(self) -> str:
        return self.ready["project_id"]

    @property
    def space(self) -> str:
        return self.ready["space_id"]

    @cached_property
    def token(self) -> str:
        """A token that is good for the whole session."""
        with self.http(token="") as client:
            if self.ready["platform"] == "cpd":
                body = {"username": self.ready["username"], "api_key": self.ready["api_key"]}
                return client.post("/icp4d-api/v1/authorize", json=body).json()["token"]
            form = {"apikey": self.ready["api_key"], "grant_type": "urn:ibm:params:oauth:grant-type:apikey"}
            return client.post("/identity/token", data=form).json()["access_token"]

    def http(self, *, token: str | None = None, **how: Any) -> httpx.Client:
        """A plain HTTP client with a token; with another one, or none if that is empty.

        It names the version of the API where the service wants it, as the SDK does.
        """
        found = self.token if token is None else token
        headers = {"Authorization": f"Bearer {found}"} if found else {}
        how = {"timeout": 60, "event_hooks": {"request": [_dated]}, **how}
        return httpx.Client(base_url=self.url, verify=self.tls, headers=headers, **how)

    def connection(self) -> socket.socket:
        """A bare connection, TLS included where the server speaks it."""
        bare = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return self.tls.wrap_socket(bare, server_hostname="127.0.0.1") if self.ready["ca"] else bare

    @cached_property
    def tls(self) -> Any:
        if not self.ready["ca"]:
            return True
        context = ssl.create_default_context(cafile=self.ready["ca"])
        # What newer Pythons ask of certificates by default.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    def said(self, awaited: str = "") -> str:
        """Its log; a line on a request comes after its answer, so the log is awaited until it has a text."""
        until = time.monotonic() + 5
        while awaited not in self.log.read_text() and time.monotonic() < until:
            time.sleep(0.01)
        return self.log.read_text()

    def imported(self) -> set[str]:
        """The packages that it has imported so far, if it was started with `TELLS_IMPORTS`."""
        told = [line.rpartition("|")[2] for line in self.said().splitlines() if line.startswith("import time:")]
        return {name.strip().partition(".")[0] for name in told}

    def end(self, *, by: int = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        self.process.send_signal(by)
        return self.process.wait(timeout=20)


def _dated(request: httpx.Request) -> None:
    if request.url.path.startswith("/ml/v") and "version" not in request.url.params:
        request.url = request.url.copy_add_param("version", "2026-10-14")


@contextmanager
def serving(home: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """`wxtuning serve` on a free port with a home of its own; ended in the end, if it still runs."""
    with _ended(started(home, *options, environment=environment)) as found:
        yield found


def started(home: Path, *options: str, environment: dict[str, str] | None = None) -> Running:
    """As `serving`, for a test that ends it itself."""
    ready, log = _files(home)
    process = spawned(home, "--ready-file", str(ready), *options, log=log, environment=environment)
    return _when_ready(process, home, ready, log)


@contextmanager
def limited(home: Path, settings: dict[str, Any], limits: dict[str, float]) -> Iterator[Running]:
    """A server with settings that the command line does not offer."""
    ready, log = _files(home)
    values = [str(home / "server"), str(ready), json.dumps(settings), json.dumps(limits)]
    process = _spawned(["tests.server.limited", *values], log, {})
    with _ended(_when_ready(process, home, ready, log)) as found:
        yield found


def spawned(home: Path, *options: str, log: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """`wxtuning serve` as a process that may not come up."""
    return _spawned(["wxtuning", "serve", "--home", str(home), *options], log, environment or {})


def _spawned(module: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    # The vendor's own, since Python 3.12, for each request to a bucket.
    ignored = ("-W", "ignore:datetime.datetime.utcnow:DeprecationWarning")
    command = [sys.executable, "-W", "error", *ignored, "-m", *module]
    with log.open("a") as file:
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=file, text=True, env={**os.environ, **environment}
        )


def _files(home: Path) -> tuple[Path, Path]:
    home.mkdir(parents=True, exist_ok=True)
    return home / f"ready-{time.monotonic_ns()}.json", home / "server.log"


def _when_ready(process: subprocess.Popen[str], home: Path, ready: Path, log: Path) -> Running:
    until = time.monotonic() + 30
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not start: {log.read_text()}")
        time.sleep(0.02)
    return Running(process, json.loads(ready.read_text()), home, log)


@contextmanager
def _ended(running: Running) -> Iterator[Running]:
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
            try:
                running.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()


@contextmanager
def calling(environment: dict[str, str]) -> Iterator[Ask]:
    """Call functions in a process of its own: the SDK keeps settings for its whole process, environment included."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=_begin, initargs=(environment,)) as pool:
        yield partial(_called, pool)


def _begin(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    warnings.simplefilter("error")
    # The SDK's own, on import and in its use of pandas, which no caller can act on.
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def _called(pool: ProcessPoolExecutor, function: Ask, *values: Any, **how: Any) -> Any:
    return pool.submit(function, *values, **how).result(timeout=120)
