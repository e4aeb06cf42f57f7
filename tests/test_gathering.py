"""Many runs in one thread: they wait at the same time, end in order, and one that fails stops no other."""

from __future__ import annotations

import asyncio
import resource
import signal
import threading
import time
from dataclasses import dataclass, field

import pytest

import wxtuning as wx
from wxtuning import calls, runner, schedule, steps
from wxtuning.errors import JobFailed, NotOffered
from wxtuning.events import Call, Pause, Progress
from wxtuning.found import FoundRun
from wxtuning.others import FoundJob
from wxtuning.status import JobRef, JobState, JobStatus
from wxtuning.testing import FakeBackend, FakeClock

DONE = JobStatus(state=JobState.COMPLETED, word="completed")
FAILED = JobStatus(state=JobState.FAILED, word="failed", message="the loss is NaN")


def waiting(number, *, times=3, seconds=1.0):
    """A chain that pauses some times and returns its number."""
    for _ in range(times):
        yield Progress(step="tune", done=0, total=0)
        yield Pause(seconds)
    return number


def failing():
    yield Pause(1.0)
    raise JobFailed("it failed", job="fake:job")


def ended(chains):
    clock = FakeClock()
    return clock, schedule.drive_all(chains, sleep=clock.sleep, clock=clock)


def test_chains_wait_at_the_same_time():
    clock, results = ended([waiting(number) for number in range(10)])
    assert (results, clock.now) == (list(range(10)), 3.0)


def test_results_keep_their_order_whoever_ends_first():
    _, results = ended([waiting(0, times=9), waiting(1, times=1), waiting(2, times=0)])
    assert results == [0, 1, 2]


def test_an_error_ends_its_own_chain_only():
    _, results = ended([waiting(0), failing(), waiting(2)])
    assert (results[0], results[2]) == (0, 2)
    assert isinstance(results[1], JobFailed)


def test_nothing_to_run_is_no_result():
    assert ended([])[1] == []


