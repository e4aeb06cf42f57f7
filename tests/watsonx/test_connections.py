"""Lines in a bucket: the job refers to a connection, given or made once, whose keys nobody is shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.server.processes import Running, serving
from tests.shown import places_of
from tests.storage.swift import BESIDE_THE_TESTS, OWNER, Swift
from tests.storage.swift import serving as serving_swift
from tests.watsonx.faults import Instead, LostAnswer, Refusal
from tests.watsonx.test_data_assets import lines
from wxtuning import LocalStore, TuningExperiment, steps
from wxtuning.adapters.cos import COS
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.connections import Connections
from wxtuning.adapters.watsonx.service import Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.errors import AdapterError, NotOffered, PlanError
from wxtuning.ports import TuningRequest
from wxtuning.runner import drive
from wxtuning.spec import PromptTuning, WaitPolicy
from wxtuning.status import DataRef, JobState

MAKE = "POST /v2/connections"
SECRET = "canary-4f1c9e7a-secret"
IBM = ".cloud-object-storage.appdomain.cloud"


@pytest.fixture
def store(tmp_path: Path) -> COS:
    """A bucket of this test's own; nobody asks it here."""
    return COS(
        endpoint="https://s3.example.com",
        bucket=f"b-{sha256(str(tmp_path).encode()).hexdigest()[:12]}",
        access_key="a",
        secret_key=SECRET,
    )


@pytest.fixture
def data(store: COS) -> DataRef:
    return DataRef(uri=f"cos://{store.bucket}/team/train-1.jsonl", sha256="0" * 64, rows=5, size_bytes=50)


@pytest.fixture
def connections(service: Service, settings: Settings) -> Connections:
    return Connections(service, settings)


def kept(service: Service, store: COS) -> list[dict]:
    """The connections to this bucket, each as the service shows it by itself: lists leave the keys out."""
    listed = service.pages("/v2/connections")
    ours = [one["metadata"]["asset_id"] for one in listed if one["entity"]["properties"]["bucket"] == store.bucket]
    return [service.get(f"/v2/connections/{connection}") for connection in ours]


def test_a_connection_is_made_of_what_the_store_tells(connections, service, store, data):
    reference = connections.reference(data, store)
    (one,) = kept(service, store)
    assert reference == {
        "type": "connection_asset",
        "connection": {"id": one["metadata"]["asset_id"]},
        "location": {"bucket": store.bucket, "file_name": "team/train-1.jsonl"},
    }
    assert one["entity"]["properties"] == {
        "url": "https://s3.example.com", "bucket": store.bucket, "access_key": "a", "secret_key": SECRET,
    }  # fmt: skip


def test_a_connection_is_made_once_for_a_bucket_and_its_keys(connections, service, settings, store, data, wire):
    first = connections.reference(data, store)
    assert Connections(service, settings).reference(data, store) == first
    assert wire.asked[MAKE] == 1
    other_keys = COS(endpoint=store.endpoint, bucket=store.bucket, access_key="a", secret_key="rotated-secret")
    assert connections.reference(data, other_keys)["connection"] != first["connection"]


@pytest.mark.parametrize("act", [LostAnswer(), Instead(502), Instead(201, b"{}")], ids=["reset", "502", "no id"])
def test_a_connection_whose_answer_was_lost_is_found(connections, service, store, data, wire, act):
    wire.breaks(MAKE, act)
    reference = connections.reference(data, store)
    assert wire.asked[MAKE] == 1
    assert [one["metadata"]["asset_id"] for one in kept(service, store)] == [reference["connection"]["id"]]


def test_a_connection_that_was_removed_is_made_again(connections, service, store, data):
    first = connections.reference(data, store)["connection"]["id"]
    service.delete(f"/v2/connections/{first}")
    assert connections.reference(data, store)["connection"]["id"] != first


def test_an_api_key_goes_into_the_connection_with_its_token_service(connections, service, store, data):
    with_key = COS(endpoint=store.endpoint, bucket=store.bucket, api_key=SECRET, instance_id="crn:1")
    connections.reference(data, with_key)
    (one,) = kept(service, store)
    assert one["entity"]["properties"]["api_key"] == SECRET
    assert one["entity"]["properties"]["iam_url"] == "https://iam.cloud.ibm.com/identity/token"
    assert one["entity"]["properties"]["resource_instance_id"] == "crn:1"


def test_keys_that_end_soon_make_no_connection(connections, store, data, wire):
    short = COS(endpoint=store.endpoint, bucket=store.bucket, access_key="a", secret_key="b", session_token="c")
    with pytest.raises(NotOffered, match="keys that last"):
        connections.reference(data, short)
    assert wire.asked[MAKE] == 0


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_given_connection_is_used_and_none_made(connections, service, settings, store, data, wire, by):
    made = connections.reference(data, store)
    (one,) = kept(service, store)
    wire.heals()
    given = one["metadata"]["asset_id"] if by == "id" else one["entity"]["name"]
    settings = Settings(url=wire.url, connection=given, patience=settings.patience)
    assert Connections(service, settings).reference(data, store) == made
    assert wire.asked[MAKE] == 0


def given(settings: Settings, connection: str) -> Settings:
    return Settings(url=settings.url, connection=connection, patience=settings.patience)


@pytest.mark.parametrize(
    ("endpoint", "as_given"),
    [
        ("https://s3.example.com", "https://S3.example.com:443"),
        (f"https://s3.eu-de{IBM}", f"s3.private.eu-de{IBM}"),
        ("https://s3.eu-west-1.amazonaws.com", "https://s3.amazonaws.com"),
    ],
    ids=["the same", "IBM's, within its network", "AWS's, of another region"],
)
def test_a_given_connection_may_name_the_same_store_otherwise(
    connections, service, settings, store, endpoint, as_given
):
    ours = COS(endpoint=endpoint, bucket=store.bucket, access_key="a", secret_key=SECRET)
    made = connection_to(connections, service, store, as_given)
    Connections(service, given(settings, made)).check(ours)


