"""An experiment to a plan: resolves, reads, cleans, counts tokens and checks limits, and costs no training.

Everything that is wrong is found before anything is reported: `PlanError` lists all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from wxtuning import fit, lines, records, steps
from wxtuning.errors import NotOffered, PlanError, WxTuningError
from wxtuning.lines import Lines, Records
from wxtuning.plan import Plan, Sample, Split
from wxtuning.ports import (
    ChecksDeployment,
    ChecksRequest,
    ChecksStore,
    Deployer,
    Limits,
    Source,
    Store,
    Tuner,
    TuningRequest,
)
from wxtuning.rows.verdict import Reject
from wxtuning.spec import ANSWER_TOKENS, NO_CLEANING, ExperimentSpec, Method, PromptTuning, Task
from wxtuning.status import DataRef
from wxtuning.tokens import Tokenizer, TokenReport, XRays, longest_answer, numbered, rendered

MOST_LABELS = 10
"""Above this many labels IBM's guide expects prompt tuning to do badly."""

SAMPLES = 3
"""So many rows a plan shows in full."""

TOKENS = {"max_input_tokens": 256, "max_output_tokens": ANSWER_TOKENS}


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan and the lines it speaks of; `rejected` are the rows left out, each with its part, `train` or `test`."""

    plan: Plan
    train: Records
    validation: Records
    test: Records
    rejected: tuple[tuple[str, Reject], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What is known of an experiment, however much of it is wrong: `problems` says what."""

    method: Method
    limits: Limits | None
    lines: Lines | None
    tokens: TokenReport | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def prepare(
    spec: ExperimentSpec, source: Source | None, tuner: Tuner, *, test: Source | None = None,
    store: Store | None = None, deployer: Deployer | None = None,
) -> Prepared:  # fmt: skip
    """Resolve and check an experiment.

    Args:
        spec: What was asked for.
        source: Where the rows are.
        tuner: Where it would run.
        test: Where the user's own rows to be scored are; None holds rows out, if an evaluation is asked for.
        store: Where the rows to tune on will be kept; None leaves it to the tuner.
        deployer: What would answer; asked whether it can, where it tells.

    Raises:
        PlanError: with every problem at once.
        DataError: if the source cannot be read at all, and nothing else is wrong.
        LeakageError: if rows to be scored would be trained on.
    """
    draft = _stored(measured(drafted(spec, source, tuner, test=test), spec, tuner), store, tuner)
    if draft.problems or draft.lines is None or draft.limits is None or draft.tokens is None:
        raise PlanError([*draft.problems, *_against_deploying(spec, deployer)])
    read = draft.lines
    if read.own_test:  # rows held out are chosen so that no twin of theirs is left
        steps.fence([*read.train, *read.validation], read.test)
    plan = _plan(spec, source, test, tuner, draft, read, draft.tokens)
    plan = replace(plan, store=store.describe() if store else "")
    if problems := _against_deploying(spec, deployer, run=plan.key, job=plan.job_key):
        raise PlanError(problems)
    return Prepared(
        plan=plan,
        train=read.train,
        validation=read.validation,
        test=read.test,
        rejected=read.rejected,
    )


def drafted(spec: ExperimentSpec, source: Source | None, tuner: Tuner, *, test: Source | None = None) -> Draft:
    """The lines and the method with nothing left open, and what is wrong listed beside them; see `prepare`.

    Raises:
        DataError: if the source cannot be read at all, and nothing else is wrong.
    """
    problems: list[str] = []
    limits = _limits(spec.method, tuner, problems)
    _check_asked(spec, problems)
    if limits:
        _check_offered(spec, limits, tuner, problems)
    if limits and spec.deployment and spec.deployment.space and not limits.has_spaces:
        problems.append(f"space is {spec.deployment.space!r}; {tuner.name} has no deployment spaces, leave it out")
    read = lines.read(spec, source, test, problems)
    method = spec.method
    if read is not None and limits is not None:
        _check_rows(spec, read, limits, tuner, problems)
        try:
            method = _resolved(spec, read.labels, limits, tuner, problems)
        except WxTuningError as error:  # the model's tokenizer cannot be read
            problems.append(str(error))
            limits = None
    if limits is not None:
        problems += _refused(spec, method, tuner)
    return Draft(method=method, limits=limits, lines=read, tokens=None, problems=tuple(problems))


