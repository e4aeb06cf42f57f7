"""A backend in memory. It keeps the contract of the ports, learns nothing and counts what it was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from wxtuning.errors import NotOffered
from wxtuning.ports import Answer, Decoding, Limits, Range, TuningRequest
from wxtuning.retry import Deadline
from wxtuning.spec import DeploymentSpec, Method
from wxtuning.status import DeploymentRef, JobRef, JobState, JobStatus, Metric
from wxtuning.tokens import Pairs, Part, Token, TokenBound, XRay, rendered


def _running(step: int) -> JobStatus:
    return JobStatus(state=JobState.RUNNING, word="running", step=step, steps=2, loss=1.0 / (step + 1))


COMPLETED = JobStatus(state=JobState.COMPLETED, word="completed", step=2, steps=2, loss=0.3)


@dataclass(frozen=True)
class FakeTokenizer:
    """One token a word; an answer ends in one more. `counted` remembers how many rows each call was given."""

    method: Method
    counted: list[int] = field(default_factory=list)
    bound: TokenBound | None = field(default_factory=lambda: TokenBound(extra=1))
    dear: bool = False

    def count(self, pairs: Pairs) -> tuple[tuple[int, int], ...]:
        self.counted.append(len(pairs))
        template = self.method.verbalizer
        return tuple((len(rendered(template, text).split()), len(answer.split()) + 1) for text, answer in pairs)

    def xray(self, pairs: Pairs) -> tuple[XRay, ...]:
        return tuple(self._seen(text, answer) for text, answer in pairs)

    def _seen(self, text: str, answer: str) -> XRay:
        words = [*answer.split(), "</s>"]
        most = self.method.max_output_tokens or len(words)
        prompt = _words("prompt", rendered(self.method.verbalizer, text).split())
        ended = len(words) <= most
        kept = _words("answer", words[: most if not ended else -1])
        return XRay(
            tokens=(*prompt, *kept, *(_words("end", words[-1:]) if ended else ())),
            lost_output="" if ended else " ".join(words[most:-1]),
            lost_output_tokens=max(0, len(words) - most),
        )


def _words(part: Part, words: Sequence[str]) -> tuple[Token, ...]:
    spaced = (
        word if part == "end" or (part == "prompt" and not number) else f" {word}" for number, word in enumerate(words)
    )
    return tuple(Token(part=part, text=text, id=number) for number, text in enumerate(spaced))


@dataclass
class FakeBackend:
    """A Tuner and Deployer whose jobs complete after the given statuses.

    Args:
        answer: From (kind, input) to an answer, where kind is `base`, `job` or `deployment`.
        statuses: What `status` answers, in turn; the last one for ever. An exception in it is raised.
        limits_of: The limits it declares.
    """

    answer: Callable[[str, str], str] = lambda kind, text: text
    statuses: Sequence[JobStatus | Exception] = (_running(0), _running(1), COMPLETED)
    limits_of: Limits = field(
        default_factory=lambda: Limits(
            fingerprint="fake",
            parameters={
                "num_epochs": Range(low=1, high=50, default=2),
                "learning_rate": Range(low=1e-5, high=0.5, default=0.1),
                "batch_size": Range(low=1, high=16, default=16),
                "accumulate_steps": Range(low=1, high=128, default=1),
            },
        )
    )
    name: str = "fake"
    calls: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, TuningRequest] = field(default_factory=dict)
    deployments: dict[str, DeploymentSpec] = field(default_factory=dict)
    counted: list[int] = field(default_factory=list)

    def limits(self, method: Method) -> Limits:
        return self.limits_of

    def tokenizer(self, method: Method) -> FakeTokenizer:
        return FakeTokenizer(method, self.counted)

    def submit(self, request: TuningRequest, key: str) -> JobRef:
        self.calls["submit"] += 1
        self.jobs.setdefault(key, request)
        return JobRef(self.name, key)

    def find(self, key: str) -> JobRef | None:
        return JobRef(self.name, key) if key in self.jobs else None

    def status(self, job: JobRef, *, deadline: Deadline | None = None) -> JobStatus:
        told = self.statuses[min(self.calls["status"], len(self.statuses) - 1)]
        self.calls["status"] += 1
        if isinstance(told, Exception):
            raise told
        return told

    def metrics(self, job: JobRef) -> tuple[Metric, ...]:
        return (Metric(step=1, epoch=0.5, loss=1.0), Metric(step=2, epoch=1.0, loss=0.3))

    def logs(self, job: JobRef, *, deadline: Deadline | None = None) -> str:
        return "first line\nlast line"

    def cancel(self, job: JobRef) -> None:
        self.calls["cancel"] += 1

    def deploy(self, job: JobRef, deployment: DeploymentSpec, key: str) -> DeploymentRef:
        self.calls["deploy"] += 1
        self.deployments.setdefault(key, deployment)
        return DeploymentRef(self.name, f"deployment/{key}")

    def preview(self, job: JobRef) -> DeploymentRef:
        return DeploymentRef(self.name, f"job/{job.id}")

    def base(self, method: Method, template: str) -> DeploymentRef:
        return DeploymentRef(self.name, f"base/{template}")

    def find_deployment(self, key: str) -> DeploymentRef | None:
        return DeploymentRef(self.name, f"deployment/{key}") if key in self.deployments else None

    def is_deployed(self, ref: DeploymentRef) -> bool:
        return ref.id.partition("/")[2] in self.deployments

    def generate(self, ref: DeploymentRef, inputs: Sequence[str], decoding: Decoding) -> tuple[Answer, ...]:
        self.calls["generate"] += 1
        kind = ref.id.partition("/")[0]
        return tuple(Answer(text=self.answer(kind, text)) for text in inputs)

    def stream(self, ref: DeploymentRef, text: str, decoding: Decoding) -> Iterator[str]:
        yield from self.answer(ref.id.partition("/")[0], text)

    def losses(self, ref: DeploymentRef, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[float, int], ...]:
        raise NotOffered("the fake knows no probabilities", backend=self.name)

    def delete(self, ref: DeploymentRef) -> None:
        self.deployments.pop(ref.id.partition("/")[2], None)