def test_an_interruption_leaves_every_chain():
    left = []

    def chain(number):
        try:
            yield Pause(1.0)
        finally:
            left.append(number)

    def interrupted(seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        schedule.drive_all([chain(0), chain(1)], sleep=interrupted, clock=FakeClock())
    assert left == [0, 1]


def test_a_chain_that_advances_while_it_is_left_is_closed_when_that_is_done():
    begun, go_on, left = threading.Event(), threading.Event(), threading.Event()

    def chain():
        try:
            begun.set()
            go_on.wait(20)
            yield Pause(1.0)
        finally:
            left.set()

    async def canceled():
        task = asyncio.create_task(schedule.adrive_all([chain()]))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not left.is_set()
        go_on.set()
        assert await asyncio.to_thread(left.wait, 20)

    asyncio.run(canceled())


def test_async_chains_wait_at_the_same_time_and_leave_the_loop_free():
    async def both():
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        results = await schedule.adrive_all([waiting(number, seconds=0.001) for number in range(5)])
        counting.cancel()
        return results, turns

    results, turns = asyncio.run(both())
    assert results == list(range(5)) and turns > 10


@dataclass
class OneAfterAnother(FakeBackend):
    """Accepts the first job, and deploys its model, only when it has been asked for all the others."""

    many: int = 3
    first: dict = field(default_factory=dict)
    others: dict = field(default_factory=lambda: {call: threading.Event() for call in ("submit", "deploy")})

    def submit(self, request, key):
        job = super().submit(request, key)
        self._await_others("submit", key)
        return job

    def deploy(self, job, deployment, key):
        ref = super().deploy(job, deployment, key)
        self._await_others("deploy", key)
        return ref

    def preview(self, job):
        raise NotOffered("deployed models answer only", backend=self.name)

    def _await_others(self, call, key):
        first = self.first.setdefault(call, key)
        if self.calls[call] >= self.many:
            self.others[call].set()
        assert key != first or self.others[call].wait(20), f"nobody else was asked to {call}"


def three_on(backend, rows):
    experiment = wx.TuningExperiment("held up").load(rows).to_jsonl(input="text", output="colour").on(backend)
    experiment = experiment.evaluate(holdout=0.2).deploy("colours").wait(every=0.01)
    return [experiment.tune(num_epochs=number) for number in (2, 3, 4)]


@pytest.mark.parametrize("gathered", [wx.gather, lambda *work: asyncio.run(wx.agather(*work))])
def test_a_run_whose_submission_or_deployment_waits_holds_up_no_other(rows, gathered):
    backend = OneAfterAnother()
    runs = gathered(*three_on(backend, rows))
    assert [run.state for run in runs] == ["completed"] * 3


@pytest.mark.parametrize("gathered", [wx.gather, lambda *work: asyncio.run(wx.agather(*work))])
def test_runs_upload_and_answer_at_the_same_time(rows, gathered, tmp_path):
    uploads, answers = threading.Barrier(3), threading.Barrier(3)

    class Meeting(wx.LocalStore):
        def put(self, data, name, *, owner, watch):
            uploads.wait(20)
            return super().put(data, name, owner=owner, watch=watch)

    class Answering(FakeBackend):
        def generate(self, ref, inputs, decoding):
            answers.wait(20)
            return super().generate(ref, inputs, decoding)

    runs = gathered(*[each.upload(Meeting(tmp_path)) for each in three_on(Answering(), rows)])
    assert [run.state for run in runs] == ["completed"] * 3


def test_leaving_ends_the_uploads_that_were_begun(rows, tmp_path):
    ended = threading.Event()

    class Endless(wx.LocalStore):
        def put(self, data, name, *, owner, watch):
            watch.at_end(ended.set)
            signal.raise_signal(signal.SIGINT)
            assert ended.wait(20)

    (experiment, *_) = three_on(FakeBackend(), rows)
    with pytest.raises(KeyboardInterrupt):
        schedule.drive_all([experiment.upload(Endless(tmp_path)).finishing()])
    assert ended.is_set()


def test_a_run_alone_makes_its_calls_in_the_thread_of_the_caller(rows):
    threads = set()

    class Remembering(FakeBackend):
        def submit(self, request, key):
            threads.add(threading.current_thread())
            return super().submit(request, key)

    three_on(Remembering(), rows)[0].run()
    assert threads == {threading.main_thread()}


def test_an_error_of_a_call_ends_its_own_run_only(rows):
    class Refusing(FakeBackend):
        def submit(self, request, key):
            if request.method.num_epochs == 3:
                raise NotOffered("not today", backend=self.name)
            return super().submit(request, key)

    first, second, third = wx.gather(*three_on(Refusing(), rows), return_exceptions=True)
    assert isinstance(second, NotOffered)
    assert (first.state, third.state) == ("completed", "completed")


def calling(act, number):
    """A chain that makes a call and returns its number."""
    call = Call(step="submit", act=act)
    yield call
    call.result()
    return number


def test_no_more_calls_are_made_at_once_than_there_are_threads_for():
    lock, going, most = threading.Lock(), [], []

    def act():
        with lock:
            going.append(1)
            most.append(len(going))
        time.sleep(0.005)
        with lock:
            going.pop()

    assert schedule.drive_all([calling(act, number) for number in range(100)]) == list(range(100))
    assert 1 < max(most) <= calls.MOST_CALLS


def test_calls_that_follow_each_other_are_made_in_one_thread():
    threads = []

    def chain():
        for _ in range(50):
            call = Call(step="tune", act=lambda: threads.append(threading.current_thread()))
            yield call
            call.result()

    schedule.drive_all([chain()])
    assert len(threads) == 50 and len(set(threads)) == 1


@pytest.mark.parametrize(
    "drive", [lambda chain: schedule.drive_all([chain])[0], lambda chain: asyncio.run(runner.adrive(chain))]
)
def test_a_call_is_given_up_when_its_time_is_over(drive):
    go_on = threading.Event()

    def chain():
        call = Call(step="tune", act=lambda: go_on.wait(20), seconds=0.05)
        yield call
        try:
            return call.result()
        except TimeoutError as late:
            return str(late)
        finally:
            go_on.set()

    assert drive(chain()) == "no answer in 0.05 s"


def test_calls_that_wait_for_their_turn_are_given_up_and_never_made():
    go_on, made = threading.Event(), []

    def first():
        call = Call(step="tune", act=lambda: go_on.wait(20), lane="one")
        yield call
        return call.result()

    def other(number):
        call = Call(step="tune", act=lambda: made.append(number), lane="one", seconds=0.02 * number)
        yield call
        try:
            call.result()
        except TimeoutError:
            if number == 5:
                go_on.set()
            return number

    assert schedule.drive_all([first(), *map(other, range(6))]) == [True, 0, 1, 2, 3, 4, 5]
    assert made == []


def test_a_chain_whose_call_was_given_up_goes_on_whatever_becomes_of_that_call():
    go_on = threading.Event()

    def chain():
        late = Call(step="tune", act=lambda: go_on.wait(20), seconds=0.02)
        yield late
        go_on.set()
        again = Call(step="tune", act=lambda: time.sleep(0.05) or "again")
        yield again
        with pytest.raises(TimeoutError):
            late.result()
        return again.result()

    assert schedule.drive_all([chain()]) == ["again"]


def test_an_interruption_waits_for_no_call():
    go_on = threading.Event()

    def act():
        signal.raise_signal(signal.SIGINT)
        go_on.wait(20)

    chain = calling(act, 0)
    with pytest.raises(KeyboardInterrupt):
        schedule.drive_all([chain, waiting(1)])
    assert not go_on.is_set() and list(chain) == []
    go_on.set()


@dataclass
class Counting(FakeBackend):
    """Remembers in how many threads it was asked."""

    def status(self, job, *, deadline=None):
        self.calls[f"threads {threading.active_count()}"] += 1
        return super().status(job, deadline=deadline)


@pytest.fixture
def experiment(rows):
    return wx.TuningExperiment("gathered").load(rows).to_jsonl(input="text", output="colour").on(FakeBackend())


@pytest.mark.parametrize("gathered", [wx.gather, lambda *work: asyncio.run(wx.agather(*work))])
def test_experiments_and_jobs_are_gathered_in_order(experiment, gathered):
    job = experiment.tune(num_epochs=3).wait(every=0.01).submit()
    runs = gathered(experiment.wait(every=0.01), job)
    assert [run.plan.spec.method.num_epochs for run in runs] == [2, 3]
    assert [run.state for run in runs] == ["completed"] * 2


@pytest.mark.parametrize("gathered", [wx.gather, lambda *work, **how: asyncio.run(wx.agather(*work, **how))])
def test_an_error_is_returned_in_its_place_where_that_is_asked_for(experiment, gathered):
    broken = experiment.tune(num_epochs=4).on(FakeBackend(statuses=[FAILED]))
    first, second = gathered(broken, experiment.wait(every=0.01), return_exceptions=True)
    assert isinstance(first, JobFailed)
    assert second.state == "completed"


@pytest.mark.parametrize("gathered", [wx.gather, lambda *work: asyncio.run(wx.agather(*work))])
def test_a_job_of_somebody_else_is_gathered_to_its_last_status(experiment, gathered):
    found = FoundRun(job=JobRef("fake", "7"), name="theirs", status=FAILED)
    run, status = gathered(experiment.wait(every=0.01), FoundJob(found, FakeBackend(statuses=[DONE])))
    assert (run.state, status) == ("completed", DONE)


@pytest.mark.parametrize("gathered", [wx.gather, lambda *work: asyncio.run(wx.agather(*work))])
def test_what_is_no_work_is_refused_before_anything_begins(home, experiment, gathered):
    with pytest.raises(wx.PlanError, match=r"given a list, .*\n.*given a str, ") as caught:
        gathered(experiment, [experiment], "watsonx:7")
    assert "gather(*experiments)" in caught.value.hint
    assert wx.runs() == ()


def test_the_same_experiment_twice_is_the_same_run(experiment):
    run, twice = wx.gather(*[experiment.wait(every=0.01)] * 2, return_exceptions=True)
    assert run.state == "completed"
    assert isinstance(twice, wx.RunLocked) and "by this very process" in str(twice)


def test_the_first_error_is_raised_when_all_have_ended(experiment):
    broken = [experiment.tune(num_epochs=n).on(FakeBackend(statuses=[FAILED])) for n in (4, 5)]
    good = experiment.wait(every=0.01)
    with pytest.raises(JobFailed) as caught:
        wx.gather(*broken, good)
    assert caught.value.__notes__ == ["2 of 3 runs failed; this is the first of the errors"]
    assert good.submit().so_far.state == "completed"


def test_a_thousand_jobs_are_watched_in_one_thread_besides_the_callers():
    clock, backend, threads = FakeClock(), Counting(), threading.active_count()
    policy = wx.WaitPolicy()
    chains = [
        steps.wait(backend, JobRef("fake", str(number)), policy, poll_seconds=10.0, clock=clock)
        for number in range(1000)
    ]
    results = schedule.drive_all(chains, sleep=clock.sleep, clock=clock)
    assert {status.state for status in results} == {JobState.COMPLETED}
    # Threads that earlier tests left may end meanwhile; one is added.
    assert max(int(name.split()[1]) for name in backend.calls if name.startswith("threads")) <= threads + 1


def test_a_backend_that_is_silent_holds_up_no_job_of_another(rows):
    others_ended = threading.Event()

    class Silent(FakeBackend):
        def status(self, job, *, deadline=None):
            assert others_ended.wait(20)
            return super().status(job, deadline=deadline)

    class Last(FakeBackend):
        def deploy(self, job, deployment, key):
            if self.calls["deploy"] == 1:
                others_ended.set()
            return super().deploy(job, deployment, key)

    (first, second, _), (_, _, silent) = three_on(Last(), rows), three_on(Silent(), rows)
    assert [run.state for run in wx.gather(silent, first, second)] == ["completed"] * 3


def test_a_backend_that_is_silent_about_a_loss_curve_or_a_log_holds_up_no_other_run(rows):
    others_ended = threading.Event()

    class Silent(FakeBackend):
        def metrics(self, job):
            assert others_ended.wait(20)
            return super().metrics(job)

        def logs(self, job, *, deadline=None):
            assert others_ended.wait(20)
            return super().logs(job, deadline=deadline)

    def last():
        try:
            return (yield from three_on(FakeBackend(), rows)[2].finishing())
        finally:
            others_ended.set()

    (curve, log), failed = three_on(Silent(), rows)[:2], Silent(statuses=[FAILED])
    first, second, third = schedule.drive_all([curve.finishing(), log.on(failed).finishing(), last()])
    assert (first.state, third.state) == ("completed", "completed")
    assert isinstance(second, JobFailed) and "last line" in str(second)


def test_looks_at_the_jobs_of_one_backend_are_made_one_after_another(rows):
    going = []

    class Alone(FakeBackend):
        def status(self, job, *, deadline=None):
            going.append(job)
            assert len(going) == 1
            time.sleep(0.001)
            going.pop()
            return super().status(job, deadline=deadline)

    assert [run.state for run in wx.gather(*three_on(Alone(), rows))] == ["completed"] * 3


def test_each_run_may_have_a_file_open(experiment, monkeypatch):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: asked.append(limits))
    wx.gather(experiment.wait(every=0.01))
    assert asked == [(257, 4096)]
