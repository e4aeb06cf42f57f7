"""What a training may refer to. No path or address of a caller leads anywhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.server import rooms
from tests.server import sdk_tuning as use
from tests.server.processes import calling, serving
from tests.server.store import store
from wxtuning.server.data.copying import copy_data
from wxtuning.server.data.endpoints import checked
from wxtuning.server.data.files import file_at, folder_of
from wxtuning.server.data.objects import fetch
from wxtuning.server.data.references import check_data, check_results
from wxtuning.server.errors import Refused

STORE = {"access_key": "key", "secret_key": "secret"}
HREF = "/v2/assets/4f2c"
CALL = "POST /ml/v4/trainings"


@pytest.fixture
def objects():
    with store() as found:
        yield found


PRIVATE = [
    "https://127.0.0.1",
    "https://localhost",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://0.0.0.0",
    "https://2130706433",
    "https://169.254.169.254",
    "https://[fe80::1]",
    "https://10.0.0.1:9000",
    "https://192.168.1.1",
    "https://172.16.0.1",
    "https://100.64.0.1",
    "https://224.0.0.1",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_a_store_on_this_machine_or_its_network_is_not_called(url):
    with pytest.raises(Refused, match=r"its host is not on the internet.*--allow-endpoint"):
        checked(url, ())


@pytest.mark.parametrize("url", ["http://93.184.216.34", "file:///etc/passwd", "ftp://93.184.216.34", "gopher://x/"])
def test_only_https_is_spoken(url):
    with pytest.raises(Refused):
        checked(url, ())


@pytest.mark.parametrize(
    "url", ["https://user:password@93.184.216.34", "https://93.184.216.34/path", "https://h:99999", "https://", "https://[x"]
)  # fmt: skip
def test_an_address_is_a_host_and_nothing_else(url):
    with pytest.raises(Refused, match=r"form https://HOST|no address"):
        checked(url, ())


def test_a_store_on_the_internet_is_called_and_so_is_one_that_the_owner_allowed():
    assert checked("https://93.184.216.34", ()) == "https://93.184.216.34"
    assert checked("93.184.216.34:8443", ()) == "https://93.184.216.34:8443"
    assert checked("http://127.0.0.1:9000", ["http://127.0.0.1:9000/"]) == "http://127.0.0.1:9000"
    with pytest.raises(Refused):
        checked("http://127.0.0.1:9001", ["http://127.0.0.1:9000"])


def get(objects, to, *, name="a/b.jsonl", bucket="tuning", most_bytes=1_000, **properties):
    known = {"url": objects.url, **STORE, **properties}
    fetch(known, bucket, name, to, allowed=[objects.url], most_bytes=most_bytes)


def test_an_object_is_copied_with_the_connections_own_keys(objects, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-this-machine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-this-machine")
    monkeypatch.setenv("AWS_PROFILE", "of-this-machine")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text("no settings at all")
    objects.objects["/tuning/a/b.jsonl"] = b"the rows"
    get(objects, tmp_path / "rows")
    assert (tmp_path / "rows").read_bytes() == b"the rows"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "missing"}, "NoSuchKey"),
        ({"access_key": "wrong"}, "AccessDenied"),
        ({"most_bytes": 7}, "larger than 7 bytes"),
        ({"bucket": "arn:aws:s3:us-east-1:1:accesspoint/x"}, "no name of a bucket"),
        ({"secret_key": ""}, "has no 'secret_key'"),
        ({"url": "http://127.0.0.1:1"}, "is not called"),
    ],
)
def test_an_object_that_cannot_be_had_is_named_with_the_reason(objects, tmp_path, asked, message):
    objects.objects["/tuning/a/b.jsonl"] = b"the rows"
    with pytest.raises(Refused, match=message) as refused:
        get(objects, tmp_path / "rows", **asked)
    assert "secret" not in refused.value.message.replace("'secret_key'", "").replace("and secret_key", "")


def by_api_key(objects, to, api_key="api-key"):
    known = {"url": objects.url, "api_key": api_key, "iam_url": f"{objects.url}/identity/token"}
    fetch(known, "tuning", "a/b.jsonl", to, allowed=[objects.url], most_bytes=1_000)


def test_an_object_is_copied_with_a_token_for_an_api_key(objects, tmp_path):
    objects.objects["/tuning/a/b.jsonl"] = b"the rows"
    by_api_key(objects, tmp_path / "rows")
    assert (tmp_path / "rows").read_bytes() == b"the rows"
    assert objects.asked == ["/identity/token", "/tuning/a/b.jsonl"]
    with pytest.raises(Refused, match="AccessDenied"):
        by_api_key(objects, tmp_path / "rows", "another")


@pytest.mark.parametrize("copy", [get, by_api_key])
def test_a_store_that_redirects_is_not_followed(objects, tmp_path, copy):
    with store() as other:
        objects.elsewhere = other.url
        with pytest.raises(Refused):
            copy(objects, tmp_path / "rows")
        assert objects.asked
        assert other.asked == []


@pytest.mark.parametrize("url", ["http://169.254.169.254/token", "https://127.0.0.1/token", "file:///etc/passwd", "x"])
def test_tokens_are_not_asked_for_at_an_address_inside_the_network(objects, tmp_path, url):
    with pytest.raises(Refused):
        get(objects, tmp_path / "rows", access_key="", api_key="k", iam_url=url)
    assert objects.asked == []


def test_a_file_of_the_project_is_found_by_the_path_that_callers_use(house, project, tmp_path):
    (folder_of(house, project) / "in").mkdir()
    (folder_of(house, project) / "in" / "rows.jsonl").write_text("rows")
    path = f"/projects/{project.partition('/')[2]}/assets/in/rows.jsonl"
    reference = {"type": "fs", "location": {"path": path}}
    check_data(house, project, [reference], call=CALL)
    assert copy_data(house, project, reference, tmp_path).read_text() == "rows"


@pytest.mark.parametrize(
    "path",
    ["../secret", "in/../../secret", "./rows", "in//rows", "in\\..\\rows", "nul\0", "", "in", "absent", "x" * 300],
)  # fmt: skip
def test_no_path_leads_out_of_the_project_or_to_anything_but_a_file(house, project, path):
    folder = folder_of(house, project)
    (folder / "in").mkdir()
    (folder.parent / "secret").write_text("secret")
    with pytest.raises(Refused):
        file_at(house, project, path)


def test_a_link_does_not_lead_out_of_the_project_either(house, project, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (folder_of(house, project) / "file").symlink_to(tmp_path / "secret")
    (folder_of(house, project) / "folder").symlink_to(tmp_path)
    (folder_of(house, project) / "loop").symlink_to("loop")
    for path in ("file", "folder/secret", "loop"):
        with pytest.raises(Refused, match="there is no file"):
            file_at(house, project, path)


@pytest.mark.parametrize(
    "reference",
    [
        {"type": "fs", "location": {"path": "/projects/another/assets/rows"}},
        {"type": "fs", "location": {"path": "/etc/passwd"}},
        {"type": "fs", "location": {"path": "file:///etc/passwd"}},
        {"type": "fs", "location": {}},
        {"type": "container", "location": {"path": "rows"}},
        {"type": "url", "location": {"url": "http://169.254.169.254/"}},
        {"type": "s3", "connection": {"endpoint_url": "http://127.0.0.1"}, "location": {"bucket": "b", "path": "p"}},
        {"type": "data_asset", "location": {"href": "https://evil.example/v2/elsewhere"}},
        {"type": "data_asset"},
        {"type": "connection_asset", "location": {"bucket": "b", "file_name": "f"}},
        {"type": "connection_asset", "connection": {"id": "c"}},
        {},
        "rows",
    ],
)
def test_a_reference_that_says_no_place_of_the_server_is_refused_at_once(house, project, reference):
    with pytest.raises(Refused) as refused:
        check_data(house, project, [reference], call=CALL)
    assert refused.value.status == 400


FILE = {"type": "fs", "location": {"path": "/projects/p/assets/rows.jsonl"}}
ASSET = {"type": "data_asset", "location": {"id": "a", "href": "/v2/assets/a"}}
OBJECT = {"type": "connection_asset", "connection": {"id": "c"}, "location": {"bucket": "b", "path": "p"}}
KEPT = {"type": "container", "location": {"path": "p"}}
CPD, CLOUD = [FILE, ASSET, OBJECT], [KEPT, ASSET, OBJECT]
OF_PLATFORM = [("cpd", one) for one in CPD] + [("cloud", one) for one in CLOUD]
RESULTS_OF_PLATFORM = [("cpd", FILE), ("cloud", KEPT), ("cloud", OBJECT)]


def refusal_of_data(platform, reference):
    """What a house of a platform says of a reference to data; empty if it takes it."""
    try:
        check_data(rooms.opened(NOWHERE, platform=platform), "project/p", [reference], call=CALL)
    except Refused as refused:
        return refused.message
    return ""


def refusal_of_results(platform, reference):
    try:
        check_results(rooms.opened(NOWHERE, platform=platform), "project/p", reference, call=CALL)
    except Refused as refused:
        return refused.message
    return ""


NOWHERE = Path("/no/home")


def with_more(reference, part, **more):
    return {**reference, part: {**reference.get(part, {}), **more}}


@pytest.mark.parametrize(("platform", "reference"), OF_PLATFORM)
def test_a_word_that_no_reference_knows_is_refused_with_the_nearest_wherever_it_stands(platform, reference):
    place = "training_data_references[0]"
    assert refusal_of_data(platform, reference) == ""
    known = next(iter(reference["location"]))
    said = {
        "locations": refusal_of_data(platform, {**reference, "locations": {}}),
        f"location.{known}s": refusal_of_data(platform, with_more(reference, "location", **{f"{known}s": "x"})),
        "connection.ids": refusal_of_data(platform, with_more(reference, "connection", ids="x")),
    }
    for word, message in said.items():
        assert message.startswith(f"'{place}.{word}' is no field of {CALL}; ")
    assert said["locations"].endswith("did you mean location?")
    assert said[f"location.{known}s"].endswith(f"did you mean {known}?")


@pytest.mark.parametrize(("platform", "reference"), RESULTS_OF_PLATFORM)
def test_a_word_that_no_place_of_results_knows_is_refused_likewise(platform, reference):
    assert refusal_of_results(platform, reference) == ""
    message = refusal_of_results(platform, with_more(reference, "location", paht="x"))
    assert message == f"'results_reference.location.paht' is no field of {CALL}; did you mean path?"
    for place in ("training", "training_log", "training_status", "assets_path", "model_request_path"):
        message = refusal_of_results(platform, with_more(reference, "location", **{place: "x"}))
        assert message == f"not offered by this server: {CALL} with results_reference.location.{place}"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({**ASSET, "schema": {}}, "not offered by this server: "),
        (with_more(ASSET, "location", userfs="true"), "location.userfs 'true'; expected false"),
        (with_more(ASSET, "location", href="/v2/assets/b"), "{'href': '/v2/assets/b', 'id': 'a'} names no one asset"),
        (with_more(ASSET, "location", href="/elsewhere/a"), "names no one asset"),
        (with_more(OBJECT, "location", file_name="other"), "{'file_name': 'other', 'path': 'p'} names no one file"),
        (with_more(OBJECT, "location", path=7), "location.path is 7; expected a text"),
        (with_more(OBJECT, "location", container="box"), "with training_data_references[0].location.container"),
        (with_more(OBJECT, "location", sheet_name="1"), "with training_data_references[0].location.sheet_name"),
        (with_more(OBJECT, "connection", id=""), "connection.id is ''; expected a text"),
        ({"type": "connection_asset", "connection": {"id": "c"}, "location": {}}, "names no one file"),
    ],
)
def test_a_reference_that_says_more_than_one_place_or_what_is_not_here_is_refused(reference, message):
    assert message in refusal_of_data("cpd", reference)


NOT_HERE = {
    "asset with the places of a run", "asset of a git project", "asset of a connection", "excel", "database",
    "connection alone", "container of a store", "asset of an output", "git", "keys", "nfs by its own connection",
}  # fmt: skip


@pytest.mark.parametrize("platform", ["cpd", "cloud"])
def test_every_location_of_the_sdk_is_taken_or_refused_by_what_is_not_here(cpd_sdk, platform):
    sent = cpd_sdk(use.references)
    of_the_other = {"cpd": "container", "cloud": "fs"}[platform]
    refused = {name for name, one in sent.items() if refusal_of_data(platform, one)}
    assert refused == NOT_HERE | {name for name, one in sent.items() if one["type"] == of_the_other}
    assert len(sent) - len(refused) >= 8


def test_a_training_has_one_data_reference_and_results_where_the_platform_keeps_them(house, project):
    asset = {"type": "data_asset", "location": {"href": f"{HREF}?project_id=1"}}
    check_data(house, project, [asset], call=CALL)
    for wrong in ([], [asset, asset], asset, None):
        with pytest.raises(Refused, match="expected a list of exactly one"):
            check_data(house, project, wrong, call=CALL)
    with pytest.raises(Refused, match="expected one of fs"):
        check_results(house, project, {"type": "container", "location": {"path": "out"}}, call=CALL)


def test_an_asset_or_connection_of_another_project_cannot_be_referred_to(house, project, tmp_path):
    elsewhere = rooms.project_of(house, "other")
    other, _ = house.state.add("asset", container=elsewhere, name="a", body={})
    link, _ = house.state.add("connection", container=elsewhere, name="c", body={"properties": STORE})
    asset = {"type": "data_asset", "location": {"id": other.id}}
    remote = {"type": "connection_asset", "connection": {"id": link.id}, "location": {"bucket": "b", "path": "p"}}
    for reference in (asset, remote):
        with pytest.raises(Refused, match="in this project or space"):
            copy_data(house, project, reference, tmp_path)


def test_nothing_of_a_callers_name_becomes_a_file_name(house, project, tmp_path):
    asset = rooms.dataset(house, project, "rows", "../../x/evil.jsonl")
    copied = copy_data(house, project, {"type": "data_asset", "location": {"id": asset}}, tmp_path)
    assert copied == tmp_path / "data.jsonl"


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ({"bucket": "tuning", "file_name": "in/rows.jsonl"}, "/tuning/in/rows.jsonl"),
        ({"bucket": "tuning", "path": "in/rows.jsonl"}, "/tuning/in/rows.jsonl"),
        ({"bucket": "tuning", "path": "/in/rows.jsonl"}, "/tuning/in/rows.jsonl"),
        ({"path": "/other/in/rows.jsonl"}, "/other/in/rows.jsonl"),
        ({"path": "in/rows.jsonl"}, "/own/in/rows.jsonl"),
    ],
)
def test_an_object_is_named_by_a_reference_and_by_an_asset(tmp_path, objects, location, asked):
    house = rooms.opened(tmp_path / "home", endpoints=(objects.url,))
    project = rooms.project_of(house)
    properties = {"url": objects.url, "bucket": "own", **STORE}
    link, _ = house.state.add("connection", container=project, name="c", body={"properties": properties})
    references = [{"type": "connection_asset", "connection": {"id": link.id}, "location": location}]
    if "bucket" not in location:
        asset, _ = house.state.add("asset", container=project, name="a", body={})
        body = {"asset_id": asset.id, "connection_id": link.id, "connection_path": location["path"]}
        house.state.add("attachment", container=project, name="a", body=body)
        references.append({"type": "data_asset", "location": {"id": asset.id}})
    objects.objects[asked] = b"rows"
    for reference in references:
        assert copy_data(house, project, reference, tmp_path).read_bytes() == b"rows"


@pytest.mark.slow
def test_the_sdk_tunes_on_an_object_of_a_store_that_a_connection_names(tmp_path, objects):
    lines = "".join(json.dumps(row) + "\n" for row in use.rows(60))
    objects.objects["/tuning/in/rows.jsonl"] = lines.encode()
    options = ("--platform", "cloud", "--allow-endpoint", objects.url)
    with serving(tmp_path / "home", *options) as running, calling(running.ready["environment"]) as call:
        found = call(use.tuned_from_a_store, running.ready, tmp_path, objects.url)
    assert found["state"] == "completed", found["status"]
    assert "ml_metrics" in found["status"]["metrics"][0]
    assert objects.asked == ["/tuning/in/rows.jsonl"]
