"""How a store is told where to go and as whom; all that is wrong is said at once, before anything is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wxtuning.adapters.cos import COS
from wxtuning.errors import PlanError, WxTuningError

WHERE: dict[str, Any] = {"endpoint": "https://s3.eu-de.cloud-object-storage.appdomain.cloud", "bucket": "tuning"}
HMAC: dict[str, Any] = {"access_key": "an-access-key", "secret_key": "a-secret-key"}
IAM: dict[str, Any] = {"api_key": "an-api-key", "instance_id": "crn:v1:0"}
ENVIRONMENT = {
    "COS_ENDPOINT": WHERE["endpoint"],
    "COS_BUCKET": "tuning",
    "COS_ACCESS_KEY_ID": HMAC["access_key"],
    "COS_SECRET_ACCESS_KEY": HMAC["secret_key"],
}


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(("COS_", "AWS_", "IBM_")):
            monkeypatch.delenv(name)


def test_two_stores_told_the_same_are_the_same() -> None:
    assert COS(**WHERE, **HMAC) == COS(**WHERE, **HMAC)
    assert COS(**WHERE, **HMAC) != COS(**WHERE, **IAM)


def test_a_store_says_where_files_go() -> None:
    assert COS(**WHERE, **HMAC).describe().rstrip("/") == "cos://tuning"
    assert COS(**WHERE, **HMAC, prefix="/team/a/").describe() == "cos://tuning/team/a"
    assert COS(**WHERE, **HMAC, prefix="/team/a/").prefix == "team/a"


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        ({}, ("access_key", "api_key")),
        ({"access_key": "a"}, ("secret_key",)),
        ({"secret_key": "a"}, ("access_key",)),
        (HMAC | IAM, ("access_key", "api_key")),
    ],
    ids=["nothing", "half of a pair", "the other half", "both ways"],
)
def test_keys_that_do_not_make_one_way_in_are_refused(told: dict[str, Any], missing: tuple[str, ...]) -> None:
    with pytest.raises(PlanError) as failure:
        COS(**WHERE, **told)
    assert all(name in str(failure.value) for name in missing)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"endpoint": "http://storage.example.com"}, "https"),
        ({"endpoint": "storage.example.com"}, "https"),
        ({"endpoint": ""}, "endpoint"),
        ({"bucket": ""}, "bucket"),
        ({"bucket": "a/b"}, "bucket"),
        ({"part_bytes": 5 * 2**20 - 1}, "part_bytes"),
        ({"part_bytes": 5 * 2**30 + 1}, "part_bytes"),
        ({"workers": 0}, "workers"),
        ({"workers": 17}, "workers"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1.0}, "timeout"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        COS(**(WHERE | HMAC | wrong))


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(PlanError) as failure:
        COS(endpoint="ftp://x", bucket="", part_bytes=1, workers=0)
    assert len(failure.value.problems) >= 5


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"])
def test_without_tls_only_this_machine_is_spoken_to(endpoint: str) -> None:
    assert COS(**(WHERE | HMAC | {"endpoint": endpoint})).endpoint == endpoint
    assert COS(**(WHERE | HMAC | {"endpoint": "http://storage.internal"}), allow_http=True)


def test_a_constructor_asks_nobody() -> None:
    COS(**(WHERE | HMAC | {"endpoint": "https://no-such-host.invalid"}))


# --- from the environment ---------------------------------------------------------------------------------------------


def set_environment(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_the_environment_says_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, ENVIRONMENT | {"COS_PREFIX": "team", "COS_REGION": "eu-de"})
    assert COS.from_env() == COS(**WHERE, **HMAC, prefix="team", region="eu-de")
    assert COS.from_env(bucket="another", prefix="mine").describe() == "cos://another/mine"


def test_the_environment_may_hold_an_api_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    set_environment(monkeypatch, {
        "COS_ENDPOINT": WHERE["endpoint"], "COS_BUCKET": "tuning", "COS_API_KEY": "an-api-key",
        "COS_INSTANCE_ID": "crn:v1:0", "COS_AUTH_ENDPOINT": "https://iam.test.cloud.ibm.com/identity/token",
        "COS_CA_BUNDLE": str(bundle),
    })  # fmt: skip
    expected = COS(**WHERE, **IAM, auth_endpoint="https://iam.test.cloud.ibm.com/identity/token", ca=str(bundle))
    assert COS.from_env() == expected


def test_all_that_the_environment_lacks_is_named_at_once() -> None:
    with pytest.raises(PlanError) as failure:
        COS.from_env()
    for name in ("COS_ENDPOINT", "COS_BUCKET", "COS_ACCESS_KEY_ID", "COS_SECRET_ACCESS_KEY", "COS_API_KEY"):
        assert name in str(failure.value)


def test_only_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, {name: ENVIRONMENT[name] for name in ENVIRONMENT if name != "COS_SECRET_ACCESS_KEY"})
    with pytest.raises(PlanError, match="COS_SECRET_ACCESS_KEY") as failure:
        COS.from_env()
    assert "COS_ENDPOINT" not in str(failure.value)


# --- from a service credential ----------------------------------------------------------------------------------------

CREDENTIAL: dict[str, Any] = {
    "apikey": "an-api-key",
    "resource_instance_id": "crn:v1:0",
    "cos_hmac_keys": {"access_key_id": HMAC["access_key"], "secret_access_key": HMAC["secret_key"]},
}


def test_a_service_credential_with_hmac_keys_gives_them() -> None:
    assert COS.from_credentials(CREDENTIAL, **WHERE) == COS(**WHERE, **HMAC)


def test_a_service_credential_without_hmac_keys_gives_its_api_key(tmp_path: Path) -> None:
    path = tmp_path / "credential.json"
    path.write_text(json.dumps({name: CREDENTIAL[name] for name in ("apikey", "resource_instance_id")}))
    for given in (path, str(path)):
        assert COS.from_credentials(given, **WHERE) == COS(**WHERE, **IAM)


@pytest.mark.parametrize("content", ["{}", "[]", "not JSON", '{"apikey": 5}', '{"cos_hmac_keys": {}}'])
def test_what_is_no_service_credential_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "credential.json"
    path.write_text(content)
    with pytest.raises(WxTuningError):
        COS.from_credentials(path, **WHERE)


def test_a_credential_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WxTuningError, match=r"missing\.json"):
        COS.from_credentials(tmp_path / "missing.json", **WHERE)


# --- from an address --------------------------------------------------------------------------------------------------


def test_an_address_names_bucket_and_prefix() -> None:
    assert COS.from_uri("cos://another/team/a", ENVIRONMENT) == COS(
        **(WHERE | {"bucket": "another"}), **HMAC, prefix="team/a"
    )
    assert COS.from_uri("cos://another", ENVIRONMENT).prefix == ""


def test_an_s3_address_takes_the_variables_of_that_world() -> None:
    environment = {
        "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
        "AWS_ENDPOINT_URL": "https://other.example.com",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-west-2",
    }
    store = COS.from_uri("s3://bucket/prefix", environment)
    assert store == COS(
        endpoint="https://s3.example.com",
        bucket="bucket",
        prefix="prefix",
        access_key="a",
        secret_key="b",
        region="us-west-2",
    )


@pytest.mark.parametrize("uri", ["cos://", "cos:///prefix", "ftp://bucket", "bucket/prefix", "cos://a b"])
def test_what_is_no_address_of_a_store_is_refused(uri: str) -> None:
    with pytest.raises(WxTuningError):
        COS.from_uri(uri, ENVIRONMENT)
