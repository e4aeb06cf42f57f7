"""An experiment to a plan: resolves, reads, cleans, counts tokens and checks limits, and costs no training.

Everything that is wrong is found before anything is reported: `PlanError` lists all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from wxtuning import records, steps
from wxtuning.errors import DataError, PlanError, WxTuningError
from wxtuning.plan import Plan, Split, TokenReport
from wxtuning.ports import Limits, Source, Tuner
from wxtuning.records import Converted, Record, Reject, Row
from wxtuning.spec import NO_CLEANING, ExperimentSpec, Method, PromptTuning, Task

MOST_LABELS = 10
"""Above this many labels IBM's guide expects prompt tuning to do badly."""

MOST_REJECTS = 5
"""So many rejected rows are quoted among the problems; the rest are counted."""

TOKENS = {"max_input_tokens": 256, "max_output_tokens": 128}


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan and the lines it speaks of."""

    plan: Plan
    train: tuple[Record, ...]
    validation: tuple[Record, ...]
    test: tuple[Record, ...]


def prepare(spec: ExperimentSpec, source: Source | None, tuner: Tuner) -> Prepared:
    """Resolve and check an experiment.

    Raises:
        PlanError: with every problem at once.
        DataError: if the source cannot be read at all, and nothing else is wrong.
    """
    problems: list[str] = []
    limits = _limits(spec.method, tuner, problems)
    _check_asked(spec, problems)
    converted = _converted(spec, source, problems)
    if converted is None or limits is None:
        raise PlanError(problems)
    labels = spec.labels or _labels(spec.task, converted)
    train, validation, test = _split(spec, converted.records)
    _check_rows(spec, labels, train, test, converted, limits, problems)
    method = _resolved(spec, labels, limits, tuner, converted, problems)
    if problems:
        raise PlanError(problems)
    steps.fence([*train, *validation], test)
    return Prepared(
        plan=_plan(spec, source, tuner, limits, converted, labels, method, (train, validation, test)),
        train=train,
        validation=validation,
        test=test,
    )


def _limits(method: Method, tuner: Tuner, problems: list[str]) -> Limits | None:
    try:
        limits = tuner.limits(method)
    except WxTuningError as error:
        problems.append(str(error))
        return None
    for name, allowed in limits.parameters.items():
        value = getattr(method, name, None)
        if value is not None and not allowed.low <= value <= allowed.high:
            problems.append(f"{name} is {value:g}; {tuner.name} takes {allowed.low:g} to {allowed.high:g}")
    return limits


def _check_asked(spec: ExperimentSpec, problems: list[str]) -> None:
    if spec.method.early_stopping_patience and not spec.mapping.validation:
        problems.append("early_stopping_patience needs validation rows: .to_jsonl(validation=0.1)")
    if spec.labels:
        _check_labels(spec, spec.labels, problems)


def _check_labels(spec: ExperimentSpec, labels: Sequence[str], problems: list[str]) -> None:
    if spec.task != "classification":
        return
    if len(labels) < 2:
        problems.append(f"classification needs two labels or more, found {', '.join(labels) or 'none'}")
    if unknown := sorted(set(spec.mapping.label_map) - set(labels)):
        problems.append(f"label_map names labels that the data does not have: {', '.join(unknown)}")


def _converted(spec: ExperimentSpec, source: Source | None, problems: list[str]) -> Converted | None:
    readable = _readable_templates(spec, problems)
    rows = _rows(spec, source, problems)
    if rows is None:
        return None
    if len(readable) < 2:
        _tell(records.rejects(rows, readable), problems)
        return None
    converted = records.convert(rows, spec.mapping, spec.cleaning, _allowed(spec))
    _tell(converted.report.rejected, problems)
    if not converted.report.rejected and not converted.records:
        problems.append(f"no rows are left of {len(rows)} read")
    return converted


def _readable_templates(spec: ExperimentSpec, problems: list[str]) -> list[str]:
    readable = []
    for field, template in (("input", spec.mapping.input), ("output", spec.mapping.output)):
        try:
            records.columns_of(template)
            readable.append(template)
        except ValueError as error:
            problems.append(f"{field}: {error}")
    return readable


def _rows(spec: ExperimentSpec, source: Source | None, problems: list[str]) -> Sequence[Row] | None:
    if source is None:
        problems.append("no rows: say .load(...) with a JSON Lines file, a list of dicts, a DataFrame or a Dataset")
        return None
    try:
        return steps.load(source, spec.limit)
    except DataError as error:
        if not problems:
            raise
        problems.append(str(error))
        return None


def _tell(rejected: Sequence[Reject], problems: list[str]) -> None:
    problems += map(str, rejected[:MOST_REJECTS])
    if more := len(rejected[MOST_REJECTS:]):
        problems.append(f"… and {more} more rows like these")


def _allowed(spec: ExperimentSpec) -> tuple[str, ...]:
    return spec.labels if spec.task == "classification" else ()


def _labels(task: Task, converted: Converted) -> tuple[str, ...]:
    return tuple(sorted(records.label_counts(converted.records))) if task == "classification" else ()


Records = tuple[Record, ...]


def _split(spec: ExperimentSpec, rows: Records) -> tuple[Records, Records, Records]:
    by_label = spec.task == "classification"
    test: Records = ()
    if spec.evaluation:
        rows, test = records.held_out(rows, spec.evaluation.holdout, seed=spec.evaluation.seed, by_label=by_label)
    validation: Records = ()
    if spec.mapping.validation:
        # Another seed than the held-out rows', so that the two choices are independent of each other.
        seed = (spec.evaluation.seed if spec.evaluation else 0) + 1
        rows, validation = records.held_out(rows, spec.mapping.validation, seed=seed, by_label=by_label)
    return rows, validation, test


def _check_rows(
    spec: ExperimentSpec, labels: Sequence[str], train: Records, test: Records, converted: Converted,
    limits: Limits, problems: list[str],
) -> None:  # fmt: skip
    if converted.records and not train:
        problems.append(f"no rows are left to train on: {len(test)} of {len(converted.records)} are held out")
    if spec.evaluation and train and not test:
        problems.append(f"holdout={spec.evaluation.holdout:g} of {len(converted.records)} rows holds out none")
    if not limits.min_rows <= len(train) <= (limits.max_rows or len(train)):
        problems.append(f"{len(train)} training rows; the backend takes {limits.min_rows} to {limits.max_rows}")
    if not spec.labels:
        _check_labels(spec, labels, problems)


def _resolved(
    spec: ExperimentSpec, labels: Sequence[str], limits: Limits, tuner: Tuner, converted: Converted, problems: list[str]
) -> Method:
    method = spec.method
    open_parameters = {
        name: type_of(allowed.default)
        for name, allowed in limits.parameters.items()
        if (type_of := (float if name == "learning_rate" else int)) and getattr(method, name, 0) is None
    }
    filled = {**TOKENS, **open_parameters}
    if spec.task == "classification" and converted.records:
        words = [spec.mapping.label_map.get(label, label) for label in labels]
        # A label, and one token more for the end of the answer.
        filled["max_output_tokens"] = max(tuner.count_tokens(method, [f" {word}" for word in words])) + 1
    given = method.model_dump(exclude_none=True)
    resolved = {**filled, **given}
    if isinstance(method, PromptTuning):
        if method.init_method == "auto":
            resolved |= {"init_method": "text", "init_text": written_instruction(spec.task, labels)}
        resolved.pop("r", None)
    resolved = {name: value for name, value in resolved.items() if name in type(method).model_fields}
    try:
        return type(method)(**resolved)
    except PlanError as error:
        problems += error.problems
        return method


def written_instruction(task: Task, labels: Sequence[str]) -> str:
    """What wxtuning writes when it is asked for an initialisation text or has no instruction to compare with."""
    if task == "classification":
        *others, last = labels
        return f"Classify the input as {', '.join(others)} or {last}."
    if task == "summarization":
        return "Summarize the main points of the input."
    return "Write the answer that fits the input."


def _plan(
    spec: ExperimentSpec, source: Source | None, tuner: Tuner, limits: Limits, converted: Converted,
    labels: tuple[str, ...], method: Method, parts: tuple[Records, Records, Records],
) -> Plan:  # fmt: skip
    train, validation, test = parts
    report = records.with_labels(converted, labels)
    init_text = method.init_text if isinstance(method, PromptTuning) else None
    given = spec.evaluation.instruction if spec.evaluation else None
    tokens, token_warnings = _tokens(method, tuner, train)
    return Plan(
        spec=spec.model_copy(update={"method": method, "labels": labels}),
        backend=tuner.name,
        source=source.describe() if source else "",
        model_fingerprint=limits.fingerprint,
        report=report,
        train=_digest(train),
        validation=_digest(validation) if validation else None,
        test=_digest(test) if test else None,
        tokens=tokens,
        optimizer_steps=_optimizer_steps(method, len(train)),
        poll_seconds=limits.poll_seconds,
        instruction=given or init_text or written_instruction(spec.task, labels),
        words={label: spec.mapping.label_map.get(label, label) for label in labels},
        samples=tuple((record.input, record.output) for record in train[:3]),
        warnings=(*_label_warnings(labels, report.labels, init_text, spec), *token_warnings),
    )


def _digest(rows: Records) -> Split:
    return Split(rows=len(rows), sha256=sha256(records.jsonl(rows)).hexdigest())


def _optimizer_steps(method: Method, rows: int) -> int:
    per_step = (method.batch_size or 1) * (method.accumulate_steps or 1)
    return -(-rows // per_step) * (method.num_epochs or 1)


def _tokens(method: Method, tuner: Tuner, train: Records) -> tuple[TokenReport, list[str]]:
    prompts = tuner.count_tokens(method, [method.verbalizer.replace("{{input}}", row.input) for row in train])
    answers = tuner.count_tokens(method, [f" {row.output}" for row in train])
    most_input, most_output = method.max_input_tokens or 0, method.max_output_tokens or 0
    report = TokenReport(
        longest_input=max(prompts),
        longest_output=max(answers) + 1,
        tokens_per_epoch=sum(prompts) + sum(answers) + len(train),
        cut_inputs=tuple(row.number for row, count in zip(train, prompts, strict=True) if count > most_input),
        cut_outputs=tuple(row.number for row, count in zip(train, answers, strict=True) if count + 1 > most_output),
    )
    return report, [*_cut("inputs", report.cut_inputs, most_input), *_cut("outputs", report.cut_outputs, most_output)]


def _cut(what: str, rows: tuple[int, ...], limit: int) -> list[str]:
    name = f"max_{what[:-1]}_tokens"
    return [f"{len(rows)} {what} are longer than {limit} tokens and will be cut; raise {name}"] if rows else []


def _label_warnings(
    labels: Sequence[str], counts: dict[str, int], init_text: str | None, spec: ExperimentSpec
) -> list[str]:
    unnamed = [label for label in labels if init_text and label not in init_text]
    found = [f"the initialisation text does not name the label {label!r}" for label in unnamed]
    if len(labels) > MOST_LABELS:
        found.append(f"{len(labels)} labels; prompt tuning is known to do badly above about {MOST_LABELS}")
    if counts and max(counts.values()) > 10 * max(1, min(counts.values())):
        found.append("the labels are far from balanced; equal numbers of rows work best")
    if spec.cleaning == NO_CLEANING:
        found.append("the rows are not cleaned; .clean() strips, drops empty rows and exact duplicates")
    if spec.mapping.label_map:
        pairs = ", ".join(f"{label} as {word}" for label, word in spec.mapping.label_map.items())
        found.append(f"the model is tuned to write {pairs}; answers are given in your labels again")
    return found
