"""A job is watched politely to its end, whatever the service answers on the way."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import wxtuning as wx
from tests.storage.swift import BESIDE_THE_TESTS, OWNER, Swift
from tests.storage.swift import serving as serving_swift
from tests.watsonx import jobs, tuned
from tests.watsonx.conftest import asked_of
from tests.watsonx.faults import Changed, Refusal
from tests.watsonx.jobs import LIST, SHOW
from tests.watsonx.wire import ALWAYS
from wxtuning import runner, steps
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.told import log_place, metrics_place
from wxtuning.adapters.watsonx.trainings import Trainings
from wxtuning.retry import Patience
from wxtuning.status import JobRef, JobState

NUMBERS = itertools.count()
ROWS, EPOCHS = 60, 2


@pytest.fixture
def key():
    return f"watched-{next(NUMBERS)}-{id(object()):x}"


@pytest.fixture(scope="module")
def trained(cpd, cloud, tmp_path_factory):
    """A job of each platform that really tuned; its reference by platform."""
    folder, found = tmp_path_factory.mktemp("trained"), {}
    for running in (cpd, cloud):
        home = pytest.MonkeyPatch()
        home.setenv("WXTUNING_HOME", str(tmp_path_factory.mktemp("home")))
        backend = Watsonx(**asked_of(running))
        asked = jobs.request(folder, count=ROWS, num_epochs=EPOCHS, batch_size=16)
        found[running.ready["platform"]] = backend.submit(asked, f"trained-{id(asked):x}")
        backend.service.close()
        home.undo()
    for running in (cpd, cloud):
        job = found[running.ready["platform"]]
        assert jobs.ended(running, job.id)["state"] == "completed"
    return found


def stored(running, state="running", **status: Any) -> JobRef:
    """A job in a state, which nobody works on."""
    job = tuned.job(running, "training")
    tuned.amend(running, job, status={"state": state, **status})
    return job


def state(word):
    """The server's answer with another state."""

    def change(body):
        body["entity"]["status"]["state"] = word
        return body

    return Changed(change)


def waited(backend, job, clock, **policy):
    chain = steps.wait(backend, job, wx.WaitPolicy(**policy), poll_seconds=10.0, clock=clock)
    return runner.drive(chain, sleep=clock.sleep)


def test_a_job_is_watched_to_its_end_with_its_loss(server, backend, trained, clock):
    status = waited(backend, trained[server.ready["platform"]], clock)
    assert (status.state, status.word) == (JobState.COMPLETED, "completed")
    assert status.loss is not None and status.step > 0


def test_a_finished_job_is_asked_for_once(wire, backend, trained, clock):
    waited(backend, trained[wire.ready["platform"]], clock)
    assert wire.asked[SHOW] == 1


