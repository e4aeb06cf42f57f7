"""No key and no token is ever shown: not by the store, its errors and their tracebacks, a log, a pickle, or a child."""

from __future__ import annotations

import copy
import logging
import multiprocessing
import os
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import wxtuning
from tests.storage.children import PROCESSES, ended, started
from tests.storage.doors import CONTENT, RUN, Door, noise
from tests.storage.faults import DENIED, EXPIRED, SKEWED, BlackHole, Flip, Refusal, Reset
from tests.storage.iam import API_KEY
from tests.storage.swift import OWNER
from tests.storage.wire import ALWAYS, Act
from wxtuning.adapters.cos import COS
from wxtuning.errors import NotAuthorized, WxTuningError

SESSION = "session-token-0123456789"
Buffer = (bytes, bytearray, memoryview)  # a part of the file; hundreds of megabytes of text if shown
OUR_CODE = Path(wxtuning.__file__).parent


def secrets_of(door: Door) -> list[str]:
    return [OWNER.secret_key, API_KEY, SESSION, *(door.iam.given if door.iam else ())]


def shown_in(text: str, door: Door) -> list[str]:
    return [secret for secret in secrets_of(door) if secret in text]


@pytest.fixture
def every_log() -> Iterator[list[str]]:
    """What every logger says, at any level, down to the last byte that a record holds."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{record.getMessage()} {record.__dict__!r}")
            if record.exc_info:
                said.append("".join(traceback.format_exception(*record.exc_info)))

    root, listener = logging.getLogger(), Listener(0)
    before = root.level
    loud = [logger for logger in logging.Logger.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    levels = [(logger, logger.level) for logger in loud]
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    for logger in loud:
        logger.setLevel(logging.DEBUG)
    yield said
    root.removeHandler(listener)
    root.setLevel(before)
    for logger, level in levels:
        logger.setLevel(level)


def test_a_store_shows_none(door: Door) -> None:
    store = door.store()
    door.store().put(door.file(noise(1000)), "train", owner=RUN)
    shown = f"{store!r} {store} {store.describe()} {store.name}"
    assert shown_in(shown, door) == []
    assert door.bucket.name in repr(store)


def test_a_reference_and_what_lies_in_the_bucket_hold_none(door: Door) -> None:
    ref = door.put()
    notes = [door.bucket.content(key).decode() for key in door.bucket.all_keys() if key.startswith(".")]
    assert shown_in(f"{ref!r} {door.bucket.all_keys()} {notes}", door) == []


def test_no_log_holds_one_at_any_level(door: Door, every_log: list[str], tmp_path: Path) -> None:
    store = door.store()
    store.check()
    ref = store.put(door.file(), "train", owner=RUN)
    with store.writing("other", owner=RUN) as out:
        out.write(noise(6_000_000, seed=1))
    store.get(ref, tmp_path / "back.jsonl")
    store.release(RUN)
    assert shown_in("\n".join(every_log), door) == []
    assert door.iam is None or door.iam.given


FAULTS: dict[str, tuple[str, Act]] = {
    "denied": ("*", DENIED),
    "expired": ("*", EXPIRED),
    "clock": ("*", SKEWED),
    "not there": ("*", Refusal(status=404, code="NoSuchBucket")),
    "trouble": ("*", Refusal(status=500, code="InternalError")),
    "not known": ("*", Refusal(status=418, code="Teapot")),
    "reset": ("*", Reset(after=0)),
    "black hole": ("UploadPart", BlackHole()),
    "flipped": ("UploadPart", Flip(at=7)),
    "no token": ("Token", Refusal(status=400, code="No")),
    "trouble with tokens": ("Token", Refusal(status=500, code="No")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_shows_one_nor_its_causes_nor_their_frames(door: Door, every_log: list[str], fault: str) -> None:
    operation, act = FAULTS[fault]
    if operation == "Token" and not door.iam:
        pytest.skip("no token is asked for")
    door.wire.breaks(operation, act, times=ALWAYS)
    error = raised_by(lambda: door.put(patience={"read_seconds": 0.1}))
    shown = f"{error} {error!r} {error.args} {error.hint} {vars(error)}"
    assert shown_in(shown, door) == []
    assert shown_in("".join(traceback.format_exception(error)), door) == []
    assert shown_in("".join(with_locals_of_our_frames(error)), door) == []
    assert shown_in("\n".join(every_log), door) == []
    assert shown_in(repr(pickle.loads(pickle.dumps(error))), door) == []


def raised_by(work: Callable[[], object]) -> WxTuningError:
    with pytest.raises(WxTuningError) as failure:
        work()
    return failure.value


def with_locals_of_our_frames(error: BaseException) -> Iterator[str]:
    """Every local variable of every frame of ours, of the error, its causes and contexts."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__]
        for frame, line in traceback.walk_tb(each.__traceback__):
            if OUR_CODE in Path(frame.f_code.co_filename).parents:
                yield f"{frame.f_code.co_qualname}, line {line}: {shown_of(frame.f_locals)}\n"


