"""A server of each platform for all tests, and callers that have the unmodified SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import models, rooms
from tests.server.processes import Ask, Running, calling, serving
from wxtuning.server.house import House

PLATFORMS = ("cpd", "cloud")


@pytest.fixture(scope="session")
def cpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server like Cloud Pak for Data; it keeps what earlier tests left, so a test makes what it needs."""
    with serving(tmp_path_factory.mktemp("cpd"), "--platform", "cpd", "--jobs", "2") as found:
        yield found


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server like IBM Cloud."""
    with serving(tmp_path_factory.mktemp("cloud"), "--platform", "cloud", "--jobs", "2") as found:
        yield found


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server without TLS."""
    with serving(tmp_path_factory.mktemp("plain"), "--no-tls") as found:
        yield found


@pytest.fixture(params=PLATFORMS)
def server(request: pytest.FixtureRequest) -> Running:
    """Each of the two."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def cpd_sdk(cpd: Running) -> Iterator[Ask]:
    """Call a function with a process that the SDK has for itself; the first argument is what the server wrote."""
    with calling(cpd.ready["environment"]) as call:
        yield lambda function, *values, **how: call(function, cpd.ready, *values, **how)


@pytest.fixture(scope="session")
def cloud_sdk(cloud: Running) -> Iterator[Ask]:
    with calling(cloud.ready["environment"]) as call:
        yield lambda function, *values, **how: call(function, cloud.ready, *values, **how)


@pytest.fixture
def sdk(request: pytest.FixtureRequest, server: Running) -> Ask:
    """Call a function `f(ready, *values)` beside the `server` of the same test, in a process of the SDK's own."""
    return request.getfixturevalue(f"{server.ready['platform']}_sdk")


@pytest.fixture(scope="session")
def soft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tuned soft prompt."""
    return models.tuned(tmp_path_factory.mktemp("tuned") / "soft", "prompt_tuning")


@pytest.fixture(scope="session")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tuned LoRA adapter."""
    return models.tuned(tmp_path_factory.mktemp("tuned") / "lora", "lora")


@pytest.fixture
def house(tmp_path: Path) -> House:
    """What the routes of a server share, without a door."""
    return rooms.opened(tmp_path / "home")


@pytest.fixture
def project(house: House) -> str:
    """A project of that house."""
    return rooms.project_of(house)
