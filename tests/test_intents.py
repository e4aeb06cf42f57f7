"""What is about to be created is written down first; how long ago that was does not depend on who sets a clock."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

import wxtuning as wx
from wxtuning.folder import home_folder
from wxtuning.intents import Intents, Moment, Outcome
from wxtuning.journal import Journal

DAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
FORMER = """
CREATE TABLE runs (key TEXT PRIMARY KEY, name TEXT NOT NULL, plan TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE steps (
    run TEXT NOT NULL REFERENCES runs (key), step TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT,
    value TEXT, PRIMARY KEY (run, step)
);
INSERT INTO runs VALUES ('demo-1', 'demo', '{}', '2026-01-01T00:00:00+00:00');
PRAGMA user_version = 1;
"""


@pytest.fixture
def intents():
    return Intents(Journal(home_folder() / "journal.db"))


def moment(*, ticks=0.0, boot="a", after=0.0):
    return Moment(day=DAY + timedelta(seconds=after), boot=boot, ticks=ticks)


def test_an_attempt_is_open_until_its_outcome_is_known(intents):
    attempt = intents.begin("trainings", "wxtuning.demo")
    assert intents.last("trainings", "wxtuning.demo").outcome is Outcome.OPEN
    intents.end(attempt, Outcome.MADE, "id-1")
    assert (intents.last("trainings", "wxtuning.demo").outcome, intents.last("trainings", "wxtuning.demo").id) == (
        Outcome.MADE,
        "id-1",
    )


def test_an_attempt_counts_from_when_its_request_left_last(home):
    ticks = iter([10.0, 20.0, 30.0])
    intents = Intents(Journal(home / "journal.db"), clock=lambda: next(ticks))
    attempt, other = intents.begin("trainings", "wxtuning.demo"), intents.begin("trainings", "wxtuning.other")
    intents.leaves(attempt)
    assert intents.last("trainings", "wxtuning.demo").started.ticks == 30.0
    assert intents.last("trainings", "wxtuning.other").started == other.started


def test_attempts_are_counted_by_place_and_tag(intents):
    numbers = [intents.begin(place, tag).number for place, tag in [("a", "x"), ("a", "x"), ("b", "x"), ("a", "y")]]
    assert numbers == [1, 2, 1, 1]
    assert [attempt.place for attempt in intents.latest("x")] == ["a", "b"]
    assert [attempt.number for attempt in intents.attempts("a", "x")] == [1, 2]


def test_attempts_that_begin_at_once_are_counted_all(intents):
    with ThreadPoolExecutor(8) as threads:
        begun = [threads.submit(intents.begin, "trainings", "wxtuning.demo") for _ in range(32)]
    assert sorted(one.result().number for one in begun) == [*range(1, 33)]


def test_another_process_finds_what_was_begun(intents):
    begun = intents.begin("trainings", "wxtuning.demo")
    assert Intents(Journal(home_folder() / "journal.db")).last("trainings", "wxtuning.demo") == begun


def test_what_was_never_begun_is_not_there(intents):
    assert intents.last("trainings", "wxtuning.demo") is None


@pytest.mark.parametrize(
    ("earlier", "now", "seconds"),
    [
        (moment(ticks=10), moment(ticks=15, after=5), 5.0),
        (moment(ticks=10), moment(ticks=15, after=86_400), 5.0),
        (moment(ticks=10), moment(ticks=15, after=-86_400), 5.0),
        (moment(ticks=10), moment(ticks=3, boot="b", after=40), 40.0),
        (moment(ticks=10), moment(ticks=3, boot="b", after=-40), 0.0),
        (moment(ticks=10, boot=""), moment(ticks=3, boot="", after=40), 40.0),
    ],
)
def test_the_time_since_an_attempt_survives_clocks_that_jump_and_machines_that_start(earlier, now, seconds):
    assert now.seconds_since(earlier) == seconds


def test_a_journal_of_the_former_format_opens_as_before_and_takes_attempts(home):
    with closing(sqlite3.connect(home / "journal.db")) as connection, connection:
        connection.executescript(FORMER)
    journal = Journal(home / "journal.db")
    assert [record.key for record in journal.runs()] == ["demo-1"]
    Intents(journal).begin("trainings", "wxtuning.demo")
    assert Intents(Journal(home / "journal.db")).last("trainings", "wxtuning.demo") is not None


@pytest.mark.parametrize("decide", [wx.submit_again, lambda tag: wx.adopt(tag, "id-1")])
def test_what_is_not_in_doubt_takes_no_decision(decide, intents):
    intents.end(intents.begin("trainings", "wxtuning.demo"), Outcome.MADE, "id-0")
    with pytest.raises(wx.WxTuningError, match="is in doubt"):
        decide("wxtuning.demo")


def test_what_is_there_is_adopted_by_its_tag(intents):
    intents.begin("trainings", "wxtuning.demo")
    wx.adopt("wxtuning.demo", "watsonx:id-1")
    assert intents.last("trainings", "wxtuning.demo").id == "id-1"


def test_what_is_not_there_may_be_sent_again_by_its_key(intents):
    intents.begin("trainings", "wxtuning.demo")
    wx.submit_again("demo")
    assert intents.last("trainings", "wxtuning.demo").outcome is Outcome.GIVEN_UP


def test_what_is_there_more_than_once_is_not_sent_again(intents):
    intents.end(intents.begin("trainings", "wxtuning.demo"), Outcome.SEVERAL)
    with pytest.raises(wx.WxTuningError, match="several things"):
        wx.submit_again("wxtuning.demo")


def test_an_empty_id_is_not_adopted(intents):
    intents.begin("trainings", "wxtuning.demo")
    with pytest.raises(wx.PlanError, match="takes the id"):
        wx.adopt("wxtuning.demo", " ")