def measured(draft: Draft, spec: ExperimentSpec, tuner: Tuner, *, exact: bool = False) -> Draft:
    """The draft with the lengths of its lines, if it has lines and limits to measure them by.

    Args:
        draft, spec, tuner: As they were drafted.
        exact: Count the tokens of every row, also of those that cannot reach a limit.
    """
    read, problems = draft.lines, list(draft.problems)
    if read is None or draft.limits is None or not read.train:
        return draft
    told = _instruction(spec, draft.method, read.labels)
    tokens = fit.fitted(spec, draft.method, read, draft.limits, tuner, problems, instruction=told, exact=exact)
    return replace(draft, tokens=tokens, problems=tuple(problems))


def _stored(draft: Draft, store: Store | None, tuner: Tuner) -> Draft:
    """The draft, and what there is to say of keeping its rows there."""
    if store is None:
        return draft
    try:
        if isinstance(tuner, ChecksStore):
            tuner.check_store(store)
        return replace(draft, warnings=(*draft.warnings, *store.check()))
    except WxTuningError as error:
        return replace(draft, problems=(*draft.problems, str(error)))


def _against_deploying(spec: ExperimentSpec, deployer: Deployer | None, *, run: str = "", job: str = "") -> list[str]:
    """What stands against the deployment, as far as the deployer tells before there is a model."""
    if spec.deployment is None or not isinstance(deployer, ChecksDeployment):
        return []
    try:
        deployer.check_deployment(spec.deployment, run=run, job=job)
    except WxTuningError as error:
        return [str(error)]
    return []


def xrayed(draft: Draft, tuner: Tuner, *, count: int, rows: Sequence[int] = ()) -> XRays:
    """The first rows to tune on, or those with these numbers, as the model will see them.

    Raises:
        PlanError: if there are no lines or no such rows.
        NotOffered: if the backend does not tell.
    """
    if draft.lines is None or not (tuned := (*draft.lines.train, *draft.lines.validation)):
        raise PlanError(draft.problems or ["there are no rows to tune on"])
    if count < 1:
        raise PlanError([f"n is {count}; expected the number of rows to show, 1 or more"])
    by_number = {record.number: record for record in tuned}
    if missing := [number for number in rows if number not in by_number]:
        raise PlanError([f"row {number} is not among the rows to tune on" for number in missing])
    chosen = [by_number[number] for number in rows] or tuned[:count]
    seen = tuner.tokenizer(draft.method).xray([(record.input, record.output) for record in chosen])
    return numbered(seen, chosen)


def _limits(method: Method, tuner: Tuner, problems: list[str]) -> Limits | None:
    try:
        limits = tuner.limits(method)
    except WxTuningError as error:
        problems.append(str(error))
        return None
    _check_ranges(method, limits, tuner, problems)
    return limits


def _check_ranges(
    method: Method, limits: Limits, tuner: Tuner, problems: list[str], *, known: Sequence[str] = ()
) -> None:
    for name, allowed in limits.parameters.items():
        value = None if name in known else getattr(method, name, None)
        if value is not None and not allowed.takes(value):
            problems.append(f"{name} is {value:g}; {tuner.name} takes {allowed}")


def _check_offered(spec: ExperimentSpec, limits: Limits, tuner: Tuner, problems: list[str]) -> None:
    tasks = limits.offer.tasks if limits.offer else ()
    if tasks and spec.task not in tasks:
        problems.append(f"task is {spec.task!r}; {spec.method.model} on {tuner.name} is for {', '.join(tasks)}")
    if limits.needs_deployment and spec.evaluation and not spec.deployment:
        problems.append(f".evaluate() on {tuner.name} needs .deploy(name): only what is deployed answers there")
    if spec.mapping.validation and not limits.takes_validation:
        problems.append(
            f"{tuner.name} takes no validation rows; leave .to_jsonl(validation={spec.mapping.validation:g}) out, "
            ".evaluate(holdout=...) keeps rows of its own"
        )


