"""No key, password or token is ever shown: not in an error or its traceback, a log, a pickle, or the environment."""

from __future__ import annotations

import base64
import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.shown import every_logger, places_of, raised_by
from tests.watsonx.conftest import Connect, asked_of
from tests.watsonx.faults import Changed, Cut, Dropped, Instead, LostAnswer, Refusal, Silence, refusal, token_for
from tests.watsonx.wire import ALWAYS, Act, Answer, Exchange, Wire
from wxtuning.adapters.watsonx import Watsonx, files
from wxtuning.adapters.watsonx.service import NOWHERE, Service
from wxtuning.errors import NotOffered, Unavailable, WxTuningError
from wxtuning.retry import Patience

TRAININGS = "/ml/v4/trainings"
LIST, CREATE, SIGN_IN = f"GET {TRAININGS}", "POST /v2/spaces", "POST /i*"
WRONG = "wrong-canary-0123456789"
TOKENS = ("token", "access_token")
ILLEGAL = f"x.{base64.b64encode(json.dumps({'exp': 4e9}).encode()).decode()}.{WRONG}"
NONE = {"", "Yng6Yng="}
"""No secrets: no token, and the client that IAM expects everybody to name."""


class Secrets:
    """All that must not be shown, as far as the wire has seen it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def shown_in(self, text: str) -> list[str]:
        ready = self._wire.ready
        sent = {request.header("authorization").rpartition(" ")[2] for request in self._wire.requests}
        return [secret for secret in {ready["api_key"], ready["password"], WRONG, *sent} - NONE if secret in text]


@pytest.fixture
def secrets(wire: Wire) -> Secrets:
    return Secrets(wire)


@pytest.fixture
def every_log() -> Iterator[list[str]]:
    import httpcore  # noqa: F401 - its loggers are listened to
    import httpx  # noqa: F401
    import ibm_watsonx_ai.client  # noqa: F401

    with every_logger() as said:
        yield said


def echo(exchange: Exchange) -> None:
    """A server that answers with all that it was sent."""
    heard = f"{exchange.request.headers} {exchange.request.body.decode()}"
    exchange.answered(Answer(status=400, body=refusal(400, "bad_request", f"did not understand {heard}")))


def created(exchange: Exchange) -> None:
    """A server that answers a sign-in as if it had made something: with a token, and with all that it was sent."""
    heard = f"{exchange.request.headers} {exchange.request.body.decode()}"
    exchange.answered(Answer(status=201, body=json.dumps({**dict.fromkeys(TOKENS, WRONG), "message": heard}).encode()))


FAULTS: dict[str, tuple[str, Act]] = {
    "expired": (LIST, Refusal(401)),
    "forbidden": (LIST, Refusal(403, refusal(403, "user_authorization_failed"))),
    "not there": (LIST, Refusal(404)),
    "trouble": (LIST, Refusal(500)),
    "a page": (LIST, Refusal(200, b"<html>Log in</html>")),
    "redirect": (LIST, Refusal(307, headers={"Location": "https://elsewhere.example.com/"})),
    "reset": (LIST, Dropped("rst")),
    "ended": (LIST, Dropped("fin")),
    "cut": (LIST, Cut(3)),
    "silence": (LIST, Silence()),
    "echo": (LIST, echo),
    "lost create": (CREATE, LostAnswer("rst")),
    "refused create": (CREATE, echo),
    "expired create": (CREATE, Instead(401)),
    "no token": (SIGN_IN, Refusal(401)),
    "echoed sign-in": (SIGN_IN, echo),
    "a created token": (SIGN_IN, created),
    "trouble with tokens": (SIGN_IN, Refusal(503)),
    "a page for a token": (SIGN_IN, Refusal(200, b"<html>Log in</html>")),
    "nothing for a token": (SIGN_IN, Refusal(200, b"{}")),
    "an illegal token": (SIGN_IN, Refusal(200, json.dumps(dict.fromkeys(TOKENS, f"{ILLEGAL}\nx")).encode())),
    "a broken token": (SIGN_IN, Refusal(200, json.dumps(dict.fromkeys(TOKENS, "a.b.c")).encode())),
    "redirected sign-in": (SIGN_IN, Refusal(302, headers={"Location": "https://elsewhere.example.com/"})),
    "silent sign-in": (SIGN_IN, Silence()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_failure_shows_one(wire: Wire, clock: Any, secrets: Secrets, every_log: list[str], fault: str) -> None:
    operation, act = FAULTS[fault]
    patience = Patience(read_seconds=0.3, attempts=2, sleep=clock.sleep, clock=clock)
    service = Watsonx(**asked_of(wire, patience=patience)).service
    if operation != SIGN_IN:
        _ = service.container
    wire.breaks(operation, act, times=ALWAYS)
    error = raised_by(lambda: asked(service))
    assert secrets.shown_in("\n".join(places_of(error))) == []
    assert secrets.shown_in("\n".join(every_log)) == []
    assert secrets.shown_in(repr(pickle.loads(pickle.dumps(error)))) == []


@pytest.mark.parametrize("fault", [name for name, (operation, _) in FAULTS.items() if operation == SIGN_IN])
def test_no_failure_to_renew_shows_one(
    wire: Wire, clock: Any, secrets: Secrets, every_log: list[str], fault: str
) -> None:
    patience = Patience(read_seconds=0.3, attempts=2, sleep=clock.sleep, clock=clock)
    service = Watsonx(**asked_of(wire, patience=patience)).service
    # The SDK takes a token of seconds for an old one.
    wire.breaks(SIGN_IN, Refusal(200, json.dumps(dict.fromkeys(TOKENS, token_for(seconds=5))).encode()))
    wire.breaks(SIGN_IN, FAULTS[fault][1], times=ALWAYS)
    error = raised_by(lambda: asked(service))
    assert wire.asked["POST /icp4d-api/v1/authorize"] + wire.asked["POST /identity/token"] > 1
    assert secrets.shown_in("\n".join(places_of(error))) == []
    assert secrets.shown_in("\n".join(every_log)) == []


def asked(service: Service) -> None:
    service.get(TRAININGS)
    service.create("/v2/spaces", {"name": "n"}, within=NOWHERE)


WAYS_IN: dict[str, dict[str, Any]] = {
    "a wrong key": {"api_key": WRONG},
    "a wrong password": {"api_key": None, "password": WRONG, "username": "ada"},
    "a wrong token": {"api_key": None, "token": WRONG},
    "a wrong JWT": {"api_key": None, "token": f"{WRONG}.{WRONG}.{WRONG}"},
    "an untrusted server": {"ca": None},
    "nobody there": {"url": "https://127.0.0.1:9", "platform_url": None, "auth_url": None, "username": "ada"},
    "a name nobody knows": {"url": "https://nowhere.invalid", "platform_url": None, "username": "ada"},
}


@pytest.mark.parametrize("way", WAYS_IN)
def test_no_failed_way_in_shows_one(
    wire: Wire, connected: Connect, secrets: Secrets, every_log: list[str], capfd: Any, way: str
) -> None:
    error = raised_by(lambda: connected(wire, **WAYS_IN[way]).service.get(TRAININGS))
    assert secrets.shown_in("\n".join(places_of(error))) == []
    assert secrets.shown_in("\n".join(every_log)) == []
    assert secrets.shown_in("".join(capfd.readouterr())) == []


def test_no_log_of_what_goes_well_shows_one(
    wire: Wire, connected: Connect, secrets: Secrets, every_log: list[str], capfd: Any
) -> None:
    service = connected(wire).service
    asked(service)
    assert secrets.shown_in("\n".join(every_log)) == []
    assert every_log  # somebody was listened to
    assert capfd.readouterr().out == ""


def test_a_signed_address_is_in_no_log_and_no_error(
    wire: Wire, connected: Connect, secrets: Secrets, every_log: list[str]
) -> None:
    service = connected(wire).service
    wire.breaks("PUT /x", Refusal(403), times=ALWAYS)
    error = raised_by(lambda: service.put("/x?signature=canary-signature", b"content", as_form=True))
    assert "canary-signature" not in str(error)
    assert "canary-signature" not in "\n".join(every_log)


STORAGES: dict[str, tuple[dict[str, Any], type[WxTuningError]]] = {
    "no such file": ({}, Unavailable),
    "an address that is none": ({"endpoint_url": "https://stor age:x"}, Unavailable),
    "nobody there": ({"endpoint_url": "https://127.0.0.1:9"}, Unavailable),
    "no address": ({"endpoint_url": ""}, NotOffered),
    "no bucket": ({"bucket_name": None}, NotOffered),
}


@pytest.mark.parametrize("storage", STORAGES)
def test_a_file_that_cannot_be_read_shows_no_key_of_the_storage(
    cloud_wire: Wire, connected: Connect, storage: str
) -> None:
    changed, expected = STORAGES[storage]
    keys: list[str] = []

    def told(body: Any) -> Any:
        properties = body["entity"]["storage"]["properties"]
        keys.extend(key for role in properties["credentials"].values() for key in role.values())
        properties.update(changed)
        return body

    backend = connected(cloud_wire)
    _ = backend.service.container
    cloud_wire.breaks("GET /v2/projects/*", Changed(told), times=ALWAYS)
    error = raised_by(lambda: files.read(backend.service, backend.settings, "no/such/file"))
    shown = "\n".join(places_of(error))
    assert isinstance(error, expected)
    assert keys and [key for key in keys if key in shown] == []


def test_nothing_of_it_shows_one(wire: Wire, connected: Connect, secrets: Secrets) -> None:
    backend = connected(wire)
    backend.service.get(TRAININGS)
    shown = [repr(backend), str(vars(backend)), repr(backend.service), repr(vars(backend.service))]
    assert secrets.shown_in(" ".join(shown)) == []
    assert secrets.shown_in(pickle.dumps(backend).decode("latin-1")) == []
    assert secrets.shown_in(repr(dict(os.environ))) == []


def test_a_constructor_that_refuses_shows_none(wire: Wire, secrets: Secrets, monkeypatch: Any, tmp_path: Path) -> None:
    given = {"api_key": WRONG, "password": WRONG, "token": WRONG}
    file = tmp_path / "ready.json"
    file.write_text(json.dumps({"api_key": WRONG, "python": [WRONG]}))
    monkeypatch.delenv("WATSONX_URL", raising=False)
    monkeypatch.setenv("WATSONX_APIKEY", WRONG)
    for work in (
        lambda: Watsonx(url="ftp://x", **given),
        lambda: Watsonx(url=f"https://me:{WRONG}@host:99999", project="p", token="a.b"),
        lambda: Watsonx(url=f"https://me:{WRONG}@[bad", project="p", token="a.b"),
        lambda: Watsonx(url=f"me:{WRONG}@host", project="p", token="a.b"),
        lambda: Watsonx(url="https://x", platform_url=f"https://me:{WRONG}@x", project="p", token="a.b"),
        lambda: Watsonx.from_env(url=f"https://me:{WRONG}@host:99999", project="p"),
        lambda: Watsonx(url="https://x", project="p", token=f"{WRONG}.a\nb"),
        lambda: Watsonx.from_env(),
        lambda: Watsonx.from_env(token=WRONG),
        lambda: Watsonx.from_ready(file),
        lambda: Watsonx.from_ready(file, password=WRONG),
    ):
        assert secrets.shown_in("\n".join(places_of(raised_by(work)))) == []
