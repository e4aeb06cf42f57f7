"""Nothing waits longer than it may: not for a server that says nothing, and not for one that says a byte at a time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.storage.doors import CONTENT, RUN, Door, noise
from tests.storage.faults import BlackHole, Drip, Silence
from tests.storage.iam import API_KEY
from tests.storage.wire import ALWAYS, TOKEN_PATH, Act
from wxtuning.adapters.cos import COS, Patience
from wxtuning.adapters.cos.iam import TokenService
from wxtuning.adapters.cos.keys import ApiKey, Authority
from wxtuning.adapters.cos.limits import Limits, Stopped
from wxtuning.errors import Unavailable
from wxtuning.status import DataRef

ALLOWED = 0.3
AT_MOST = 3.0
"""A machine may be slow; what is not bounded takes twice as long."""
REAL = {"clock": time.monotonic, "sleep": time.sleep, "read_seconds": 30.0, "connect_seconds": 30.0}


@contextmanager
def given_up_in_time() -> Iterator[None]:
    begin = time.monotonic()
    with pytest.raises(Unavailable, match=r"took longer than 0\.3 seconds"):
        yield
    assert time.monotonic() - begin < AT_MOST


def hurried(door: Door, **other: Any) -> COS:
    return door.store(patience=REAL, timeout=ALLOWED, **other)


def write(store: COS, content: bytes) -> None:
    with store.writing("train", owner=RUN) as out:
        out.write(content)


Use = Callable[[COS, DataRef, Path], object]
SMALL = noise(1000)
USES: dict[str, Use] = {
    "put": lambda store, ref, to: store.put(replace(ref, uri=to.as_uri()), "train", owner=RUN),
    "get": lambda store, ref, to: store.get(ref, to),
    "exists": lambda store, ref, to: store.exists(ref),
    "list": lambda store, ref, to: store.list(RUN),
    "release": lambda store, ref, to: store.release(RUN),
    "delete": lambda store, ref, to: store.delete(ref),
    "check": lambda store, ref, to: store.check(),
    "writing": lambda store, ref, to: write(store, SMALL),
}
BAD: dict[str, Act] = {"says nothing": BlackHole(), "drips": Drip(whole=True)}


@pytest.mark.parametrize("server", BAD)
@pytest.mark.parametrize("use", USES)
def test_p12_whatever_is_asked_ends_on_time_when_the_server(hmac: Door, tmp_path: Path, use: str, server: str) -> None:
    ref = hmac.put(SMALL)
    hmac.wire.breaks("*", BAD[server], times=ALWAYS)
    with given_up_in_time():
        USES[use](hurried(hmac), ref, tmp_path / "train.jsonl")


@pytest.mark.parametrize("server", BAD)
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_p12_an_upload_in_parts_ends_on_time_when_the_server(hmac: Door, operation: str, server: str) -> None:
    hmac.wire.breaks(operation, BAD[server], times=ALWAYS)
    with given_up_in_time():
        hurried(hmac).put(hmac.file(), "train", owner=RUN)


@pytest.mark.parametrize("server", BAD)
def test_p12_waiting_for_a_token_ends_on_time_when_the_server(iam: Door, server: str) -> None:
    iam.wire.breaks("Token", BAD[server], times=ALWAYS)
    with given_up_in_time():
        hurried(iam).check()


@pytest.mark.parametrize("operation", ["ListObjects", "GetObject"])
def test_p12_a_body_that_drips_ends_on_time(hmac: Door, operation: str) -> None:
    hmac.put(SMALL)
    hmac.wire.breaks(operation, Drip(whole=False), times=ALWAYS)
    with given_up_in_time():
        hurried(hmac).list(RUN)


def test_a_transfer_does_not_wait_for_a_token_that_another_one_has_more_time_for(iam: Door) -> None:
    asked = threading.Event()
    iam.wire.breaks("Token", Silence(then=asked.set), times=ALWAYS)
    service = TokenService(iam.wire.url + TOKEN_PATH, SecretStr(API_KEY), None, time.monotonic)
    authority = Authority(lambda: ApiKey(service.api_key), lambda _: service, "us-east-1", can_change=False)
    patient = Limits(Patience(), 60.0)
    with ThreadPoolExecutor(1) as thread:
        other = thread.submit(authority.ready, patient)
        assert asked.wait(10)
        with pytest.raises(TimeoutError):
            authority.ready(Limits(Patience(), ALLOWED))
        assert not other.done()
        patient.end()
        with pytest.raises(Stopped):
            other.result()


def test_tidying_up_takes_no_longer_than_what_it_tidies(hmac: Door) -> None:
    begin = time.monotonic()
    hmac.wire.breaks("*", BlackHole(), times=ALWAYS)
    with pytest.raises(Unavailable):
        write(hurried(hmac), CONTENT)
    assert time.monotonic() - begin < AT_MOST


# --- before there is a connection -------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of somebody who takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def unreached(silent: str) -> Iterator[str]:
    """The address of somebody who is not reached: whoever knocks hears nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        with socket.create_connection(listening.getsockname()), socket.socket() as waiting:
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
            yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_takes_a_connection_and_says_nothing_is_given_up_on_time(
    hmac: Door, silent: str, scheme: str
) -> None:
    with given_up_in_time():
        hurried(hmac, endpoint=f"{scheme}://{silent}").check()


def test_a_server_that_is_not_reached_is_given_up_on_time(hmac: Door, unreached: str) -> None:
    with given_up_in_time():
        hurried(hmac, endpoint=f"http://{unreached}").check()


def test_a_name_that_nobody_looks_up_is_given_up_on_time(hmac: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [over.wait(30)][:0])
    with given_up_in_time():
        hurried(hmac).check()
    over.set()


def test_of_several_addresses_the_first_that_answers_is_taken(hmac: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(hmac.wire.url.rpartition(":")[2])
    look_up = socket.getaddrinfo

    def with_a_dead_one(host: Any, asked: Any, *more: Any, **named: Any) -> Any:
        found = look_up(host, asked, *more, **named)
        dead = [(*found[0][:4], ("127.0.0.1", 1))] if asked == port else []
        return [*dead, *found]

    monkeypatch.setattr(socket, "getaddrinfo", with_a_dead_one)
    hmac.store(patience={"attempts": 1}).check()
