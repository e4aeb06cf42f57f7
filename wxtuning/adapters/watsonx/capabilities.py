"""What a service offers, before anything is paid: models, methods, parameters, limits and dates. Asks for them once.

The service's own model specifications are the authority; documents and the SDK's docstrings contradict them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from wxtuning.adapters.watsonx.counting import ServiceTokenizer
from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.adapters.watsonx.service import NOWHERE, Json, Service
from wxtuning.errors import NotOffered
from wxtuning.ports import Limits, ModelOffer, Range
from wxtuning.spec import LoRA, Method

SPECS = "/ml/v1/foundation_model_specs"

POLL_SECONDS = 10.0
"""Between two looks at a job, once it has run for a while."""

MOST_BYTES = 200 * 10**6
"""A file of training data (IBM's data formats for tuning)."""

LEAST_ROWS, MOST_ROWS = 50, 10_000
"""Examples of a tuning (IBM's data formats for tuning); a model's specification may say otherwise about the most."""

SAAS_ENDED = "2026-09-10"
CPD_WITHOUT_TUNING = (6, 0)

WAYS_ON = (
    "Two ways on: leave .on(...) out and the same experiment runs on this machine; or run it on a cluster of your own "
    "(OpenShift AI is what IBM names)."
)

NEAREST = 5

_FUNCTIONS = {"prompt_tuning": "prompt_tune_trainable", "lora": "lora_fine_tune_trainable"}
_ENDED = ("withdrawn", "constricted")


class Capabilities:
    """What one service offers; its specifications are read once and kept.

    Args:
        service: Who is asked.
        today: The day, in UTC.
    """

    def __init__(self, service: Service, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> None:
        self._service = service
        self._today = today
        self._counted: dict[tuple[str, str], int] = {}

    def models(self) -> tuple[ModelOffer, ...]:
        """The models that can be tuned, by name."""
        return tuple(found for found in map(self._offer, self._specs) if found.methods)

    def limits(self, method: Method) -> Limits:
        """What may be asked with a method and model.

        Raises:
            NotOffered: if the service tunes nothing (any more), not so, or not this model; says what is offered.
        """
        spec = self.spec(method)
        return Limits(
            fingerprint=self._fingerprint(method.model),
            parameters=dict(parameters(spec, method)),
            min_rows=LEAST_ROWS,
            max_rows=_whole(_part(spec, "model_limits").get("training_data_max_records")) or MOST_ROWS,
            max_bytes=MOST_BYTES,
            context_tokens=_context(spec, method),
            poll_seconds=POLL_SECONDS,
            needs_deployment=True,
            has_spaces=True,
            takes_validation=False,
        )

    def context_tokens(self, model: str) -> int | None:
        """How many tokens a model takes at once, prompt and answer together; None if the service does not tell."""
        spec: Json = next((spec for spec in self._specs if spec["model_id"] == model), {})
        return _whole(_part(spec, "model_limits").get("max_sequence_length"))

    def tokenizer(self, method: Method) -> ServiceTokenizer:
        """Counts the tokens of the method's model."""
        return ServiceTokenizer(self._service, method, self._counted)

    def spec(self, method: Method) -> Json:
        """The specification of a model that can be tuned so.

        Raises:
            NotOffered: as for `limits`.
        """
        self._refuse_what_has_ended(method)
        tunable = {spec["model_id"]: spec for spec in self._specs if method.method in self._offer(spec).methods}
        if not tunable:
            raise self._nothing(method)
        if method.model not in tunable:
            raise _unknown(method, tunable)
        return tunable[method.model]

    def _refuse_what_has_ended(self, method: Method) -> None:
        if _is_saas(self._service.host) and self._today().isoformat() >= SAAS_ENDED:
            raise NotOffered(
                f"watsonx.ai SaaS ({self._service.host}) takes no new tuning since {SAAS_ENDED}",
                backend=BACKEND, hint=WAYS_ON,
            )  # fmt: skip
        version = self._service.version
        if version and tuple(map(int, version.split(".")[:2])) >= CPD_WITHOUT_TUNING:
            raise NotOffered(
                f"Cloud Pak for Data {version} has no tuning any more; it ended with 6.0.0",
                backend=BACKEND, hint=WAYS_ON,
            )  # fmt: skip
        if isinstance(method, LoRA) and not version:
            raise NotOffered(
                f"LoRA is not offered on the cloud; its fine tuning ended on {SAAS_ENDED}",
                backend=BACKEND,
                hint=f"Take wx.PromptTuning(...) where that is offered, or Cloud Pak for Data before 6.0. {WAYS_ON}",
            )

    def _nothing(self, method: Method) -> NotOffered:
        return NotOffered(f"{self._service.host} has no model for {_words(method)}", backend=BACKEND, hint=WAYS_ON)

    def _fingerprint(self, model: str) -> str:
        # A model is known by its name there; another host or project is another place for jobs and data.
        container = self._service.container
        return f"{self._service.host}/{container.kind}/{container.id}/{model}"

    @cached_property
    def _specs(self) -> tuple[Json, ...]:
        found = self._service.pages(SPECS, within=NOWHERE, filters="!lifecycle_withdrawn")
        named = (spec for spec in found if spec.get("model_id") and isinstance(spec["model_id"], str))
        return tuple(sorted(named, key=lambda spec: str(spec["model_id"])))

    def _offer(self, spec: Json) -> ModelOffer:
        return offer(spec, self._today())


def _is_saas(host: str) -> bool:
    """Whether IBM itself runs it."""
    return f".{urlsplit(f'//{host}').hostname}".endswith(_OF_IBM)


_OF_IBM = (".cloud.ibm.com", ".wxai.ibm.com", ".saas.ibm.com", ".ibmforusgov.com")


def offer(spec: Mapping[str, Any], today: date) -> ModelOffer:
    """A specification in the words of the port, with the state that its lifecycle has reached by a day."""
    told = (step for step in _parts(spec, "lifecycle") if step.get("id"))
    steps = sorted((str(step.get("start_date", "")), str(step["id"])) for step in told)
    reached = [state for begins, state in steps if begins <= today.isoformat()]
    state = reached[-1] if reached else "available"
    functions = {str(function.get("id")) for function in _parts(spec, "functions")}
    return ModelOffer(
        id=str(spec["model_id"]),
        methods=tuple(name for name, of in _FUNCTIONS.items() if of in functions and state not in _ENDED),
        tasks=tuple(map(str, _list(spec.get("task_ids")))),
        state=state,
        ends=next((begins for begins, state in steps if state in _ENDED), ""),
    )


def _unknown(method: Method, tunable: Mapping[str, Json]) -> NotOffered:
    nearest = get_close_matches(method.model, tunable, n=NEAREST, cutoff=0)
    return NotOffered(
        f"the service has no model {method.model!r} for {_words(method)}; the nearest of {len(tunable)}: "
        f"{', '.join(nearest)}",
        backend=BACKEND,
        hint="Name one of them; wxtuning.models(backend) lists all.",
    )


def _words(method: Method) -> str:
    return {"prompt_tuning": "prompt tuning", "lora": "LoRA"}[method.method]


def parameters(spec: Mapping[str, Any], method: Method) -> Iterator[tuple[str, Range]]:
    """The method's parameters by our names, with what the specification says of them."""
    if isinstance(method, LoRA):
        told = _part(spec, "lora_fine_tuning_parameters")
        entries = {**told, **_part(told, "peft_parameters")}
    else:
        entries = _part(spec, "training_parameters")
    for name, entry in entries.items():
        ours = _OUR_NAMES.get(name, name)
        if ours in type(method).model_fields and (found := _range(entry)):
            yield ours, found


_OUR_NAMES = {"rank": "r"}


def _range(entry: object) -> Range | None:
    """Bounds, or the only values taken; None for what is no number."""
    if not isinstance(entry, Mapping):
        return None
    choices = tuple(number for value in _list(entry.get("supported")) if (number := _number(value)) is not None)
    low = _number(entry.get("min", min(choices, default=None)))
    high = _number(entry.get("max", max(choices, default=None)))
    default = _number(entry.get("default"))
    if low is None or high is None or default is None:
        return None
    return Range(low=low, high=high, default=default, choices=choices)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _part(told: Mapping[str, Any], name: str) -> Json:
    """A part of a specification; empty where it is not told, or is something else."""
    return found if isinstance(found := told.get(name), dict) else {}


def _parts(told: Mapping[str, Any], name: str) -> list[Json]:
    return [part for part in _list(told.get(name)) if isinstance(part, dict)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _context(spec: Mapping[str, Any], method: Method) -> int | None:
    """Tokens of prompt and answer together."""
    bounds = [_part(spec, "model_limits").get("max_sequence_length")]
    if isinstance(method, LoRA):
        bounds.append(_part(_part(spec, "lora_fine_tuning_parameters"), "max_seq_length").get("max"))
    return min((found for bound in bounds if (found := _whole(bound)) is not None), default=None)