def test_every_step_of_the_curve_is_told_from_the_file(server, connected, trained):
    # Not over the wire: a storage's signature holds the address that was asked.
    points = connected(server).metrics(trained[server.ready["platform"]])
    steps_an_epoch = -(-ROWS // 16)
    assert [point.step for point in points] == list(range(1, EPOCHS * steps_an_epoch + 1))
    assert points[-1].epoch == EPOCHS
    assert all(point.loss for point in points)


def test_without_the_file_the_epochs_are_told_and_why(wire, backend, trained, caplog):
    wire.breaks("GET /v2/asset_files/*", Refusal(403), times=ALWAYS)
    wire.breaks("GET /storage/*", Refusal(403), times=ALWAYS)
    points = backend.metrics(trained[wire.ready["platform"]])
    assert [point.epoch for point in points] == [1.0, 2.0]
    assert "cannot be read" in caplog.text


def test_where_neither_file_nor_points_can_be_had_that_is_an_error(cpd_wire, backend_on_cpd, trained):
    def only_the_place(body):
        status = body["entity"]["status"]
        status["metrics"] = [{"context": status["metrics"][0]["context"]}]
        return body

    cpd_wire.breaks(SHOW, Changed(only_the_place), times=ALWAYS)
    cpd_wire.breaks("GET /v2/asset_files/*", Refusal(403), times=ALWAYS)
    with pytest.raises(wx.AdapterError, match="metrics"):
        backend_on_cpd.metrics(trained["cpd"])


def test_the_log_is_told(server, backend, trained):
    assert backend.logs(trained[server.ready["platform"]]).strip()


LOG = b"step\n" * (4 * 2**20) + b"the end"
"""More than is read of any file."""


@pytest.mark.parametrize("act", [Refusal(200, LOG), Refusal(206, LOG[-20_000:])], ids=["the whole", "what was asked"])
def test_of_a_long_log_its_end_is_told(cpd_wire, backend_on_cpd, trained, act):
    cpd_wire.breaks("GET /v2/asset_files/*", act)
    assert backend_on_cpd.logs(trained["cpd"]) == LOG[-20_000:].decode()
    (asked,) = cpd_wire.of("GET /v2/asset_files/*")
    assert asked.header("range") == "bytes=-20000"


def test_instead_of_an_empty_log_the_status_is_told(cpd_wire, backend_on_cpd, trained):
    cpd_wire.breaks("GET /v2/asset_files/*", Refusal(416), times=ALWAYS)
    assert backend_on_cpd.logs(trained["cpd"]) == backend_on_cpd.status(trained["cpd"]).message


@pytest.fixture(scope="module")
def swift(tmp_path_factory) -> Iterator[Swift]:
    with serving_swift(tmp_path_factory.getbasetemp(), BESIDE_THE_TESTS) as found:
        found.client().create_bucket(Bucket="jobs")
        yield found


@pytest.fixture
def elsewhere(swift, cloud_wire, connected) -> Watsonx:
    """A backend whose project says that its files are in that storage."""

    def moved(project: Any) -> Any:
        keys = {"access_key_id": OWNER.access_key, "secret_access_key": OWNER.secret_key}
        told = {"bucket_name": "jobs", "endpoint_url": swift.endpoint, "credentials": {"editor": keys}}
        project["entity"]["storage"]["properties"].update(told)
        return project

    cloud_wire.breaks("GET /v2/projects/{id}", Changed(moved), times=ALWAYS)
    return connected(cloud_wire)


def told_of(backend: Watsonx, job: JobRef) -> dict[str, Any]:
    return Trainings(backend.service, backend.settings).details(job)


@pytest.mark.parametrize("content", [LOG, b"short", b""], ids=["long", "short", "empty"])
def test_of_a_log_in_the_storage_of_the_project_the_end_is_told(swift, elsewhere, trained, content):
    place = log_place(told_of(elsewhere, trained["cloud"]))
    swift.client().put_object(Bucket="jobs", Key=place.lstrip("/"), Body=content)
    told = elsewhere.logs(trained["cloud"])
    assert told == (content[-20_000:].decode() or elsewhere.status(trained["cloud"]).message)


def test_metrics_that_are_too_long_are_not_half_read(swift, elsewhere, trained, caplog):
    place = metrics_place(told_of(elsewhere, trained["cloud"]))
    swift.client().put_object(Bucket="jobs", Key=place.lstrip("/"), Body=b"\n" * (17 * 2**20))
    assert [point.epoch for point in elsewhere.metrics(trained["cloud"])] == [1.0, 2.0]
    assert "more than 16,777,216 bytes" in caplog.text


def test_a_log_that_cannot_be_read_is_what_the_status_says(cpd_wire, backend_on_cpd, trained):
    cpd_wire.breaks("GET /v2/asset_files/*", Refusal(403), times=ALWAYS)
    assert backend_on_cpd.logs(trained["cpd"]) == backend_on_cpd.status(trained["cpd"]).message


def test_a_failed_job_carries_the_message_of_the_service(wire, backend, key, clock, tmp_path):
    job = backend.submit(jobs.request(tmp_path, count=3), key)
    jobs.ended(wire.running, job.id)
    with pytest.raises(wx.JobFailed, match="3 records; expected 50") as caught:
        waited(backend, job, clock)
    assert "invalid_training_data" in str(caught.value)
    assert caught.value.job == str(job)


def test_a_job_that_somebody_canceled_says_so(wire, backend, clock):
    with pytest.raises(wx.JobCanceled):
        waited(backend, stored(wire.running, "canceled"), clock)


def test_a_running_job_is_canceled(wire, backend, key, tmp_path):
    job = backend.submit(jobs.request(tmp_path, count=400, num_epochs=50), key)
    backend.cancel(job)
    assert jobs.ended(wire.running, job.id)["state"] == "canceled"
    backend.cancel(job)


def test_nothing_happens_to_a_finished_job_that_is_canceled(server, backend, trained):
    backend.cancel(trained[server.ready["platform"]])
    assert backend.status(trained[server.ready["platform"]]).state is JobState.COMPLETED


def test_a_cancel_that_is_refused_for_another_reason_is_told(cpd_wire, backend_on_cpd):
    job = stored(cpd_wire.running)
    cpd_wire.breaks("DELETE /ml/v4/trainings/{id}", Refusal(403))
    with pytest.raises(wx.AdapterError):
        backend_on_cpd.cancel(job)


def test_a_fresh_job_that_is_not_known_yet_is_waited_for(cpd_wire, backend_on_cpd, trained, clock):
    cpd_wire.breaks(SHOW, Refusal(404), times=4)
    assert waited(backend_on_cpd, trained["cpd"], clock).state is JobState.COMPLETED


def test_a_job_that_stays_unknown_for_the_settle_time_is_lost_and_not_started_again(cpd_wire, backend_on_cpd, clock):
    gone = JobRef("watsonx", "00000000-0000-0000-0000-000000000000")
    with pytest.raises(wx.JobLost, match="Nothing was started in its place") as caught:
        waited(backend_on_cpd, gone, clock)
    assert caught.value.job == str(gone)
    assert clock.now >= 120.0
    assert cpd_wire.asked[jobs.CREATE] == 0


def test_a_job_that_was_removed_after_forty_days_is_lost_and_not_submitted_again(
    cpd_wire, backend_on_cpd, connected, key, clock, tmp_path
):
    asked = jobs.request(tmp_path)
    job = backend_on_cpd.submit(asked, key)
    clock.now += 40 * 86400.0
    with cpd_wire.running.http() as http:
        query = {"version": jobs.VERSION, "project_id": cpd_wire.running.project, "hard_delete": "true"}
        http.delete(f"{jobs.TRAININGS}/{job.id}", params=query)
    again = connected(cpd_wire)
    assert again.submit(asked, key) == job
    with pytest.raises(wx.JobLost):
        waited(again, job, clock)
    assert cpd_wire.asked[jobs.CREATE] == 1


def test_a_state_that_nobody_knows_counts_as_running_to_the_deadline_and_is_told_once(
    cpd_wire, backend_on_cpd, clock, caplog
):
    job = stored(cpd_wire.running)
    cpd_wire.breaks(SHOW, state("paused_by_admin"), times=ALWAYS)
    assert backend_on_cpd.status(job).word == "paused_by_admin"
    with pytest.raises(wx.WaitTimeout):
        waited(backend_on_cpd, job, clock, timeout_seconds=300)
    assert caplog.text.count("paused_by_admin") == 1


def test_a_state_that_goes_back_is_told(cpd_wire, backend_on_cpd, caplog):
    job = stored(cpd_wire.running)
    backend_on_cpd.status(job)
    cpd_wire.breaks(SHOW, state("queued"))
    assert backend_on_cpd.status(job).state is JobState.QUEUED
    assert "went back from 'running' to 'queued'" in caplog.text


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_burst_of_errors_is_waited_out(cpd_wire, backend_on_cpd, trained, clock, status):
    cpd_wire.breaks(SHOW, Refusal(status), times=20)
    assert waited(backend_on_cpd, trained["cpd"], clock).state is JobState.COMPLETED


def test_an_outage_of_ten_minutes_is_waited_out_politely(cpd_wire, backend_on_cpd, trained, clock):
    fault = cpd_wire.breaks(SHOW, Refusal(503), times=ALWAYS)
    fault.where = lambda request: clock.now < 600.0
    assert waited(backend_on_cpd, trained["cpd"], clock).state is JobState.COMPLETED
    assert clock.now >= 600.0
    assert cpd_wire.asked[SHOW] <= 30 * (clock.now / 60.0 + 1.0)


def test_the_pause_that_the_service_asks_for_is_kept(cpd_wire, connected, clock, trained):
    backend = connected(cpd_wire, patience=Patience(attempts=1, sleep=clock.sleep, clock=clock))
    cpd_wire.breaks(SHOW, Refusal(429, headers={"Retry-After": "45"}))
    assert waited(backend, trained["cpd"], clock).state is JobState.COMPLETED
    assert clock.now == 45.0


def test_many_jobs_are_watched_by_one_list(wire, backend):
    watched = [stored(wire.running) for _ in range(12)]
    for _ in range(3):
        assert {backend.status(job).state for job in watched} == {JobState.RUNNING}
    assert wire.asked[SHOW] <= 3
    assert wire.asked[LIST] == 1
    for job in watched:
        tuned.amend(wire.running, job, status={"state": "canceled"})


def test_lora_jobs_have_a_list_of_their_own(cpd_wire, backend_on_cpd):
    job = tuned.job(cpd_wire.running, "fine_tuning", state="running")
    assert backend_on_cpd.status(job).state is JobState.RUNNING
    assert cpd_wire.asked[f"GET {jobs.FINE_TUNINGS}/{{id}}"] == 1


@pytest.fixture(autouse=True)
def _heard(caplog):
    caplog.set_level(logging.WARNING, logger="wxtuning.watsonx")
