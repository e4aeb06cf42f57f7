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
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import uvicorn

from wxtuning.errors import WxTuningError
from wxtuning.server.application import App, app
from wxtuning.server.entrance.certificates import Files, certificates
from wxtuning.server.entrance.door import host_names
from wxtuning.server.entrance.patience import Loop, protocol
from wxtuning.server.entrance.renewal import keep_fresh
from wxtuning.server.ready import Ready
from wxtuning.server.settings import Settings
from wxtuning.server.trainings.quotes import inert

log = logging.getLogger("wxtuning.server")

LONGEST_ENTRY = 20_000
"""Characters of an entry in the log, traceback included."""

_SCHEMES = {True: "https", False: "http"}
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def serve(settings: Settings, *ready_files: Path, say: Callable[[str], None] = print) -> None:
    """Serve until SIGTERM or Ctrl-C, which also ends this process.

    Args:
        settings: How.
        ready_files: Where to write how to connect, besides the server's own folder; gone when it ends in good order.
        say: Takes how to connect, as JSON and as lines of Python, when the server answers.

    Raises:
        WxTuningError: if the settings cannot be, another server works in the same home, the address cannot be had, or a
            ready file cannot be written; its folder must be there.
    """
    for file in ready_files:
        _check_ready_file(file)
    # Whatever is written from here on, by this process or its children, is for its owner alone.
    os.umask(0o077)
    _log_to_stderr()
    _allow_many_connections()
    with closing(app(settings)) as application, _listening(settings) as sock:
        fresh = partial(certificates, application.house.folder("tls"), host_names(settings))
        files = fresh() if settings.tls else None
        ready = Ready(ground=application.house, url=_url(settings, sock), files=files, places=ready_files)
        ready.remove()
        server = _Server(_config(application, settings, files), ready, fresh, say)
        _end_without_fuss()
        with asyncio.Runner(loop_factory=partial(Loop, settings.limits)) as runner:
            runner.run(server.serve(sockets=[sock]))
    if server.failure:
        raise server.failure
    # Threads that still work for callers who have left would keep the process; everything it had to keep is kept.
    logging.shutdown()
    with suppress(BrokenPipeError):
        if sys.stdout:
            sys.stdout.flush()
    os._exit(0)


def _check_ready_file(file: Path) -> None:
    if file.is_dir():
        raise WxTuningError(f"{file} is a folder", hint="Name a file with --ready-file.")
    if not file.absolute().parent.is_dir():
        text = f"there is no folder {file.parent} for the ready file {file.name}"
        raise WxTuningError(text, hint="Make it first, or name another file with --ready-file.")


class _Server(uvicorn.Server):
    """Says when it is ready and takes that back when it ends; keeps its certificate fresh in between."""

    def __init__(
        self, config: uvicorn.Config, ready: Ready, fresh: Callable[[], Files], say: Callable[[str], None]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._fresh = fresh
        self._say = say
        self._renewing: asyncio.Task[None] | None = None
        self.failure: WxTuningError | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await self._start(sockets)
        except WxTuningError as cause:
            # uvicorn ends in good order when it is told to; what is raised here, it would leave half started.
            self.failure, self.should_exit = cause, True

    async def _start(self, sockets: list[socket.socket] | None) -> None:
        with suppress(SystemExit):
            await super().startup(sockets)
        if not self.started:
            raise WxTuningError("the server cannot start; its log says why", hint="Mend that, then start it again.")
        if self.config.ssl:
            self._renewing = asyncio.create_task(keep_fresh(self.config.ssl, self._fresh))
        told = self._ready.write()
        # Where nobody reads what is printed, there are still the files.
        with suppress(BrokenPipeError):
            self._say("\n".join([told, "", "# To connect:", *self._ready.lines(), ""]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ready.remove()
        if self._renewing:
            self._renewing.cancel()
        await super().shutdown(sockets)


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
    """Escapes what a terminal would act on, such as names that callers gave, and cuts what is endless."""

    def format(self, record: logging.LogRecord) -> str:
        return inert(super().format(record), most=LONGEST_ENTRY).encode("ascii", "backslashreplace").decode()


def _end_without_fuss() -> None:
    # uvicorn ends in good order and then raises the signal again; for a server, being told to end is no failure.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
