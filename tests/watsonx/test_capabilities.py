"""What a service offers is told by its own specifications, before anything is paid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import wxtuning as wx
from tests.server.conftest import cpd_sdk
from tests.server.processes import Ask, Running, serving
from tests.server.sdk_tuning import tuned
from tests.watsonx.conftest import Connect, asked_of
from tests.watsonx.faults import Held, Instead, Refusal
from tests.watsonx.wire import ALWAYS, Wire, wire_to
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.capabilities import SPECS, Capabilities, offer, parameters
from wxtuning.adapters.watsonx.service import Container
from wxtuning.cli import app
from wxtuning.tiny import model_folder

__all__ = ["cpd_sdk"]

FLAN = "google/flan-t5-xl"
COUNT = "POST /ml/v1/text/tokenization"
ROWS = [{"input": f"comment number {n}", "output": "good" if n % 2 else "bad"} for n in range(80)]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A service with models of several names, whose parameters are those that IBM's service told."""
    names = [FLAN, "ibm/granite-13b-instruct-v2", "meta-llama/llama-2-13b-chat", "a/one", "b/two", "c/three"]
    models = [part for name in names for part in ("--model", f"{name}={model_folder()}")]
    with serving(tmp_path_factory.mktemp("many"), *models) as running, wire_to(running) as wire:
        yield wire


def problems_of(experiment: wx.TuningExperiment) -> str:
    with pytest.raises(wx.PlanError) as caught:
        experiment.plan()
    return "\n".join(caught.value.problems)


def asked(wire: Wire, method: Any, **told: Any) -> wx.TuningExperiment:
    return wx.TuningExperiment("limits").load(ROWS).tune(method).on(Watsonx(**asked_of(wire, **told)))


@contextmanager
def telling(wire: Wire, *specs: dict[str, Any]) -> Iterator[None]:
    """The service tells these specifications instead of its own."""
    wire.breaks(f"GET {SPECS}", Instead(200, json.dumps({"resources": specs}).encode()), times=ALWAYS)
    try:
        yield
    finally:
        wire.heals()


# --- limits -----------------------------------------------------------------------------------------------------------


def test_parameters_left_open_take_what_the_model_s_own_specification_recommends(many: Wire) -> None:
    method = asked(many, wx.PromptTuning(FLAN)).plan().spec.method
    assert method.num_virtual_tokens == 100  # type: ignore[union-attr]
    assert (method.num_epochs, method.batch_size, method.accumulate_steps) == (20, 16, 16)
    assert (method.learning_rate, method.max_input_tokens, method.max_output_tokens) == (0.3, 256, 128)


@pytest.mark.parametrize("kind", [wx.PromptTuning, wx.LoRA])
def test_another_seed_buys_no_second_job_as_the_service_takes_none(cpd_wire: Wire, kind: Any) -> None:
    plain, seeded = (asked(cpd_wire, kind("wxtuning/tiny", seed=seed)).plan() for seed in (0, 7))
    assert seeded.job_key == plain.job_key
    assert "seed=7 has no effect: watsonx takes no seed" in str(seeded)


