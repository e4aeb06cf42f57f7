"""Keys that come as a service credential or from a function: taken as they are meant, or refused and never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.storage.doors import RUN, Door, noise
from tests.storage.swift import OWNER
from tests.storage.test_settings import HMAC, IAM, WHERE
from wxtuning.adapters.cos import COS
from wxtuning.errors import NotAuthorized, PlanError, WxTuningError

CREDENTIAL: dict[str, Any] = {
    "apikey": "an-api-key",
    "endpoints": "https://control.cloud-object-storage.cloud.ibm.com/v2/endpoints",
    "iam_apikey_id": "ApiKey-0",
    "resource_instance_id": "crn:v1:0",
    "cos_hmac_keys": {"access_key_id": HMAC["access_key"], "secret_access_key": HMAC["secret_key"]},
}


def test_a_service_credential_with_hmac_keys_gives_them() -> None:
    assert COS.from_credentials(CREDENTIAL, **WHERE) == COS(**WHERE, **HMAC)


def test_a_service_credential_is_read_from_its_text_too() -> None:
    assert COS.from_credentials(json.dumps(CREDENTIAL), **WHERE) == COS(**WHERE, **HMAC)


def test_a_service_credential_without_hmac_keys_gives_its_api_key(tmp_path: Path) -> None:
    path = tmp_path / "credential.json"
    path.write_text(json.dumps({name: CREDENTIAL[name] for name in ("apikey", "resource_instance_id")}))
    for given in (path, str(path)):
        assert COS.from_credentials(given, **WHERE) == COS(**WHERE, **IAM)


NO_CREDENTIALS = [
    "{}",
    "[]",
    '["s3cret-in-a-list"]',
    "s3cret-not-JSON",
    '{"apikey": "s3cret-cut-off',
    '{"apikey": 5}',
    '{"apikey": {"value": "s3cret"}}',
    '{"cos_hmac_keys": {}}',
    '{"cos_hmac_keys": "s3cret"}',
    '"s3cret"',
    "[" * 100_000,
]


@pytest.mark.parametrize("content", NO_CREDENTIALS, ids=range(len(NO_CREDENTIALS)))
@pytest.mark.parametrize("way", ["file", "text"])
def test_what_is_no_service_credential_is_refused_without_being_shown(tmp_path: Path, content: str, way: str) -> None:
    path = tmp_path / "credential.json"
    path.write_text(content)
    with pytest.raises(PlanError) as failure:
        COS.from_credentials(path if way == "file" else content, **WHERE)
    assert "s3cret" not in str(failure.value)


@pytest.mark.parametrize("given", [None, 5, b"{}", [CREDENTIAL]])
def test_what_can_hold_no_service_credential_is_refused_by_its_type(given: Any) -> None:
    with pytest.raises(PlanError, match=type(given).__name__):
        COS.from_credentials(given, **WHERE)


@pytest.mark.parametrize(
    ("changed", "nearest"),
    [
        ({"api_key": "an-api-key"}, "apikey"),
        ({"apikey": "an-api-key", "cos_hmac_key": CREDENTIAL["cos_hmac_keys"]}, "cos_hmac_keys"),
        ({"cos_hmac_keys": {"acces_key_id": "a", "secret_access_key": "b"}}, "access_key_id"),
        ({"apikey": "an-api-key", "cos_hmac_keys": {"access_key_id": "a"}}, "secret_access_key"),
    ],
)
def test_a_service_credential_with_a_misspelt_name_is_refused_with_the_nearest(
    changed: dict[str, Any], nearest: str
) -> None:
    with pytest.raises(PlanError, match=f"'{nearest}'"):
        COS.from_credentials(changed, **WHERE)


def test_a_credential_that_is_not_there_is_named(tmp_path: Path) -> None:
    for given in (tmp_path / "missing.json", str(tmp_path / "missing.json")):
        with pytest.raises(WxTuningError, match=r"missing\.json"):
            COS.from_credentials(given, **WHERE)


# --- from a function --------------------------------------------------------------------------------------------------

KEYS = {"access_key": OWNER.access_key, "secret_key": OWNER.secret_key}


def with_function(hmac: Door, answer: object) -> COS:
    return hmac.store(access_key=None, secret_key=None, credentials=lambda: answer)


def test_a_function_may_give_the_keys(hmac: Door) -> None:
    store = with_function(hmac, KEYS | {"session_token": None, "expiration": "tomorrow"})
    assert store.exists(store.put(hmac.file(noise(10)), "train", owner=RUN))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"acces_key": OWNER.access_key, "secret_key": OWNER.secret_key}, "did you mean 'access_key'"),
        (KEYS | {"sesion_token": "s3cret"}, "did you mean 'session_token'"),
        ({"access_key": OWNER.access_key}, "neither"),
        ({}, "neither"),
        (None, "NoneType"),
        ((OWNER.access_key, OWNER.secret_key), "tuple"),
        (KEYS | {"secret_key": 5}, "secret_key is of type int"),
        (KEYS | {"session_token": "one\ntwo"}, "session_token holds a line end"),
        ({OWNER.secret_key: "s3cret"}, "neither"),
    ],
)
def test_a_function_that_gives_no_keys_is_told_so_and_the_environment_is_not_asked_instead(
    hmac: Door, monkeypatch: pytest.MonkeyPatch, answer: object, said: str
) -> None:
    monkeypatch.setenv("COS_ACCESS_KEY_ID", OWNER.access_key)
    monkeypatch.setenv("COS_SECRET_ACCESS_KEY", OWNER.secret_key)
    with pytest.raises(NotAuthorized, match=said) as failure:
        with_function(hmac, answer).check()
    assert hmac.wire.requests == []
    assert "s3cret" not in str(failure.value) and OWNER.secret_key not in str(failure.value)
