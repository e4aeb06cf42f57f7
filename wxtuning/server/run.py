"""The server as a process: sockets, TLS, signals, the log, and what is printed when it is ready."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import uvicorn

from wxtuning.errors import WxTuningError
from wxtuning.server.application import App, app
from wxtuning.server.entrance.certificates import Files, certificates
from wxtuning.server.entrance.door import host_names
from wxtuning.server.entrance.patience import Loop, protocol
from wxtuning.server.ready import Ready
from wxtuning.server.settings import Settings

log = logging.getLogger("wxtuning.server")

_SCHEMES = {True: "https", False: "http"}
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def serve(settings: Settings, *ready_files: Path, say: Callable[[str], None] = print) -> None:
    """Serve until SIGTERM or Ctrl-C, which also ends this process.

    Args:
        settings: How.
        ready_files: Where to write how to connect, besides the server's own folder.
        say: Takes how to connect, as JSON and as lines of Python, when the server answers.

    Raises:
        WxTuningError: if another server works in the same home, or the address cannot be had.
    """
    # Whatever is written from here on, by this process or its children, is for its owner alone.
    os.umask(0o077)
    _log_to_stderr()
    _allow_many_connections()
    with closing(app(settings)) as application, _listening(settings) as sock:
        files = certificates(application.house.folder("tls"), host_names(settings)) if settings.tls else None
        ready = Ready(house=application.house, url=_url(settings, sock), files=files)
        server = _Server(_config(application, settings, files), lambda: _tell(ready, ready_files, say))
        _end_without_fuss()
        with asyncio.Runner(loop_factory=partial(Loop, settings.limits)) as runner:
            runner.run(server.serve(sockets=[sock]))
    sys.stdout.flush()
    # Threads that still work for callers who have left would keep the process; everything it had to keep is kept.
    logging.shutdown()
    os._exit(0 if server.started else 1)


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._when_ready()


def _tell(ready: Ready, files: tuple[Path, ...], say: Callable[[str], None]) -> None:
    say(ready.write(*files))
    say("\n".join(["", "# To connect:", *ready.lines(), ""]))


def _config(application: App, settings: Settings, files: Files | None) -> uvicorn.Config:
    limits = settings.limits
    return uvicorn.Config(
        application, http=protocol(limits), ws="none", lifespan="on", log_config=None, access_log=False,
        server_header=False, proxy_headers=False, timeout_keep_alive=limits.keep_seconds,
        timeout_graceful_shutdown=limits.end_seconds, h11_max_incomplete_event_size=limits.header_bytes,
        ssl_keyfile=files.key if files else None, ssl_certfile=files.certificate if files else None,
    )  # fmt: skip


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sends small answers at once (TCP_NODELAY) only where the socket says it is TCP; else each waits 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((settings.host, settings.port))
    except (OSError, OverflowError) as cause:
        sock.close()
        raise WxTuningError(
            f"cannot listen on {settings.host}:{settings.port}: {cause}",
            hint="Name another address with --host and --port; port 0 takes a free one.",
        ) from cause
    return sock


def _url(settings: Settings, sock: socket.socket) -> str:
    host = _ANY.get(settings.host, settings.host)
    shown = f"[{host}]" if ":" in host else host
    return f"{_SCHEMES[settings.tls]}://{shown}:{sock.getsockname()[1]}"


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Inert("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("wxtuning.server").setLevel(logging.INFO)


class _Inert(logging.Formatter):
    """Escapes what a terminal would act on, such as names that callers gave."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record).encode("ascii", "backslashreplace").decode()
        return "".join(mark if mark.isprintable() or mark == "\n" else repr(mark)[1:-1] for mark in text)


def _end_without_fuss() -> None:
    # uvicorn ends in good order and then raises the signal again; for a server, being told to end is no failure.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
