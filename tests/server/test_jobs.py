"""The queue: whose turn it is, what becomes of bad data, and of jobs when the server or a worker ends."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import contextmanager

import pytest

from tests.engine.conftest import make_model
from tests.server import rooms
from tests.server.processes import serving, started
from wxtuning import engine
from wxtuning.server.routes import trainings
from wxtuning.server.state import Resource
from wxtuning.server.trainings.jobs import in_turn

SLOW = {"num_epochs": 50, "batch_size": 4}


@contextmanager
def working(house):
    house.jobs.start()
    try:
        yield
    finally:
        house.jobs.stop()


def waiting(*containers):
    return [
        Resource(number=number, kind="training", id=str(number), container=container, name="", created_at="",
                 modified_at="", body={})
        for number, container in enumerate(containers)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("containers", "running", "turns", "chosen"),
    [
        ("aab", "", {}, 0),
        ("aab", "a", {"a": 1}, 2),
        ("aab", "ab", {"a": 1, "b": 2}, 0),
        ("aab", "ab", {"a": 2, "b": 1}, 2),
        ("ab", "", {"a": 1}, 1),
        ("aab", "aa", {"a": 1, "b": 2}, 2),
        ("aa", "aaa", {"a": 9}, 0),
    ],
)
def test_the_next_job_is_of_whoever_has_least_and_waited_longest(containers, running, turns, chosen):
    assert in_turn(waiting(*containers), running, turns).number == chosen


BAD = {
    "an empty output": ({"input": "a", "output": " "}, "record 3, output: "),
    "a number as text": ({"input": 5, "output": "b"}, "record 3, input: expected text, found int 5"),
    "a missing field": ({"input": "a", "Output": "b"}, "record 3, output: "),
    "no object": (["a", "b"], "record 3, "),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("ending", [".jsonl", ".json", ""])
def test_a_record_that_cannot_be_used_fails_the_job_and_is_named_by_its_number(house, project, name, ending):
    record, message = BAD[name]
    records = [*rooms.rows(2), record, *rooms.rows(60)[2:]]
    text = json.dumps(records) if ending == ".json" else "".join(json.dumps(one) + "\n" for one in records)
    with working(house):
        status = rooms.when(house, queued(house, project, text, f"data{ending}"), "failed")
    (error,) = status["failure"]["errors"]
    assert (error["code"], status["message"]["level"]) == ("invalid_training_data", "error")
    assert message in error["message"]
    assert len(status["failure"]["trace"]) == 32


def queued(house, project, text, name="rows.jsonl", **tuning):
    return rooms.queued(house, project, rooms.dataset(house, project, text, name), **tuning)


def test_many_bad_records_are_counted_and_the_first_are_named(house, project):
    with working(house):
        status = rooms.when(house, queued(house, project, '{"input": "a"}\n' * 1_000), "failed")
    assert status["message"]["text"].count("record ") == 5
    assert status["message"]["text"].endswith("and 995 more")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rooms.lines(49), "the training data has 49 records; expected 50 to 10,000"),
        ('{"input": "a", "output": "b"}\n' * 10_001, "has 10,001 records; expected 50 to 10,000"),
        ("", "the training data cannot be used"),
        (b"\xff\xfe" + "x".encode("utf-16-le"), "the training data cannot be used"),
    ],
)
def test_data_of_a_wrong_size_or_kind_fails_the_job(house, project, text, message):
    with working(house):
        status = rooms.when(house, queued(house, project, text), "failed")
    assert message in status["message"]["text"]
    assert str(house.folder()) not in status["message"]["text"]


def test_data_that_is_gone_when_the_job_runs_fails_it(house, project):
    with working(house):
        status = rooms.when(house, rooms.queued(house, project, "no-such-asset"), "failed")
    assert "there is no data asset 'no-such-asset' in this project or space" in status["message"]["text"]


def test_a_job_that_waits_is_canceled_at_once(house, project):
    training = queued(house, project, rooms.lines(60))
    trainings.end(rooms.call(house, project, id=training.id))
    assert rooms.state_of(house, training) == "canceled"
    with working(house):
        time.sleep(0.1)
        assert rooms.state_of(house, training) == "canceled"


def test_a_job_that_is_removed_leaves_no_file(house, project):
    training = queued(house, project, rooms.lines(60))
    call = rooms.call(house, project, id=training.id)
    call.query["hard_delete"] = "true"
    assert trainings.end(call).status == 204
    assert house.state.get("training", training.id) is None
    assert list(house.folder("jobs").iterdir()) == []


def test_what_is_left_of_a_removed_job_goes_when_the_server_starts(house):
    left = house.folder("jobs", "7b9f")
    (left / "train.jsonl").write_text("{}")
    with working(house):
        assert gone(left.exists)


@pytest.mark.slow
def test_one_job_waits_while_another_runs(house, project):
    first, second = (queued(house, project, rooms.lines(60), **SLOW) for _ in range(2))
    with working(house):
        rooms.when(house, first, "running")
        assert rooms.state_of(house, second) == "queued"
        house.jobs.cancel(second)
        house.jobs.cancel(first)
        assert rooms.when(house, first, "canceled")["completed_at"]


@pytest.mark.slow
def test_a_job_that_runs_is_removed_with_its_process_and_files(house, project):
    training = queued(house, project, rooms.lines(60), **SLOW)
    folder = house.folder("jobs", training.id)
    with working(house):
        rooms.when(house, training, "running")
        house.jobs.remove(training)
        assert gone(folder.exists)


@pytest.mark.slow
def test_a_job_that_was_removed_works_on_for_nobody_though_its_server_is_killed(tmp_path):
    home = tmp_path / "home"
    running = started(home)
    house = rooms.opened(home / "server")
    training = submitted(running, rooms.dataset(house, f"project/{running.project}", rooms.lines(100)), epochs=50)
    rooms.when(house, training, "running")
    folder = house.folder("jobs", training.id)
    with running.http() as client:
        address = f"/ml/v4/trainings/{training.id}?project_id={running.project}&hard_delete=true"
        assert client.delete(address).status_code == 204
    running.process.kill()
    running.process.wait()
    assert gone(lambda: engine.is_alive(folder))
    with serving(home):
        assert gone(folder.exists)


def gone(is_there, seconds=30):
    """Whether something ends in time."""
    until = time.monotonic() + seconds
    while is_there() and time.monotonic() < until:
        time.sleep(0.05)
    return not is_there()


@pytest.mark.slow
def test_a_worker_that_is_killed_fails_its_job(house, project):
    training = queued(house, project, rooms.lines(60), **SLOW)
    with working(house):
        rooms.when(house, training, "running")
        os.kill(engine.read_status(house.folder("jobs", training.id))["pid"], signal.SIGKILL)
        status = rooms.when(house, training, "failed")
    assert status["failure"]["errors"][0]["code"] == "worker_died"


@pytest.mark.slow
def test_a_model_under_a_name_of_the_service_is_tuned_with_the_services_own_defaults(tmp_path):
    name = "google/flan-t5-xl"
    house = rooms.opened(tmp_path / "home", models={name: make_model("t5", tmp_path / "t5")})
    training = queued(house, rooms.project_of(house), rooms.lines(60), base_model={"model_id": name}, num_epochs=1)
    with working(house):
        rooms.when(house, training, "completed")
    config = json.loads((house.folder("jobs", training.id) / "config.json").read_text())
    assert config["model"] == str(tmp_path / "t5")
    assert (config["num_virtual_tokens"], config["learning_rate"], config["accumulate_steps"]) == (100, 0.3, 16)
    (model,) = house.state.all("model")
    assert model.body["base_model_id"] == name


@pytest.mark.slow
def test_a_tuning_that_the_model_cannot_take_fails_with_the_engines_words(tmp_path):
    house = rooms.opened(tmp_path / "home", models={"own/model": str(tmp_path)})
    training = queued(house, rooms.project_of(house), rooms.lines(60), base_model={"model_id": "own/model"})
    with working(house):
        status = rooms.when(house, training, "failed")
    assert str(tmp_path) in status["message"]["text"]


@pytest.mark.slow
@pytest.mark.parametrize("worker_dies", [False, True])
def test_a_server_that_is_killed_and_started_again_goes_on_with_its_jobs(tmp_path, worker_dies):
    home = tmp_path / "home"
    running = started(home, "--jobs", "1")
    house = rooms.opened(home / "server")
    project = f"project/{running.project}"
    training = submitted(running, rooms.dataset(house, project, rooms.lines(100)))
    rooms.when(house, training, "running")
    pid = engine.read_status(house.folder("jobs", training.id))["pid"]
    running.process.kill()
    running.process.wait()
    if worker_dies:
        os.kill(pid, signal.SIGKILL)
    with serving(home, "--jobs", "1"):
        assert rooms.when(house, training, "completed")["state"] == "completed"
    assert (engine.read_status(house.folder("jobs", training.id))["pid"] == pid) is not worker_dies
    assert len(house.state.all("model")) == 1


def submitted(running, asset, epochs=8):
    """A training sent to a server that runs, on an asset of its home."""
    body = {
        "name": "n", "project_id": running.project, "auto_update_model": True,
        "prompt_tuning": {"base_model": {"model_id": "wxtuning/tiny"}, "num_epochs": epochs},
        "training_data_references": [{"type": "data_asset", "location": {"id": asset}}],
        "results_reference": {"type": "fs", "location": {"path": f"/projects/{running.project}/assets/out"}},
    }  # fmt: skip
    with running.http() as client:
        made = client.post("/ml/v4/trainings", json=body).json()["metadata"]
    return rooms.now(rooms.opened(running.home / "server"), made["id"])
