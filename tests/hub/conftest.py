"""A hub of the tests' own, and clients in processes of their own: online, offline, and cut off from it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count

import pytest

from tests.hub import client
from tests.hub.server import Hub, Repository, serving

Ask = Callable[..., object]
NUMBERS = count(1)


@pytest.fixture(scope="session")
def whole_hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def hub(whole_hub: Hub) -> Hub:
    """The hub, with an empty log and in order."""
    whole_hub.forget()
    return whole_hub


@pytest.fixture
def publish(hub: Hub) -> Callable[..., str]:
    """Put a data set on the hub under a name of its own."""

    def put(files: dict[str, bytes], *, name: str = "", **how: object) -> str:
        name = name or f"owner/set-{next(NUMBERS)}"
        hub.repositories[name] = Repository(files, **how)
        return name

    return put


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("homes")
    return {"HF_HOME": str(folder / "hf"), "WXTUNING_HOME": str(folder / "wx"), "HF_TOKEN": ""}


@pytest.fixture(scope="session")
def online(whole_hub: Hub, homes: dict[str, str]) -> Iterator[Ask]:
    """Call a function in a process that reaches the hub, faults of earlier tests included."""
    with process({**homes, "HF_ENDPOINT": whole_hub.address, "HF_HUB_OFFLINE": "0"}) as call:
        yield call


@pytest.fixture
def ask(online: Ask, hub: Hub) -> Ask:
    """Call a function in a process that reaches the hub, which is in order when the test begins."""
    return online


@pytest.fixture(scope="session")
def ask_offline(whole_hub: Hub, homes: dict[str, str]) -> Iterator[Ask]:
    """Call a function in a process that may not ask the hub; it has the cache of `ask`."""
    with process({**homes, "HF_ENDPOINT": whole_hub.address, "HF_HUB_OFFLINE": "1"}) as call:
        yield call


@pytest.fixture(scope="session")
def ask_cut_off(homes: dict[str, str]) -> Iterator[Ask]:
    """Call a function in a process for which nobody answers; it has the cache of `ask`."""
    with process({**homes, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}) as call:
        yield call


@contextmanager
def process(environment: dict[str, str]) -> Iterator[Ask]:
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawned, initializer=client.start, initargs=(environment,)) as pool:
        yield partial(_called, pool)


def _called(pool: ProcessPoolExecutor, function: Ask, *args: object, **how: object) -> object:
    return pool.submit(function, *args, **how).result(timeout=60)
