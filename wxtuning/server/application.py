"""The ASGI application: all routes behind one door, and what must start and end with it."""

from __future__ import annotations

import asyncio
from importlib import import_module

from starlette.types import ASGIApp, Receive, Scope, Send

from wxtuning.errors import WxTuningError
from wxtuning.server.checks import check
from wxtuning.server.containers import CONTAINERS, default
from wxtuning.server.entrance.dispatch import Dispatch
from wxtuning.server.entrance.door import Door
from wxtuning.server.house import House
from wxtuning.server.lock import HomeLock
from wxtuning.server.routing import Route
from wxtuning.server.settings import Settings

MODULES = (
    "access", "platform", "specs", "assets", "attachments", "storage", "software", "connections", "trainings",
    "fine_tunings", "models", "deployments", "inference", "openai",
)  # fmt: skip
"""The modules of `wxtuning.server.routes`, each with its `ROUTES`."""


def app(settings: Settings) -> App:
    """The server as an ASGI application; it holds its home until its lifespan ends.

    Raises:
        PlanError: naming all settings that cannot be.
        WxTuningError: if another server works in the same home, or the home cannot be used.
    """
    return App(settings)


class App:
    """Answers HTTP; jobs run from the start of the lifespan to its end."""

    def __init__(self, settings: Settings) -> None:
        check(settings)
        self.house = House(settings)
        self._lock = HomeLock(self.house.folder())
        try:
            self._open()
        except WxTuningError:
            self._lock.release()
            raise
        self._dispatch = Dispatch(self.house, routes())
        self._door: ASGIApp = Door(self._dispatch, settings)

    def _open(self) -> None:
        # Who embeds the application finds its keys before the first request; what cannot be read is said at once.
        for needed in ("tokens", "state"):
            getattr(self.house, needed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._door(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await asyncio.to_thread(self._start)
        except Exception as fault:
            await send({"type": "lifespan.startup.failed", "message": str(fault)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.to_thread(self._stop)
        await send({"type": "lifespan.shutdown.complete"})

    def _start(self) -> None:
        for left in self.house.folder("incoming").iterdir():
            left.unlink()
        for kind in CONTAINERS:
            default(self.house, kind)
        self.house.jobs.start()

    def _stop(self) -> None:
        """End what runs here. Jobs go on: they are processes of their own, and the next server finds them."""
        self.house.jobs.stop()
        if self.house.opened("answers"):
            self.house.answers.stop()
        self.close()

    def close(self) -> None:
        """Let the home go, for an application whose lifespan never began; a second time does nothing."""
        self._dispatch.close()
        self._lock.release()


def routes() -> tuple[Route, ...]:
    """Every call that the server offers."""
    modules = (import_module(f"wxtuning.server.routes.{name}") for name in MODULES)
    return tuple(route for module in modules for route in module.ROUTES)
