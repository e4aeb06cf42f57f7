"""What a call is about: the resource that its address names, in the project or space that it names."""

from __future__ import annotations

from wxtuning.server.errors import not_found
from wxtuning.server.routing import Call
from wxtuning.server.state import Resource


def named(call: Call, kind: str, part: str = "id") -> Resource:
    """The resource of a kind whose id is a part of the address.

    Raises:
        Refused: if there is none in the call's project or space.
    """
    found = call.house.state.get(kind, call.path[part])
    if found is None or found.container != call.container:
        raise not_found(kind.replace("_", " "), call.path[part])
    return found
