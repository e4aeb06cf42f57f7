"""A plan finds what a limit would spoil before anything is paid, and shows what the model will see."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import datasets
import pytest

import wxtuning as wx
from wxtuning.ports import Limits, ModelOffer, Range
from wxtuning.rows.verdict import FileRow, Reject
from wxtuning.testing import FakeBackend

WATSONX = Limits(
    fingerprint="flan-t5-xl",
    parameters={
        "num_epochs": Range(low=1, high=50, default=20),
        "batch_size": Range(low=1, high=16, default=16),
        "accumulate_steps": Range(low=1, high=128, default=16),
        "learning_rate": Range(low=1e-5, high=0.5, default=0.3),
        "max_input_tokens": Range(low=1, high=256, default=256),
        "max_output_tokens": Range(low=1, high=128, default=128),
    },
    min_rows=50,
    max_rows=10_000,
    max_bytes=200_000_000,
)
"""What watsonx.ai takes for flan-t5-xl."""


def texts(count, words=3, answer=2):
    return [{"input": " ".join([f"word{n}"] * words), "output": " ".join([f"good{n}"] * answer)} for n in range(count)]


def experiment(rows, task="generation", limits=WATSONX):
    return wx.TuningExperiment("limits", task=task).load(rows).on(FakeBackend(limits_of=limits))


def problems_of(asked):
    with pytest.raises(wx.PlanError) as caught:
        asked.plan()
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(("count", "said"), [(49, "49 training rows"), (10_001, "10001 training rows")])
def test_too_few_or_too_many_rows_say_the_number_and_the_range(count, said):
    text = problems_of(experiment(texts(count)))
    assert f"{said}; fake takes 50 to 10,000" in text


def test_rows_at_both_ends_of_the_range_are_taken():
    assert experiment(texts(50)).plan().train.rows == 50
    assert experiment(texts(10_000)).plan().train.rows == 10_000


def test_too_many_bytes_say_both_sizes():
    limits = Limits(fingerprint="x", parameters=WATSONX.parameters, max_bytes=3_000)
    text = problems_of(experiment(texts(100), limits=limits))
    assert "bytes; fake takes up to 3,000" in text


@pytest.mark.parametrize(("name", "value"), [("max_input_tokens", 257), ("max_output_tokens", 129), ("num_epochs", 51)])
def test_a_parameter_beyond_the_model_says_value_and_range(name, value):
    text = problems_of(experiment(texts(60)).tune(**{name: value}))
    assert f"{name} is {value}; fake takes 1 to {WATSONX.parameters[name].high}" in text


def test_token_limits_are_those_of_the_backend_where_nothing_is_said():
    limits = Limits(
        fingerprint="x", parameters={**WATSONX.parameters, "max_input_tokens": Range(low=1, high=1024, default=512)}
    )
    method = experiment(texts(60), limits=limits).plan().spec.method
    assert (method.max_input_tokens, method.max_output_tokens) == (512, 128)


def test_a_label_longer_than_the_backend_takes_is_a_problem():
    rows = [{"input": f"text {n}", "output": ("a " * 200).strip() if n % 2 else "b"} for n in range(60)]
    assert "max_output_tokens is 201; fake takes 1 to 128" in problems_of(experiment(rows, "classification"))


CUT = [*texts(60), {"input": "long answer", "output": " ".join(["word"] * 140)}]


def test_an_answer_that_would_be_cut_is_a_problem_with_its_row_and_the_ways_out():
    text = problems_of(experiment(CUT))
    assert (
        "1 output is longer than max_output_tokens=128 (row 61; the longest has 141 tokens, 13 are over the limit"
        in text
    )
    assert "allow_cut_outputs=True" in text
    assert "raise max_output_tokens" not in text


def test_a_limit_that_can_be_raised_says_how_far():
    text = problems_of(experiment(CUT).tune(max_output_tokens=100))
    assert "raise max_output_tokens (up to 128 here)" in text


def test_a_cut_answer_can_be_allowed_and_is_then_a_warning():
    plan = experiment(CUT).to_jsonl(allow_cut_outputs=True).plan()
    assert any("1 output is longer than max_output_tokens=128" in warning for warning in plan.warnings)
    assert plan.tokens.outputs.cut == (61,)


LONG_INPUT = [*texts(60), {"input": " ".join(["word"] * 300), "output": "short"}]


def test_a_cut_input_is_a_warning_but_for_summaries():
    plan = experiment(LONG_INPUT).plan()
    assert any("1 input is longer than max_input_tokens=256" in warning for warning in plan.warnings)
    text = problems_of(experiment(LONG_INPUT, "summarization"))
    assert "summarize what it cannot see" in text
    assert experiment(LONG_INPUT, "summarization").to_jsonl(allow_cut_inputs=True).plan().tokens.inputs.cut == (61,)


def test_allowing_cuts_does_not_change_the_job():
    asked = experiment(texts(60))
    assert asked.plan().job_key == asked.to_jsonl(allow_cut_outputs=True).plan().job_key


def test_validation_rows_are_measured_too():
    plan = experiment(texts(100)).to_jsonl(validation=0.2).plan()
    assert plan.tokens.rows == plan.train.rows + plan.validation.rows == 100


def test_rows_longer_than_the_model_are_a_problem():
    limits = Limits(fingerprint="x", parameters=WATSONX.parameters, context_tokens=40)
    asked = experiment([*texts(60), {"input": " ".join(["word"] * 30), "output": "one two"}], limits=limits)
    text = problems_of(asked.tune(num_virtual_tokens=8))
    assert "1 row is longer than the 40 tokens, 8 of them virtual, that the model takes (row 61)" in text


def test_rows_to_be_scored_that_leave_no_place_for_an_answer_are_a_problem():
    limits = Limits(fingerprint="x", parameters=WATSONX.parameters, context_tokens=40)
    own = [{"input": " ".join(["other"] * 38), "output": "yes"}, {"input": "another text", "output": "yes"}]
    text = problems_of(experiment(texts(60), limits=limits).evaluate(test=own))
    assert "1 row is to be scored but too long for an answer in the model's 40 tokens (row 1)" in text


def test_a_template_that_alone_is_too_long_is_a_problem():
    asked = experiment(texts(60)).tune(max_input_tokens=3, verbalizer="one two three four {{input}}")
    assert "the verbalizer alone has 4 tokens, max_input_tokens is 3" in problems_of(asked)


def test_lengths_can_be_seen_although_the_plan_is_refused():
    assert experiment(CUT).tokens().outputs.cut == (61,)


def test_a_cut_row_can_be_looked_at_although_the_plan_is_refused():
    row = experiment(CUT).xray(rows=[61])[0]
    assert (row.number, row.lost_output_tokens, row.in_loss) == (61, 13, 128)


def test_an_xray_shows_the_first_rows_to_tune_on():
    rows = experiment(texts(60)).evaluate(holdout=0.2).xray(2)
    assert len(rows) == 2
    assert [row.number for row in rows] == sorted(row.number for row in rows)
    assert "count in the loss" in str(rows)
    assert "<span" in rows._repr_html_()


def test_an_xray_of_a_row_that_is_not_tuned_on_says_so():
    with pytest.raises(wx.PlanError, match="row 999 is not among the rows to tune on"):
        experiment(texts(60)).xray(rows=[999])


def test_an_xray_of_no_row_says_so():
    with pytest.raises(wx.PlanError, match="n is 0; expected the number of rows to show"):
        experiment(texts(60)).xray(0)


def test_the_plan_shows_three_rows_as_the_model_sees_them():
    plan = experiment(texts(60)).plan()
    assert plan.samples[0].number == 1
    assert plan.samples[0].prompt == "Input: word0 word0 word0 Output:"
    assert plan.samples[0].answer == " good0 good0</s>"
    assert len(plan.samples) == 3
    assert "row 1 as the model sees it" in str(plan)


def test_the_plan_of_a_real_model_shows_its_own_tokens():
    plan = wx.TuningExperiment("real").load(texts(60)).plan()
    assert plan.samples[0].prompt == "Input: word0 word0 word0 Output:"
    assert plan.samples[0].answer == " good0 good0<|end|>"


def test_inferred_columns_are_named_in_the_plan():
    rows = [{"prompt": f"ask {n}", "completion": f"reply {n}"} for n in range(60)]
    plan = experiment(rows).plan()
    assert (plan.spec.mapping.input, plan.spec.mapping.output) == ("prompt", "completion")
    assert "'prompt' → 'completion' (prompt/completion)" in str(plan)


def test_inferred_and_named_columns_are_the_same_run():
    rows = [{"prompt": f"ask {n}", "completion": f"reply {n}"} for n in range(60)]
    named = experiment(rows).to_jsonl(input="prompt", output="completion")
    assert experiment(rows).plan().digest == named.plan().digest


def test_columns_that_could_mean_anything_are_a_problem_that_lists_them():
    rows = [{"a": f"ask {n}", "b": f"reply {n}", "c": "x"} for n in range(60)]
    text = problems_of(experiment(rows))
    assert "'a', 'b', 'c'" in text


class Own:
    """A Source of the user's own, without a fingerprint."""

    def __init__(self, items):
        self.items = items

    def rows(self):
        return iter(self.items)

    def describe(self):
        return "my own rows"


