"""One real storage for all tests of this folder; a bucket, a wire and a way in for each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.storage.bucket import Bucket
from tests.storage.doors import Door
from tests.storage.iam import Iam
from tests.storage.swift import BESIDE_THE_TESTS, Swift, serving
from tests.storage.wire import Wire, wire_to

NUMBERS = count(1)


def pytest_configure(config: pytest.Config) -> None:
    # The plain client that looks at the storage asks for the time in a way that newer Pythons warn of.
    config.addinivalue_line("filterwarnings", r"ignore:datetime\.datetime\.utcnow:DeprecationWarning:ibm_botocore.*")


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    with serving(tmp_path_factory.getbasetemp(), BESIDE_THE_TESTS) as swift:
        yield swift


@pytest.fixture(scope="session")
def plain_client(swift: Swift) -> Iterator[Any]:
    client = swift.client()
    yield client
    client.close()


@pytest.fixture
def bucket(plain_client: Any) -> Iterator[Bucket]:
    found = Bucket(f"bucket-{next(NUMBERS)}", plain_client)
    found.client.create_bucket(Bucket=found.name)
    yield found
    found.empty()


@pytest.fixture
def wire(swift: Swift) -> Iterator[Wire]:
    with wire_to(swift.endpoint) as wire:
        yield wire


@pytest.fixture
def hmac(bucket: Bucket, wire: Wire, tmp_path: Path) -> Door:
    """In with HMAC keys."""
    return Door(bucket, wire, tmp_path)


@pytest.fixture
def iam(swift: Swift, bucket: Bucket, tmp_path: Path) -> Iterator[Door]:
    """In with an API key and the tokens that IAM gives for it."""
    gate = Iam()
    with wire_to(swift.endpoint, gate=gate) as wire:
        yield Door(bucket, wire, tmp_path, gate)


@pytest.fixture(params=["hmac", "iam"])
def door(request: pytest.FixtureRequest) -> Door:
    """In by either way, one after the other."""
    found: Door = request.getfixturevalue(request.param)
    return found
