"""A step written down stays written down, whoever else writes and whatever happens to the file."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from wxtuning.errors import JournalError
from wxtuning.journal import VERSION, Journal

WRITER = """
import sys
from pathlib import Path
from wxtuning.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.begin("run", "demo", "{}")
for number in range(5):
    journal.start("run", f"{sys.argv[2]}-{number}")
    journal.finish("run", f"{sys.argv[2]}-{number}", number)
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "home" / "journal.db"


@pytest.fixture
def journal(file):
    journal = Journal(file)
    journal.begin("run", "demo", "{}")
    return journal


def execute(file, statement):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def test_a_new_journal_knows_no_runs(file):
    assert Journal(file).runs() == ()
    assert Journal(file).run("run") is None


def test_a_started_step_is_not_finished(journal):
    journal.start("run", "upload")
    entry = journal.run("run").steps[0]
    assert (entry.step, entry.finished_at, entry.seconds, entry.value) == ("upload", None, None, None)
    assert journal.run("run").value("upload") is None


@pytest.mark.parametrize("value", [1, 0, "", "größe", [1, {"a": None}], {"loss": 0.5}, False])
def test_what_a_finished_step_returned_is_found_by_the_next_process(journal, file, value):
    journal.start("run", "upload")
    journal.finish("run", "upload", value)
    assert Journal(file).run("run").value("upload") == value
    assert Journal(file).run("run").steps[0].seconds >= 0


def test_starting_a_finished_step_again_does_not_undo_it(journal):
    journal.start("run", "upload")
    journal.finish("run", "upload", "here")
    before = journal.run("run")
    journal.start("run", "upload")
    assert journal.run("run") == before


def test_a_step_that_is_taken_back_goes_with_those_begun_after_it_and_can_be_done_again(journal):
    for step in ("submit", "tune", "deploy"):
        journal.start("run", step)
        journal.finish("run", step, "here")
    journal.undo("run", "tune")
    journal.undo("run", "nothing")
    assert [entry.step for entry in journal.run("run").steps] == ["submit"]
    journal.start("run", "tune")
    journal.finish("run", "tune", "there")
    assert journal.run("run").value("tune") == "there"


@pytest.mark.parametrize(("run", "step"), [("run", "upload"), ("other", "tune")])
def test_a_step_that_never_started_cannot_finish(journal, run, step):
    journal.start("run", "tune")
    with pytest.raises(JournalError, match=f"'{step}' of run '{run}' cannot finish") as caught:
        journal.finish(run, step, "here")
    assert "start(run, step)" in caught.value.hint
    assert journal.run("run").value(step) is None


@pytest.mark.parametrize("value", ["here", [1, {"b": None, "a": 0.5}], math.nan])
def test_finishing_a_step_again_with_the_same_value_changes_nothing(journal, value):
    journal.start("run", "upload")
    journal.finish("run", "upload", value)
    before = repr(journal.run("run"))
    journal.finish("run", "upload", value)
    assert repr(journal.run("run")) == before


def test_the_order_of_keys_makes_no_other_value(journal):
    journal.start("run", "upload")
    journal.finish("run", "upload", {"a": 1, "b": 2})
    journal.finish("run", "upload", {"b": 2, "a": 1})


@pytest.mark.parametrize(("first", "second"), [("here", "there"), (1, True), ([], {}), ("x" * 999, "y" * 999)])
def test_a_finished_step_cannot_finish_with_another_value(journal, first, second):
    journal.start("run", "upload")
    journal.finish("run", "upload", first)
    with pytest.raises(JournalError, match="'upload' of run 'run' finished before with") as caught:
        journal.finish("run", "upload", second)
    assert len(str(caught.value)) < 400
    assert journal.run("run").value("upload") == first


def test_beginning_a_known_run_again_changes_nothing(journal):
    before = journal.run("run")
    journal.begin("run", "other", "[]")
    assert journal.runs() == (before,)


def test_steps_stand_in_the_order_of_their_start(journal):
    for step in ("z", "a", "m"):
        journal.start("run", step)
    assert [entry.step for entry in journal.run("run").steps] == ["z", "a", "m"]


def test_runs_do_not_see_each_others_steps(journal):
    journal.begin("other", "demo", "{}")
    journal.start("other", "upload")
    assert journal.run("run").steps == ()


def test_forgetting_a_run_leaves_the_others(journal):
    journal.begin("other", "demo", "{}")
    journal.start("run", "upload")
    journal.forget("run")
    assert [record.key for record in journal.runs()] == ["other"]


def test_names_are_data_and_never_sql(journal):
    name = "x'); DROP TABLE runs; --"
    journal.begin(name, name, "{}")
    assert journal.run(name).name == name


def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_is(journal, file):
    execute(file, f"PRAGMA user_version = {VERSION + 1}")
    before = file.read_bytes()
    with pytest.raises(JournalError, match="newer") as caught:
        Journal(file)
    assert "WXTUNING_HOME" in caught.value.hint
    assert file.read_bytes() == before
    assert [found.name for found in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("damage", [lambda old: b"no database, but text. " * 99, lambda old: old[: len(old) // 2]])
def test_a_damaged_journal_is_named_and_left_as_it_is(journal, file, damage):
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    with pytest.raises(JournalError, match=file.name) as caught:
        Journal(file).runs()
    assert "aside" in caught.value.hint
    assert file.read_bytes() == damaged


def test_a_folder_in_place_of_the_file_is_a_journal_error(tmp_path):
    with pytest.raises(JournalError):
        Journal(tmp_path)


def test_a_journal_whose_file_vanished_says_so(journal, file):
    file.unlink()
    with pytest.raises(JournalError):
        journal.start("run", "upload")


def test_threads_do_not_lose_each_others_steps(journal):
    def work(number):
        journal.start("run", f"step {number}")
        journal.finish("run", f"step {number}", number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(20)))
    assert sorted(entry.value for entry in journal.run("run").steps) == list(range(20))


def test_processes_do_not_lose_each_others_steps(file):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(file), name]) for name in "ab"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    found = Journal(file).run("run").steps
    assert sorted(entry.step for entry in found) == [f"{name}-{number}" for name in "ab" for number in range(5)]
    assert all(entry.finished_at for entry in found)
