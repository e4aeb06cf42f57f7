"""Whatever is answered in the place of what was asked for, an error of ours comes out, and nothing is made twice."""

from __future__ import annotations

import uuid
from contextlib import suppress

import pytest

from tests.server.models import COMMENTS
from tests.watsonx import jobs
from tests.watsonx.faults import LOGIN_PAGE, Changed, Refusal
from tests.watsonx.test_connections import data as bucket_data  # noqa: F401 - a fixture, under a name of its own
from tests.watsonx.test_connections import store  # noqa: F401 - a fixture
from tests.watsonx.test_data_assets import lines, named
from tests.watsonx.tuned import completed, unstored
from tests.watsonx.wire import ALWAYS
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.assets import Assets
from wxtuning.adapters.watsonx.connections import Connections
from wxtuning.errors import Unavailable, WxTuningError
from wxtuning.ports import Decoding
from wxtuning.retry import Patience
from wxtuning.spec import DeploymentSpec, PromptTuning

SEARCH = "POST /v2/asset_types/data_asset/search"
SHORT = Decoding(max_new_tokens=5)
ODD = {
    "nothing": b"",
    "{}": b"{}",
    "words": b'{"message": "log in first"}',
    "nulls": b'{"metadata": null, "entity": null, "resources": null, "results": null}',
    "empty": b'{"metadata": {}, "entity": {}, "resources": [], "results": []}',
    "odd kinds": b'{"metadata": 7, "entity": "x", "resources": [7], "results": {"a": 1}, "next": "x"}',
    "bare entries": b'{"metadata": {}, "entity": {"status": {}}, "resources": [{}], "results": [{}]}',
    "a page": LOGIN_PAGE,
}


@pytest.fixture
def key() -> str:
    return f"odd-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def backend(cpd_wire, connected, clock) -> Watsonx:
    """It asks twice, and settles soon: what is met at each of many requests is met often enough."""
    patience = Patience(attempts=2, sleep=clock.sleep, clock=clock, rng=lambda: 0.5)
    return connected(cpd_wire, patience=patience, submit_settle=2.0)


def work_of(backend, cpd, soft, folder, key, bucket, lies):
    """All that a chain asks a service for, each by itself."""
    job = completed(cpd, soft)
    spec = DeploymentSpec(name="tone", space=cpd.space)
    ref = backend.deploy(job, spec, f"{key}-before")
    theirs = unstored(cpd, soft)
    return {
        "limits": lambda: backend.limits(PromptTuning()),
        "models": backend.models,
        "submit": lambda: backend.submit(jobs.request(folder), key),
        "find": lambda: backend.find(key),
        "status": lambda: backend.status(job),
        "metrics": lambda: backend.metrics(job),
        "logs": lambda: backend.logs(job),
        "runs": backend.runs,
        "run": lambda: backend.run(job.id),
        "deploy": lambda: backend.deploy(job, spec, key),
        "store": lambda: backend.deploy(theirs, spec, f"{key}-stored"),
        "check": lambda: backend.check_deployment(spec, run=key, job=""),
        "find deployment": lambda: backend.find_deployment(f"{key}-before"),
        "generate": lambda: backend.generate(ref, [COMMENTS[0], "lamp " * 110], SHORT),
        "stream": lambda: list(backend.stream(ref, COMMENTS[0], SHORT)),
        "connect": lambda: Connections(backend.service, backend.settings).reference(lies, bucket),
        "asset": lambda: list(backend.asset("nothing.jsonl").rows()),
        "release": lambda: backend.release(key),
    }


@pytest.mark.parametrize("odd", ODD)
def test_every_failure_is_one_of_ours(cpd_wire, backend, cpd, soft, tmp_path, key, store, bucket_data, odd):  # noqa: F811
    found = []
    for name, work in work_of(backend, cpd, soft, tmp_path, key, store, bucket_data).items():
        for operation in ("GET *", "POST *", "PUT *"):
            cpd_wire.heals()
            cpd_wire.breaks(operation, Refusal(200, ODD[odd]), times=ALWAYS)
            try:
                work()
            except WxTuningError:
                continue
            except Exception as error:  # noqa: BLE001 - which is what is looked for
                found.append(f"{name} met {odd} at {operation}: {error!r}")
    assert found == []


def healthy(wire, work):
    """What a piece of work asks for when all is well."""
    wire.heals()
    work()
    return [operation for operation in wire.asked if operation not in SIGN_IN]


SIGN_IN = ("GET /ml/wml_services/v2/version", "POST /icp4d-api/v1/authorize")


@pytest.mark.parametrize("odd", ["words", "empty", "odd kinds"])
def test_an_upload_and_a_submission_that_meet_odd_answers_leave_one_of_each(cpd_wire, backend, cpd, tmp_path, key, odd):
    assets = Assets(backend.service, backend.settings)
    operations = healthy(cpd_wire, lambda: backend.submit(jobs.request(tmp_path), f"{key}-healthy"))
    operations += healthy(cpd_wire, lambda: assets.put(lines(tmp_path, f"{key} first"), "first", f"{key}-healthy"))
    for number, operation in enumerate(dict.fromkeys(operations)):
        tag, content = f"{key}-{number}", lines(tmp_path, f"{key} {number}")
        cpd_wire.heals()
        cpd_wire.breaks(operation, Refusal(200, ODD[odd]))
        with suppress(WxTuningError):
            backend.submit(jobs.request(tmp_path), tag)
        with suppress(WxTuningError):
            assets.put(content, "support-train", tag)
        cpd_wire.faults.clear()
        job, asset = backend.submit(jobs.request(tmp_path), tag), assets.put(content, "support-train", tag)
        assert jobs.listed(cpd, tag) == [job.id]
        assert named(backend.service, content) == [asset]


@pytest.mark.parametrize("odd", ["{}", "words", "odd kinds", "a page"])
def test_a_search_that_is_none_stops_and_gives_up_nothing(cpd_wire, backend, tmp_path, key, odd):
    data = lines(tmp_path, key)
    assets = Assets(backend.service, backend.settings)
    asset = assets.put(data, "odd", key)
    cpd_wire.breaks(SEARCH, Refusal(200, ODD[odd]), times=ALWAYS)
    for ask in (lambda: assets.release(key), lambda: assets.put(data, "other", key)):
        with pytest.raises(Unavailable):
            ask()
    cpd_wire.faults.clear()
    assert assets.release(key) == (asset,)


def test_a_search_without_an_end_is_given_up(cpd_wire, backend, key):
    cpd_wire.breaks(SEARCH, Changed(lambda page: {**page, "next": {"query": "*:*", "limit": 200}}), times=ALWAYS)
    with pytest.raises(Unavailable, match="without an end"):
        backend.release(key)
    assert cpd_wire.asked[SEARCH] == 1
