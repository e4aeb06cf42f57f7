"""When a request is sent again, and when no more."""

from __future__ import annotations

import pickle

import pytest

from wxtuning.retry import LONGEST_OBEYED_SECONDS, MOST_IN_WINDOW, WINDOW_SECONDS, Deadline, Patience, patiently
from wxtuning.testing.clock import FakeClock


class Busy(Exception):
    """An error that may pass, after so many seconds if the server says so."""

    def __init__(self, after: float = 0.0) -> None:
        super().__init__(after)
        self.after = after


class Final(Exception):
    """An error that will not pass."""


def passing(error: BaseException) -> float | None:
    return error.after if isinstance(error, Busy) else None


class Server:
    """Raises what it is told, one after the other, and then answers; counts how often it was asked."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def patience_of(clock: FakeClock, *, rng: float = 1.0, attempts: int = 6) -> Patience:
    return Patience(attempts=attempts, sleep=clock.sleep, clock=clock, rng=lambda: rng)


def asked(server: Server, patience: Patience, *, seconds: float = 10_000.0) -> str:
    deadline = Deadline(seconds, patience.clock)
    return patiently(server, passing=passing, deadline=deadline, patience=patience)


def test_an_answer_is_not_asked_for_twice(clock):
    server = Server()
    assert (asked(server, patience_of(clock)), server.asked, clock.pauses) == ("answer", 1, [])


def test_an_error_that_may_pass_is_waited_out(clock):
    server = Server(Busy(), Busy())
    assert (asked(server, patience_of(clock)), server.asked) == ("answer", 3)


def test_an_error_that_will_not_pass_is_raised_at_once(clock):
    server = Server(Final())
    with pytest.raises(Final):
        asked(server, patience_of(clock))
    assert (server.asked, clock.pauses) == (1, [])


def test_the_last_error_is_raised_when_there_are_no_more_attempts(clock):
    server = Server(*(Busy() for _ in range(10)))
    with pytest.raises(Busy):
        asked(server, patience_of(clock, attempts=4))
    assert server.asked == 4


def test_the_bound_of_a_pause_doubles(clock):
    asked(Server(*(Busy() for _ in range(4))), patience_of(clock, rng=1.0))
    assert clock.pauses == [0.5, 1.0, 2.0, 4.0]


def test_a_pause_is_anything_below_its_bound(clock):
    asked(Server(Busy(), Busy(), Busy()), patience_of(clock, rng=0.25))
    assert clock.pauses == [0.125, 0.25, 0.5]


def test_no_pause_grows_without_end(clock):
    asked(Server(*(Busy() for _ in range(9))), patience_of(clock, attempts=20))
    assert max(clock.pauses) == 20.0


def test_what_the_server_asks_for_is_waited_each_time(clock):
    asked(Server(Busy(7.0), Busy(), Busy(8.0)), patience_of(clock, rng=1.0))
    assert clock.pauses == [7.0, 1.0, 8.0]


def test_no_server_makes_us_wait_for_an_hour(clock):
    asked(Server(Busy(3600.0)), patience_of(clock))
    assert clock.pauses == [LONGEST_OBEYED_SECONDS]


def test_no_pause_reaches_beyond_the_deadline(clock):
    server = Server(Busy(30.0), Busy())
    with pytest.raises(Busy):
        asked(server, patience_of(clock), seconds=20.0)
    assert (server.asked, clock.pauses) == (1, [])


def test_in_an_outage_there_are_at_most_thirty_requests_a_minute(clock):
    patience = patience_of(clock, rng=0.0, attempts=6)
    times: list[float] = []

    def down() -> str:
        times.append(clock.now)
        raise Busy

    for _ in range(20):
        with pytest.raises(Busy):
            patiently(down, passing=passing, deadline=Deadline(10_000.0, clock), patience=patience)
    most = max(sum(begin <= time < begin + WINDOW_SECONDS for time in times) for begin in times)
    assert (len(times), most) == (120, MOST_IN_WINDOW)


def test_an_answer_ends_the_outage(clock):
    patience = patience_of(clock, rng=0.0, attempts=MOST_IN_WINDOW)
    for _ in range(3):
        asked(Server(*(Busy() for _ in range(MOST_IN_WINDOW - 1))), patience)
    assert clock.now == 0.0


def test_who_waits_for_the_end_of_an_outage_goes_on_when_somebody_is_answered(clock):
    patience = patience_of(clock)
    for _ in range(MOST_IN_WINDOW):
        assert patience.budget.pause(clock.now) == 0.0

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now >= 2.0:
            patience.budget.answered()

    server = Server()
    patiently(server, passing=passing, deadline=Deadline(1_000.0, clock), patience=patience, sleep=sleep)
    assert (server.asked, clock.now) == (1, 2.0)


def test_a_refusal_is_an_answer_too(clock):
    patience = patience_of(clock, rng=0.0)
    for _ in range(MOST_IN_WINDOW * 2):
        with pytest.raises(Final):
            asked(Server(Final()), patience)
    assert clock.now == 0.0


def test_the_real_clock_has_one_budget_for_the_process():
    assert Patience().budget is Patience(attempts=2).budget


def test_a_clock_of_ones_own_has_a_budget_of_its_own(clock):
    assert patience_of(clock).budget is not Patience().budget


def test_patience_travels_with_its_limits_alone():
    given = Patience(connect_seconds=1.0, read_seconds=2.0, attempts=3, total_seconds=4.0)
    assert pickle.loads(pickle.dumps(given)) == given
