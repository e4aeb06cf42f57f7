"""This machine as a backend: what it is told and what it offers. The work is elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wxtuning.adapters.local import answers, models
from wxtuning.adapters.local.answers import Answers
from wxtuning.adapters.local.deployments import Deployments, LocalDeployment, is_deployment
from wxtuning.adapters.local.faults import BACKEND
from wxtuning.adapters.local.jobs import Jobs
from wxtuning.adapters.local.tokenizer import LocalTokenizer, Tokenizers
from wxtuning.ports import Answer, Decoding, Limits, ModelOffer, TuningRequest
from wxtuning.retry import Deadline
from wxtuning.snippets import Snippets
from wxtuning.spec import DeploymentSpec, Method
from wxtuning.status import DeploymentRef, JobRef, JobStatus, Metric


class Local:
    """This machine: PEFT adapters on the embedded base model, a model folder, or a Hugging Face model id.

    Args:
        home: Where jobs and deployments lie; None means WXTUNING_HOME or `~/.wxtuning`.
    """

    name = BACKEND

    def __init__(self, home: str | Path | None = None) -> None:
        self._tokenizers = Tokenizers()
        self._jobs = Jobs(home)
        self._deployments = Deployments(home, self._jobs)
        self._answers = Answers(self._jobs, self._deployments)

    def limits(self, method: Method) -> Limits:
        """What this machine takes; needs no torch to answer.

        Raises:
            MissingDependency: without the `local` extra.
            NotOffered: if the model is a folder that holds none.
        """
        return models.limits(method)

    def models(self, method: str | None = None) -> tuple[ModelOffer, ...]:
        """The model that ships inside the package, tuned by every method; any other is named by folder or Hub id."""
        return models.OFFERED

    def tokenizer(self, method: Method) -> LocalTokenizer:
        """The tokenizer the engine trains with; needs no torch where transformers adds nothing to it."""
        return self._tokenizers.of(method)

    def submit(self, request: TuningRequest, key: str) -> JobRef:
        """Start a worker in the job's folder, or see to it that the one for this key goes on."""
        return self._jobs.submit(request, key)

    def find(self, key: str) -> JobRef | None:
        return self._jobs.find(key)

    def status(self, job: JobRef, *, deadline: Deadline | None = None) -> JobStatus:
        return self._jobs.status(job)

    def metrics(self, job: JobRef) -> tuple[Metric, ...]:
        return self._jobs.metrics(job)

    def logs(self, job: JobRef, *, deadline: Deadline | None = None) -> str:
        return self._jobs.logs(job)

    def cancel(self, job: JobRef) -> None:
        self._jobs.cancel(job)

    def deploy(self, job: JobRef, deployment: DeploymentSpec, key: str) -> DeploymentRef:
        """Copy the adapter into a folder of its own, which answers from now on, whatever happens to the job.

        Raises:
            NotOffered: for a deployment space.
            AdapterError: if the serving name is another deployment's.
        """
        return self._deployments.deploy(job, deployment, key)

    def preview(self, job: JobRef) -> DeploymentRef:
        return answers.of_job(job)

    def base(self, method: Method, template: str) -> DeploymentRef:
        return answers.of_base(method, template)

    def find_deployment(self, key: str) -> DeploymentRef | None:
        return self._deployments.find(key)

    def is_deployed(self, ref: DeploymentRef) -> bool:
        return self._deployments.has(ref)

    def deployments(self) -> tuple[LocalDeployment, ...]:
        """All deployments of this home, the newest first."""
        return self._deployments.all()

    def snippets(self, ref: DeploymentRef, text: str, max_new_tokens: int) -> Snippets:
        """Code that asks the deployment, with `wxtuning serve` on the same home.

        Raises:
            AdapterError: if it is not deployed.
        """
        return self._deployments.snippets(ref, text, max_new_tokens)

    def generate(self, ref: DeploymentRef, inputs: Sequence[str], decoding: Decoding) -> tuple[Answer, ...]:
        return self._answers.generate(ref, inputs, decoding)

    def stream(self, ref: DeploymentRef, text: str, decoding: Decoding) -> Iterator[str]:
        return self._answers.stream(ref, text, decoding)

    def losses(self, ref: DeploymentRef, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[float, int], ...]:
        return self._answers.losses(ref, pairs)

    def delete(self, ref: DeploymentRef) -> None:
        if is_deployment(ref):
            self._deployments.delete(ref)
            self._answers.forget(ref)

    def folder(self, ref: JobRef | DeploymentRef) -> Path:
        """Where a job or a deployment lies on this machine."""
        return self._jobs.folder(ref.id) if isinstance(ref, JobRef) else self._deployments.folder(ref)
