"""Answers from this process, by models that stay loaded. Knows what each reference stands for; keeps no folder."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from wxtuning import engine
from wxtuning.adapters.local.deployments import Deployments
from wxtuning.adapters.local.faults import BACKEND, require_packages, translated
from wxtuning.adapters.local.jobs import Jobs, Tuned
from wxtuning.adapters.local.models import path_of
from wxtuning.engine.template import render
from wxtuning.ports import Answer, Decoding
from wxtuning.progress import import_tqdm
from wxtuning.spec import Method
from wxtuning.status import DeploymentRef, JobRef

if TYPE_CHECKING:
    from wxtuning.engine.generate import Generator


def of_job(job: JobRef) -> DeploymentRef:
    """What the job left, asked without deploying it."""
    return DeploymentRef(BACKEND, f"job/{job.id}")


def of_base(method: Method, template: str) -> DeploymentRef:
    """The untuned model, asked with a template."""
    return DeploymentRef(BACKEND, f"base/{json.dumps([method.model, template])}")


class Answers:
    """Asks what `DeploymentRef`s stand for; each model and each adapter is loaded once.

    Threads take turns: two answers at a time would be no faster, and each keep its cache in memory.

    Args:
        jobs, deployments: What can be asked, beside base models.
    """

    def __init__(self, jobs: Jobs, deployments: Deployments) -> None:
        self._jobs = jobs
        self._deployments = deployments
        self._bases: dict[str, Generator] = {}
        self._adapted: dict[str, Generator] = {}
        self._turn = threading.RLock()

    def generate(self, ref: DeploymentRef, inputs: Sequence[str], decoding: Decoding) -> tuple[Answer, ...]:
        with translated(), self._turn:
            generator, template = self._asked(ref)
            answers = generator.generate([render(template, text) for text in inputs], **asdict(decoding))
        return tuple(Answer(**asdict(answer)) for answer in answers)

    def stream(self, ref: DeploymentRef, text: str, decoding: Decoding) -> Iterator[str]:
        with translated():
            generator, template = self._asked(ref)
            yield from generator.stream(render(template, text), **asdict(decoding))

    def losses(self, ref: DeploymentRef, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[float, int], ...]:
        with translated(), self._turn:
            generator, template = self._asked(ref)
            return tuple(generator.losses([(render(template, text), answer) for text, answer in pairs]))

    def forget(self, ref: DeploymentRef) -> None:
        """Let go of what was loaded for it."""
        self._adapted.pop(ref.id, None)

    def _asked(self, ref: DeploymentRef) -> tuple[Generator, str]:
        with self._turn:
            return self._loaded(ref)

    def _loaded(self, ref: DeploymentRef) -> tuple[Generator, str]:
        kind, _, rest = ref.id.partition("/")
        if kind == "base":
            model, template = json.loads(rest)
            return self._base(model), template
        tuned = self._jobs.tuned(JobRef(BACKEND, rest)) if kind == "job" else self._deployments.tuned(ref)
        return self._with_adapter(ref, tuned), tuned.template

    def _with_adapter(self, ref: DeploymentRef, tuned: Tuned) -> Generator:
        if ref.id not in self._adapted:
            self._adapted[ref.id] = self._base(tuned.model).with_adapter(tuned.adapter)
        return self._adapted[ref.id]

    def _base(self, model: str) -> Generator:
        path = path_of(model)
        require_packages()
        if path not in self._bases:
            import_tqdm()  # before transformers does, in whose hands it warns
            self._bases[path] = engine.Generator.load(path)
        return self._bases[path]