class Pinned(Own):
    def fingerprint(self):
        return "owner/name@0123456789abcdef"


def test_the_plan_carries_what_pins_the_source():
    assert experiment(Pinned(texts(60))).plan().source_fingerprint == "owner/name@0123456789abcdef"
    assert "owner/name@0123456789abcdef" in str(experiment(Pinned(texts(60))).plan())
    assert experiment(Own(texts(60))).plan().source_fingerprint == ""


def test_another_place_with_the_same_rows_is_the_same_run():
    assert experiment(Pinned(texts(60))).plan().digest == experiment(texts(60)).plan().digest


BAD = [
    *texts(60),
    FileRow({"input": "a", "output": 7}, 62),
    FileRow({"input": "b"}, 63),
    Reject(number=63, field="", code="invalid_json", message="no JSON", line=64, file="part.jsonl"),
]


def test_a_rejected_row_stops_the_plan_with_its_place():
    text = problems_of(experiment(Own(BAD)))
    assert "row 61 (line 62), output: " in text
    assert "row 63 (part.jsonl, line 64)" in text


def test_many_rejected_rows_are_counted_by_code_with_a_way_out():
    text = problems_of(experiment(Own([*texts(60), *[{"input": "b", "output": 7}] * 20])))
    assert "… and 15 more rows like these (20 wrong_type in all)" in text
    assert "on_reject='skip'" in text