def test_a_model_has_its_own_recommendations(many: Wire) -> None:
    method = asked(many, wx.PromptTuning("meta-llama/llama-2-13b-chat")).plan().spec.method
    assert (method.batch_size, method.learning_rate) == (8, 0.002)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"num_epochs": 51}, "num_epochs is 51; watsonx takes 1 to 50"),
        ({"learning_rate": 0.6}, "learning_rate is 0.6; watsonx takes 1e-05 to 0.5"),
        ({"batch_size": 17}, "batch_size is 17; watsonx takes 1 to 16"),
        ({"accumulate_steps": 129}, "accumulate_steps is 129; watsonx takes 1 to 128"),
        ({"max_input_tokens": 257}, "max_input_tokens is 257; watsonx takes 1 to 256"),
        ({"max_output_tokens": 129}, "max_output_tokens is 129; watsonx takes 1 to 128"),
        ({"num_virtual_tokens": 30}, "num_virtual_tokens is 30; watsonx takes 20 or 50 or 100"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(many: Wire, given: dict[str, Any], said: str) -> None:
    assert said in problems_of(asked(many, wx.PromptTuning(FLAN, **given)))


def test_values_at_the_ends_are_taken(many: Wire) -> None:
    ends = {"num_epochs": 50, "learning_rate": 1e-5, "batch_size": 1, "accumulate_steps": 128, "max_input_tokens": 256}
    assert asked(many, wx.PromptTuning(FLAN, **ends)).plan()


def test_everything_is_refused_at_once(many: Wire) -> None:
    experiment = asked(many, wx.PromptTuning(FLAN, num_epochs=500, batch_size=99)).load(ROWS[:10]).evaluate(holdout=2)
    text = problems_of(experiment)
    assert all(part in text for part in ("num_epochs", "batch_size", "8 training rows", "needs .deploy(name)"))


def test_nothing_is_created_by_a_plan(many: Wire) -> None:
    many.heals()
    asked(many, wx.PromptTuning(FLAN)).plan()
    assert {request.method for request in many.requests} <= {"GET", "POST"}
    posts = [request.path for request in many.requests if request.method == "POST"]
    assert posts == ["/icp4d-api/v1/authorize"]


# --- models -----------------------------------------------------------------------------------------------------------


def test_an_unknown_model_is_refused_with_the_nearest_five(many: Wire) -> None:
    text = problems_of(asked(many, wx.PromptTuning("google/flan-t5-xxl")))
    nearest = text.partition("the nearest of 7: ")[2].splitlines()[0].split(", ")
    assert nearest[0] == FLAN and len(nearest) == 5


def test_models_are_listed_by_method_and_task(many: Wire) -> None:
    backend = Watsonx(**asked_of(many))
    assert FLAN in [model.id for model in wx.models(backend, method="lora", task="classification")]
    with pytest.raises(
        wx.PlanError, match=r"no model of watsonx is for the task 'translation'; expected classification"
    ):
        wx.models(backend, task="translation")


def spec(*lifecycle: tuple[str, str], functions: tuple[str, ...] = ("prompt_tune_trainable",)) -> dict[str, Any]:
    steps = [{"id": state, "start_date": begins} for state, begins in lifecycle]
    return {"model_id": "m", "functions": [{"id": each} for each in functions], "lifecycle": steps}


TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("lifecycle", "state", "methods", "ends"),
    [
        ((), "available", ("prompt_tuning",), ""),
        ((("available", "2024-01-01"), ("withdrawn", "2027-01-01")), "available", ("prompt_tuning",), "2027-01-01"),
        ((("deprecated", "2026-01-01"), ("available", "2024-01-01")), "deprecated", ("prompt_tuning",), ""),
        ((("available", "2024-01-01"), ("constricted", "2026-11-23")), "constricted", (), "2026-11-23"),
        ((("withdrawn", "2025-10-15"),), "withdrawn", (), "2025-10-15"),
    ],
)
def test_the_state_of_a_model_is_the_last_step_of_its_life_that_has_begun(
    lifecycle: tuple[tuple[str, str], ...], state: str, methods: tuple[str, ...], ends: str
) -> None:
    found = offer(spec(*lifecycle), TODAY)
    assert (found.state, found.methods, found.ends) == (state, methods, ends)


@pytest.mark.parametrize(
    ("lifecycle", "version", "state", "ends"),
    [
        ((("deprecated", "5.1"), ("available", "5.0")), "5.2", "deprecated", ""),
        ((("available", "5.0"), ("deprecated", "5.3"), ("withdrawn", "6.0")), "5.2", "available", "version 6.0"),
        ((("withdrawn", "5.2"), ("deprecated", "5.1"), ("constricted", "5.1")), "5.2", "withdrawn", "version 5.1"),
    ],
)
def test_a_life_may_be_told_in_versions_of_the_platform(
    lifecycle: tuple[tuple[str, str], ...], version: str, state: str, ends: str
) -> None:
    steps = [{"id": name, "since_version": since} for name, since in lifecycle]
    found = offer({**spec(), "lifecycle": steps}, TODAY, version)
    assert (found.state, found.ends) == (state, ends)


