"""Over TLS: the certificate is always looked at, and what is sent is signed as it is without."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.bucket import Bucket
from tests.storage.doors import CONTENT, PARTS, Door
from tests.storage.iam import Iam
from tests.storage.swift import Swift
from tests.storage.tls import certificate
from tests.storage.wire import wire_to
from wxtuning.errors import AdapterError, PlanError, Unavailable


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls") / "ca.pem")


@pytest.fixture(params=["hmac", "iam"])
def secure(
    request: pytest.FixtureRequest, swift: Swift, bucket: Bucket, tmp_path: Path, trusted: tuple[Path, ssl.SSLContext]
) -> Iterator[Door]:
    gate = Iam() if request.param == "iam" else None
    with wire_to(swift.endpoint, gate=gate, tls=trusted[1]) as wire:
        yield Door(bucket, wire, tmp_path, gate)


def test_a_certificate_of_ones_own_is_trusted_when_it_is_named(
    secure: Door, trusted: tuple[Path, ssl.SSLContext]
) -> None:
    ref = secure.put(ca=trusted[0])
    assert secure.bucket.content_of(ref) == CONTENT


def test_a_certificate_that_nobody_vouches_for_is_refused_with_the_way_out(secure: Door) -> None:
    with pytest.raises(AdapterError, match=r"certificate(.|\n)*ca="):
        secure.put()
    assert secure.wire.requests == []


def test_with_hmac_keys_every_byte_is_signed_over_tls_too(secure: Door, trusted: tuple[Path, ssl.SSLContext]) -> None:
    if secure.iam:
        pytest.skip("a token signs nothing")
    secure.put(ca=trusted[0])
    signed = {request.header("x-amz-content-sha256") for request in secure.wire.of("UploadPart")}
    assert len(signed) == PARTS
    assert all(len(each) == 64 for each in signed)


def test_a_port_without_tls_is_told_and_asked_once(door: Door) -> None:
    without_tls = door.wire.url.replace("http:", "https:")
    where = {"auth_endpoint": without_tls} if door.iam else {"endpoint": without_tls}
    with pytest.raises(Unavailable, match=r"does not speak the TLS(.|\n)*http://"):
        door.put(**where)
    assert (door.wire.requests, door.clock.pauses) == ([], [])


def test_a_bundle_that_is_not_there_is_said_not_to_be(secure: Door, tmp_path: Path) -> None:
    with pytest.raises((PlanError, AdapterError), match=r"missing\.pem"):
        secure.put(ca=tmp_path / "missing.pem")
