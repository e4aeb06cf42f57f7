"""How a store is told where to go and as whom; all that is wrong is said at once, before anything is asked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from wxtuning.adapters.cos import COS, Patience
from wxtuning.errors import PlanError, WxTuningError

HOST = "s3.eu-de.cloud-object-storage.appdomain.cloud"
WHERE: dict[str, Any] = {"endpoint": f"https://{HOST}", "bucket": "tuning"}
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
    assert COS(**WHERE, **HMAC).describe() == f"cos://tuning@{HOST}"
    assert COS(**WHERE, **HMAC, prefix="team/a/").describe() == f"cos://tuning@{HOST}/team/a"
    assert COS(**WHERE, **HMAC, prefix="team/a/").prefix == "team/a"


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
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"region": "eu de"}, "region"),
        ({"scheme": "ftp"}, "scheme"),
        ({"endpoint": "https://storage.exa mple.com"}, "endpoint"),
        ({"endpoint": "https://storage.example\n.com"}, "endpoint"),
        ({"endpoint": "https://storage.example.com/tuning"}, "endpoint=.* holds a path; expected the server alone"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        COS(**(WHERE | HMAC | wrong))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prefix": None}, "prefix=None; expected text"),
        ({"endpoint": None}, "endpoint=None; expected text"),
        ({"auth_endpoint": None}, "auth_endpoint=None; expected text"),
        ({"bucket": b"tuning"}, "bucket= is of type bytes; expected text"),
        ({"part_bytes": "5"}, "part_bytes='5'; expected a whole number"),
        ({"part_bytes": 6e6}, "part_bytes=6000000.0; expected a whole number"),
        ({"workers": True}, "workers=True; expected a whole number"),
        ({"timeout": "60"}, "timeout='60'; expected seconds above 0, or None"),
        ({"allow_http": "yes"}, "allow_http='yes'; expected True or False"),
        ({"region": 5}, "region=5; expected text or None"),
        ({"ca": 5}, "ca=5; expected the path of a file, or None"),
        ({"scheme": None}, "scheme=None; expected text"),
        ({"patience": 5}, "patience=5; expected a Patience, or None"),
        ({"secret_key": 5}, "secret_key= is of type int; expected text"),
        ({"access_key": b"x"}, "access_key= is of type bytes; expected text"),
        ({"credentials": {"access_key": "x"}}, "credentials= is of type dict; expected a function"),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_one_that_is_expected(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError) as failure:
        COS(**(WHERE | HMAC | wrong))
    assert [said in problem for problem in failure.value.problems] == [True]


@pytest.mark.parametrize(
    ("prefix", "named"),
    [
        ("a?b", "'?'"),
        ("a#b", "'#'"),
        ("a\nb", r"'\n'"),
        ("a\0b", r"'\x00'"),
        ("a\x7fb", r"'\x7f'"),
        ("a\ud800b", r"'\ud800'"),
        ("/a", "'/'"),
        ("a/../b", "'..'"),
        ("./a", "'.'"),
        ("a//b", "'//'"),
        ("ä" * 341, "682 bytes"),
        ("a" * 901, "901 bytes"),
    ],
)
def test_a_prefix_that_no_address_could_hold_is_refused_and_the_character_named(prefix: str, named: str) -> None:
    with pytest.raises(PlanError) as failure:
        COS(**WHERE, **HMAC, prefix=prefix)
    assert named in str(failure.value)
    assert len(failure.value.problems) == 1


@pytest.mark.parametrize("prefix", ["team/a", "my team", "häuser", "a..b", ".hidden", "a@b:c", "a%20b", "a" * 680])
def test_any_other_prefix_comes_back_from_its_address(prefix: str) -> None:
    store = COS(**WHERE, **HMAC, prefix=prefix)
    assert COS.from_uri(store.describe(), ENVIRONMENT) == store


@pytest.mark.parametrize("name", ["access_key", "session_token"])
def test_a_key_that_no_request_can_carry_is_refused_unseen(name: str) -> None:
    with pytest.raises(PlanError, match=name) as failure:
        COS(**(WHERE | HMAC | {name: "one-line\ns3cret"}))
    assert "s3cret" not in str(failure.value)


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
    assert COS.from_env(bucket="another", prefix="mine").describe() == f"cos://another@{HOST}/mine"


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
        scheme="s3",
    )


def test_an_s3_address_stays_one_when_something_else_is_replaced() -> None:
    environment = {"AWS_ENDPOINT_URL": "https://s3.example.com", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    store = COS.from_uri("s3://bucket/prefix", environment)
    assert dataclasses.replace(store, workers=3).describe() == "s3://bucket@s3.example.com/prefix"
    patient = dataclasses.replace(store, patience=Patience(attempts=2))
    assert (patient, patient.patience.attempts) == (store, 2)


@pytest.mark.parametrize(
    "endpoint",
    ["https://s3.example.com", "https://S3.example.com:443/", "http://127.0.0.1:9000", "http://[::1]:9000"],
)
def test_a_store_is_made_again_from_what_it_says_of_itself(endpoint: str) -> None:
    store = COS(**(WHERE | HMAC | {"endpoint": endpoint}), prefix="team/a")
    assert COS.from_uri(store.describe(), ENVIRONMENT | {"COS_ENDPOINT": endpoint}) == store


def test_one_bucket_name_at_two_endpoints_is_two_places() -> None:
    here, there = (COS(**(WHERE | HMAC | {"endpoint": f"https://{host}"})) for host in ("a.example", "b.example"))
    assert here.describe() != there.describe()


def test_two_spellings_of_an_endpoint_are_one_place() -> None:
    spelt = ("https://a.example", "https://A.example/", "https://a.example:443")
    assert len({COS(**(WHERE | HMAC | {"endpoint": each})).describe() for each in spelt}) == 1


def test_an_address_that_names_its_endpoint_needs_no_variable_for_it() -> None:
    keys = {name: value for name, value in ENVIRONMENT.items() if "KEY" in name}
    assert COS.from_uri("cos://tuning@s3.example.com/a", keys).endpoint == "https://s3.example.com"


def test_an_address_at_another_endpoint_than_the_environments_is_refused() -> None:
    with pytest.raises(PlanError) as failure:
        COS.from_uri("cos://tuning@s3.example.com/a", ENVIRONMENT)
    assert all(each in str(failure.value) for each in ("s3.example.com", "COS_ENDPOINT", HOST))


@pytest.mark.parametrize(
    "uri",
    [
        "cos://", "cos:///prefix", "ftp://bucket", "bucket/prefix", "cos://a b", "cos://bucket@", "cos://@host/prefix",
        "cos://key:secret@host/prefix", "cos://bucket@a@b/prefix", "cos://bucket/prefix?x=1", "cos://bucket/prefix#x",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_store_is_refused(uri: str) -> None:
    with pytest.raises(WxTuningError):
        COS.from_uri(uri, ENVIRONMENT)