def living(*lifecycle: tuple[str, str], **told: Any) -> dict[str, Any]:
    return {**spec(*lifecycle), "model_id": FLAN, **told}


DEPRECATED = (("available", "2024-01-01"), ("deprecated", "2026-01-01"), ("withdrawn", "2027-01-01"))


def test_a_plan_warns_of_a_deprecated_model_with_its_date_and_the_service_s_own_alternative(many: Wire) -> None:
    told = living(*DEPRECATED, task_ids=["generation"])
    told["lifecycle"][1]["alternative_model_ids"] = ["ibm/granite-3-3-8b-instruct"]
    with telling(many, told):
        plan = asked(many, wx.PromptTuning(FLAN)).plan()
    assert (
        f"{FLAN} is deprecated and is tuned no more from 2027-01-01 on; the service names ibm/granite-3-3-8b-instruct "
        "instead" in plan.warnings
    )
    assert "2027-01-01" in str(plan)


def test_a_plan_warns_of_the_end_of_tuning_where_the_platform_s_version_says_so(many: Wire, cloud: Running) -> None:
    said = "the service is Cloud Pak for Data 5.2: prompt tuning is deprecated since 5.2, and 6.0 has no tuning"
    assert any(said in warning for warning in asked(many, wx.PromptTuning(FLAN)).plan().warnings)
    with wire_to(cloud) as wire:
        assert not any("deprecated" in warning for warning in asked(wire, wx.PromptTuning()).plan().warnings)


@pytest.mark.parametrize("state", ["withdrawn", "constricted"])
def test_a_model_that_has_ended_is_refused_with_its_date_and_the_nearest_others(many: Wire, state: str) -> None:
    others = [{**living(), "model_id": f"google/flan-t5-{size}"} for size in ("large", "xxl")]
    with telling(many, living((state, "2026-01-01")), *others):
        text = problems_of(asked(many, wx.PromptTuning(FLAN)))
        listed = [model.id for model in wx.models(Watsonx(**asked_of(many)))]
    assert f"{FLAN} is {state} since 2026-01-01; the nearest of 2: google/flan-t5-" in text
    assert listed == ["google/flan-t5-large", "google/flan-t5-xxl"]


def test_limits_are_printed_with_the_model_s_life_its_tasks_and_the_platform(many: Wire) -> None:
    with telling(many, living(*DEPRECATED, task_ids=["generation"], training_parameters=RANGES)):
        limits = Watsonx(**asked_of(many)).limits(wx.PromptTuning(FLAN))
    assert limits.offer is not None
    assert (limits.offer.state, limits.offer.ends, limits.offer.tasks) == ("deprecated", "2027-01-01", ("generation",))
    parts = ("Limits of google/flan-t5-xl", "1 to 4", "deprecated, tuned no more from 2027-01-01", "Pak for Data 5.2")
    assert all(part in str(limits) for part in parts) and "<table>" in limits._repr_html_()


RANGES = {"batch_size": {"min": 1, "max": 4, "default": 2}}


# --- what the service would refuse ------------------------------------------------------------------------------------


def test_a_task_that_the_model_is_not_for_is_refused(many: Wire) -> None:
    with telling(many, living(task_ids=["classification", "summarization"])):
        text = problems_of(asked(many, wx.PromptTuning(FLAN)))
    assert f"task is 'generation'; {FLAN} on watsonx is for classification, summarization" in text


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (wx.LoRA(FLAN, max_input_tokens=100_000), "max_input_tokens is 100000; watsonx takes 1 to 511"),
        (
            wx.LoRA(FLAN, max_input_tokens=400, max_output_tokens=200),
            "max_input_tokens + max_output_tokens (max_seq_length) is 600; watsonx takes 16 to 512",
        ),
        (wx.LoRA(FLAN, verbalizer="{{input}}"), "needs words between the input and the answer"),
        (wx.PromptTuning(FLAN, init_text="word " * 5_000), "init_text has 25,000 characters; watsonx takes 4,000"),
        (wx.PromptTuning(FLAN, early_stopping_patience=3), "takes no early_stopping_patience=3"),
    ],
)
def test_whatever_the_service_or_its_body_would_refuse_is_told_by_the_plan(many: Wire, method: Any, said: str) -> None:
    assert said in problems_of(asked(many, method))
    assert said in problems_of(asked(many, method).load(ROWS[:10]))


