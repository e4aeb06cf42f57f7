"""Where base models come from: folders of this machine, and the Hugging Face Hub, which is asked. Loads no model."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from wxtuning import engine
from wxtuning.engine import EngineError
from wxtuning.errors import NotOffered, WxTuningError
from wxtuning.server.trainings.quotes import quoted

log = logging.getLogger("wxtuning.server")

SECONDS = 2.0
"""How long a start waits for the Hub, for all models together."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What stands against a model, empty if nothing does; `is_final` if waiting will not help."""

    text: str = ""
    is_final: bool = False


SILENCE = Finding(text=f"the Hub did not answer within {SECONDS:g} seconds")


def located(path: str) -> str:
    """A folder as it is found from everywhere, also by the processes that tune; a Hub id as it is."""
    try:
        folder = Path(path).expanduser()
    except RuntimeError:  # the home of nobody
        return path
    return str(folder.absolute()) if folder.is_dir() else path


def problems(models: Mapping[str, str]) -> Iterator[str]:
    """What cannot be a model. What the Hub may still give is none of it; the log warns of that.

    Args:
        models: Names of base models, and the folder or Hub id of each.
    """
    here = {name: _here(path) for name, path in models.items()}
    there = _there({models[name] for name, finding in here.items() if finding is None})
    for name, path in models.items():
        finding = here[name] or there.get(path, SILENCE)
        if finding.is_final and finding.text:
            yield f"the model {quoted(name)}: {finding.text}"
        elif finding.text:
            log.warning("jobs and questions of %s fail until %s is here: %s", name, path, finding.text)


def _here(path: str) -> Finding | None:
    """What this machine tells of a folder or Hub id; None if the Hub has to be asked."""
    folder = Path(located(path))
    if folder.exists():
        return Finding(text=_fault_of(folder), is_final=True)
    from wxtuning.adapters.hub.models import copy_of

    try:
        copy = copy_of(path)
    except ValueError:
        text = f"there is no folder {quoted(path)}, and no Hub id is written so; name a folder with a config.json"
        return Finding(text=f"{text}, or OWNER/NAME of the Hub", is_final=True)
    return Finding() if copy and not _fault_of(copy) else None


def _fault_of(folder: Path) -> str:
    try:
        engine.check_folder(folder)
    except EngineError as cause:
        return f"{cause}; {cause.hint}"
    return ""


def _there(models: Collection[str]) -> dict[str, Finding]:
    """What the Hub tells of each model, as far as it tells it in time."""
    found: dict[str, Finding] = {}

    def ask(model: str) -> None:
        found[model] = _at_the_hub(model)

    # Nothing ends a look-up of a name, so nobody waits for these threads, the end of the process included.
    threads = [Thread(target=ask, args=(model,), daemon=True) for model in models]
    for thread in threads:
        thread.start()
    until = time.monotonic() + SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return dict(found)


def _at_the_hub(model: str) -> Finding:
    from wxtuning.adapters.hub.models import files_of

    try:
        engine.check_names(f"{model} at the Hub", files_of(model, timeout_seconds=SECONDS))
    except NotOffered as cause:
        return Finding(text=f"there is no folder {quoted(model)}, and {_told(cause)}", is_final=True)
    except WxTuningError as cause:
        return Finding(text=_told(cause))
    except EngineError as cause:
        return Finding(text=f"{cause}; {cause.hint}", is_final=cause.code == "model_not_found")
    return Finding()


def _told(error: WxTuningError) -> str:
    return ". ".join(line.strip() for line in str(error).splitlines())
