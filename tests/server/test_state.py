"""What the server keeps is kept: every write, once per key, for its owner alone, and never by another version."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import wxtuning as wx
from wxtuning.server.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "server.db")


def test_a_resource_is_found_as_it_was_added(state):
    made, is_new = state.add("asset", container="project/1", name="näme\u202e", body={"a": [1, {"b": None}]})
    assert is_new
    assert state.get("asset", made.id) == made
    assert (made.name, made.body, made.container) == ("näme\u202e", {"a": [1, {"b": None}]}, "project/1")


def test_another_process_finds_what_was_added(state):
    made, _ = state.add("asset", container="", name="x", body={})
    assert State(state.file).get("asset", made.id) == made


def test_an_id_means_its_own_kind_only(state):
    made, _ = state.add("asset", container="", name="x", body={})
    assert state.get("model", made.id) is None


def test_the_same_key_is_one_resource(state):
    first, is_new = state.add("training", container="project/1", name="x", body={"n": 1}, key="k")
    again, is_new_again = state.add("training", container="project/1", name="y", body={"n": 2}, key="k")
    assert (is_new, is_new_again) == (True, False)
    assert again == first


@pytest.mark.parametrize("other", [{"kind": "model"}, {"container": "project/2"}])
def test_a_key_counts_for_its_kind_and_container(state, other):
    given = {"kind": "training", "container": "project/1"}
    first, _ = state.add(**given, name="x", body={}, key="k")
    second, is_new = state.add(**{**given, **other}, name="x", body={}, key="k")
    assert is_new and second.id != first.id


def test_many_callers_with_one_key_make_one_resource(state):
    with ThreadPoolExecutor(16) as callers:
        made = list(callers.map(lambda n: state.add("training", container="", name="x", body={}, key="k"), range(64)))
    assert len({resource.id for resource, _ in made}) == 1
    assert sum(is_new for _, is_new in made) == 1


def test_a_key_is_free_again_when_its_resource_is_gone(state):
    first, _ = state.add("training", container="", name="x", body={}, key="k")
    state.remove(first)
    second, is_new = state.add("training", container="", name="x", body={}, key="k")
    assert is_new and state.get("training", first.id) is None and second.number > first.number


def test_a_list_has_the_newest_first(state):
    made = [state.add("asset", container=f"project/{n % 2}", name=f"n{n}", body={})[0].id for n in range(6)]
    assert [one.id for one in state.all("asset")] == made[::-1]
    assert [one.id for one in state.all("asset", "project/1")] == [made[5], made[3], made[1]]
    assert [one.id for one in state.all("asset", name="n4")] == [made[4]]
    assert state.all("model") == ()


def test_a_change_keeps_id_and_number(state):
    made, _ = state.add("asset", container="", name="x", body={"a": 1})
    changed = state.change(made, {"a": 2}, name="y")
    assert (changed.id, changed.number, changed.name, changed.body) == (made.id, made.number, "y", {"a": 2})
    assert state.get("asset", made.id) == changed


def test_a_resource_that_is_gone_is_not_changed_back_into_life(state):
    made, _ = state.add("asset", container="", name="x", body={})
    state.remove(made)
    state.remove(made)
    state.change(made, {"a": 1})
    assert state.all("asset") == ()


def test_what_a_container_holds_is_counted(state):
    for kind in ("asset", "asset", "model"):
        state.add(kind, container="space/1", name="x", body={})
    assert state.held("space/1") == {"asset": 2, "model": 1}
    assert state.held("space/2") == {}


def test_its_files_are_for_their_owner_alone(state):
    state.add("asset", container="", name="x", body={})
    files = list(state.file.parent.iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_state_of_another_version_is_refused_and_left_as_it_is(state):
    with sqlite3.connect(state.file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = state.file.read_bytes()
    with pytest.raises(wx.WxTuningError, match=r"of version 99 .* this is version 1"):
        State(state.file)
    assert state.file.read_bytes() == before


def test_what_is_no_state_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "server.db"
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(wx.WxTuningError, match="cannot be read"):
        State(file)
    assert file.read_bytes() == b"not a database at all" * 100