def skipping(items=BAD):
    backend = FakeBackend(limits_of=WATSONX)
    return wx.TuningExperiment("skip").load(Own(items), on_reject="skip").wait(every=0.001).on(backend)


def test_rejected_rows_can_be_left_out_and_the_plan_says_so():
    plan = skipping().plan()
    assert (plan.report.read, plan.train.rows) == (63, 60)
    assert any("3 rows are rejected and left out" in warning for warning in plan.warnings)


def test_rows_that_are_left_out_are_listed_in_a_file_without_their_text():
    run = skipping().run()
    listed = [json.loads(line) for line in (run.folder / "rejected.jsonl").read_text().splitlines()]
    assert [(row["number"], row["line"], row["code"]) for row in listed] == [
        (61, 62, "wrong_type"),
        (62, 63, "missing_field"),
        (63, 64, "invalid_json"),
    ]
    assert all(set(row) == {"part", "source", "number", "field", "code", "message", "line", "file"} for row in listed)


def test_a_run_without_rejects_has_no_such_file(rows):
    assert not (skipping(texts(60)).run().folder / "rejected.jsonl").exists()


def test_skipping_nothing_is_the_same_run_as_stopping():
    assert (
        skipping(texts(60)).plan().digest
        == wx.TuningExperiment("skip").load(texts(60)).on(FakeBackend(limits_of=WATSONX)).plan().digest
    )