def test_a_word_that_the_specification_does_not_list_is_refused(many: Wire) -> None:
    functions = ("prompt_tune_trainable", "lora_fine_tune_trainable")
    told = {
        **spec(functions=functions), "model_id": FLAN,
        "training_parameters": {"init_method": {"supported": ["random"]}},
        "lora_fine_tuning_parameters": {"peft_parameters": {"target_modules": {"supported": ["q", "v"]}}},
    }  # fmt: skip
    with telling(many, told):
        assert "init_method is text; watsonx takes random" in problems_of(
            asked(many, wx.PromptTuning(FLAN, init_text="Say:"))
        )
        text = problems_of(asked(many, wx.LoRA(FLAN, target_modules=("q", "nonsense"))))
        assert asked(many, wx.LoRA(FLAN, target_modules=("q",), num_epochs=1)).plan()
    assert "target_modules is q, nonsense; watsonx takes q or v" in text


def test_a_lora_left_open_is_as_long_as_the_service_s_own_default(many: Wire) -> None:
    method = asked(many, wx.LoRA(FLAN)).plan().spec.method
    assert (method.max_input_tokens, method.max_output_tokens) == (256, 128)


def test_layers_that_the_model_does_not_have_are_refused_when_the_job_is_created(cpd_wire: Wire) -> None:
    with pytest.raises(wx.WxTuningError, match=r"target_modules \['nonsense'\] do not fit wxtuning/tiny; .*q_proj"):
        asked(cpd_wire, wx.LoRA(target_modules=("nonsense",), num_epochs=1)).submit()


@pytest.mark.parametrize(
    ("entry", "refused", "said"),
    [
        ({"max": 50}, 99, "up to 50"),
        ({"max": 50, "default": 20}, 99, "up to 50"),
        ({"min": 2}, 1, "from 2"),
        ({"min": 1, "max": 50}, 99, "1 to 50"),
        ({"supported": [5, 10]}, 7, "5 or 10"),
    ],
)
def test_an_entry_that_tells_only_a_part_bounds_by_that(entry: dict[str, Any], refused: int, said: str) -> None:
    told = dict(parameters({"training_parameters": {"num_epochs": entry}}, wx.PromptTuning()))
    assert not told["num_epochs"].takes(refused) and told["num_epochs"].takes(5) and str(told["num_epochs"]) == said


@pytest.mark.parametrize("entry", [None, "many", {"default": "text"}, {"supported": ["random"]}, {}])
def test_an_entry_that_says_nothing_we_understand_bounds_nothing(entry: object) -> None:
    told = {"training_parameters": {"num_epochs": entry, "batch_size": {"min": 1, "max": 4, "default": 2}}}
    assert [name for name, _ in parameters(told, wx.PromptTuning())] == ["batch_size"]


TOLD = {
    **spec(("available", "2024-01-01"), functions=("prompt_tune_trainable", "lora_fine_tune_trainable")),
    "task_ids": ["generation"],
    "model_limits": {"max_sequence_length": 4096, "training_data_max_records": 5000},
    "training_parameters": {"num_virtual_tokens": {"supported": [20, 50], "default": 20}},
    "lora_fine_tuning_parameters": {
        "max_seq_length": {"min": 1, "max": 512, "default": 512},
        "peft_parameters": {"rank": {"min": 1, "max": 64, "default": 8}},
    },
}
ODD = (None, 7, "x", True, [], {}, [7], [None], [{}], {"a": 1})


def places_in(told: Any) -> Iterator[tuple[Any, Any]]:
    """Every part of a specification, as what holds it and its name there."""
    for name in told if isinstance(told, dict) else range(len(told)) if isinstance(told, list) else ():
        yield told, name
        yield from places_in(told[name])


