"""Which models a backend tunes, and the jobs of others."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import wxtuning as wx
from wxtuning.cli import app
from wxtuning.found import FoundRun
from wxtuning.offers import Offers
from wxtuning.others import FoundJob
from wxtuning.ports import ModelOffer
from wxtuning.spec import LoRA, PromptTuning
from wxtuning.status import JobRef, JobState, JobStatus
from wxtuning.testing import FakeBackend


class Telling(FakeBackend):
    """A backend that tells its models and the runs of others."""

    def models(self, method: str | None = None) -> tuple[ModelOffer, ...]:
        return (
            ModelOffer(id="a/any", methods=("prompt_tuning", "lora")),
            ModelOffer(id="a/code", methods=("prompt_tuning",), tasks=("code",)),
            ModelOffer(
                id="a/old", methods=("prompt_tuning",), tasks=("generation",), state="deprecated", ends="2027-01-01"
            ),
        )

    def runs(self) -> tuple[FoundRun, ...]:
        return (self.run("7"),)

    def run(self, id: str) -> FoundRun:
        done = JobStatus(state=JobState.COMPLETED, word="completed")
        method = PromptTuning("a/old", num_virtual_tokens=50, init_text="Say:")
        return FoundRun(job=JobRef("fake", id), name="of another", status=done, method=method, task="classification")


def test_models_are_told_by_method_and_task():
    backend = Telling()
    assert [model.id for model in wx.models(backend)] == ["a/any", "a/code", "a/old"]
    assert [model.id for model in wx.models(backend, method="lora")] == ["a/any"]
    assert [model.id for model in wx.models(backend, task="classification")] == ["a/any"]
    assert "2027-01-01" in str(wx.models(backend)) and "<table>" in wx.models(backend)._repr_html_()


@pytest.mark.parametrize("method", ["lora", wx.LoRA, wx.LoRA(r=4)])
def test_a_method_is_named_by_what_tune_takes_or_by_its_name(method):
    assert [model.id for model in wx.models(Telling(), method=method)] == ["a/any"]


@pytest.mark.parametrize("method", ["qlora", int, 7])
def test_what_is_no_method_is_refused_with_those_there_are(method):
    with pytest.raises(wx.PlanError, match=r"expected wx\.PromptTuning, wx\.LoRA or prompt_tuning or lora"):
        wx.models(Telling(), method=method)


def test_a_list_without_a_model_for_the_task_says_so():
    found = Offers("fake", (ModelOffer(id="a/old", methods=("lora",), tasks=("generation",)),)).of(task="summarization")
    assert len(found) == 0 and "no model here is for summarization" in str(found)


def test_this_machine_tells_the_model_that_ships_and_that_any_other_can_be_named():
    found = wx.models()
    assert found[0].id == "wxtuning/tiny" and "Hugging Face" in str(found)


def test_a_backend_that_does_not_tell_says_so():
    with pytest.raises(wx.NotOffered, match="fake does not tell its models"):
        wx.models(FakeBackend())
    with pytest.raises(wx.NotOffered, match="fake does not list"):
        wx.runs(FakeBackend())


def test_a_job_of_somebody_else_is_found_at_its_backend(home):
    job = wx.attach("fake:7", on=Telling())
    assert isinstance(job, FoundJob) and job.id == "fake:7"
    assert job.metrics and job.logs and job.wait(sleep=lambda _: None).state is JobState.COMPLETED
    assert job.deploy("again").generate("hello") == "hello"


def test_a_job_of_somebody_else_is_awaited_like_ones_own(home):
    job = wx.attach("fake:7", on=Telling())

    async def awaited():
        return await job

    assert job.result(sleep=lambda _: None) == asyncio.run(awaited())


def test_who_leaves_a_job_of_somebody_else_is_told_how_to_come_back(home, capsys):
    def leave(seconds):
        raise KeyboardInterrupt

    backend = Telling(statuses=[JobStatus(state=JobState.RUNNING, word="running")])
    with pytest.raises(KeyboardInterrupt):
        wx.attach("fake:7", on=backend).result(sleep=leave)
    assert "wxtuning.attach('fake:7') comes back to it" in capsys.readouterr().err


def test_deployments_of_a_found_job_are_told_apart_by_their_whole_names(home):
    job = wx.attach("fake:7", on=Telling())
    names = ["名前", "别名", "Tone A", "tone-a", "x" * 41, "x" * 42]
    assert len({job.deploy(name).ref for name in names}) == len(names)
    assert job.deploy("Tone A").ref == job.deploy("Tone A").ref


def test_a_run_of_somebody_else_becomes_a_spec_that_can_be_planned_again(rows):
    (found,) = wx.runs(Telling())
    spec = wx.Plan.from_run(found)
    assert (spec.task, spec.name, spec.method.model) == ("classification", "of another", "a/old")
    assert isinstance(spec.method, PromptTuning) and spec.method.num_virtual_tokens == 50
    texts = [{"input": row["text"], "output": row["colour"]} for row in rows]
    assert wx.TuningExperiment.from_spec(spec).load(texts).on(FakeBackend()).plan().train.rows == len(rows)


def test_a_found_job_and_runs_of_ones_own_become_specs_too(rows):
    theirs = wx.attach("fake:7", on=Telling())
    assert wx.Plan.from_run(theirs) == theirs.found.spec
    ours = wx.TuningExperiment("ours").load(rows).to_jsonl(input="text", output="colour").on(FakeBackend()).submit()
    assert wx.Plan.from_run(ours) == wx.Plan.from_run(wx.runs()[0]) == ours.so_far.plan.spec


def test_what_is_no_run_has_no_spec():
    with pytest.raises(wx.PlanError, match="found a str, expected a run"):
        wx.Plan.from_run("fake:7")


def test_a_run_that_was_not_tuned_by_our_methods_says_so():
    found = FoundRun(job=JobRef("fake", "8"), name="x", status=JobStatus(state=JobState.FAILED, word="failed"))
    with pytest.raises(wx.PlanError, match="fake:8"):
        wx.Plan.from_run(found)


@pytest.mark.parametrize("id", ["7", "fake:7"])
def test_a_job_is_attached_by_the_id_of_its_backend_too(home, id):
    assert wx.attach(id, on=Telling()).id == "fake:7"


def test_a_job_of_ones_own_is_attached_by_any_of_its_names(rows):
    class Renaming(Telling):
        def run(self, id):
            return replace(super().run(id), job=self.find(id.removeprefix("bare-")))

    experiment = wx.TuningExperiment("ours").load(rows).to_jsonl(input="text", output="colour")
    job = experiment.on(backend := Renaming()).submit()
    key = job.id.removeprefix("fake:")
    assert [wx.attach(id, on=backend).id for id in (key, f"bare-{key}", f"fake:bare-{key}", job.id)] == [job.id] * 4
    assert isinstance(wx.attach(f"bare-{key}", on=backend), wx.TuningJob)


def test_a_backend_may_be_named(home):
    with pytest.raises(wx.NotOffered, match="local does not list"):
        wx.runs("local")
    with pytest.raises(wx.NotOffered, match="local does not list"):
        wx.attach("7", on="local")


@pytest.mark.parametrize("given", [wx.Local, None, 7])
def test_what_is_no_backend_is_refused(home, given):
    asks = [lambda: wx.TuningExperiment("any").on(given), lambda: wx.models(given)]
    for ask in asks:
        with pytest.raises(wx.PlanError, match=r"cannot run on .*; expected wx.Local\(\.\.\.\)"):
            ask()


def test_a_job_that_was_not_accepted_yet_cannot_be_asked_for(rows):
    class Refusing(FakeBackend):
        def submit(self, request, key):
            raise wx.NotOffered("not today", backend=self.name)

    experiment = wx.TuningExperiment("ours").load(rows).to_jsonl(input="text", output="colour").on(Refusing())
    with pytest.raises(wx.NotOffered):
        experiment.submit()
    with pytest.raises(wx.JobError, match="has no job yet"):
        wx.attach(wx.runs()[0].key, on=Refusing()).cancel()


def test_an_unknown_run_without_a_backend_says_how_to_name_one(home, monkeypatch):
    monkeypatch.delenv("WATSONX_URL", raising=False)
    with pytest.raises(wx.WxTuningError, match="on=backend"):
        wx.attach("watsonx:7")


def test_runs_are_listed_without_the_credentials_of_their_backend(home, rows, monkeypatch):
    from wxtuning import registry

    texts = [{"input": row["text"], "output": row["colour"]} for row in rows]
    run = wx.TuningExperiment("elsewhere").load(texts).on(FakeBackend()).run()
    with monkeypatch.context() as patched:
        patched.setattr(registry, "backend", lambda name: pytest.fail(f"{name} was made"))
        assert [each.key for each in wx.runs()] == [run.key]


def test_lora_keeps_its_rank():
    found = Telling().run("7")
    assert FoundRun(job=found.job, name="", status=found.status, method=LoRA("a/any", r=4)).spec.method.model == "a/any"


def test_a_method_that_is_none_is_refused_by_name():
    with pytest.raises(wx.PlanError, match=r"'prompt_tunning'.*prompt_tuning.*lora"):
        wx.models(Telling(), method="prompt_tunning")
    said = CliRunner().invoke(app, ["models", "--method", "prompt_tunning"])
    assert isinstance(said.exception, wx.PlanError)


def test_a_task_that_is_none_is_refused_by_name():
    with pytest.raises(
        wx.PlanError, match=r"fake is for the task 'nope'; expected classification, generation, summarization, code$"
    ):
        wx.models(Telling(), task="nope")
    assert [model.id for model in wx.models(Telling(), task="code")] == ["a/any", "a/code"], "the backend's own word"


@pytest.mark.parametrize("command", ["models", "runs"])
@pytest.mark.parametrize("option", ["--project", "--space", "--ca"])
def test_a_place_without_a_service_is_refused(command, option, home, monkeypatch):
    monkeypatch.delenv("WATSONX_URL", raising=False)
    said = CliRunner().invoke(app, [command, option, "sandbox"])
    assert isinstance(said.exception, wx.WxTuningError)
    assert option in str(said.exception) and "--url" in str(said.exception)


def test_a_job_of_a_backend_that_only_knows_its_own_is_no_run(home):
    with pytest.raises(wx.WxTuningError, match="there is no run 'local:7'; the newest are"):
        wx.attach("local:7")
