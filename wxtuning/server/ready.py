"""What a caller must know of a server that runs: as JSON for programs, as Python for people."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxtuning.errors import WxTuningError
from wxtuning.folder import write_atomically
from wxtuning.server.containers import default
from wxtuning.server.entrance.certificates import Files
from wxtuning.server.ground import Ground

FILE = "ready.json"
"""The name of the file in the server's home."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A server that runs.

    Args:
        url: Where it answers.
        files: The certificates, one of which callers must trust; None without TLS.
        places: Files that say so, besides `ready.json` in the server's home.
    """

    ground: Ground
    url: str
    files: Files | None
    places: tuple[Path, ...] = ()

    def values(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        keys, settings = self.ground.tokens.keys, self.ground.settings
        return {
            "url": self.url,
            "platform": settings.platform,
            "ca": str(self.files.authority) if self.files else None,
            "username": keys.username,
            "password": keys.password,
            "api_key": keys.api_key,
            "project_id": default(self.ground, "project").id,
            "space_id": default(self.ground, "space").id,
            "home": str(settings.home),
            "pid": os.getpid(),
            "environment": self.environment(),
            "python": self.lines(),
        }

    def environment(self) -> dict[str, str]:
        """What the environment of a caller needs besides: for what the SDK fetches past its own settings."""
        return {name: str(self.files.bundle) for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE") if self.files}

    def lines(self) -> list[str]:
        """The lines of Python that connect the official SDK."""
        if self.files is None:
            return ["# The official SDK refuses http; start the server with --tls to use it."]
        project = default(self.ground, "project").id
        return [
            "import os",
            *(f"os.environ[{name!r}] = {value!r}" for name, value in self.environment().items()),
            "from ibm_watsonx_ai import APIClient, Credentials",
            f"credentials = Credentials({self._credentials(self.files.authority)})",
            f"client = APIClient(credentials, project_id={project!r})",
        ]

    def _credentials(self, authority: Path) -> str:
        keys = self.ground.tokens.keys
        given = {"url": self.url, "api_key": keys.api_key}
        if self.ground.settings.platform == "cloud":
            given |= {"platform_url": self.url, "auth_url": f"{self.url}/identity/token"}
        else:
            given |= {"username": keys.username}
        return ", ".join(f"{name}={value!r}" for name, value in {**given, "verify": str(authority)}.items())

    def write(self) -> str:
        """Write the JSON into its files, for their owner alone; returns it.

        Raises:
            WxTuningError: if one cannot be written; then none is left.
        """
        text = json.dumps(self.values(), indent=2)
        try:
            for file in self._files():
                write_atomically(file, f"{text}\n".encode())
        except WxTuningError:
            self.remove()
            raise
        return text

    def remove(self) -> None:
        """Remove the files, as far as they speak of a server of this home; there is but one at a time."""
        for file in self._files():
            if _home_in(file) == str(self.ground.folder()):
                file.unlink(missing_ok=True)

    def _files(self) -> tuple[Path, ...]:
        return (self.ground.folder() / FILE, *self.places)


def _home_in(file: Path) -> str | None:
    try:
        found = json.loads(file.read_bytes()) if file.is_file() else None
    except (OSError, ValueError):
        return None
    return found.get("home") if isinstance(found, dict) else None