def test_a_given_connection_to_another_store_is_refused_before_anything_is_sent(
    connections, service, settings, store, data, wire
):
    made = connection_to(connections, service, store, "https://minio.example.com:9000")
    wire.heals()
    for refused in (lambda one: one.check(store), lambda one: one.reference(data, store)):
        with pytest.raises(NotOffered, match=r"minio\.example\.com:9000, the lines are in that of s3\.example\.com"):
            refused(Connections(service, given(settings, made)))
    assert wire.asked[MAKE] == 0


def test_a_given_connection_that_is_not_there_is_refused_before_anything_is_sent(service, settings, store):
    with pytest.raises(NotOffered, match="no connections 'nobody made it'"):
        Connections(service, given(settings, "nobody made it")).check(store)


def test_a_connection_is_only_made_for_a_job(connections, store, wire):
    connections.check(store)
    assert wire.asked[MAKE] == 0


def connection_to(connections: Connections, service: Service, store: COS, url: str) -> str:
    """The id of a connection to this bucket at another address."""
    stored = DataRef(uri=f"cos://{store.bucket}/train.jsonl", sha256="0" * 64, rows=5, size_bytes=50)
    made = connections.reference(stored, store)["connection"]["id"]
    shown = service.get(f"/v2/connections/{made}")["entity"]
    body = {name: shown[name] for name in ("datasource_type", "origin_country")}
    properties = {**shown["properties"], "url": url}
    created = service.create("/v2/connections", {**body, "name": "mine", "properties": properties}, in_query=True)
    return str(created["metadata"]["asset_id"])


def test_a_folder_of_this_machine_is_a_problem_of_the_plan(backend, tmp_path):
    rows = [{"input": f"thing {n}", "output": "yes"} for n in range(60)]
    experiment = TuningExperiment("support").load(rows).tune(num_epochs=1).upload(LocalStore(tmp_path / "store"))
    with pytest.raises(PlanError, match="watsonx cannot read from file://"):
        experiment.on(backend).plan()


def test_a_given_connection_to_another_bucket_is_refused(connections, service, settings, store, data, wire):
    made = connections.reference(data, store)["connection"]["id"]
    other = COS(endpoint=store.endpoint, bucket="another-bucket", access_key="a", secret_key=SECRET)
    elsewhere = DataRef(uri="cos://another-bucket/train.jsonl", sha256="0" * 64, rows=5, size_bytes=50)
    settings = Settings(url=wire.url, connection=made, patience=settings.patience)
    with pytest.raises(NotOffered, match=f"leads to bucket {store.bucket}, the lines are in another-bucket") as caught:
        Connections(service, settings).reference(elsewhere, other)
    assert SECRET not in "".join(places_of(caught.value))


def test_a_missing_connection_is_named(service, settings, store, data, wire):
    settings = Settings(url=wire.url, connection="none of this name", patience=settings.patience)
    with pytest.raises(NotOffered, match="no connections 'none of this name'") as caught:
        Connections(service, settings).reference(data, store)
    assert SECRET not in "".join(places_of(caught.value))


def test_a_folder_of_this_machine_cannot_be_reached(connections, tmp_path):
    local = LocalStore(tmp_path / "store")
    stored = local.put(lines(tmp_path, "local"), "train", owner="run-1")
    with pytest.raises(NotOffered, match="watsonx cannot read") as caught:
        connections.reference(stored, local)
    assert "wx.COS" in caught.value.hint


@pytest.mark.parametrize("act", [Refusal(400), Refusal(403), Refusal(404)])
def test_a_refused_connection_shows_no_key_in_any_frame(connections, store, data, wire, act):
    wire.breaks(MAKE, act)
    with pytest.raises(AdapterError) as caught:
        connections.reference(data, store)
    assert SECRET not in "".join(places_of(caught.value))


# --- a whole job ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    with serving_swift(tmp_path_factory.getbasetemp(), BESIDE_THE_TESTS) as found:
        found.client().create_bucket(Bucket="lines")
        yield found


@pytest.fixture(scope="module")
def near_swift(swift: Swift, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("near")
    with serving(home, "--platform", "cpd", "--allow-endpoint", swift.endpoint) as found:
        yield found


def test_a_job_is_tuned_on_lines_in_a_bucket(near_swift, swift, tmp_path):
    store = COS(endpoint=swift.endpoint, bucket="lines", access_key=OWNER.access_key, secret_key=OWNER.secret_key)
    stored = steps.upload(store, many(tmp_path), "support-train", owner="support-1")
    ready = near_swift.ready
    backend = Watsonx(
        url=ready["url"], project=ready["project_id"], username=ready["username"], api_key=ready["api_key"],
        ca=ready["ca"],
    )  # fmt: skip
    method = PromptTuning(num_epochs=1, batch_size=16, accumulate_steps=1, learning_rate=0.1, num_virtual_tokens=20)
    job = backend.submit(TuningRequest(name="support", method=method, train=stored, store=store), "support-1")
    often = WaitPolicy(every_seconds=0.1, timeout_seconds=120)
    status = drive(steps.wait(backend, job, often, poll_seconds=1.0, clock=time.monotonic))
    assert status.state is JobState.COMPLETED


def many(folder: Path) -> DataRef:
    """As many lines as a service takes at least."""
    from wxtuning.records import Record

    rows = [Record(number=n, input=f"thing {n}", output="yes", label="yes") for n in range(60)]
    return steps.write(rows, folder / "many.jsonl")
