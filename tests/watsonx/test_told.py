"""What the service tells of a job, in every shape it is known to use."""

from __future__ import annotations

import json

import pytest

from wxtuning.adapters.watsonx.told import inline_metrics, log_place, metrics_in, metrics_place, status_of
from wxtuning.status import JobState

INLINE = [
    {"timestamp": "2026-01-01T00:00:02Z", "iteration": 8, "ml_metrics": {"loss": 1.5, "epoch": 1}},
    {"timestamp": "2026-01-01T00:00:01Z", "iteration": 4, "ml_metrics": {"loss": 2.5, "epoch": 0}},
]
PLACE = "/projects/p/assets/wx_prompt_tune/run/metrics.jsonl"


def details(**status):
    return {"metadata": {"id": "1"}, "entity": {"status": {"state": "running", **status}}}


def line(step, epoch, value=1.0):
    return json.dumps({"name": "loss", "data": {"epoch": epoch, "step": step, "value": value, "timestamp": "x"}})


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("queued", JobState.QUEUED),
        ("pending", JobState.QUEUED),
        ("running", JobState.RUNNING),
        ("storing", JobState.RUNNING),
        ("completed", JobState.COMPLETED),
        ("failed", JobState.FAILED),
        ("error", JobState.FAILED),
        ("canceled", JobState.CANCELED),
        ("paused_by_admin", JobState.RUNNING),
        ("Completed", JobState.COMPLETED),
    ],
)
def test_every_word_has_a_state_and_is_kept(word, state):
    status = status_of(details(state=word))
    assert (status.state, status.word) == (state, word)


@pytest.mark.parametrize("told", [{}, {"entity": None}, {"entity": {"status": "odd"}}, {"entity": {"status": {}}}])
def test_an_answer_without_a_state_counts_as_running(told):
    assert status_of(told).state is JobState.RUNNING


def test_a_failure_carries_every_error_with_its_code_and_the_trace():
    errors = [{"code": "invalid_training_data", "message": "record 3 is empty"}, {"code": "oom"}, "odd"]
    status = status_of(details(state="failed", failure={"trace": "abc", "errors": errors}, message={"text": "failed"}))
    assert status.message == "invalid_training_data: record 3 is empty; oom"
    assert "abc" in status.hint


def test_a_failure_without_errors_has_the_message_of_the_status():
    assert status_of(details(state="failed", message={"level": "error", "text": "no room"})).message == "no room"


def test_progress_is_the_last_epoch():
    status = status_of(details(metrics=INLINE))
    assert (status.step, status.loss) == (8, 1.5)


@pytest.mark.parametrize("kind", ["prompt_tuning", "parameters"])
def test_the_steps_of_a_job_are_told_by_the_epochs_that_are_over(kind):
    told = details(metrics=INLINE)
    told["entity"][kind] = {"num_epochs": 5}
    assert status_of(told).steps == 20
    told["entity"]["status"]["metrics"] = INLINE[1:]
    assert status_of(told).steps == 0  # the first epoch may not be over


@pytest.mark.parametrize("epochs", [None, "five", float("inf")])
def test_steps_are_unknown_where_no_number_of_epochs_is_told(epochs):
    told = details(metrics=INLINE)
    told["entity"]["prompt_tuning"] = {"num_epochs": epochs}
    assert status_of(told).steps == 0


def test_inline_metrics_are_in_order_and_an_epoch_counts_when_it_is_over():
    points = inline_metrics(details(metrics=INLINE))
    assert [(point.step, point.epoch, point.loss) for point in points] == [(4, 1.0, 2.5), (8, 2.0, 1.5)]


@pytest.mark.parametrize(
    "metrics",
    [None, "odd", [None], [{"ml_metrics": {"loss": "nan"}}], [{"ml_metrics": {"loss": float("nan")}}], [{}]],
)
def test_points_that_are_none_are_left_out(metrics):
    assert inline_metrics(details(metrics=metrics)) == ()


def test_a_file_of_steps_spreads_them_over_their_epochs():
    content = "\n".join([line(1, 0), line(2, 0), line(3, 1), line(4, 1)]).encode()
    assert [(point.step, point.epoch) for point in metrics_in(content)] == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0)]


def test_epochs_that_are_fractions_stay():
    content = "\n".join([line(1, 0.25), line(2, 0.5)]).encode()
    assert [point.epoch for point in metrics_in(content)] == [0.25, 0.5]


def test_a_file_of_one_line_is_one_point():
    assert [point.loss for point in metrics_in(line(1, 0, 0.7).encode())] == [0.7]


def test_a_file_may_be_an_array_or_empty():
    assert len(metrics_in(f"[{line(1, 0)}, {line(2, 0)}]".encode())) == 2
    assert metrics_in(b"\n") == ()


@pytest.mark.parametrize("content", [b"<html>", b'{"name": ', b"\xff\xfe"])
def test_a_file_that_is_none_is_told(content):
    with pytest.raises(ValueError, match=r".+"):
        metrics_in(content)


def test_places_of_files_are_found_in_either_context_and_may_be_missing():
    placed = details(metrics=[{"context": {"fine_tuning": {"metrics_location": PLACE}}}])
    assert metrics_place(placed) == PLACE
    assert metrics_place(details()) == log_place(details()) == ""
    logged = {"entity": {"results_reference": {"location": {"training_log": "a/training.log"}}}}
    assert log_place(logged) == "a/training.log"
