"""Who leaves a transfer is let go at once, whatever it is doing, and finds in the bucket what a kill would leave."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars
import pytest

from tests.storage.doors import PART, RUN, Door, key_for, noise
from tests.storage.faults import KeysOfTheService, Silence, slow_down
from tests.storage.wire import ALWAYS
from wxtuning.adapters.cos import COS
from wxtuning.adapters.cos.limits import Stopped
from wxtuning.events import Progress
from wxtuning.ports import Watch
from wxtuning.retry import FIRST_PAUSE_SECONDS
from wxtuning.status import DataRef
from wxtuning.transfer import GivenUp, watched

CONTENT = noise(2 * PART + 300_000)
PARTS = 3
AT_MOST = 5.0
"""A machine may be slow; who is not let go waits for half a minute at least."""
REAL = {"clock": time.monotonic, "sleep": time.sleep, "read_seconds": 30.0, "connect_seconds": 30.0}


def press_ctrl_c() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def a_minute() -> float:
    """What makes of the first pause a minute, in which somebody presses Ctrl-C."""
    press_ctrl_c()
    return 60.0 / FIRST_PAUSE_SECONDS


@contextmanager
def let_go_at_once() -> Iterator[None]:
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        yield
    assert time.monotonic() - begin < AT_MOST
    assert threads_of_transfers() == []


def threads_of_transfers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("wxtuning-cos", "upload"))]


@pytest.fixture(scope="module", autouse=True)
def a_handler_beside_pythons() -> None:
    """polars', with which the system begins an endless wait anew when Ctrl-C is pressed."""
    polars.LazyFrame({"column": [1]}).collect()


def put(door: Door, **patience: Any) -> DataRef:
    return door.store(patience=REAL | patience, workers=1).put(door.file(CONTENT), "train", owner=RUN)


def put_watched(door: Door, **patience: Any) -> DataRef:
    store, data = door.store(patience=REAL | patience, workers=1), door.file(CONTENT)
    transfer = watched("upload", lambda watch: store.put(data, "train", owner=RUN, watch=watch))
    while True:
        try:
            next(transfer)
        except StopIteration as end:
            result: DataRef = end.value
            return result


def write(door: Door, **patience: Any) -> DataRef:
    with door.store(patience=REAL | patience, workers=1).writing("train", owner=RUN) as out:
        for begin in range(0, len(CONTENT), 1_000_000):
            out.write(CONTENT[begin : begin + 1_000_000])
    return out.data


# Where an upload waits, and how many parts have arrived by then.
MOMENTS = {
    "for what is there": ("HeadObject", 1, 0, 0),
    "for an upload": ("CreateMultipartUpload", 1, 0, 0),
    "in a part": ("UploadPart", 2, 100_000, 1),
    "after a part": ("UploadPart", 2, PART, 1),
    "for its end": ("CompleteMultipartUpload", 1, 0, PARTS),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("send", [put, put_watched])
def test_an_upload_ends_at_once_that_waits(hmac: Door, send: Callable[..., DataRef], moment: str) -> None:
    operation, nth, after, arrived = MOMENTS[moment]
    hmac.wire.breaks(operation, Silence(then=press_ctrl_c, after=after), first=nth, times=ALWAYS)
    with let_go_at_once():
        send(hmac)
    assert hmac.bucket.parts() == arrived
    hmac.wire.heals()
    ref = hmac.put(CONTENT)
    assert (hmac.bucket.content_of(ref), hmac.bucket.uploads()) == (CONTENT, [])
    assert hmac.wire.asked["UploadPart"] == PARTS - arrived


@pytest.mark.parametrize("send", [put, put_watched, write])
@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_an_upload_ends_at_once_that_waits_to_try_again(
    hmac: Door, send: Callable[..., DataRef], operation: str
) -> None:
    hmac.wire.breaks(operation, slow_down(), times=ALWAYS)
    with let_go_at_once():
        send(hmac, rng=a_minute)


def test_an_upload_ends_at_once_that_is_read_back(iam: Door) -> None:
    iam.bucket.put(key_for(CONTENT), CONTENT)
    iam.wire.breaks("HeadObject", KeysOfTheService(), times=ALWAYS)
    iam.wire.breaks("GetObject", Silence(then=press_ctrl_c), times=ALWAYS, where=lambda asked: asked.key[0] != ".")
    with let_go_at_once():
        put_watched(iam)


def test_an_upload_ends_at_once_that_waits_for_a_token(iam: Door) -> None:
    iam.wire.breaks("Token", Silence(then=press_ctrl_c), times=ALWAYS)
    with let_go_at_once():
        put_watched(iam)


@pytest.mark.parametrize(
    ("operation", "nth"),
    [("UploadPart", 2), ("CompleteMultipartUpload", 1), ("UploadPartCopy", 2), ("CompleteMultipartUpload", 2)],
)
def test_writing_ends_at_once_and_goes_on_from_there(hmac: Door, operation: str, nth: int) -> None:
    hmac.wire.breaks(operation, Silence(then=press_ctrl_c), first=nth, times=ALWAYS)
    with let_go_at_once():
        write(hmac)
    hmac.wire.heals()
    ref = write(hmac)
    assert (hmac.bucket.files(), hmac.bucket.uploads()) == ([key_for(CONTENT)], [])
    assert hmac.bucket.content_of(ref) == CONTENT
    assert hmac.wire.asked["UploadPart"] < PARTS


Use = Callable[[COS, DataRef, Path], object]
USES: dict[str, Use] = {
    "get": lambda store, ref, to: store.get(ref, to),
    "exists": lambda store, ref, to: store.exists(ref),
    "list": lambda store, ref, to: store.list(RUN),
    "release": lambda store, ref, to: store.release(RUN),
    "delete": lambda store, ref, to: store.delete(ref),
    "check": lambda store, ref, to: store.check(),
}


@pytest.mark.parametrize("use", USES)
def test_whoever_waits_for_an_answer_is_let_go_at_once(hmac: Door, tmp_path: Path, use: str) -> None:
    ref = hmac.put(noise(1000))
    hmac.wire.breaks("*", Silence(then=press_ctrl_c), times=ALWAYS)
    with let_go_at_once():
        USES[use](hmac.store(patience=REAL), ref, tmp_path / "back.jsonl")


def test_an_upload_that_is_left_before_it_began_asks_nobody(hmac: Door) -> None:
    class Late:
        def __call__(self, done: int, size: int | None) -> None: ...

        def at_end(self, end: Callable[[], None]) -> None:
            end()

    with pytest.raises(Stopped):
        hmac.store().put(hmac.file(CONTENT), "train", owner=RUN, watch=Late())
    assert hmac.wire.requests == []


def test_a_store_that_knows_no_more_than_a_plain_watch_is_left_at_its_next_word() -> None:
    said: list[type[BaseException]] = []

    def transfer(watch: Watch) -> None:
        try:
            while True:
                watch(1, 2)
        except BaseException as error:
            said.append(type(error))
            raise

    running = watched("upload", transfer)
    next(event for event in running if isinstance(event, Progress))
    running.close()
    assert said == [GivenUp]
