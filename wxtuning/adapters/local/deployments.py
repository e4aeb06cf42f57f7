"""Deployments of this machine, each a folder `deployments/KEY`: made, listed and removed. Asks no model anything."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wxtuning.adapters.local.faults import BACKEND, plain
from wxtuning.adapters.local.jobs import ADAPTER, WEIGHTS, Jobs, Tuned
from wxtuning.adapters.local.models import path_of
from wxtuning.errors import AdapterError, NotOffered
from wxtuning.folder import home_folder, sha256_of, slug, write_atomically
from wxtuning.snippets import Snippets, snippets_for
from wxtuning.spec import DeploymentSpec
from wxtuning.status import DeploymentRef, JobRef

DESCRIPTION = "deployment.json"

_KIND = "deployment"


@dataclass(frozen=True, kw_only=True)
class LocalDeployment:
    """A deployment of this machine, as its server offers it.

    Args:
        id: Always the same for this deployment; unlike its key, of the form that the official SDK takes.
        serving_name: Its name in letters, digits and underscores; empty where an older one has it.
        model: The base model as the run named it; `path` is what the engine loads.
        template: What the bare input is rendered with.
        sha256: Of the adapter's weights as they were deployed.
        is_prompt: A soft prompt; otherwise LoRA.
    """

    id: str
    name: str
    serving_name: str
    job: str
    model: str
    path: str
    template: str
    adapter: Path
    sha256: str
    is_prompt: bool
    created_at: str


def is_deployment(ref: DeploymentRef) -> bool:
    """Whether it stands for a deployment; otherwise for a job or a base model, asked as they are."""
    return ref.id.partition("/")[0] == _KIND


class Deployments:
    """The deployments under a home folder.

    Args:
        home: As `Local` takes it.
        jobs: Those that are deployed.
    """

    def __init__(self, home: str | Path | None, jobs: Jobs) -> None:
        self._home = home
        self._jobs = jobs

    def deploy(self, job: JobRef, asked: DeploymentSpec, key: str) -> DeploymentRef:
        """Copy what the job left into a folder of its own.

        Raises:
            NotOffered: for a deployment space.
            AdapterError: if the serving name is another deployment's.
        """
        folder = self._folder(key)
        if not (folder / DESCRIPTION).is_file():
            self._check(asked)
            self._fill(folder, job, asked)
        return _ref(key)

    def find(self, key: str) -> DeploymentRef | None:
        return _ref(key) if (self._folder(key) / DESCRIPTION).is_file() else None

    def has(self, ref: DeploymentRef) -> bool:
        """Whether it is still there."""
        return (self.folder(ref) / DESCRIPTION).is_file()

    def all(self) -> tuple[LocalDeployment, ...]:
        """All of them, the newest first."""
        taken: set[str] = set()
        found = [_read(file.parent, taken) for file in sorted(self._descriptions(), key=_time_of)]
        return tuple(reversed(found))

    def tuned(self, ref: DeploymentRef) -> Tuned:
        """What was deployed, still the same.

        Raises:
            AdapterError: if there is no such deployment, or its adapter is another one by now.
        """
        folder = self.folder(ref)
        described = _described(folder)
        if sha256_of(folder / ADAPTER / WEIGHTS) != described["adapter_sha256"]:
            raise AdapterError(
                f"the adapter in {folder} is not the one that was deployed", backend=BACKEND, hint="Deploy it again."
            )
        return Tuned(adapter=folder / ADAPTER, model=described["model"], template=described["template"])

    def snippets(self, ref: DeploymentRef, text: str, max_new_tokens: int) -> Snippets:
        """Code that asks a deployment.

        Raises:
            AdapterError: if it is not deployed.
        """
        folder = self.folder(ref)
        found = next((one for one in self.all() if one.adapter.parent == folder), None)
        if found is None:
            raise AdapterError(f"{ref} is not deployed", backend=BACKEND, hint="Only a deployment has snippets.")
        return snippets_for(
            self._root(), id=found.id, serving_name=found.serving_name, text=text, max_new_tokens=max_new_tokens
        )

    def delete(self, ref: DeploymentRef) -> None:
        """Remove a deployment; nothing happens if it is gone."""
        shutil.rmtree(self.folder(ref), ignore_errors=True)

    def folder(self, ref: DeploymentRef) -> Path:
        """Where a deployment lies."""
        return self._folder(ref.id.partition("/")[2])

    def _folder(self, key: str) -> Path:
        return self._root() / "deployments" / plain(key)

    def _root(self) -> Path:
        return home_folder(self._home)

    def _descriptions(self) -> Iterator[Path]:
        return self._root().glob(f"deployments/*/{DESCRIPTION}")

    def _fill(self, folder: Path, job: JobRef, asked: DeploymentSpec) -> None:
        tuned = self._jobs.tuned(job)
        shutil.copytree(tuned.adapter, folder / ADAPTER, dirs_exist_ok=True)
        described = {
            **asked.model_dump(mode="json"),
            "name": self._free_name(asked.name),
            "job": str(job),
            "adapter_sha256": sha256_of(folder / ADAPTER / WEIGHTS),
            "model": tuned.model,
            "template": tuned.template,
        }
        # Written last: a folder with a description is a whole deployment.
        write_atomically(folder / DESCRIPTION, json.dumps(described, indent=1).encode())

    def _free_name(self, name: str) -> str:
        taken = {_described(file.parent)["name"] for file in self._descriptions()}
        names = [name, *(f"{name} ({number})" for number in range(2, len(taken) + 3))]
        return next(free for free in names if free not in taken)

    def _check(self, asked: DeploymentSpec) -> None:
        if asked.space:
            raise NotOffered(
                f"this machine has no deployment space {asked.space!r}", backend=BACKEND, hint="Leave space= out."
            )
        name = asked.serving_name
        if name and (holder := next((one for one in self.all() if one.serving_name == name), None)):
            raise AdapterError(
                f"the serving name {name!r} is taken by the deployment {holder.name!r}",
                backend=BACKEND,
                hint="Choose another one, or delete that deployment.",
            )


def _ref(key: str) -> DeploymentRef:
    return DeploymentRef(BACKEND, f"{_KIND}/{key}")


def _time_of(file: Path) -> float:
    return file.stat().st_mtime


def _described(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise AdapterError(
            f"there is no deployment {folder.name}", backend=BACKEND, hint="It may have been deleted; deploy it again."
        ) from cause
    return found


def _read(folder: Path, taken: set[str]) -> LocalDeployment:
    described = _described(folder)
    serving_name = described.get("serving_name") or slug(described["name"])[:36].replace("-", "_")
    is_free = serving_name not in taken
    taken.add(serving_name)
    config = json.loads((folder / ADAPTER / "adapter_config.json").read_text(encoding="utf-8"))
    created = datetime.fromtimestamp(_time_of(folder / DESCRIPTION), UTC)
    return LocalDeployment(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"wxtuning:deployment/{folder.name}")),
        name=described["name"],
        serving_name=serving_name if is_free else "",
        job=described["job"],
        model=described["model"],
        path=path_of(described["model"]),
        template=described["template"],
        adapter=folder / ADAPTER,
        sha256=described["adapter_sha256"],
        is_prompt=config.get("peft_type") == "PROMPT_TUNING",
        created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
