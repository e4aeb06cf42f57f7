"""Projects and spaces: the containers of everything else. One of each is there from the first start. Knows no HTTP."""

from __future__ import annotations

from wxtuning.server.ground import Ground
from wxtuning.server.state import Key, Resource

CONTAINERS = {"project": "projects", "space": "spaces"}
"""The kinds of containers, and what each is called in addresses and paths."""

DEFAULT = Key(text="default")
"""The key under which the project and the space of the first start are found again."""


def default(ground: Ground, kind: str) -> Resource:
    """The project or the space that the server starts with; made where it is missing."""
    if found := ground.state.keyed(kind, "", DEFAULT):
        return found
    body = {"description": f"The {kind} that this server starts with", "type": "wx"}
    made, _ = ground.state.add(kind, container="", name="wxtuning", body=body, key=DEFAULT)
    return made