@pytest.mark.parametrize("method", [wx.PromptTuning("m"), wx.LoRA("m")], ids=["prompt tuning", "LoRA"])
def test_a_specification_of_odd_kinds_is_refused_or_read_as_far_as_it_goes(method: Any) -> None:
    met = []
    told = deepcopy(TOLD)
    for holder, name in list(places_in(told)):
        kept = holder[name]
        for odd in ODD:
            holder[name] = odd
            service: Any = Silent("cpd.example.com", "5.2", deepcopy(told), spec())
            capabilities = Capabilities(service, lambda: date(2026, 1, 1))
            for work in (
                capabilities.models,
                partial(capabilities.limits, method),
                partial(capabilities.context_tokens, "m"),
            ):
                try:
                    work()
                except wx.NotOffered:
                    continue
                except Exception as error:  # noqa: BLE001 - which is what is looked for
                    met.append(f"{name} is {odd!r}: {error!r}")
        holder[name] = kept
    assert met == []


# --- places where tuning has ended ------------------------------------------------------------------------------------


class Silent:
    """A service that must not be asked; only its host, its version and its models are known."""

    container = Container("project", "p")

    def __init__(self, host: str, version: str = "", *specs: dict[str, Any]) -> None:
        self.host = host
        self.version = version
        self.specs = specs

    def pages(self, *_: object, **__: object) -> Iterator[dict[str, Any]]:
        yield from self.specs


def refusal(host: str, method: Any = None, version: str = "", today: date = TODAY) -> str:
    service: Any = Silent(host, version)
    with pytest.raises(wx.NotOffered) as caught:
        Capabilities(service, lambda: today).limits(method or wx.PromptTuning(FLAN))
    return str(caught.value)


@pytest.mark.parametrize(
    "host", ["us-south.ml.cloud.ibm.com", "eu-de.ml.cloud.ibm.com:443", "ap-south-1.aws.wxai.ibm.com"]
)
def test_saas_is_refused_with_the_date_and_the_two_ways_on(host: str) -> None:
    text = refusal(host)
    assert "2026-09-10" in text and "this machine" in text and "cluster" in text


def test_saas_before_its_end_is_asked_like_any_other() -> None:
    assert "has no model for prompt tuning" in refusal("us-south.ml.cloud.ibm.com", today=date(2026, 9, 9))


@pytest.mark.parametrize("version", ["6.0", "6.1", "10.0"])
def test_cloud_pak_for_data_6_is_refused_with_the_ways_on(version: str) -> None:
    text = refusal("cpd.example.com", version=version)
    assert f"Cloud Pak for Data {version}" in text and "6.0.0" in text and "this machine" in text


def test_cloud_pak_for_data_5_without_tunable_models_says_so() -> None:
    assert "cpd.example.com has no model for LoRA" in refusal("cpd.example.com", wx.LoRA(FLAN), version="5.2")


@pytest.mark.parametrize(
    ("host", "version", "method"),
    [("us-south.ml.cloud.ibm.com", "", None), ("cpd.example.com", "6.0", "lora"), ("cpd.example.com", "5.2", None)],
)
def test_where_nothing_can_be_tuned_no_models_are_listed_and_the_reason_is_said(
    host: str, version: str, method: str | None
) -> None:
    service: Any = Silent(host, version)
    with pytest.raises(wx.NotOffered) as caught:
        Capabilities(service, lambda: TODAY).models(method)
    assert "this machine" in str(caught.value)


def test_models_for_lora_on_the_cloud_are_refused_as_a_plan_is(cloud: Running) -> None:
    with wire_to(cloud) as wire:
        backend = Watsonx(**asked_of(wire))
        assert len(wx.models(backend, method=wx.PromptTuning)) == 1
        with pytest.raises(wx.NotOffered, match="2026-09-10"):
            wx.models(backend, method=wx.LoRA())


