"""What the server stands on: settings, folders, state, tokens, the catalogue of models. Knows no jobs and no HTTP."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wxtuning.errors import WxTuningError
from wxtuning.server.errors import not_found
from wxtuning.server.settings import Settings
from wxtuning.server.state import Resource, State

if TYPE_CHECKING:
    from wxtuning.server.entrance.tokens import Tokens
    from wxtuning.server.trainings.catalog import Catalog


_OPENING = threading.RLock()

if TYPE_CHECKING:
    room = cached_property
else:

    class room(cached_property):
        """A cached property that two threads do not compute twice; since Python 3.12, `cached_property` lets them."""

        def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
            with _OPENING:
                return super().__get__(instance, owner)


@dataclass(frozen=True)
class Ground:
    """What data, trainings and deployments need of the server. Each room is opened when it is first needed."""

    settings: Settings

    @room
    def state(self) -> State:
        return State(self.folder() / "server.db")

    @room
    def tokens(self) -> Tokens:
        from wxtuning.server.entrance.tokens import Tokens

        return Tokens(self.folder() / "keys.json", seconds=self.settings.token_seconds)

    @room
    def catalog(self) -> Catalog:
        from wxtuning.server.trainings.catalog import Catalog

        return Catalog(self.settings.models, platform=self.settings.platform)

    def folder(self, *parts: str) -> Path:
        """A folder of the server's own, made if missing, for its owner alone. Parts are ids that the server made.

        Raises:
            WxTuningError: if it cannot be made.
        """
        found = self.settings.home
        _make(found)
        for part in parts:
            found /= part
            _make(found)
        return found

    def resource(self, kind: str, id: str) -> Resource:
        """The resource with this id.

        Raises:
            Refused: if there is none.
        """
        if found := self.state.get(kind, id):
            return found
        raise not_found(kind, id)


def _make(folder: Path) -> None:
    if folder.is_dir():
        return
    try:
        # The parents get the usual rights: they are not the server's.
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as cause:
        raise WxTuningError(f"cannot make the folder {folder}: {cause.strerror}", hint="Name another one.") from cause
