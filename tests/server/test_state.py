"""What the server keeps is kept: every write, once per key, for its owner alone, and never by another version."""

from __future__ import annotations

import sqlite3
import stat
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

import wxtuning as wx
from wxtuning.server.errors import Refused
from wxtuning.server.state import Key, Query, State

CALLERS = 8
MINE, OWN = Key(text="k", owner="caller"), Key(text="k")


@pytest.fixture
def state(tmp_path: Path) -> State:
    found = State(tmp_path / "server.db")
    for kind, identity in (("project", "0"), ("project", "1"), ("space", "1"), ("space", "2")):
        found.add(kind, container="", name=identity, body={}, id=identity)
    return found


def at_once(task):
    """Call a function with a number, by several threads that begin together; what they were answered."""
    ready = Barrier(CALLERS)

    def call(number):
        ready.wait()
        return task(number)

    with ThreadPoolExecutor(CALLERS) as callers:
        return list(callers.map(call, range(CALLERS)))


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


def test_nothing_is_added_to_a_container_that_is_not_there(state):
    with pytest.raises(Refused, match="there is no project 'gone'"):
        state.add("asset", container="project/gone", name="x", body={})
    assert state.all("asset") == ()


def test_the_same_key_is_one_resource(state):
    first, is_new = state.add("training", container="project/1", name="x", body={"n": 1}, key=MINE)
    again, is_new_again = state.add("training", container="project/1", name="y", body={"n": 2}, key=MINE)
    assert (is_new, is_new_again) == (True, False)
    assert again == first


def test_the_same_key_for_something_else_is_refused(state):
    first, _ = state.add("training", container="project/1", name="x", body={}, key=replace(MINE, asked="1"))
    with pytest.raises(Refused, match=f"the key was used for training {first.id}") as refusal:
        state.add("training", container="project/1", name="x", body={}, key=replace(MINE, asked="2"))
    assert refusal.value.status == 409
    assert len(state.all("training")) == 1


def test_a_key_of_a_caller_is_never_one_of_the_servers_own(state):
    own, _ = state.add("project", container="", name="own", body={}, key=OWN)
    other, is_new = state.add("project", container="", name="other", body={}, key=MINE)
    assert is_new
    assert (state.keyed("project", "", OWN), state.keyed("project", "", MINE)) == (own, other)


@pytest.mark.parametrize("other", [{"kind": "model"}, {"container": "project/0"}])
def test_a_key_counts_for_its_kind_and_container(state, other):
    given = {"kind": "training", "container": "project/1"}
    first, _ = state.add(**given, name="x", body={}, key=MINE)
    second, is_new = state.add(**{**given, **other}, name="x", body={}, key=MINE)
    assert is_new and second.id != first.id


def test_many_callers_with_one_key_make_one_resource(state):
    made = at_once(lambda number: state.add("training", container="", name="x", body={}, key=MINE))
    assert len({resource.id for resource, _ in made}) == 1
    assert sum(is_new for _, is_new in made) == 1


def test_a_key_is_free_again_when_its_resource_is_gone(state):
    first, _ = state.add("training", container="", name="x", body={}, key=MINE)
    state.remove(first)
    second, is_new = state.add("training", container="", name="x", body={}, key=MINE)
    assert is_new and state.get("training", first.id) is None and second.number > first.number


def test_a_list_has_the_newest_first(state):
    made = [state.add("asset", container=f"project/{n % 2}", name=f"n{n}", body={})[0].id for n in range(6)]
    assert [one.id for one in state.all("asset")] == made[::-1]
    assert [one.id for one in state.all("asset", "project/1")] == [made[5], made[3], made[1]]
    assert [one.id for one in state.all("asset", name="n4")] == [made[4]]
    assert state.all("model") == ()


def test_a_long_list_is_read_in_parts(state):
    made = [state.add("asset", container="project/1", name="x", body={})[0] for _ in range(5)][::-1]
    found = state.found("asset", "project/1")
    assert len(found) == 5
    assert (list(found[1:3]), list(found[4:9]), list(found[9:])) == (made[1:3], made[4:], [])
    assert (found[0], found[-1], list(found)) == (made[0], made[-1], made)