def test_lora_is_not_offered_on_the_cloud(cloud: Running) -> None:
    with wire_to(cloud) as wire:
        text = problems_of(asked(wire, wx.LoRA()))
    assert "2026-09-10" in text and "PromptTuning" in text


def test_lora_on_cloud_pak_for_data_has_its_own_limits(cpd_wire: Wire) -> None:
    text = problems_of(asked(cpd_wire, wx.LoRA(r=500)))
    assert "r is 500; watsonx takes 1 to 128" in text


# --- tokens -----------------------------------------------------------------------------------------------------------


def counts(wire: Wire) -> int:
    return wire.asked[COUNT]


def test_rows_that_fit_are_not_counted_by_requests(cpd_wire: Wire) -> None:
    asked(cpd_wire, wx.PromptTuning()).plan()
    assert counts(cpd_wire) == 0


def test_rows_that_may_not_fit_are_counted_by_the_service(cpd_wire: Wire) -> None:
    rows = [{"input": f"comment {n} " * 30, "output": "good"} for n in range(60)]
    report = asked(cpd_wire, wx.PromptTuning()).load(rows).tokens()
    assert (report.counted, report.rows) == (50, 60) and 0 < counts(cpd_wire) <= 100
    here = wx.TuningExperiment("here").load(rows).tune(wx.PromptTuning()).tokens()
    assert abs(report.inputs.most - here.inputs.most) <= 1


def test_a_count_names_the_project(cpd_wire: Wire) -> None:
    asked(cpd_wire, wx.PromptTuning()).load(ROWS[:60]).tokens(exact=True)
    (sent, *_) = cpd_wire.of(COUNT)
    assert sent.json["project_id"] == cpd_wire.ready["project_id"]


def test_all_rows_are_counted_where_that_is_asked_for_and_none_twice(cpd_wire: Wire) -> None:
    experiment = asked(cpd_wire, wx.PromptTuning()).load(ROWS[:60])
    assert experiment.tokens(exact=True).exact
    first = counts(cpd_wire)
    assert experiment.tokens(exact=True).exact and counts(cpd_wire) == first == 62


def test_a_count_that_fails_is_told_at_once_while_others_hang(cpd_wire: Wire, connected: Connect, held: Held) -> None:
    cpd_wire.breaks(COUNT, Refusal(400), where=lambda asked: asked.json["input"] == "bad")
    cpd_wire.breaks(COUNT, held, times=ALWAYS)
    tokenizer = connected(cpd_wire).tokenizer(wx.PromptTuning())
    with pytest.raises(wx.AdapterError, match="refused with 400"):
        tokenizer.count([("good", "bad"), *((f"good {n}", "good") for n in range(40))])
    assert held.ended == 0
    assert counts(cpd_wire) <= 8


def test_a_count_that_is_not_told_is_no_count(cpd_wire: Wire, connected: Connect) -> None:
    cpd_wire.breaks(COUNT, Refusal(200, b'{"result": null}'), times=ALWAYS)
    with pytest.raises(wx.Unavailable, match="counted no tokens: its answer holds result"):
        connected(cpd_wire).tokenizer(wx.PromptTuning()).count([("good", "bad")])


# --- runs of others ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_that_the_sdk_started_becomes_an_experiment(cpd_sdk: Ask, cpd_wire: Wire, tmp_path: Path) -> None:
    """Base model and number of virtual tokens included, which the SDK itself loses."""
    identity = cpd_sdk(tuned, tmp_path, epochs=1)["id"]
    backend = Watsonx(**asked_of(cpd_wire))
    assert identity in [run.job.id for run in wx.runs(backend)]
    method = wx.Plan.from_run(backend.run(identity)).method
    assert isinstance(method, wx.PromptTuning)
    assert (method.model, method.num_virtual_tokens, method.num_epochs) == ("wxtuning/tiny", 20, 1)

    ready, out = tmp_path / "ready.json", tmp_path / "experiment.yaml"
    ready.write_text(json.dumps(cpd_wire.ready))
    done = CliRunner().invoke(app, ["rescue", identity, "--ready-file", str(ready), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert wx.TuningExperiment.from_yaml(out).plan().train.rows == 60
