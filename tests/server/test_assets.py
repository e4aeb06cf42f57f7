"""Data assets and connections: made, filled, found and deleted, by the unmodified SDK and over plain HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server import sdk_tuning as use

STORE = {"access_key": "key", "secret_key": "secret"}


def test_the_sdk_uploads_lists_downloads_and_deletes_a_file(sdk, tmp_path):
    found = sdk(use.assets, tmp_path)
    assert found["content"] == (tmp_path / "three rows.jsonl").read_bytes()
    assert found["details"]["metadata"]["name"] == "three rows.jsonl"
    assert found["details"]["metadata"]["attachment_name"] == "three rows.jsonl"
    assert found["id"] in found["listed"]
    assert found["id"] in found["all"]
    assert (found["deleted"], found["id"] in found["left"]) == ("SUCCESS", False)


def test_a_second_file_of_the_same_name_is_what_the_caller_says(sdk, tmp_path):
    found = sdk(use.duplicates, tmp_path)
    new = (tmp_path / "twice.jsonl").read_bytes()
    assert found["IGNORE"] == (False, new)
    assert found["REPLACE"][1] == found["UPDATE"][1] == new
    assert "there is a data asset 'twice.jsonl' already" in found["REJECT"]


def test_the_sdk_makes_shows_lists_and_deletes_connections(sdk):
    found = sdk(use.connections)
    assert found["shown"]["entity"]["name"] == "store"
    assert found["shown"]["entity"]["properties"]["bucket"] == "b"
    assert found["id"] in found["listed"]
    assert (found["deleted"], found["id"] in found["left"]) == ("SUCCESS", False)
    assert "bluemixcloudobjectstorage" in found["types"]


def announced(client, project, name="rows.jsonl"):
    """A new asset and the address for its content."""
    query = f"?project_id={project}"
    asset = client.post(f"/v2/assets{query}", json={"metadata": {"name": name}}).json()["metadata"]["asset_id"]
    made = client.post(f"/v2/assets/{asset}/attachments{query}", json={"name": name}).json()
    return asset, made


def test_an_upload_address_is_good_for_its_own_file_and_for_sending_only(server):
    with server.http() as client, server.http(token="") as stranger:
        (_, mine), (_, other) = (announced(client, server.project) for _ in range(2))
        path, _, signature = mine["url1"].partition("?")
        foreign = other["url1"].partition("?")[0]
        assert stranger.put(f"{foreign}?{signature}", content=b"x").status_code == 403
        assert stranger.get(f"{path}?{signature}").status_code == 403
        assert stranger.put(path, content=b"x").status_code in (401, 403)
        assert stranger.put(f"{path}?{signature}", content=b"x").status_code == 201


def test_content_is_sent_before_it_is_complete_and_not_afterwards(server):
    query = f"?project_id={server.project}"
    with server.http() as client:
        asset, made = announced(client, server.project)
        complete = f"/v2/assets/{asset}/attachments/{made['attachment_id']}/complete{query}"
        assert "no content" in client.post(complete).json()["errors"][0]["message"]
        assert client.put(made["url1"], content=b"").status_code == 400
        assert client.put(made["url1"], content=b"first").status_code == 201
        assert client.put(made["url1"], content=b"second").status_code == 201
        assert client.post(complete).json()["size"] == 6
        assert client.put(made["url1"], content=b"third").status_code == 400


def test_what_was_uploaded_comes_back_as_bytes_that_no_browser_runs(server):
    query = f"?project_id={server.project}"
    with server.http() as client:
        asset, made = announced(client, server.project, "<script>.html")
        client.put(made["url1"], content=b"<script>alert(1)</script>")
        shown = client.get(f"/v2/assets/{asset}/attachments/{made['attachment_id']}{query}").json()
        answer = client.get(shown["url"])
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == "attachment"


def test_an_asset_of_another_project_is_not_there(server):
    with server.http() as client:
        asset, _ = announced(client, server.project)
        answer = client.get(f"/v2/assets/{asset}?space_id={server.space}")
    assert answer.status_code == 404


def test_name_description_and_tags_of_an_asset_are_changed(server):
    query = f"?project_id={server.project}"
    changes = [
        {"op": "replace", "path": "/metadata/tags", "value": ["a", "b"]},
        {"op": "add", "path": "/metadata/description", "value": "new"},
    ]
    with server.http() as client:
        asset, made = announced(client, server.project)
        client.put(made["url1"], content=b"kept")
        changed = client.patch(f"/v2/assets/{asset}{query}", json=changes)
        assert changed.status_code == 200
        shown = client.get(f"/v2/assets/{asset}{query}").json()
    assert (shown["metadata"]["tags"], shown["metadata"]["description"]) == (["a", "b"], "new")
    assert shown["metadata"]["name"] == "rows.jsonl"
    assert shown["attachments"][0]["size"] == 4


@pytest.mark.parametrize(
    "change",
    [{"op": "remove", "path": "/metadata/tags"}, {"op": "replace", "path": "/entity/data_asset", "value": {}},
     {"op": "replace", "path": "/metadata/tags", "value": [1]}, {"op": "replace", "path": "/metadata/name"}, "tags"],
)  # fmt: skip
def test_other_changes_of_an_asset_are_refused(server, change):
    with server.http() as client:
        asset, _ = announced(client, server.project)
        assert client.patch(f"/v2/assets/{asset}?project_id={server.project}", json=[change]).status_code == 400


@pytest.mark.parametrize(
    ("query", "status"), [("*:*", 200), ("asset.name:rows.jsonl", 200), ("asset.size:[1 TO 2]", 400)]
)
def test_assets_are_searched_by_name(server, query, status):
    with server.http() as client:
        asset, _ = announced(client, server.project)
        answer = client.post(f"/v2/asset_types/data_asset/search?project_id={server.project}", json={"query": query})
    assert answer.status_code == status
    if status == 200:
        assert asset in [one["metadata"]["asset_id"] for one in answer.json()["results"]]


def test_a_search_in_pages_names_the_next_page(server):
    address, asked, found = f"/v2/asset_types/data_asset/search?project_id={server.project}", {"limit": 2}, []
    with server.http() as client:
        made = {announced(client, server.project)[0] for _ in range(3)}
        while asked:
            answer = client.post(address, json=asked).json()
            found += [one["metadata"]["asset_id"] for one in answer["results"]]
            asked = answer.get("next")
    assert made <= set(found)
    assert len(found) == len(set(found)) == answer["total_rows"]


def test_assets_of_a_type_that_the_server_does_not_have_are_not_offered(server):
    with server.http() as client:
        answer = client.post(f"/v2/asset_types/notebook/search?project_id={server.project}", json={"query": "*:*"})
    assert answer.json()["errors"][0]["code"] == "not_offered"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"datasource_type": "bigquery"}, "bigquery is not offered"),
        ({"datasource_type": "no-such-type"}, "there is no datasource type"),
        ({"properties": {"url": "https://store.example"}}, "expected the keys of the store"),
        ({"properties": {"access_key": "k", "secret_key": "s"}}, "properties lack url"),
        ({"properties": {"url": "https://store.example", **STORE, "secret_key": [7]}}, "secret_key is no text"),
        ({"properties": "all"}, "expected an object"),
    ],
)
def test_a_connection_that_cannot_work_is_refused_when_it_is_made(server, asked, message):
    good = {"name": "c", "datasource_type": "generics3", "properties": {"url": "https://store.example", **STORE}}
    with server.http() as client:
        answer = client.post(f"/v2/connections?project_id={server.project}", json={**good, **asked})
    assert message in answer.json()["errors"][0]["message"]


def test_a_list_of_connections_shows_no_secrets(server):
    asked = {"name": "listed", "datasource_type": "generics3", "properties": {"url": "https://store.example", **STORE}}
    where, properties = {"project_id": server.project}, {"url": "https://store.example", "access_key": "key"}
    with server.http() as client:
        made = client.post("/v2/connections", params=where, json=asked).json()["metadata"]["asset_id"]
        listed = client.get("/v2/connections", params={**where, "limit": 200}).json()["resources"]
        found = client.post("/v2/asset_types/connection/search", params=where, json={"query": "*:*"}).json()["results"]
        shown = client.get(f"/v2/connections/{made}", params=where).json()
        client.delete(f"/v2/connections/{made}", params=where)
    for lot in (listed, found):
        (one,) = (one for one in lot if one["metadata"]["asset_id"] == made)
        assert one["entity"]["properties"] == properties
    assert shown["entity"]["properties"] == {**properties, "secret_key": "secret"}


def test_the_files_of_a_project_are_its_owners_alone(server):
    with server.http() as client:
        _, made = announced(client, server.project)
        client.put(made["url1"], content=b"x")
    folder = Path(server.ready["home"]) / "attachments"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / made["attachment_id"]).stat().st_mode & 0o777 == 0o600
