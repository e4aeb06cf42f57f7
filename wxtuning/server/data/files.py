"""Files of a project or space in the server's home, by the paths that callers use for them. Opens nothing else.

`/projects/ID/assets/a/b.jsonl` (Cloud Pak for Data) and `a/b.jsonl` (the container of a project on IBM Cloud) both are
`home/projects/ID/assets/a/b.jsonl`.
"""

from __future__ import annotations

import stat
from pathlib import Path

from wxtuning.server.containers import CONTAINERS
from wxtuning.server.errors import Refused, invalid
from wxtuning.server.ground import Ground
from wxtuning.server.trainings.quotes import quoted


def folder_of(ground: Ground, container: str) -> Path:
    """The folder of a project's or space's files, made if missing."""
    kind, _, identity = container.partition("/")
    return ground.folder(CONTAINERS[kind], identity, "assets")


def inside(container: str, path: str) -> str:
    """The part of `/projects/ID/assets/...` below `assets`; the path must be one of this project or space.

    Raises:
        Refused: for any other path.
    """
    kind, _, identity = container.partition("/")
    root = f"/{CONTAINERS[kind]}/{identity}/assets/"
    if not path.startswith(root):
        raise invalid(f"path {quoted(path)} is not in this {kind}; expected one below {root}", target="path")
    return path.removeprefix(root)


def file_at(ground: Ground, container: str, path: str) -> Path:
    """The file at a path below the container's folder.

    Raises:
        Refused: if the path leads out of the folder, through a link too, or to no plain file.
    """
    root = folder_of(ground, container).resolve()
    parts = path.split("/")
    if any(part in ("", ".", "..") or set(part) & set("\\\0") for part in parts):
        raise invalid(
            f"path {quoted(path)} is no path of a file; expected names joined by single slashes", target="path"
        )
    try:
        found = root.joinpath(*parts).resolve(strict=True)
        is_file = stat.S_ISREG(found.stat().st_mode)
    except (OSError, RuntimeError):  # not there, a name too long, or links in a circle
        raise _missing(path) from None
    if not found.is_relative_to(root) or not is_file:
        raise _missing(path)
    return found


def _missing(path: str) -> Refused:
    return Refused(404, "not_found", f"there is no file {quoted(path)} in the project or space; put it there first")