def test_no_good_row_is_a_problem_also_where_bad_ones_are_skipped():
    assert "no rows are left of 1 read" in problems_of(skipping([{"input": "a", "output": 7}]))


def test_a_random_sample_is_taken_of_each_label_and_repeats():
    rows = [{"input": f"text number {n * n}", "output": "rare" if n % 4 == 0 else "common"} for n in range(200)]

    def plan(seed):
        asked = wx.TuningExperiment("sample", task="classification").load(rows, limit=40, sample="random", seed=seed)
        return asked.on(FakeBackend()).plan()

    assert plan(1).report.labels == {"common": 30, "rare": 10}
    assert plan(1).digest == plan(1).digest
    assert plan(1).train != plan(2).train


def own_test(test, **how):
    return experiment(texts(60)).evaluate(test=test, **how)


OTHER = [{"input": f"never seen question number {n} about {n * 7}", "output": f"reply {n}"} for n in range(12)]


def test_rows_of_ones_own_are_scored_and_none_is_held_out():
    plan = own_test(OTHER).plan()
    assert (plan.train.rows, plan.test.rows, plan.test_report.read) == (60, 12, 12)
    assert plan.test_source == "12 rows in memory"
    assert "rows to be scored" in str(plan)


def test_rows_of_ones_own_may_lie_in_a_file(tmp_path):
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in OTHER))
    from_file = own_test(str(file)).plan()
    assert from_file.test == own_test(OTHER).plan().test
    assert own_test(None).evaluate(wx.Evaluation(test=str(file))).plan().test == from_file.test


def test_ones_own_rows_may_be_another_split_of_what_was_loaded():
    splits = datasets.DatasetDict(train=datasets.Dataset.from_list(texts(60)), test=datasets.Dataset.from_list(OTHER))
    asked = experiment(splits).load(splits, split="train", columns=["input", "output"])
    plan = asked.evaluate(test=splits, test_split="test").plan()
    assert plan.test == own_test(OTHER).plan().test
    with pytest.raises(wx.DataError, match=r"test \(12 rows\)"):
        asked.evaluate(test=splits).plan()


def test_where_ones_own_rows_lie_does_not_change_the_run(tmp_path):
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in OTHER))
    assert own_test(file).plan().digest == own_test(OTHER).plan().digest


def test_ones_own_rows_that_were_trained_on_are_refused():
    with pytest.raises(wx.LeakageError):
        own_test([*OTHER, texts(60)[3]]).plan()


def test_a_sample_of_the_training_file_is_no_test_set():
    with pytest.raises(wx.LeakageError, match="20 rows to be scored were trained on"):
        own_test(random.Random(42).sample(texts(60), 20)).plan()


def test_a_reworded_training_row_is_refused_too():
    trained = [*texts(60), {"input": STORY, "output": "answer"}]
    twin = {"input": STORY.replace("house", "flat"), "output": "answer"}
    with pytest.raises(wx.LeakageError, match="1 rows to be scored were nearly trained on: rows 13"):
        experiment(trained).evaluate(test=[*OTHER, twin]).plan()


STORY = "on a Tuesday in March the old lady from the house at the corner lost her keys and nobody helped her for hours"


