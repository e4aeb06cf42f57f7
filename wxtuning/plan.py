"""The plan: what was asked, resolved and checked. A value; it knows nothing of how it was made or will be run."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from wxtuning.errors import PlanError
from wxtuning.folder import slug
from wxtuning.problems import as_plan_error
from wxtuning.records import DataReport
from wxtuning.spec import DeploymentSpec, ExperimentSpec
from wxtuning.tables import Table, shortened
from wxtuning.tokens import TokenReport

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The lines of one part of the data: how many, and the SHA-256 of their JSONL."""

    rows: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A row as the model will see it: `number` is its 1-based number, `cut` says that not all of it fits."""

    number: int
    prompt: str
    answer: str
    cut: bool = False


class HasSpec(Protocol):
    """A run or a job that knows what was asked for."""

    @property
    def spec(self) -> ExperimentSpec: ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An experiment with nothing left open: the same lines, parameters, model and backend give the same digest.

    `spec` holds every parameter and column that will be used; `mapping_form` says how the columns were found. The
    fingerprints pin what was read (a Hub data set to its commit); they are empty for a Source that has none.
    `instruction` is what the untuned model is told in the fair comparison. `words` maps each label to what the model
    writes for it. `test_report` is about rows of the user's own to be scored, None where rows are held out. `ignored`
    names parameters that change nothing on this backend.
    """

    spec: ExperimentSpec
    backend: str
    source: str
    model_fingerprint: str
    report: DataReport
    train: Split
    validation: Split | None
    test: Split | None
    tokens: TokenReport
    optimizer_steps: int
    poll_seconds: float
    instruction: str
    words: dict[str, str]
    samples: tuple[Sample, ...]
    mapping_form: str = ""
    source_fingerprint: str = ""
    test_source: str = ""
    test_fingerprint: str = ""
    test_report: DataReport | None = None
    warnings: tuple[str, ...] = ()
    store: str = ""
    ignored: tuple[str, ...] = ()

    @cached_property
    def tuning_digest(self) -> str:
        """Identifies the tuning job: method, model, training data and backend. Nothing else can change the adapter."""
        validation = self.validation and self.validation.sha256
        parts = [self.backend, self.model_fingerprint, self.train.sha256, validation]
        return _digest([*parts, self.spec.method.model_dump(mode="json")])

    @cached_property
    def digest(self) -> str:
        """Identifies the run: the tuning job and everything that is done with its result."""
        spec = self.spec.model_dump(mode="json", exclude={**_NOT_IN_DIGEST, "deployment": self._unasked()})
        parts = [self.tuning_digest, spec, self.instruction, self.test and self.test.sha256]
        return _digest([*parts, self.store] if self.store else parts)

    @property
    def key(self) -> str:
        """The run's name in the journal, in folders and as owner tag of everything it makes."""
        return f"{slug(self.spec.name)}-{self.digest[:12]}"

    @property
    def job_key(self) -> str:
        """The tuning job's key: a second run that differs only in evaluation or deployment finds the same job."""
        return f"{slug(self.spec.name)}-{self.tuning_digest[:12]}"

    def to_json(self) -> str:
        """The plan as JSON text; `from_json` reads it back equal."""
        return _adapter().dump_json(self, indent=2).decode()

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what `to_json` wrote.

        Raises:
            PlanError: with everything in the text that belongs to no plan.
        """
        with as_plan_error(cls):
            return _adapter().validate_json(text)

    @staticmethod
    def from_run(run: HasSpec) -> ExperimentSpec:
        """What was asked of a run, whoever started it, as a spec that can be planned anew, here or elsewhere.

        Args:
            run: As `wxtuning.runs(...)`, `wxtuning.attach(id)` and `backend.run(id)` give it.

        Raises:
            PlanError: if that is none, or its backend does not tell how it was tuned.
        """
        spec = getattr(run, "spec", None)
        if isinstance(spec, ExperimentSpec):
            return spec
        raise PlanError(
            [f"found a {type(run).__name__}, expected a run"],
            hint="wxtuning.runs(backend) lists them; wxtuning.attach(id, on=backend) finds one.",
        )

    def table(self) -> Table:
        """The plan as a table of two columns."""
        return Table(
            title=f"Plan {self.key}",
            columns=("what", "how"),
            rows=self._rows(),
            notes=(*self.report.warnings, *self.warnings),
        )

    def _unasked(self) -> set[str]:
        """What was not asked of the deployment, among what older plans could not ask: they keep their digests."""
        return {name for name in ("serving_name", "space") if getattr(self.spec.deployment, name, None) is None}

    def _rows(self) -> tuple[tuple[str, str], ...]:
        method = self.spec.method
        parameters = method.model_dump(exclude={"model", "method", "verbalizer", *self.ignored}, exclude_none=True)
        return (
            ("task", f"{self.spec.task}{_listed(self.spec.labels)}"),
            ("base model", f"{method.model} ({_weights(self.model_fingerprint)})"),
            ("method", f"{method.method} on {self.backend}"),
            ("parameters", ", ".join(f"{name}={value!r}" for name, value in parameters.items())),
            ("template", method.verbalizer),
            *([("upload", self.store)] if self.store else []),
            *self._data_rows(),
            ("split", self._split()),
            ("tokens", self._tokens()),
            ("work", f"{self.optimizer_steps} optimiser steps"),
            ("compared with", f"untuned; untuned with “{shortened(self.instruction, 70)}”" if self.test else "nothing"),
            ("deployment", _deployed(self.spec.deployment) if self.spec.deployment else "none"),
            *self._sample_rows(),
        )  # fmt: skip

    def _data_rows(self) -> tuple[tuple[str, str], ...]:
        rows = [("data", _read(self.source, self.source_fingerprint, self.report)), ("columns", self._columns())]
        if self.test_report:
            rows.append(("rows to be scored", _read(self.test_source, self.test_fingerprint, self.test_report)))
        return tuple(rows)

    def _columns(self) -> str:
        mapping = self.spec.mapping
        named = f"messages={mapping.messages!r}" if mapping.messages else f"{mapping.input!r} → {mapping.output!r}"
        return f"{named} ({self.mapping_form})" if self.mapping_form else named

    def _tokens(self) -> str:
        found = self.tokens
        about = "" if found.exact else "about "
        return (
            f"{about}{found.tokens_per_epoch:,} an epoch; inputs up to {found.inputs.most} of {found.inputs.limit}, "
            f"outputs up to {found.outputs.most} of {found.outputs.limit}"
        )

    def _sample_rows(self) -> tuple[tuple[str, str], ...]:
        return tuple((f"row {sample.number} as the model sees it", _shown(sample)) for sample in self.samples)

    def _split(self) -> str:
        parts = [("train", self.train), ("validation", self.validation), ("held out", self.test)]
        return ", ".join(f"{split.rows} {name}" for name, split in parts if split)

    def _repr_html_(self) -> str:
        return self.table().html()

    def __str__(self) -> str:
        return self.table().text()


# Which rows were asked for shows in the lines, whose digests are counted; the way of waiting changes nothing.
_NOT_IN_DIGEST: dict[str, Any] = {
    "wait": True,
    "selection": True,
    "on_reject": True,
    "evaluation": {"test", "test_split"},
}


def _read(source: str, fingerprint: str, report: DataReport) -> str:
    pinned = f" ({shortened(fingerprint, 60)})" if fingerprint and fingerprint not in source else ""
    return f"{source}{pinned}: {report.read} rows read, {report.kept} kept"


def _weights(fingerprint: str) -> str:
    """The beginning of a digest; of a model that only a service knows, where that is."""
    return fingerprint[:12] if re.fullmatch("[0-9a-f]{32,}", fingerprint) else fingerprint.partition("/")[0]


def _shown(sample: Sample) -> str:
    cut = " (cut)" if sample.cut else ""
    return f"{shortened(sample.prompt, 120)} → {shortened(sample.answer, 60)}{cut}"


def _deployed(asked: DeploymentSpec) -> str:
    serving = f", served as {asked.serving_name}" if asked.serving_name else ""
    return f"{asked.name}{serving}{f' in space {asked.space}' if asked.space else ''}"


def _listed(labels: tuple[str, ...]) -> str:
    return f" into {', '.join(labels)}" if labels else ""


def _digest(parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _adapter() -> TypeAdapter[Plan]:
    from pydantic import TypeAdapter

    return TypeAdapter(Plan)