def _refused(spec: ExperimentSpec, method: Method, tuner: Tuner) -> tuple[str, ...]:
    """What the tuner itself would refuse when the job is submitted, as far as it tells."""
    if not isinstance(tuner, ChecksRequest):
        return ()
    rows = DataRef(uri="", sha256="", rows=0, size_bytes=0)
    return tuner.problems_of(
        TuningRequest(
            name=spec.name, method=method, train=rows, description=spec.description, tags=spec.tags, task=spec.task
        )
    )


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


def _check_rows(spec: ExperimentSpec, read: Lines, limits: Limits, tuner: Tuner, problems: list[str]) -> None:
    kept, train, test = len(read.converted.records), len(read.train), len(read.test)
    if not kept or (read.converted.report.rejected and spec.on_reject == "stop"):
        return  # how many rows and labels there are is not known before the rejected ones are mended
    if not train:
        problems.append(f"no rows are left to train on: {kept - train} of {kept} are held out")
    if spec.evaluation and not spec.evaluation.test and train and not test:
        problems.append(f"holdout={spec.evaluation.holdout:g} of {kept} rows holds out none")
    if not limits.min_rows <= train <= (limits.max_rows or train):
        problems.append(f"{train} training rows; {_takes(tuner, limits)}{_way(train, limits)}")
    if limits.max_bytes and (size := len(records.jsonl(read.train))) > limits.max_bytes:
        problems.append(f"the training rows are {size:,} bytes; {tuner.name} takes up to {limits.max_bytes:,}")
    if not spec.labels:
        _check_labels(spec, read.labels, problems)


def _takes(tuner: Tuner, limits: Limits) -> str:
    return f"{tuner.name} takes {limits.min_rows:,} " + (f"to {limits.max_rows:,}" if limits.max_rows else "or more")


def _way(train: int, limits: Limits) -> str:
    if limits.max_rows and train > limits.max_rows:
        return f"; take fewer: .load(..., limit={limits.max_rows})"
    return "; add rows, or hold fewer back"


def _resolved(spec: ExperimentSpec, labels: Sequence[str], limits: Limits, tuner: Tuner, problems: list[str]) -> Method:
    method = spec.method
    open_parameters = {
        name: type_of(allowed.default)
        for name, allowed in limits.parameters.items()
        if (type_of := (float if name == "learning_rate" else int)) and getattr(method, name, 0) is None
        if allowed.default is not None
    }
    filled = {**TOKENS, **open_parameters}
    if spec.task == "classification" and labels:
        words = [spec.mapping.label_map.get(label, label) for label in labels]
        filled["max_output_tokens"] = longest_answer(words, tuner.tokenizer(method))
    given = method.model_dump(exclude_none=True, exclude=set(limits.ignored))
    resolved = {**filled, **given}
    if isinstance(method, PromptTuning):
        if method.init_method == "auto":
            resolved |= {"init_method": "text", "init_text": written_instruction(spec.task, labels)}
        resolved.pop("r", None)
    resolved = {name: value for name, value in resolved.items() if name in type(method).model_fields}
    try:
        made = type(method)(**resolved)
    except PlanError as error:
        problems += error.problems
        return method
    _check_ranges(made, limits, tuner, problems, known=list(given))
    return made


def written_instruction(task: Task, labels: Sequence[str]) -> str:
    """What wxtuning writes when it is asked for an initialisation text or has no instruction to compare with."""
    if task == "classification":
        *others, last = labels
        return f"Classify the input as {', '.join(others)} or {last}."
    if task == "summarization":
        return "Summarize the main points of the input."
    return "Write the answer that fits the input."


def _instruction(spec: ExperimentSpec, method: Method, labels: Sequence[str]) -> str:
    given = spec.evaluation.instruction if spec.evaluation else None
    init_text = method.init_text if isinstance(method, PromptTuning) else None
    return given or init_text or written_instruction(spec.task, labels)


