"""A real server of each platform over TLS, and a wire before it that breaks where a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.server.conftest import PLATFORMS, cloud, cpd, lora, server, soft
from tests.server.processes import Running
from tests.watsonx.faults import Held
from tests.watsonx.wire import Wire, wire_to
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.service import Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.retry import Patience
from wxtuning.testing import FakeClock

__all__ = ["PLATFORMS", "cloud", "cpd", "lora", "server", "soft"]

Connect = Callable[..., Watsonx]


@pytest.fixture
def wire(server: Running) -> Iterator[Wire]:
    """Before the server of each platform in turn."""
    with wire_to(server) as found:
        yield found


@pytest.fixture
def cpd_wire(cpd: Running) -> Iterator[Wire]:
    """Before the one like Cloud Pak for Data, for what is the same on both."""
    with wire_to(cpd) as found:
        yield found


@pytest.fixture
def cloud_wire(cloud: Running) -> Iterator[Wire]:
    """Before the one like IBM Cloud."""
    with wire_to(cloud) as found:
        yield found


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def patience(clock: FakeClock) -> Patience:
    """Pauses take no time and are never left to chance; what is awaited on the wire is real, and short."""
    return Patience(read_seconds=10.0, sleep=clock.sleep, clock=clock, rng=lambda: 0.5)


def asked_of(wire: Wire, **changed: Any) -> dict[str, Any]:
    """What `Watsonx` is told to reach a server over the wire."""
    ready = wire.ready
    given: dict[str, Any] = {
        "url": ready["url"], "project": ready["project_id"], "api_key": ready["api_key"], "ca": ready["ca"],
    }  # fmt: skip
    if ready["platform"] == "cloud":
        given |= {"platform_url": ready["url"], "auth_url": f"{ready['url']}/identity/token"}
    else:
        given |= {"username": ready["username"]}
    return {name: value for name, value in {**given, **changed}.items() if value is not None}


@pytest.fixture
def connected(patience: Patience) -> Iterator[Connect]:
    """Connect over a wire, in a hurry, with settings of the test's own; every connection is closed in the end."""
    made: list[Watsonx] = []

    def connect(wire: Wire, **changed: Any) -> Watsonx:
        made.append(Watsonx(**asked_of(wire, **{"patience": patience, **changed})))
        return made[-1]

    yield connect
    for each in made:
        each.service.close()


@pytest.fixture
def backend(wire: Wire, connected: Connect) -> Watsonx:
    """A backend over the wire, in a hurry: its pauses take no time."""
    return connected(wire)


@pytest.fixture
def backend_on_cpd(cpd_wire: Wire, connected: Connect) -> Watsonx:
    """A backend over the wire to Cloud Pak for Data, for what is the same on both."""
    return connected(cpd_wire)


@pytest.fixture
def service(wire: Wire, patience: Patience) -> Iterator[Service]:
    """The connection of such a backend."""
    found = Watsonx(**asked_of(wire, patience=patience)).service
    yield found
    found.close()


@pytest.fixture
def settings(wire: Wire, patience: Patience) -> Settings:
    """What the parts of such a backend are told."""
    return Settings(url=wire.url, patience=patience)


@pytest.fixture
def held() -> Iterator[Held]:
    """Requests that hang as long as the test; to be asked for last, so that they end first."""
    found = Held()
    yield found
    found.let_go()
