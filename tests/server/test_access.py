"""Getting in, projects and spaces, with the unmodified SDK on both platforms."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.server import sdk as use
from tests.server.processes import calling, serving


def test_the_printed_lines_connect_the_sdk(server, sdk):
    assert sdk(use.defaults)["project"] == "SUCCESS"
    printed = "\n".join([*server.ready["python"], "print(client.default_project_id)"])
    done = subprocess.run([sys.executable, "-c", printed], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == server.project


def test_project_and_space_of_the_first_start_can_be_set(server, sdk):
    found = sdk(use.defaults)
    assert found["project"] == found["space"] == "SUCCESS"
    assert found["project_type"] == {"cpd": "assetfiles", "cloud": "bmcos_object_storage"}[server.ready["platform"]]
    assert found["version"] == {"cpd": "CPD version 5.2", "cloud": ""}[server.ready["platform"]]


def test_an_unknown_project_or_space_is_named(sdk):
    said = sdk(use.unknown_defaults, "00000000-0000-4000-8000-000000000000")
    assert len(said) == 2
    assert all("00000000-0000-4000-8000-000000000000" in one for one in said)


def test_projects_and_spaces_are_made_found_and_deleted(server, sdk):
    found = sdk(use.platform, f"made for {server.ready['platform']}")
    project, space = found["ids"]
    assert project in found["projects"] and space in found["spaces"]
    assert server.project in found["projects"] and server.space in found["spaces"]
    assert {"wxtuning", f"made for {server.ready['platform']}"} <= set(found["all"])
    assert found["found"] == [True, True]
    assert found["project"]["entity"]["name"] == found["space"]["entity"]["name"]
    assert found["deleted"] == ["SUCCESS", "SUCCESS"]
    assert found["left"] == [False, False]


def test_a_space_that_holds_something_is_not_deleted(server):
    with server.http() as client:
        space = client.post("/v2/spaces", json={"name": "full"}).json()["metadata"]["id"]
        asset = {"metadata": {"name": "x", "asset_type": "data_asset"}, "entity": {"data_asset": {"mime_type": "a/b"}}}
        client.post("/v2/assets", params={"space_id": space}, json=asset).raise_for_status()
        answer = client.delete(f"/v2/spaces/{space}")
        assert answer.status_code == 409
        assert "1 of the kind asset" in answer.json()["errors"][0]["message"]
        assert client.get(f"/v2/spaces/{space}").status_code == 200


def test_the_project_and_the_space_of_the_first_start_stay(server):
    with server.http() as client:
        for path in (f"/transactional/v2/projects/{server.project}", f"/v2/spaces/{server.space}"):
            answer = client.delete(path)
            assert answer.status_code == 409
            assert "the one that this server starts with" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("name", ["", " ", None, 7, "x" * 256])
def test_a_space_needs_a_name(server, name):
    with server.http() as client:
        answer = client.post("/v2/spaces", json={"name": name})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["target"] == {"type": "field", "name": "name"}


def test_the_same_key_makes_one_space(server):
    with server.http() as client:
        once = {"json": {"name": "once"}, "headers": {"Idempotency-Key": "k1"}}
        first, again = (client.post("/v2/spaces", **once).json()["metadata"]["id"] for _ in range(2))
    assert first == again


def test_a_wrong_key_is_refused(server, sdk):
    said = sdk(use.refusal, api_key="wrong")
    assert said.startswith("InvalidCredentialsError")
    assert "wrong" not in said.replace("wrong credentials", "")


def test_a_wrong_user_is_refused(cpd_sdk):
    assert cpd_sdk(use.refusal, username="someone").startswith("InvalidCredentialsError")


def test_the_password_will_do_on_cpd(cpd, cpd_sdk):
    assert cpd_sdk(use.refusal, api_key=None, password=cpd.ready["password"], bedrock_url=cpd.url) == ""
    assert cpd_sdk(use.refusal, api_key=None, password="wrong", bedrock_url=cpd.url) != ""


@pytest.mark.parametrize("path", ["/icp4d-api/v1/authorize", "/identity/token"])
def test_a_token_is_given_on_its_own_platform_only(cpd, cloud, path):
    other = cloud if "icp4d" in path else cpd
    with other.http() as client:
        assert client.post(path, json={}).json()["errors"][0]["code"] == "not_offered"


def test_a_grant_of_another_kind_is_refused(cloud):
    with cloud.http(token="") as client:
        answer = client.post("/identity/token", data={"apikey": cloud.ready["api_key"], "grant_type": "password"})
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "BXNIM0137E"


def test_the_identity_provider_takes_only_its_own_tokens(cpd):
    with cpd.http(token="") as client:
        answer = client.get("/v1/preauth/validateAuth", headers={"username": "wxtuning", "iam-token": "x.y.z"})
    assert answer.status_code == 401


@pytest.mark.parametrize("platform", ["cpd", "cloud"])
def test_the_sdk_renews_a_token_before_it_expires(tmp_path, platform):
    # The SDK renews a token of less than three minutes when a minute of it is left.
    options = ("--platform", platform, "--token-seconds", "62")
    with serving(tmp_path, *options) as server, calling(server.ready["environment"]) as call:
        assert call(use.tokens_over, server.ready, 4) >= 2


def test_an_expired_token_is_told_from_a_wrong_one(tmp_path):
    with serving(tmp_path, "--token-seconds", "1") as server, server.http() as client:
        time.sleep(1.2)
        answer = client.get("/v2/projects")
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "authentication_token_expired"


def test_unknown_calls_of_the_sdk_are_refused_and_logged(server, sdk):
    said = sdk(use.not_offered)
    assert [name for name, one in said.items() if "not offered by this server" not in one] == []
    assert server.said().count("WARNING not offered: ") >= len(said)
