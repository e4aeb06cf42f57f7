"""No key and no token is ever shown: not by the store, its errors and their tracebacks, a log, a pickle, or a child.

Looked at are all frames of an error, of its causes and of its contexts, whoever's code they run, but for these tests'.
"""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.shown import every_logger, places_of, raised_by
from tests.storage.bucket import Bucket
from tests.storage.children import PROCESSES, ended, started
from tests.storage.doors import CONTENT, RUN, Door, noise, of_a_file
from tests.storage.faults import DENIED, EXPIRED, SKEWED, WRONG_REGION, BlackHole, Cut, Echo, Flip, Refusal, Reset
from tests.storage.iam import API_KEY, Iam
from tests.storage.swift import OWNER, Swift
from tests.storage.tls import certificate
from tests.storage.wire import ALWAYS, TOKEN_PATH, Act, Answer, wire_to
from wxtuning.adapters.cos import COS
from wxtuning.errors import NotAuthorized, WxTuningError

SESSION = "session-token-0123456789"


def secrets_of(door: Door) -> list[str]:
    return [OWNER.secret_key, API_KEY, SESSION, *(door.iam.given if door.iam else ())]


def shown_in(text: str, door: Door) -> list[str]:
    """The secrets that a text holds, as they are or in hexadecimal."""
    return [each for each in secrets_of(door) if each in text or each.encode().hex(" ") in text]


@pytest.fixture
def every_log() -> Iterator[list[str]]:
    with every_logger() as said:
        yield said


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


def told(status: int, body: bytes, *headers: tuple[str, str]) -> Act:
    return lambda exchange: exchange.answered(Answer(status=status, headers=headers, body=body))


LIFE = b'"expires_in": 3600'
FAULTS: dict[str, tuple[str, Act]] = {
    "denied": ("*", DENIED),
    "expired": ("*", EXPIRED),
    "clock": ("*", SKEWED),
    "not there": ("*", Refusal(status=404, code="NoSuchBucket")),
    "trouble": ("*", Refusal(status=500, code="InternalError")),
    "not known": ("*", Refusal(status=418, code="Teapot")),
    "elsewhere": ("*", WRONG_REGION),
    "redirected": ("*", Refusal(status=307, code="TemporaryRedirect", headers=(("Location", "http://127.0.0.1:1/"),))),
    "reset": ("*", Reset(after=0)),
    "reset later": ("UploadPart", Reset(after=100_000)),
    "black hole": ("UploadPart", BlackHole()),
    "flipped": ("UploadPart", Flip(at=7)),
    "echo": ("*", Echo()),
    "echo of a part": ("UploadPart", Echo()),
    "echo in 200": ("*", Echo(status=200)),
    "page": ("*", Echo(is_page=True)),
    "page in 200": ("*", Echo(is_page=True, status=200)),
    "page in 500": ("*", Echo(is_page=True, status=500)),
    "no token": ("Token", Refusal(status=400, code="No")),
    "trouble with tokens": ("Token", Refusal(status=500, code="No")),
    "token reset": ("Token", Reset(after=0)),
    "token black hole": ("Token", BlackHole()),
    "token echo": ("Token", told(400, b'{"errorCode": "' + API_KEY.encode() + b'"}')),
    "token redirected": ("Token", told(302, b"", ("Location", "http://127.0.0.1:1/"))),
    "token gone": ("Token", told(404, b"no such page")),
    "token no JSON": ("Token", told(200, b"<html>" + API_KEY.encode())),
    "token list": ("Token", told(200, b"[]")),
    "token of two lines": ("Token", told(200, b'{"access_token": "' + SESSION.encode() + b'\\n1", %b}' % LIFE)),
    "token no text": ("Token", told(200, b'{"access_token": {"value": "' + SESSION.encode() + b'"}, %b}' % LIFE)),
    "token no time": ("Token", told(200, b'{"access_token": "' + SESSION.encode() + b'", "expires_in": "soon"}')),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_shows_one_nor_its_causes_nor_their_frames(door: Door, every_log: list[str], fault: str) -> None:
    operation, act = FAULTS[fault]
    if operation == "Token" and not door.iam:
        pytest.skip("no token is asked for")
    away: dict[str, Any] = {} if door.iam else {"session_token": SESSION}
    where = None if operation == "Token" else (lambda request: request.path != TOKEN_PATH)
    door.wire.breaks(operation, act, times=ALWAYS, **({"where": where} if where else {}))
    error = raised_by(lambda: door.put(patience={"read_seconds": 0.1}, **away))
    assert places_that_show(error, door) == []
    assert shown_in("\n".join(every_log), door) == []


@pytest.mark.parametrize("way", ["hmac", "iam"])
def test_no_error_over_tls_shows_one(
    swift: Swift, bucket: Bucket, tmp_path: Path, every_log: list[str], way: str
) -> None:
    _, certified = certificate(tmp_path / "ca.pem")
    gate = Iam() if way == "iam" else None
    with wire_to(swift.endpoint, gate=gate, tls=certified) as wire:
        door = Door(bucket, wire, tmp_path, gate)
        error = raised_by(door.put)
        assert places_that_show(error, door) == []
        assert shown_in("\n".join(every_log), door) == []


@pytest.mark.parametrize("way", ["hmac", "iam"])
def test_no_error_of_a_server_that_is_not_there_shows_one(door: Door, way: str) -> None:
    nowhere = "http://127.0.0.1:1"
    place = {"endpoint": nowhere} if way == "hmac" or not door.iam else {"auth_endpoint": nowhere}
    assert places_that_show(raised_by(lambda: door.put(**place)), door) == []


def test_an_error_of_whoever_watches_shows_none(door: Door) -> None:
    def watch(done: int, size: int | None) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError) as failure:
        door.store().put(door.file(noise(1000)), "train", owner=RUN, watch=watch)
    assert places_that_show(failure.value, door) == []


