"""One thing for one tag, whatever is lost on the way. The service is a list in memory, the journal is real."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

import wxtuning as wx
from wxtuning.adapters.watsonx.departure import leaves
from wxtuning.adapters.watsonx.faults import Busy, Refused, Unsettled
from wxtuning.adapters.watsonx.listed import Found
from wxtuning.adapters.watsonx.once import check_alone, find, intents_of, once
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.folder import home_folder
from wxtuning.intents import Outcome
from wxtuning.retry import Patience
from wxtuning.testing import FakeClock

TAG = "wxtuning.demo-1"
LOST = Unsettled("the answer was lost", backend="watsonx")
DOWN = wx.Unavailable("no answer", backend="watsonx")
BUSY = Busy("try later", pause=30.0)
NO = Refused("num_epochs is 0", status=400, field="num_epochs")


@dataclass
class Shelf:
    """A list of things that lags, forgets to filter, or loses answers, as it is told.

    Args:
        lag: Seconds until a new thing is listed.
        faults: What each create in turn raises, None for nothing; `acts` says whether it creates all the same.
    """

    clock: FakeClock
    lag: float = 0.0
    faults: list[Exception | None] = field(default_factory=list)
    acts: bool = True
    filters: bool = True
    hides: bool = False
    look_up_fails: Exception | None = None
    things: list[tuple[float, Found]] = field(default_factory=list)
    elsewhere: tuple[str, ...] = ()
    posts: int = 0
    looks: int = 0
    place: str = "/things in project p of host"

    def put(self, tag: str = TAG) -> str:
        name = f"id-{len(self.things)}"
        stamp = datetime.fromtimestamp(len(self.things), UTC).isoformat()
        self.things.append((self.clock.now, Found(name, (tag,), stamp)))
        return name

    def listed(self) -> list[Found]:
        if self.look_up_fails:
            raise self.look_up_fails
        return [found for since, found in reversed(self.things) if self.clock.now >= since + self.lag]

    def tagged(self, tag: str) -> list[Found]:
        self.looks += 1
        found = self.listed()
        if self.hides:
            return []
        return [each for each in found if tag in each.tags] if self.filters else found

    def newest(self) -> list[Found]:
        return self.listed()

    def has(self, identity: str) -> bool:
        return identity in (*self.elsewhere, *(found.id for _, found in self.things))

    def create(self, body: dict[str, Any]) -> str:
        self.posts += 1
        fault = self.faults.pop(0) if self.faults else None
        name = self.put() if fault is None or (isinstance(fault, Unsettled) and self.acts) else ""
        if fault:
            raise fault
        return name


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def settings(clock):
    return Settings(url="https://host", patience=Patience(sleep=clock.sleep, clock=clock, rng=lambda: 1.0))


@pytest.fixture
def shelf(clock):
    return Shelf(clock)


def made(shelf, settings, **how):
    return once(shelf, TAG, dict, settings=settings, **how)


def outcomes(shelf, settings):
    return [attempt.outcome for attempt in intents_of(settings).attempts(shelf.place, TAG)]


def test_what_is_not_there_is_created_once(shelf, settings):
    assert [made(shelf, settings), made(shelf, settings)] == ["id-0", "id-0"]
    assert shelf.posts == 1


def test_what_somebody_else_created_with_the_tag_is_taken(shelf, settings):
    name = shelf.put()
    assert (made(shelf, settings), shelf.posts) == (name, 0)


def test_things_with_other_tags_are_not_taken(shelf, settings):
    shelf.put("wxtuning.demo-12")
    assert made(shelf, settings) == "id-1"


@pytest.mark.parametrize("lag", [0.0, 0.4, 5.0, 60.0, 119.0])
def test_after_a_lost_answer_what_was_created_is_found_however_late_the_list_is(shelf, settings, lag):
    shelf.faults, shelf.lag = [LOST], lag
    assert (made(shelf, settings), shelf.posts) == ("id-0", 1)
    assert outcomes(shelf, settings) == [Outcome.MADE]


def test_what_never_shows_up_is_created_again_after_the_settle_time_and_both_attempts_are_recorded(
    shelf, settings, clock
):
    shelf.faults, shelf.acts = [LOST], False
    assert (made(shelf, settings), shelf.posts, clock.now) == ("id-0", 2, 120.0)
    assert outcomes(shelf, settings) == [Outcome.EMPTY, Outcome.MADE]


def test_the_settle_time_begins_when_the_answer_is_given_up(shelf, settings, clock):
    def create(body):
        clock.now += 100.0
        return Shelf.create(shelf, body)

    shelf.create, shelf.faults, shelf.lag = create, [LOST], 119.0
    assert (made(shelf, settings), shelf.posts) == ("id-0", 1)


def test_look_ups_grow_rare_during_the_settle_time(shelf, settings):
    shelf.faults, shelf.acts = [LOST], False
    made(shelf, settings)
    assert shelf.looks < 20


def test_attempts_are_bounded(shelf, settings):
    shelf.faults, shelf.acts = [LOST] * 9, False
    with pytest.raises(wx.Unavailable, match="4 attempts"):
        made(shelf, settings)
    assert shelf.posts == 4


def test_who_chose_to_be_asked_is_asked_again_and_again_until_there_is_a_decision(shelf, settings):
    asking = replace(settings, on_unknown="ask")
    shelf.faults, shelf.acts = [LOST], False
    for _ in range(2):
        with pytest.raises(wx.AmbiguousSubmitError, match="showed up in 120 s") as caught:
            made(shelf, asking)
    assert (shelf.posts, caught.value.tag) == (1, TAG)
    assert f"wxtuning.adopt({TAG!r}" in caught.value.hint
    assert f"wxtuning.submit_again({TAG!r})" in caught.value.hint
    wx.submit_again(TAG)
    assert (made(shelf, asking), shelf.posts) == ("id-0", 2)


def test_what_a_person_found_is_adopted_and_nothing_is_created(shelf, settings):
    shelf.faults, shelf.acts = [LOST], False
    with pytest.raises(wx.AmbiguousSubmitError):
        made(shelf, replace(settings, on_unknown="ask"))
    shelf.elsewhere = ("found-by-hand",)
    wx.adopt(TAG, "found-by-hand")
    assert (made(shelf, settings), shelf.posts) == ("found-by-hand", 1)


def test_an_adopted_id_that_the_service_does_not_know_is_refused_and_can_be_named_anew(shelf, settings):
    shelf.faults, shelf.acts = [LOST], False
    with pytest.raises(wx.AmbiguousSubmitError):
        made(shelf, replace(settings, on_unknown="ask"))
    wx.adopt(TAG, "found-by-hnad")
    with pytest.raises(wx.AmbiguousSubmitError, match="found-by-hnad was adopted") as caught:
        made(shelf, settings)
    assert f"wxtuning.adopt({TAG!r}" in caught.value.hint
    shelf.elsewhere = ("found-by-hand",)
    wx.adopt(TAG, "found-by-hand")
    assert (made(shelf, settings), find(shelf, TAG, settings=settings), shelf.posts) == (*["found-by-hand"] * 2, 1)


def test_what_was_adopted_may_be_given_up_and_is_looked_up_before_anything_is_created(shelf, settings):
    shelf.faults, shelf.lag = [LOST], 1000.0
    with pytest.raises(wx.AmbiguousSubmitError):
        made(shelf, replace(settings, on_unknown="ask"))
    shelf.lag = 0.0
    wx.adopt(TAG, "typo")
    wx.submit_again(TAG)
    assert (made(shelf, settings), shelf.posts) == ("id-0", 1)


@pytest.mark.parametrize("failure", [DOWN, Refused("not yours to list", status=403)])
def test_a_look_up_that_fails_decides_nothing(shelf, settings, failure):
    shelf.faults = [LOST]

    def create(body):
        shelf.look_up_fails = failure
        return Shelf.create(shelf, body)

    shelf.create = create
    with pytest.raises(wx.AmbiguousSubmitError, match="could not be looked up") as caught:
        made(shelf, settings)
    assert (shelf.posts, caught.value.__cause__) == (1, failure)
    shelf.look_up_fails = None
    assert (made(shelf, settings), shelf.posts) == ("id-0", 1)


def test_a_look_up_that_fails_before_anything_was_sent_is_an_outage_and_no_doubt(shelf, settings):
    shelf.look_up_fails = DOWN
    with pytest.raises(wx.Unavailable) as caught:
        made(shelf, settings)
    assert (caught.value, shelf.posts, outcomes(shelf, settings)) == (DOWN, 0, [])


def test_a_filter_that_is_ignored_is_made_up_for_by_comparing_tags_here(shelf, settings):
    shelf.put("somebody else's")
    shelf.faults, shelf.filters = [LOST], False
    assert (made(shelf, settings), shelf.posts) == ("id-1", 1)


def test_a_filter_that_is_ignored_and_shows_nothing_of_ours_decides_nothing(shelf, settings):
    shelf.put("somebody else's")
    shelf.faults, shelf.filters, shelf.acts = [LOST], False, False
    with pytest.raises(wx.AmbiguousSubmitError, match="does not filter"):
        made(shelf, settings)
    assert shelf.posts == 1


def test_a_filter_that_shows_nothing_is_made_up_for_by_the_newest_things(shelf, settings):
    shelf.faults, shelf.hides = [LOST], True
    assert (made(shelf, settings), shelf.posts) == ("id-0", 1)


def test_two_things_with_the_tag_are_listed_the_oldest_first_and_none_is_touched(shelf, settings):
    names = [shelf.put(), shelf.put()]
    with pytest.raises(wx.DuplicateJobsError, match="none of them was touched") as caught:
        made(shelf, settings)
    assert (list(caught.value.found), shelf.posts) == (names, 0)
    wx.adopt(TAG, names[0])
    assert (made(shelf, settings), shelf.posts) == (names[0], 0)


def test_two_things_after_a_lost_answer_are_listed_too(shelf, settings):
    def create(body):
        shelf.put()
        return Shelf.create(shelf, body)

    shelf.create, shelf.faults = create, [LOST]
    with pytest.raises(wx.DuplicateJobsError):
        made(shelf, settings)


def test_another_machine_that_created_the_same_meanwhile_is_told(shelf, settings):
    made(shelf, settings)
    shelf.put()
    with pytest.raises(wx.DuplicateJobsError) as caught:
        check_alone(shelf, TAG, settings=settings)
    assert caught.value.found == ("id-0", "id-1")


def test_a_plain_refusal_is_final_and_recorded(shelf, settings):
    shelf.faults = [NO]
    with pytest.raises(Refused, match="num_epochs is 0"):
        made(shelf, settings)
    assert (shelf.posts, outcomes(shelf, settings)) == (1, [Outcome.REFUSED])
    assert made(shelf, settings) == "id-0"


def test_after_a_refusal_for_now_the_pause_is_kept_the_tag_looked_up_and_a_new_attempt_recorded(shelf, settings, clock):
    shelf.faults = [BUSY]
    looks_before = 1
    assert (made(shelf, settings), shelf.posts, clock.now) == ("id-0", 2, 30.0)
    assert shelf.looks == looks_before + 1
    assert outcomes(shelf, settings) == [Outcome.REFUSED, Outcome.MADE]


def test_a_service_that_stays_busy_is_given_up_without_a_doubt(shelf, settings):
    shelf.faults = [BUSY] * 9
    with pytest.raises(Busy):
        made(shelf, settings)
    assert shelf.posts == 4
    assert set(outcomes(shelf, settings)) == {Outcome.REFUSED}


def test_a_refusal_for_now_after_which_the_thing_is_there_all_the_same_creates_no_second(shelf, settings):
    def create(body):
        shelf.put()
        return Shelf.create(shelf, body)

    shelf.create, shelf.faults = create, [BUSY]
    assert (made(shelf, settings), shelf.posts) == ("id-0", 1)


def test_a_killed_attempt_is_looked_up_for_the_rest_of_its_settle_time(shelf, settings, clock):
    intents_of(settings).begin(shelf.place, TAG)
    clock.now += 100.0
    silence = settings.patience.read_seconds  # for so long its request may have been under way
    assert (made(shelf, settings), shelf.posts, clock.now) == ("id-0", 1, 120.0 + silence)
    assert outcomes(shelf, settings) == [Outcome.EMPTY, Outcome.MADE]


def test_the_settle_time_of_a_killed_attempt_begins_when_its_request_leaves_last(shelf, settings, clock):
    def create(body):
        for _ in range(2):
            clock.now += 110.0  # nobody takes the connection, say, or a token is waited for
            leaves()
        Shelf.create(shelf, body)
        raise KeyboardInterrupt

    shelf.create, shelf.lag = create, 60.0
    with pytest.raises(KeyboardInterrupt):
        made(shelf, settings)
    del shelf.create
    clock.now += 15.0
    assert (made(shelf, settings), shelf.posts) == ("id-0", 1)
    assert outcomes(shelf, settings) == [Outcome.MADE]


def test_a_killed_attempt_that_did_create_is_found_and_nothing_is_sent(shelf, settings):
    intents_of(settings).begin(shelf.place, TAG)
    shelf.lag = 60.0
    name = shelf.put()
    assert (made(shelf, settings), shelf.posts) == (name, 0)


def test_a_killed_attempt_of_forty_days_ago_takes_one_look(shelf, settings, clock):
    intents_of(settings).begin(shelf.place, TAG)
    clock.now += 40 * 86400.0
    made(shelf, settings)
    assert shelf.looks == 1


def test_what_was_made_and_removed_is_made_again_where_that_is_asked_for(shelf, settings):
    made(shelf, settings)
    assert made(shelf, settings, is_there=lambda name: False) == "id-1"
    assert made(shelf, settings, is_there=lambda name: True) == "id-1"


def test_another_place_is_another_thing(shelf, settings, clock):
    made(shelf, settings)
    elsewhere = Shelf(clock, place="/things in project q of host")
    assert (made(elsewhere, settings), elsewhere.posts) == ("id-0", 1)


def test_what_is_sent_is_made_ready_only_if_something_is_sent(shelf, settings):
    shelf.put()
    once(shelf, TAG, lambda: pytest.fail("nothing is sent"), settings=settings)


def test_what_cannot_be_made_ready_is_no_attempt(shelf, settings):
    def upload():
        raise DOWN

    with pytest.raises(wx.Unavailable):
        once(shelf, TAG, upload, settings=settings)
    assert outcomes(shelf, settings) == []


def test_without_a_journal_nothing_is_sent(shelf, settings, home):
    (home / "journal.db").write_bytes(b"this is no journal at all, and long enough to be taken for one" * 9)
    with pytest.raises(wx.JournalError):
        made(shelf, settings)
    assert shelf.posts == 0


def test_a_home_that_cannot_be_written_lets_nothing_be_sent(shelf, settings, home):
    (home / "journal.db").mkdir()
    with pytest.raises(wx.JournalError):
        made(shelf, settings)
    assert shelf.posts == 0


def test_two_at_once_send_one_request(shelf, settings):
    # The first is held up until the second has come as far as it may: to the lock, or else beside the first.
    both, ended, inside = threading.Event(), [], []

    def body():
        inside.append(1)
        if len(inside) == 2:
            both.set()
        assert both.wait(30)
        return {}

    def sleep(seconds):
        both.set()

    hasty = replace(settings, patience=Patience(sleep=sleep))
    work = [threading.Thread(target=lambda: ended.append(once(shelf, TAG, body, settings=hasty))) for _ in range(2)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join(30)
    assert (ended, shelf.posts) == (["id-0", "id-0"], 1)


def test_finding_creates_nothing(shelf, settings):
    assert find(shelf, TAG, settings=settings) == ""
    name = shelf.put()
    assert (find(shelf, TAG, settings=settings), shelf.posts) == (name, 0)


def test_an_interruption_while_it_is_sent_leaves_a_doubt_that_the_next_run_settles(shelf, settings):
    def create(body):
        Shelf.create(shelf, body)
        raise KeyboardInterrupt

    shelf.create = create
    with pytest.raises(KeyboardInterrupt):
        made(shelf, settings)
    assert outcomes(shelf, settings) == [Outcome.OPEN]
    del shelf.create
    assert (made(shelf, settings), shelf.posts) == ("id-0", 1)
    assert home_folder().joinpath("journal.db").is_file()
