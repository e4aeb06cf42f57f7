"""Deploying in a process of its own, to be killed there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from wxtuning.adapters.watsonx import Watsonx
from wxtuning.spec import DeploymentSpec
from wxtuning.status import DataRef, JobRef


def deploy(settings: Mapping[str, Any], home: str, job: str, space: str, key: str) -> None:
    os.environ["WXTUNING_HOME"] = home
    Watsonx(**settings).deploy(JobRef.parse(job), DeploymentSpec(name="tone", space=space or None), key)


def upload(settings: Mapping[str, Any], home: str, data: DataRef, key: str) -> None:
    from wxtuning.adapters.watsonx.assets import Assets
    from wxtuning.adapters.watsonx.settings import Settings

    os.environ["WXTUNING_HOME"] = home
    backend = Watsonx(**settings)
    Assets(backend.service, Settings(url=settings["url"])).put(data, "support-train", key)