def test_a_look_at_a_long_list_takes_the_memory_of_what_is_looked_at(state):
    with state.transaction() as transaction:
        for _ in range(300):
            transaction.add("asset", container="project/1", name="x", body={"tags": ["t"], "text": "x" * 10_000})
    found = state.found("asset", "project/1", marks=[("tag", ("t",))])
    tracemalloc.start()
    assert (len(found), len(found[:5])) == (300, 5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000


def test_resources_are_found_by_their_tags_and_states_as_they_are_now(state):
    def ids(*marks):
        return [one.id for one in state.all("training", "project/1", marks=marks)]

    first, second = (
        state.add("training", container="project/1", name="x", body={"tags": tags, "status": {"state": "queued"}})[0]
        for tags in (["a", "b"], ["b", "c", "c"])
    )
    assert ids(("tag", ("b",))) == [second.id, first.id]
    assert ids(("tag", ("a", "c"))) == [second.id, first.id]
    assert ids(("tag", ("a",)), ("tag", ("b",))) == [first.id]
    state.change("training", first.id, lambda found: replace(found, body={"status": {"state": "running"}}))
    assert ids(("tag", ("b",)), ("state", ("queued", "running"))) == [second.id]
    assert ids(("state", ("running",))) == [first.id]
    assert state.values("training", "tag") == {"b", "c"}


def test_a_change_keeps_id_and_number(state):
    made, _ = state.add("asset", container="", name="x", body={"a": 1})
    changed = state.change("asset", made.id, lambda found: replace(found, name="y", body={**found.body, "b": 2}))
    assert (changed.id, changed.number, changed.name, changed.body) == (made.id, made.number, "y", {"a": 1, "b": 2})
    assert state.get("asset", made.id) == changed


def test_changes_at_once_are_all_kept(state):
    made, _ = state.add("asset", container="", name="x", body={})

    def change(number):
        state.change("asset", made.id, lambda found: replace(found, body={**found.body, str(number): True}))

    at_once(change)
    assert set(state.get("asset", made.id).body) == set(map(str, range(CALLERS)))


def test_what_is_decided_in_a_transaction_is_decided_once(state):
    def add(number):
        with state.transaction() as transaction:
            if transaction.find(Query(kind="asset", name="only")):
                return False
            transaction.add("asset", container="", name="only", body={})
            return True

    assert sum(at_once(add)) == 1


def test_a_transaction_that_fails_leaves_nothing(state):
    with pytest.raises(ZeroDivisionError), state.transaction() as transaction:
        transaction.add("asset", container="", name="x", body={})
        raise ZeroDivisionError
    assert state.all("asset") == ()


def test_a_resource_that_is_gone_is_not_changed_back_into_life(state):
    made, _ = state.add("asset", container="", name="x", body={})
    state.remove(made)
    state.remove(made)
    assert state.change("asset", made.id, lambda found: found) is None
    assert state.all("asset") == ()


def test_what_a_container_holds_is_counted(state):
    for kind in ("asset", "asset", "model"):
        state.add(kind, container="space/1", name="x", body={})
    with state.transaction() as transaction:
        assert transaction.held("space/1") == {"asset": 2, "model": 1}
        assert transaction.held("space/2") == {}


def test_its_files_are_for_their_owner_alone(state):
    state.add("asset", container="", name="x", body={})
    files = list(state.file.parent.iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_state_of_another_version_is_refused_and_left_as_it_is(state):
    with sqlite3.connect(state.file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = state.file.read_bytes()
    with pytest.raises(wx.WxTuningError, match=r"of version 99 .* this is version 2"):
        State(state.file)
    assert state.file.read_bytes() == before


def test_what_is_no_state_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "server.db"
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(wx.WxTuningError, match="cannot be read"):
        State(file)
    assert file.read_bytes() == b"not a database at all" * 100