def shown_of(variables: Mapping[str, object]) -> dict[str, str]:
    return {name: repr(value) for name, value in variables.items() if not isinstance(value, Buffer)}


def test_an_error_with_credentials_of_a_function_shows_none(hmac: Door, every_log: list[str]) -> None:
    hmac.wire.breaks("*", EXPIRED, times=ALWAYS)

    def credentials() -> dict[str, str]:
        return {"access_key": OWNER.access_key, "secret_key": OWNER.secret_key, "session_token": SESSION}

    error = raised_by(lambda: hmac.put(access_key=None, secret_key=None, credentials=credentials))
    shown = f"{error} {''.join(traceback.format_exception(error))} {''.join(with_locals_of_our_frames(error))}"
    assert shown_in(shown, hmac) == []
    assert shown_in("\n".join(every_log), hmac) == []


def test_a_constructor_that_refuses_shows_none(door: Door) -> None:
    everything = {"access_key": OWNER.access_key, "secret_key": OWNER.secret_key, "api_key": API_KEY}
    error = raised_by(lambda: COS(endpoint="ftp://x", bucket="", part_bytes=1, **everything))
    assert shown_in(f"{error} {''.join(with_locals_of_our_frames(error))}", door) == []


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_holds_none(door: Door, protocol: int) -> None:
    store = door.store()
    store.check()
    pickled = pickle.dumps(store, protocol)
    assert [secret for secret in secrets_of(door) if secret.encode() in pickled] == []
    assert pickle.loads(pickled).describe() == store.describe()


def test_an_unpickled_store_says_that_it_has_no_keys_any_more(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COS_ACCESS_KEY_ID", "COS_SECRET_ACCESS_KEY", "COS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    store = door.store()
    again: COS = pickle.loads(pickle.dumps(store))
    with pytest.raises(NotAuthorized, match="COS_"):
        again.check()
    assert door.wire.requests == []


def test_an_unpickled_store_takes_its_keys_from_the_environment(hmac: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COS_ACCESS_KEY_ID", OWNER.access_key)
    monkeypatch.setenv("COS_SECRET_ACCESS_KEY", OWNER.secret_key)
    store = hmac.store()
    again: COS = pickle.loads(pickle.dumps(store))
    again.check()


def test_a_copy_works_like_the_original(hmac: Door) -> None:
    ref = copy.copy(hmac.store()).put(hmac.file(noise(1000)), "train", owner=RUN)
    assert copy.deepcopy(hmac.store()).exists(ref)


def test_the_environment_of_children_holds_none(door: Door) -> None:
    door.put()
    answers = PROCESSES.Queue()
    assert shown_in(repr(dict(os.environ)), door) == []
    process = started(environment, answers)
    assert shown_in(answers.get(timeout=60), door) == []
    assert ended(process) == 0


def environment(answers: multiprocessing.Queue[str]) -> None:
    answers.put(repr(dict(os.environ)))


def test_a_token_never_leaves_for_another_host(iam: Door) -> None:
    iam.put(CONTENT)
    asked = [request for request in iam.wire.requests if request.operation == "Token"]
    assert [request.header("authorization") for request in asked] in ([""], ["Basic Yng6Yng="])
    assert all(API_KEY not in f"{request.target} {request.headers}" for request in iam.wire.requests)