def test_an_error_in_the_middle_of_reading_shows_none(door: Door, tmp_path: Path) -> None:
    ref = door.put()
    door.wire.breaks("GetObject", Cut(after=0), times=ALWAYS, where=of_a_file)
    error = raised_by(lambda: door.store().get(ref, tmp_path / "back.jsonl"))
    assert places_that_show(error, door) == []


def places_that_show(error: BaseException, door: Door) -> list[str]:
    """Where a secret stands: in an error, one of its causes or contexts, or a frame of any of them."""
    again = f"pickle: {pickle.loads(pickle.dumps(error))!r}" if isinstance(error, WxTuningError) else ""
    return [place[:200] for place in (*places_of(error), again) if shown_in(place, door)]


def test_an_error_with_credentials_of_a_function_shows_none(hmac: Door, every_log: list[str]) -> None:
    hmac.wire.breaks("*", EXPIRED, times=ALWAYS)

    def credentials() -> dict[str, str]:
        return {"access_key": OWNER.access_key, "secret_key": OWNER.secret_key, "session_token": SESSION}

    error = raised_by(lambda: hmac.put(access_key=None, secret_key=None, credentials=credentials))
    assert places_that_show(error, hmac) == []
    assert shown_in("\n".join(every_log), hmac) == []


def test_a_constructor_that_refuses_shows_none(door: Door) -> None:
    everything = {"access_key": OWNER.access_key, "secret_key": OWNER.secret_key, "api_key": API_KEY}
    error = raised_by(lambda: COS(endpoint="ftp://x", bucket="", part_bytes=1, **everything))
    assert places_that_show(error, door) == []


TOLD = {"secret_key": OWNER.secret_key, "api_key": API_KEY, "session_token": SESSION}
NAMES = {"endpoint": "https://storage.example.com", "bucket": "tuning"}
CREDENTIAL = {"apikey": API_KEY, "cos_hmac_keys": {"secret_access_key": OWNER.secret_key}}
REFUSED: dict[str, Callable[[], object]] = {
    "another type": lambda: COS(**NAMES, **{name: secret.encode() for name, secret in TOLD.items()}),  # type: ignore[arg-type]
    "more than the environment": lambda: COS.from_env(**NAMES, part_bytes="5", **TOLD),
    "an environment": lambda: COS.from_uri("cos://tuning", {"COS_SECRET_ACCESS_KEY": OWNER.secret_key}),
    "another endpoint": lambda: COS.from_uri(
        "cos://tuning@a.example", {"COS_ENDPOINT": "https://b.example", "COS_SECRET_ACCESS_KEY": OWNER.secret_key}
    ),
    "a credential": lambda: COS.from_credentials(CREDENTIAL, **NAMES),
    "a text": lambda: COS.from_credentials(json.dumps(CREDENTIAL), **NAMES),
    "a list": lambda: COS.from_credentials(json.dumps([CREDENTIAL]), **NAMES),
    "half a text": lambda: COS.from_credentials(json.dumps(CREDENTIAL)[:-1], **NAMES),
    "a key and no file": lambda: COS.from_credentials(API_KEY, **NAMES),
    "a good credential": lambda: COS.from_credentials(
        {"apikey": API_KEY}, **NAMES, part_bytes=1, session_token=SESSION
    ),
}


@pytest.mark.parametrize("way", REFUSED)
def test_what_is_refused_before_anything_is_asked_shows_none(hmac: Door, way: str) -> None:
    assert places_that_show(raised_by(REFUSED[way]), hmac) == []


@pytest.mark.parametrize("answer", [{"acces_key": "a", "secret_key": OWNER.secret_key}, {"api_key": API_KEY.encode()}])
def test_a_function_that_gives_no_keys_shows_none(hmac: Door, answer: dict[str, str]) -> None:
    store = hmac.store(access_key=None, secret_key=None, credentials=lambda: answer)
    assert places_that_show(raised_by(store.check), hmac) == []


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