def test_a_byte_order_mark_is_told_in_the_plan(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("\ufeff" + "".join(json.dumps(row) + "\n" for row in texts(60)), encoding="utf-8")
    assert "a byte-order mark at the start of 1 files was dropped" in experiment(file).plan().warnings


def test_a_bad_row_among_ones_own_stops_the_plan():
    assert "test row 13, output: " in problems_of(own_test([*OTHER, {"input": "a", "output": None}]))


def test_a_later_holdout_replaces_ones_own_rows():
    plan = own_test(OTHER).evaluate(holdout=0.1).plan()
    assert plan.test_report is None
    assert plan.train.rows == 54


def test_the_data_report_is_there_although_rows_are_rejected():
    view = experiment(Own(BAD)).data()
    assert view.reasons["wrong_type"] == 1
    assert view.rows("wrong_type") == (61,)
    assert view.rows("invalid_json") == (63,)


def test_a_reason_that_no_row_has_lists_those_that_are():
    with pytest.raises(wx.DataError, match=r"(?s)as 'wrong_typ'.*reasons here are: .*wrong_type"):
        experiment(Own(BAD)).data().rows("wrong_typ")


def test_the_data_report_is_tables_html_json_and_a_frame():
    view = experiment(Own([*BAD, {"input": "", "output": "x"}])).clean().data()
    assert "removed: empty input" in str(view)
    assert "Tokens" in str(view)
    assert "<table>" in view._repr_html_()
    told = json.loads(view.to_json())
    assert (told["read"], told["kept"]) == (64, 60)
    assert told["tokens"]["rows"] == 60
    frame = view.frame()
    assert list(frame.columns) == ["row", "line", "file", "what", "reason", "field", "message"]
    assert set(frame[frame.what == "rejected"].row) == {61, 62, 63}
    assert list(frame[frame.what == "removed"].row) == [64]


def test_a_frame_of_nothing_has_its_columns():
    assert list(experiment(texts(60)).data().frame().columns)[:2] == ["row", "line"]
    assert len(experiment(texts(60)).data().frame()) == 0


def test_the_labels_are_listed_with_their_shares(rows):
    asked = wx.TuningExperiment("colours", task="classification").load(rows).to_jsonl(input="text", output="colour")
    assert "50.0%" in str(asked.on(FakeBackend()).data())


def test_a_run_shows_its_data(rows):
    run = skipping().run()
    assert run.report.data.rows("wrong_type") == (61,)
    assert "rejected: wrong_type" in str(run.report)


def test_a_plan_with_everything_reads_back_equal():
    plan = own_test(OTHER).plan()
    assert wx.Plan.from_json(plan.to_json()) == plan


# --- backends where every token counted is a request ------------------------------------------------------------------


class Dear(FakeBackend):
    """A backend whose tokenizer costs a request for every text."""

    def tokenizer(self, method):
        return replace(super().tokenizer(method), dear=True)


def dear(rows, **limits):
    backend = Dear(limits_of=replace(WATSONX, **limits))
    return wx.TuningExperiment("dear").load(rows).on(backend), backend


def test_rows_that_surely_fit_are_not_counted_where_counting_costs_requests():
    asked, backend = dear(texts(200))
    plan = asked.plan()
    assert (plan.tokens.counted, backend.counted) == (0, [])
    assert "about" in str(plan) and "bytes a token" in str(plan.tokens)


def test_of_rows_that_may_not_fit_only_some_are_counted_and_the_others_estimated_by_them():
    asked, backend = dear(texts(400, words=60), max_rows=10_000)
    report = asked.tokens()
    assert sum(backend.counted) == report.counted == 50
    exact = asked.tokens(exact=True)
    assert exact.exact and abs(report.tokens_per_epoch - exact.tokens_per_epoch) < 0.1 * exact.tokens_per_epoch


def test_labels_are_given_room_without_counting_them():
    rows = [{"input": f"text {n}", "output": "good" if n % 2 else "bad"} for n in range(60)]
    backend = Dear(limits_of=WATSONX)
    plan = wx.TuningExperiment("dear", task="classification").load(rows).on(backend).plan()
    assert plan.spec.method.max_output_tokens == len("good") + 1 and backend.counted == []


def test_a_value_that_is_none_of_the_choices_names_them():
    choices = Range(low=20, high=100, default=100, choices=(20.0, 50.0, 100.0))
    limits = replace(WATSONX, parameters={**WATSONX.parameters, "num_virtual_tokens": choices})
    text = problems_of(experiment(texts(60), limits=limits).tune(num_virtual_tokens=30))
    assert "num_virtual_tokens is 30; fake takes 20 or 50 or 100" in text


def test_a_parameter_that_changes_nothing_there_is_no_part_of_the_job_and_that_is_told():
    asked = experiment(texts(60), limits=replace(WATSONX, ignored=("seed",)))
    plain, seeded = asked.plan(), asked.tune(seed=7).plan()
    assert (seeded.job_key, seeded.key) == (plain.job_key, plain.key)
    assert set(seeded.warnings) - set(plain.warnings) == {"seed=7 has no effect: fake takes no seed"}
    assert "seed=" not in str(plain) and wx.Plan.from_json(seeded.to_json()) == seeded


def test_a_parameter_that_changes_something_is_part_of_the_job_and_shown():
    asked = experiment(texts(60))
    assert asked.tune(seed=7).plan().job_key != asked.plan().job_key
    assert "seed=7" in str(asked.tune(seed=7).plan())


def test_what_a_backend_says_of_its_model_and_itself_is_told_by_the_plan():
    plan = experiment(texts(60), limits=replace(WATSONX, warnings=("the model is deprecated",))).plan()
    assert plan.warnings[0] == "the model is deprecated" and "the model is deprecated" in str(plan)


def test_a_task_that_the_model_is_not_for_is_a_problem():
    limits = replace(WATSONX, offer=ModelOffer(id="m", methods=("prompt_tuning",), tasks=("summarization",)))
    assert "task is 'generation'; wxtuning/tiny on fake is for summarization" in problems_of(
        experiment(texts(60), limits=limits)
    )
    assert experiment(texts(60), "summarization", limits=limits).plan()


def test_what_the_backend_would_refuse_of_the_request_is_a_problem_beside_the_others():
    class Refusing(FakeBackend):
        def problems_of(self, request):
            return (f"no {request.task} of {request.name} in {request.method.num_epochs} epochs",)

    asked = wx.TuningExperiment("limits").load(texts(10)).on(Refusing(limits_of=WATSONX))
    text = problems_of(asked)
    assert "no generation of limits in 20 epochs" in text and "10 training rows" in text


def test_a_bound_without_a_default_bounds_what_was_said_and_leaves_open_what_was_not():
    limits = replace(WATSONX, parameters={**WATSONX.parameters, "num_epochs": Range(high=50)})
    assert "num_epochs is 99; fake takes up to 50" in problems_of(
        experiment(texts(60), limits=limits).tune(num_epochs=99)
    )
    assert experiment(texts(60), limits=limits).plan().spec.method.num_epochs is None


@pytest.mark.parametrize(
    ("found", "said"),
    [(Range(), "any number"), (Range(low=2), "from 2"), (Range(high=3), "up to 3"), (Range(low=2, high=3), "2 to 3")],
)
def test_a_range_says_the_ends_that_are_known(found, said):
    assert str(found) == said


def test_limits_are_a_table():
    limits = replace(WATSONX, context_tokens=512, platform="a place", warnings=("soon over",))
    text = str(limits)
    assert all(part in text for part in ("flan-t5-xl", "1 to 50", "50 to 10000", "512", "a place", "soon over"))


def test_an_evaluation_where_only_deployments_answer_needs_one():
    asked = experiment(texts(100), limits=replace(WATSONX, needs_deployment=True)).evaluate()
    assert "needs .deploy(name)" in problems_of(asked)
    assert asked.deploy("there").plan()


def test_validation_rows_where_none_are_taken_are_a_problem():
    asked = experiment(texts(100), limits=replace(WATSONX, takes_validation=False)).to_jsonl(validation=0.2)
    assert "takes no validation rows; leave .to_jsonl(validation=0.2) out" in problems_of(asked)