def _plan(
    spec: ExperimentSpec, source: Source | None, test: Source | None, tuner: Tuner, draft: Draft, read: Lines,
    tokens: TokenReport,
) -> Plan:  # fmt: skip
    method, limits = draft.method, draft.limits
    assert limits is not None
    report = records.with_labels(read.converted, read.labels)
    return Plan(
        spec=spec.model_copy(update={"method": method, "labels": read.labels, "mapping": read.mapping}),
        backend=tuner.name,
        source=source.describe() if source else "",
        source_fingerprint=_fingerprint(source),
        test_source=test.describe() if test else "",
        test_fingerprint=_fingerprint(test),
        mapping_form=read.form,
        model_fingerprint=limits.fingerprint,
        report=report,
        test_report=records.with_labels(read.own_test, read.labels) if read.own_test else None,
        train=_digest(read.train),
        validation=_digest(read.validation) if read.validation else None,
        test=_digest(read.test) if read.test else None,
        tokens=tokens,
        optimizer_steps=_optimizer_steps(method, len(read.train)),
        poll_seconds=limits.poll_seconds,
        ignored=limits.ignored,
        instruction=_instruction(spec, method, read.labels),
        words={label: spec.mapping.label_map.get(label, label) for label in read.labels},
        samples=_samples(read.train[:SAMPLES], tuner.tokenizer(method), method),
        warnings=(
            *limits.warnings,
            *draft.warnings,
            *_noticed(source),
            *_without_effect(spec.method, method, limits, tuner),
            *_label_warnings(read.labels, report.labels, method, spec),
            *fit.warned(spec, tokens),
            *_left_out(read),
        ),
    )


def _digest(rows: Records) -> Split:
    return Split(rows=len(rows), sha256=sha256(records.jsonl(rows)).hexdigest())


def _fingerprint(source: Source | None) -> str:
    # A Source of the user's own may have none.
    ask = getattr(source, "fingerprint", None)
    return str(ask()) if callable(ask) else ""


def _noticed(source: Source | None) -> list[str]:
    found = dict(getattr(source, "warnings", None) or {})
    return [_NOTICED.get(code, "{count} times {code}").format(count=count, code=code) for code, count in found.items()]


_NOTICED = {"bom": "a byte-order mark at the start of {count} files was dropped"}


def _without_effect(asked: Method, method: Method, limits: Limits, tuner: Tuner) -> list[str]:
    said = {name: value for name, value in asked if name in limits.ignored and value != getattr(method, name)}
    return [f"{name}={value!r} has no effect: {tuner.name} takes no {name}" for name, value in said.items()]


def _optimizer_steps(method: Method, rows: int) -> int:
    per_step = (method.batch_size or 1) * (method.accumulate_steps or 1)
    return -(-rows // per_step) * (method.num_epochs or 1)


def _samples(rows: Records, tokenizer: Tokenizer, method: Method) -> tuple[Sample, ...]:
    """Rows as the model will see them; a backend that does not tell is taken at its template."""
    try:
        seen = numbered(tokenizer.xray([(row.input, row.output) for row in rows]), rows)
    except NotOffered:
        made = ((row.number, rendered(method.verbalizer, row.input), row.output) for row in rows)
        return tuple(Sample(number=number, prompt=prompt, answer=answer) for number, prompt, answer in made)
    return tuple(
        Sample(
            number=row.number,
            prompt=row.text("prompt"),
            answer=row.text("answer") + row.text("end"),
            cut=bool(row.lost_input_tokens or row.lost_output_tokens),
        )
        for row in seen
    )


def _left_out(read: Lines) -> list[str]:
    if not read.rejected:
        return []
    count = len({(part, reject.number) for part, reject in read.rejected})
    codes = lines.by_code(reject for _, reject in read.rejected)
    return [f"{count} rows are rejected and left out ({codes}); the run's folder lists them in rejected.jsonl"]


def _label_warnings(labels: Sequence[str], counts: dict[str, int], method: Method, spec: ExperimentSpec) -> list[str]:
    init_text = method.init_text if isinstance(method, PromptTuning) else None
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
