"""Whether the lines fit the model: what is cut, what is too long, and what may be done about it. Sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from wxtuning.lines import Lines
from wxtuning.ports import Limits, Tuner
from wxtuning.records import Record
from wxtuning.spec import ExperimentSpec, Method, PromptTuning
from wxtuning.tokens import Lengths, Room, Tokenizer, TokenReport, measured, rendered

FEW = 5
"""So many row numbers stand in a message."""


def fitted(
    spec: ExperimentSpec, method: Method, read: Lines, limits: Limits, tuner: Tuner, problems: list[str], *,
    instruction: str, exact: bool,
) -> TokenReport:  # fmt: skip
    """Measure the rows to tune on, and find whatever a limit would spoil.

    Args:
        spec, read: What was asked for, and its lines; at least one to train on.
        method: With no parameter left open.
        limits, tuner: Where it would run.
        problems: Gets everything that is wrong.
        instruction: What the untuned model is told when it is scored.
        exact: Count every row.
    """
    tokenizer = tuner.tokenizer(method)
    problems += _template(method, tokenizer)
    report = measured([*read.train, *read.validation], _room(method, limits), tokenizer, exact=exact)
    problems += _forbidden_cuts(spec, report, limits)
    if report.beyond:
        problems.append(_beyond(report, method, limits))
    problems += _unaskable(read.test, method, limits, tuner, instruction)
    return report


def warned(spec: ExperimentSpec, report: TokenReport) -> list[str]:
    """What is cut with permission, or without need of one."""
    inputs = [] if _forbids_cut_inputs(spec) else _cut("input", report.inputs)
    outputs = _cut("output", report.outputs) if spec.mapping.allow_cut_outputs else []
    return [f"{text} and will be cut" for text in [*inputs, *outputs]]


def _room(method: Method, limits: Limits) -> Room:
    return Room(
        template=method.verbalizer,
        inputs=method.max_input_tokens or 0,
        outputs=method.max_output_tokens or 0,
        both=None if limits.context_tokens is None else limits.context_tokens - _virtual(method),
    )


def _virtual(method: Method) -> int:
    return (method.num_virtual_tokens or 0) if isinstance(method, PromptTuning) else 0


def _template(method: Method, tokenizer: Tokenizer) -> list[str]:
    limit = method.max_input_tokens or 0
    bound = tokenizer.bound.most(rendered(method.verbalizer, "")) if tokenizer.bound else None
    if bound is not None and bound <= limit:
        return []
    ((alone, _),) = tokenizer.count([("", "a")])
    if alone <= limit:
        return []
    return [
        f"the verbalizer alone has {alone} tokens, max_input_tokens is {method.max_input_tokens}; "
        "shorten the one or raise the other"
    ]


def _forbids_cut_inputs(spec: ExperimentSpec) -> bool:
    # What a summary speaks of may stand in the part that is gone.
    return spec.task == "summarization" and not spec.mapping.allow_cut_inputs


def _forbidden_cuts(spec: ExperimentSpec, report: TokenReport, limits: Limits) -> list[str]:
    outputs = [] if spec.mapping.allow_cut_outputs else _cut("output", report.outputs)
    inputs = _cut("input", report.inputs) if _forbids_cut_inputs(spec) else []
    return [
        *(f"{text}; {_HALF_ANSWERS}; {_way('output', report.outputs, limits)}" for text in outputs),
        *(f"{text}; {_UNSEEN}; {_way('input', report.inputs, limits)}" for text in inputs),
    ]


_HALF_ANSWERS = "the model would learn answers without their end"
_UNSEEN = "the model would learn to summarize what it cannot see"


def _cut(what: str, lengths: Lengths) -> list[str]:
    if not lengths.cut:
        return []
    return [
        f"{_many(len(lengths.cut), what)} longer than max_{what}_tokens={lengths.limit} ({_few(lengths.cut)}; "
        f"the longest has {lengths.most} tokens, {lengths.lost:,} are over the limit in all)"
    ]


def _way(what: str, lengths: Lengths, limits: Limits) -> str:
    name = f"max_{what}_tokens"
    allowed = limits.parameters.get(name)
    ways = [f"leave these rows out, or allow it with .to_jsonl(allow_cut_{what}s=True)"]
    if allowed is None or allowed.high > lengths.limit:
        ways.insert(
            0, f"raise {name}" + (f" (up to {allowed.high:g} here)" if allowed and isfinite(allowed.high) else "")
        )
    return ", ".join(ways)


def _beyond(report: TokenReport, method: Method, limits: Limits) -> str:
    virtual = _virtual(method)
    room = f"{limits.context_tokens} tokens" + (f", {virtual} of them virtual," if virtual else "")
    return (
        f"{_many(len(report.beyond), 'row')} longer than the {room} that the model takes ({_few(report.beyond)}); "
        "lower max_input_tokens or max_output_tokens, or leave out what is too long"
    )


def _unaskable(
    test: Sequence[Record], method: Method, limits: Limits, tuner: Tuner, instruction: str
) -> list[str]:  # fmt: skip
    """Rows to be scored whose prompt leaves no place for an answer; they are not cut, so they would fail when asked."""
    if limits.context_tokens is None:
        return []
    literal = instruction.replace("{{input}}", "{ {input} }")
    told = method.model_copy(update={"verbalizer": f"{literal} {method.verbalizer}"})
    found = {
        *_longer(test, method, tuner.tokenizer(method), limits.context_tokens - _virtual(method) - 1),
        *_longer(test, told, tuner.tokenizer(told), limits.context_tokens - 1),
    }
    if not found:
        return []
    return [
        f"{_many(len(found), 'row')} to be scored but too long for an answer in the model's {limits.context_tokens} "
        f"tokens ({_few(sorted(found))}); shorten or leave out"
    ]


def _longer(rows: Sequence[Record], method: Method, tokenizer: Tokenizer, most: int) -> list[int]:
    bound = tokenizer.bound
    bounds = [bound.most(rendered(method.verbalizer, row.input)) if bound else None for row in rows]
    open_rows = [row for row, tokens in zip(rows, bounds, strict=True) if tokens is None or tokens > most]
    counts = tokenizer.count([(row.input, row.output) for row in open_rows]) if open_rows else ()
    return [row.number for row, (prompt, _) in zip(open_rows, counts, strict=True) if prompt > most]


def _many(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count:,} {what}s are"


def _few(numbers: Sequence[int]) -> str:
    listed = ", ".join(map(str, numbers[:FEW])) + (", …" if len(numbers) > FEW else "")
    return f"row {listed}" if len(numbers) == 1 else f"rows {listed}"
