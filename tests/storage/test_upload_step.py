"""The chain with a store: what is uploaded, when, and what the job is told of it."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from pathlib import Path

import pytest

import wxtuning as wx
from wxtuning import steps
from wxtuning.events import Progress
from wxtuning.folder import sha256_of
from wxtuning.journal import Journal
from wxtuning.spec import Cleaning, Mapping
from wxtuning.stored import file_of
from wxtuning.testing import FakeBackend


class Counting:
    """A folder as a store that counts what it was asked, and fails when told to."""

    name = "counting"

    def __init__(self, folder):
        self._store = wx.LocalStore(folder)
        self.calls = Counter()
        self.fault = None

    def __getattr__(self, name):
        asked = getattr(self._store, name)

        def counted(*args, **how):
            self.calls[name] += 1
            if self.fault and name == "put":
                raise self.fault
            return asked(*args, **how)

        return counted

    def describe(self):
        return self._store.describe()


@pytest.fixture
def store(tmp_path):
    return Counting(tmp_path / "shared")


@pytest.fixture
def backend():
    return FakeBackend(answer=lambda kind, text: text.rsplit(" ", 1)[-1])


@pytest.fixture
def experiment(rows, backend):
    return (
        wx.TuningExperiment("colours", task="classification")
        .load(rows)
        .clean()
        .to_jsonl(input="text", output="colour", validation=0.1)
        .tune(num_epochs=2)
        .wait(every=0.001)
        .on(backend)
    )


@pytest.fixture
def here(rows):
    """An experiment that really tunes, on this machine."""
    asked = wx.TuningExperiment("colours", task="classification").load(rows).clean()
    return asked.to_jsonl(input="text", output="colour").tune(num_epochs=1)


def problems_of(experiment):
    with pytest.raises(wx.PlanError) as caught:
        experiment.plan()
    return "\n".join(caught.value.problems)


def test_the_job_is_told_where_the_rows_are_and_what_they_hold(experiment, backend, store):
    run = experiment.upload(store).run()
    request = backend.jobs[run.plan.job_key]
    assert request.train.uri == f"{store.describe()}/colours-train-{run.plan.train.sha256[:16]}.jsonl"
    assert (request.train.sha256, request.train.rows) == (run.plan.train.sha256, run.plan.train.rows)
    assert sha256_of(file_of(request.validation)) == run.plan.validation.sha256
    assert request.store is store


def test_the_rows_to_be_scored_are_not_uploaded(experiment, store):
    run = experiment.evaluate(holdout=0.25).upload(store).run()
    assert [ref.uri.rsplit("/", 1)[1].rsplit("-", 1)[0] for ref in store.list(run.key)] == [
        "colours-train", "colours-validation",
    ]  # fmt: skip


def test_without_a_store_the_rows_stay_in_the_runs_folder(experiment, backend):
    run = experiment.run()
    request = backend.jobs[run.plan.job_key]
    assert (file_of(request.train), request.store) == (run.folder / "train.jsonl", None)


def test_a_plan_sends_nothing_and_says_where_it_would(experiment, store):
    plan = experiment.upload(store).plan()
    assert (store.calls["put"], store.calls["check"]) == (0, 1)
    assert plan.store == store.describe()
    assert "upload" in str(plan)


def test_the_store_is_part_of_the_run_but_not_of_the_job(experiment, store):
    with_store, without = experiment.upload(store).plan(), experiment.plan()
    assert with_store.key != without.key
    assert with_store.job_key == without.job_key


def test_a_store_that_takes_nothing_is_one_problem_of_the_plan(experiment, tmp_path):
    (tmp_path / "file").write_text("")
    broken = experiment.tune(num_epochs=2_000).upload(wx.LocalStore(tmp_path / "file"))
    assert "is no folder" in problems_of(broken)
    assert "num_epochs" in problems_of(broken)


@pytest.mark.parametrize("kind", ["address", "path"])
def test_a_folder_is_named_by_its_address_or_its_path(experiment, tmp_path, kind):
    folder = tmp_path / "a folder"
    run = experiment.upload(folder if kind == "path" else folder.as_uri()).run()
    assert len(wx.LocalStore(folder).list(run.key)) == 2


@pytest.mark.parametrize("value", ["bucket/prefix", 7, object(), wx.COS, wx.LocalStore])
def test_what_is_no_store_is_refused_with_the_forms_that_are(experiment, value):
    assert "cannot upload to" in problems_of(experiment.upload(value))
    assert "cos://bucket/prefix" in problems_of(experiment.upload(value))


def test_no_store_at_all_is_refused(experiment):
    with pytest.raises(wx.PlanError, match=r"was given None; expected a store"):
        experiment.upload(None)


@pytest.mark.parametrize("value", ["lines.jsonl", None])
@pytest.mark.parametrize("store", [
    wx.LocalStore("shared"),
    wx.COS(endpoint="https://s3.example.com", bucket="tuning", access_key="a", secret_key="b"),
])  # fmt: skip
def test_what_is_no_reference_is_refused_with_the_way_to_one(store, value, tmp_path):
    asked = [
        lambda: steps.upload(store, value, "train", owner="run-1"),
        lambda: store.get(value, tmp_path / "back.jsonl"),
        lambda: store.exists(value),
        lambda: store.delete(value),
    ]
    for ask in asked:
        with pytest.raises(wx.PlanError, match=r"expected a DataRef(.|\n)*steps\.reference\(file\)"):
            ask()


def test_a_finished_upload_is_not_repeated(experiment, store):
    asked = experiment.upload(store)
    asked.run()
    asked.run()
    assert store.calls["put"] == 2  # train and validation, once each


def test_a_failed_upload_starts_no_job_and_goes_on_when_run_again(experiment, backend, store):
    store.fault = wx.UploadIntegrityError("other bytes", backend="counting")
    with pytest.raises(wx.UploadIntegrityError):
        experiment.upload(store).run()
    assert backend.calls["submit"] == 0
    store.fault = None
    run = experiment.upload(store).run()
    assert (run.state, backend.calls["submit"]) == ("completed", 1)


def test_what_has_gone_since_it_was_uploaded_is_uploaded_again_before_the_job_starts(experiment, backend, store):
    submit = backend.submit
    backend.submit = lambda *_: (_ for _ in ()).throw(wx.Unavailable("not now", backend="fake"))
    with pytest.raises(wx.Unavailable):
        experiment.upload(store).run()
    backend.submit = submit
    assert len(store.release(experiment.upload(store).plan().key)) == 2
    run = experiment.upload(store).run()
    assert [store.exists(ref) for ref in (backend.jobs[run.plan.job_key].train, *store.list(run.key))] == [True] * 3
    assert store.calls["put"] == 4


def test_progress_is_told_in_bytes_of_each_file(experiment, store):
    told = []
    run = experiment.upload(store).run(listen=told.append)
    uploads = [event for event in told if isinstance(event, Progress) and event.step == "upload"]
    sizes = {ref.uri: ref.size_bytes for ref in store.list(run.key)}
    assert {event.text for event in uploads} == {"train", "validation"}
    assert sorted(event.done for event in uploads if event.done == event.total) == sorted(sizes.values())


def test_a_chain_that_is_interrupted_ends_the_transfer(experiment, store):
    class Stop(Exception):
        pass

    def stop(event):
        if isinstance(event, Progress):
            raise Stop

    with pytest.raises(Stop):
        experiment.upload(store).run(listen=stop)
    assert experiment.upload(store).run().state == "completed"


def test_a_run_is_found_again_with_its_store(experiment, store, home, backend):
    run = experiment.upload(store).run()
    job = wx.attach(run.key, on=backend)
    assert (job.so_far.plan.store, job.so_far.state) == (store.describe(), "completed")


def test_who_comes_back_to_a_run_whose_job_is_accepted_needs_no_store(experiment, backend, store):
    store.describe = lambda: "elsewhere://here"
    key = experiment.upload(store).run().key
    assert wx.attach(key, on=backend).result().state == "completed"


@pytest.fixture
def not_submitted(experiment, backend, store):
    """The key of a run whose rows are in the store, and whose job was not accepted."""
    submit = backend.submit
    backend.submit = lambda *_: (_ for _ in ()).throw(wx.Unavailable("not now", backend="fake"))
    with pytest.raises(wx.Unavailable):
        experiment.upload(store).run()
    backend.submit = submit
    return experiment.upload(store).plan().key


def test_who_comes_back_may_hand_in_the_store(backend, store, not_submitted):
    assert wx.attach(not_submitted, on=backend, store=store).result().state == "completed"
    assert next(iter(backend.jobs.values())).store is store


def test_a_store_at_another_place_than_the_runs_is_refused(backend, store, not_submitted, tmp_path):
    with pytest.raises(wx.PlanError) as caught:
        wx.attach(not_submitted, on=backend, store=wx.LocalStore(tmp_path / "elsewhere"))
    assert store.describe() in str(caught.value)
    assert (tmp_path / "elsewhere").as_uri() in str(caught.value)


def test_a_run_without_a_store_takes_none(experiment, backend, store):
    key = experiment.run().key
    with pytest.raises(wx.PlanError, match=r"its own folder(.|\n)*Leave store= out"):
        wx.attach(key, on=backend, store=store)


PLACE = "cos://tuning@s3.example.com/a"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "COS_ACCESS_KEY_ID"),
        (
            {"COS_ENDPOINT": "https://b.example", "COS_ACCESS_KEY_ID": "a", "COS_SECRET_ACCESS_KEY": "b"},
            r"s3\.example\.com, but COS_ENDPOINT names b\.example",
        ),
    ],
    ids=["no keys", "another endpoint"],
)
def test_an_environment_that_does_not_lead_to_the_runs_store_is_said_not_to(
    experiment, backend, store, monkeypatch, variables, said
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    store.describe = lambda: PLACE
    store.fault = wx.Unavailable("not now", backend="counting")
    with pytest.raises(wx.Unavailable):
        experiment.upload(store).run()
    key = experiment.upload(store).plan().key
    with pytest.raises(wx.PlanError, match=rf"{said}(.|\n)*wxtuning\.attach\('{key}', store="):
        wx.attach(key, on=backend).result()


def test_one_bucket_name_at_two_endpoints_makes_two_runs_of_one_job(experiment, store):
    plans = []
    for host in ("a.example", "b.example"):
        told = {"endpoint": f"https://{host}", "bucket": "tuning", "access_key": "a", "secret_key": "b"}
        address = wx.COS(**told).describe()
        store.describe = lambda address=address: address
        plans.append(experiment.upload(store).plan())
    assert plans[0].key != plans[1].key
    assert plans[0].job_key == plans[1].job_key


def test_the_journal_knows_what_was_uploaded(experiment, store, home):
    run = experiment.upload(store).run()
    told = Journal(home / "journal.db").run(run.key).value("upload")
    assert told["train"]["sha256"] == run.plan.train.sha256
    json.dumps(told)


@pytest.mark.slow
def test_this_machine_trains_on_what_the_store_holds(here, store):
    run = here.upload(store).run()
    assert store.calls["get"] == 1
    assert sha256_of(wx.Local().folder(run.job) / "train.jsonl") == run.plan.train.sha256


def test_this_machine_does_not_train_on_other_bytes(here, store):
    put = store.put

    def spoilt(*args, **how):
        ref = put(*args, **how)
        file_of(ref).write_bytes(b"other")
        return ref

    store.put = spoilt
    with pytest.raises(wx.UploadIntegrityError, match="not what was stored"):
        here.upload(store).run()


@pytest.mark.parametrize("way", ["columns", "rows"])
def test_rows_go_into_a_store_without_a_file_on_the_way(tmp_path, monkeypatch, way):
    if way == "rows":
        monkeypatch.setattr("wxtuning.records.bulk.is_possible", lambda: False)
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"q": "question {number}", "a": "answer {number % 7}"}}\n' for number in range(5_000)))
    conversion = (Mapping(input="q", output="a"), Cleaning(near_duplicates="keep"))
    store = wx.LocalStore(tmp_path / "shared")
    with store.writing("train", owner="run-1") as out:
        streamed = steps.convert_into(steps.open_rows(rows), *conversion, out)
    assert steps.convert_file(steps.open_rows(rows), *conversion, tmp_path / "lines.jsonl") == streamed
    assert (sha256_of(tmp_path / "lines.jsonl"), out.data.rows) == (out.data.sha256, 5_000)


def test_the_steps_of_the_documentation_run_as_they_are_written(tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "storage.md").read_text()
    code = text.partition("## Without a chain")[2].partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    rows = [{"question": f"What is {number}?", "answer": f"A number, {number}."} for number in range(50)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("block.py").write_text(code)
    runpy.run_path("block.py")
    assert Path("back.jsonl").read_bytes() == Path("lines.jsonl").read_bytes()


def test_a_key_in_an_address_is_not_repeated(experiment):
    assert "s3cret" not in problems_of(experiment.upload("https://me:s3cret@host/bucket"))


def test_a_file_that_is_not_there_has_no_reference(tmp_path):
    with pytest.raises(wx.DataError, match="cannot be read"):
        steps.reference(tmp_path / "nothing.jsonl")
