"""What may be asked of a deployment, what it changes in a plan, and answers that are kept when one way fails."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import wxtuning as wx
from wxtuning.adapters.local import Local
from wxtuning.deployment import Deployment
from wxtuning.errors import AdapterError, NotOffered, PlanError, Unavailable
from wxtuning.status import DeploymentRef, JobRef
from wxtuning.testing import FakeBackend

DIGEST = "054379e6ab09443ed6caca11e9f9a564a6301f21edfa03a869bd32740de460c3"
"""Of the plan below, since there are digests."""


def colours(rows, backend):
    return (
        wx.TuningExperiment("colours", task="classification")
        .load(rows)
        .clean()
        .to_jsonl(input="text", output="colour")
        .tune(num_epochs=2)
        .wait(every=0.001)
        .evaluate(holdout=0.25)
        .on(backend)
    )


def spacious():
    backend = FakeBackend()
    backend.limits_of = replace(backend.limits_of, has_spaces=True)
    return backend


# --- in a plan --------------------------------------------------------------------------------------------------------


def test_plans_that_ask_for_no_serving_name_and_no_space_keep_their_digest(rows):
    assert colours(rows, FakeBackend()).deploy("colours-v1").plan().digest == DIGEST


def test_what_a_serving_name_may_be_is_said_in_words():
    with pytest.raises(PlanError, match=r"expected 1 to 36 letters.*, such as support_tone_1") as caught:
        wx.DeploymentSpec(name="x", serving_name="my-name")
    assert "pattern" not in str(caught.value)


@pytest.mark.parametrize("asked", [{"serving_name": "colours_1"}, {"space": "shop"}])
def test_a_serving_name_or_a_space_is_another_run_of_the_same_job(rows, asked):
    plain = colours(rows, spacious()).deploy("colours-v1").plan()
    plan = colours(rows, spacious()).deploy("colours-v1", **asked).plan()
    assert plan.digest != plain.digest
    assert plan.tuning_digest == plain.tuning_digest


def test_the_plan_shows_where_the_model_will_answer(rows):
    plan = colours(rows, spacious()).deploy("colours-v1", serving_name="colours_1", space="shop").plan()
    assert "colours-v1, served as colours_1 in space shop" in str(plan)


def test_a_plan_with_both_is_read_back_equal(rows):
    plan = colours(rows, spacious()).deploy("colours-v1", serving_name="colours_1", space="shop").plan()
    assert wx.Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("name", ["with-hyphen", "", "a" * 37, "umläut", "two words", "line\n"])
def test_a_serving_name_that_no_address_takes_is_refused(rows, name):
    with pytest.raises(PlanError, match="serving_name"):
        colours(rows, FakeBackend()).deploy("colours-v1", serving_name=name)


def test_a_space_is_refused_in_the_plan_where_there_are_none(rows):
    with pytest.raises(PlanError, match="space is 'shop'; fake has no deployment spaces"):
        colours(rows, FakeBackend()).deploy("colours-v1", space="shop").plan()


# --- on this machine --------------------------------------------------------------------------------------------------


@pytest.fixture
def local(home: Path) -> Local:
    return Local(home)


@pytest.fixture
def job(home: Path) -> JobRef:
    """A completed job, as far as deploying it looks."""
    folder = home / "jobs" / "support-1"
    (folder / "adapter").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model": "wxtuning/tiny", "verbalizer": "{{input}}"}))
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps({"peft_type": "PROMPT_TUNING"}))
    return JobRef("local", "support-1")


def test_a_serving_name_is_that_of_the_local_deployment(local, job):
    local.deploy(job, wx.DeploymentSpec(name="Support tone", serving_name="tone"), "support-1")
    assert [one.serving_name for one in local.deployments()] == ["tone"]


def test_without_one_the_name_stands_for_it(local, job):
    local.deploy(job, wx.DeploymentSpec(name="Support tone"), "support-1")
    assert [one.serving_name for one in local.deployments()] == ["support_tone"]


def test_a_serving_name_in_use_is_refused_with_its_holder(local, job):
    local.deploy(job, wx.DeploymentSpec(name="First", serving_name="tone"), "support-1")
    with pytest.raises(AdapterError, match="'tone' is taken by the deployment 'First'"):
        local.deploy(job, wx.DeploymentSpec(name="Second", serving_name="tone"), "support-2")
    assert local.find_deployment("support-2") is None


def test_the_same_deployment_may_be_asked_for_again(local, job):
    asked = wx.DeploymentSpec(name="First", serving_name="tone")
    assert local.deploy(job, asked, "support-1") == local.deploy(job, asked, "support-1")


def test_this_machine_has_no_space(local, job):
    with pytest.raises(NotOffered, match="no deployment space 'shop'"):
        local.deploy(job, wx.DeploymentSpec(name="First", space="shop"), "support-1")


# --- what it is asked -------------------------------------------------------------------------------------------------


class Listening(FakeBackend):
    """Keeps what it was asked."""

    def generate(self, ref, inputs, decoding):
        self.asked = (inputs, decoding)
        return super().generate(ref, inputs, decoding)


@pytest.fixture
def deployed() -> Deployment:
    ref = DeploymentRef("fake", "deployment/tone")
    return Deployment(name="tone", ref=ref, max_new_tokens=8, words={}, deployer=Listening())


@pytest.mark.parametrize("stop", ["END", ("END",), ["END"]])
def test_a_text_to_stop_at_is_one(deployed, stop):
    deployed.generate("hello", stop=stop)
    assert deployed.deployer.asked[1].stop == ("END",)


def test_one_text_is_one_question(deployed):
    assert len(deployed.answers("Nobody")) == 1
    assert deployed.deployer.asked[0] == ("Nobody",)


@pytest.mark.parametrize("kind", [list, tuple, iter, np.array, pd.Series])
def test_texts_may_be_in_any_list(deployed, kind):
    assert deployed.generate(kind(["one", "two"])) == ["one", "two"]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda one: one.generate(None), "input: found a NoneType"),
        (lambda one: one.generate({"text": "hello"}), "input: found a dict"),
        (lambda one: one.generate(b"hello"), "input: found a bytes"),
        (lambda one: one.answers(["hello", 1]), "input 2: found a int"),
        (lambda one: one.stream(["hello"]), "found a list, expected one text"),
        (lambda one: one.generate("hello", stop=7), "stop: found a int"),
        (lambda one: one.stream("hello", stop=[7]), "stop 1: found a int"),
    ],
)
def test_what_is_no_text_is_refused_before_anything_is_asked(deployed, ask, said):
    with pytest.raises(wx.DataError, match=said):
        ask(deployed)
    assert deployed.deployer.calls.total() == 0


# --- answers that are kept --------------------------------------------------------------------------------------------


class Failing(FakeBackend):
    """Its deployments, its base model, do not answer for the first questions."""

    def __init__(self, kind: str) -> None:
        super().__init__(answer=lambda kind, text: text.rsplit(" ", 1)[-1])
        self.kind = kind
        self.is_down = True
        self.asked: list[str] = []

    def generate(self, ref, inputs, decoding):
        kind = ref.id.partition("/")[0]
        self.asked.append(kind)
        if self.is_down and kind == self.kind:
            raise Unavailable(f"{kind} does not answer", backend=self.name)
        return super().generate(ref, inputs, decoding)


@pytest.mark.parametrize("kind", ["base", "job"])
def test_when_one_way_fails_the_answers_of_the_others_are_kept(rows, kind):
    backend = Failing(kind)
    experiment = colours(rows, backend)
    with pytest.raises(Unavailable, match=f"{kind} does not answer"):
        experiment.run()
    assert sorted(backend.asked) == ["base", "base", "job"]
    backend.is_down, backend.asked = False, []
    run = experiment.run()
    assert set(backend.asked) == {kind}
    assert set(run.scores) == {"base", "instruction", "tuned"}


def test_kept_answers_are_gone_once_all_are_compared(rows):
    backend = Failing("job")
    with pytest.raises(Unavailable):
        colours(rows, backend).run()
    backend.is_down = False
    run = colours(rows, backend).run()
    assert not (run.folder / "columns").exists()
