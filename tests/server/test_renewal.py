"""A server that runs longer than its certificate is good shows a new one to whoever connects then."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wxtuning.server.entrance.certificates import Files, certificates
from wxtuning.server.entrance.renewal import EVERY_SECONDS, keep_fresh

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NAMES = {"127.0.0.1"}


class Ended(Exception):
    """There are no more days."""


class Days:
    """A clock that a sleep sets forward, for so many days."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.now = NOW

    async def sleep(self, seconds: float) -> None:
        if not self.left:
            raise Ended
        self.left -= 1
        self.now += timedelta(seconds=seconds)


def shown_by(context: ssl.SSLContext, authority: Path) -> bytes:
    """The certificate that a caller sees who connects now."""
    caller = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    caller.load_verify_locations(authority)
    # The clocks of these tests are not the machine's.
    caller.check_hostname, caller.verify_mode = False, ssl.CERT_NONE
    there, here = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = caller.wrap_bio(there, here)
    server = context.wrap_bio(here, there, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return found


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[datetime], Files]:
    return lambda now: certificates(tmp_path, NAMES, now=now)


@pytest.fixture
def context(fresh: Callable[[datetime], Files]) -> ssl.SSLContext:
    files = fresh(NOW)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(files.certificate, files.key)
    return made


def lived(context: ssl.SSLContext, days: Days, renew: Callable[[], Files]) -> None:
    with pytest.raises(Ended):
        asyncio.run(keep_fresh(context, renew, sleep=days.sleep))


def test_a_certificate_is_replaced_while_the_server_runs(context, fresh, tmp_path):
    authority = tmp_path / "ca.pem"
    first, days = shown_by(context, authority), Days(380)
    lived(context, days, lambda: fresh(days.now))
    second = shown_by(context, authority)
    assert second != first
    assert days.now == NOW + timedelta(seconds=380 * EVERY_SECONDS)


def test_a_good_certificate_stays(context, fresh, tmp_path):
    authority = tmp_path / "ca.pem"
    first, days = shown_by(context, authority), Days(300)
    lived(context, days, lambda: fresh(days.now))
    assert shown_by(context, authority) == first


def test_a_renewal_that_fails_is_logged_and_tried_again(context, fresh, tmp_path, caplog):
    authority = tmp_path / "ca.pem"
    first, days = shown_by(context, authority), Days(390)
    failing = iter([OSError("no room")] * 385)

    def renew() -> Files:
        for cause in failing:
            raise cause
        return fresh(days.now)

    lived(context, days, renew)
    assert caplog.text.count("tried again in a day") == 385
    assert shown_by(context, authority) != first
