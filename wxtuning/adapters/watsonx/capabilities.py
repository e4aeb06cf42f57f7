"""What a service offers, before anything is paid: models, methods, parameters, limits and dates. Asks for them once.

The service's own model specifications are the authority; documents and the SDK's docstrings contradict them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from wxtuning.adapters.watsonx.asked import BOTH, body_of, sides_of, values_of
from wxtuning.adapters.watsonx.counting import ServiceTokenizer
from wxtuning.adapters.watsonx.ended import SAAS_ENDED, WAYS_ON, numbered, refuse_without_tuning, warning_of
from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.adapters.watsonx.hosts import is_saas
from wxtuning.adapters.watsonx.service import NOWHERE, Json, Service
from wxtuning.errors import NotOffered
from wxtuning.ports import Limits, ModelOffer, Range, TuningRequest
from wxtuning.spec import LoRA, Method

SPECS = "/ml/v1/foundation_model_specs"

POLL_SECONDS = 10.0
"""Between two looks at a job, once it has run for a while."""

MOST_BYTES = 200 * 10**6
"""A file of training data (IBM's data formats for tuning)."""

LEAST_ROWS, MOST_ROWS = 50, 10_000
"""Examples of a tuning (IBM's data formats for tuning); a model's specification may say otherwise about the most."""

NEAREST = 5

_FUNCTIONS = {"prompt_tuning": "prompt_tune_trainable", "lora": "lora_fine_tune_trainable"}
_ENDED = ("constricted", "withdrawn")
_LIFE = ("available", "deprecated", *_ENDED)


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

    def models(self, method: str | None = None) -> tuple[ModelOffer, ...]:
        """The models that can be tuned (so), by name.

        Raises:
            NotOffered: if the service tunes nothing (any more), or not so.
        """
        self._refuse_what_has_ended(method)
        offers = (found for found in map(self._offer, self._specs) if found.methods)
        found = tuple(each for each in offers if method is None or method in each.methods)
        if not found:
            raise self._nothing(_WORDS[method])
        return found

    def limits(self, method: Method) -> Limits:
        """What may be asked with a method and model.

        Raises:
            NotOffered: if the service tunes nothing (any more), not so, or not this model; says what is offered.
        """
        spec = self.spec(method)
        version, model = self._service.version, self._offer(spec)
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
            ignored=("seed",),
            offer=model,
            platform=f"Cloud Pak for Data {version}" if version else self._service.host,
            warnings=tuple(filter(None, (_warning(spec, model), warning_of(version)))),
        )

    def problems_of(self, request: TuningRequest) -> tuple[str, ...]:
        """What the service would refuse of a request, besides what `limits` bounds: its body is made, and not sent.

        Raises:
            NotOffered: as for `limits`.
        """
        try:
            body = body_of(request, "", lambda: {"train": {}}, {})
        except NotOffered as refused:
            return (str(refused),)
        return tuple(_unfit(values_of(body), self.spec(request.method), request.method))

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
        self._refuse_what_has_ended(method.method)
        tunable = {spec["model_id"]: spec for spec in self._specs if method.method in self._offer(spec).methods}
        if method.model in tunable:
            return tunable[method.model]
        if not tunable:
            raise self._nothing(_words(method))
        for spec in self._specs:
            if spec["model_id"] == method.model and (model := self._offer(spec)).state in _ENDED:
                raise _gone(spec, model, method, tunable)
        raise _unknown(method, tunable)

    def _refuse_what_has_ended(self, method: str | None) -> None:
        if is_saas(self._service.host) and self._today().isoformat() >= SAAS_ENDED:
            raise NotOffered(
                f"watsonx.ai SaaS ({self._service.host}) takes no new tuning since {SAAS_ENDED}",
                backend=BACKEND, hint=WAYS_ON,
            )  # fmt: skip
        refuse_without_tuning(self._service.version)
        if method == "lora" and not self._service.version:
            raise NotOffered(
                f"LoRA is not offered on the cloud; its fine tuning ended on {SAAS_ENDED}",
                backend=BACKEND,
                hint=f"Take wx.PromptTuning(...) where that is offered, or Cloud Pak for Data before 6.0. {WAYS_ON}",
            )

    def _nothing(self, what: str) -> NotOffered:
        return NotOffered(f"{self._service.host} has no model for {what}", backend=BACKEND, hint=WAYS_ON)

    def _fingerprint(self, model: str) -> str:
        # A model is known by its name there; another project is another place for jobs and data. Its id is no other
        # project's, and the service may have another address tomorrow.
        container = self._service.container
        return f"{container.kind}/{container.id}/{model}"

    @cached_property
    def _specs(self) -> tuple[Json, ...]:
        # Withdrawn ones too, so that whoever names one is told when it ended.
        found = self._service.pages(SPECS, within=NOWHERE)
        named = (spec for spec in found if spec.get("model_id") and isinstance(spec["model_id"], str))
        return tuple(sorted(named, key=lambda spec: str(spec["model_id"])))

    def _offer(self, spec: Json) -> ModelOffer:
        return offer(spec, self._today(), self._service.version)


def offer(spec: Mapping[str, Any], today: date, version: str = "") -> ModelOffer:
    """A specification in the words of the port, with the state that its lifecycle has reached.

    Args:
        spec: Of the model. A step of its life begins on a day or, on Cloud Pak for Data, with a version.
        today: The day, in UTC.
        version: Of Cloud Pak for Data; empty on the cloud.
    """
    life = sorted(_step(step) for step in _parts(spec, "lifecycle") if step.get("id"))
    reached = [
        state for day, _, since, state in life if day <= today.isoformat() and numbered(since) <= numbered(version)
    ]
    state = reached[-1] if reached else "available"
    functions = {str(function.get("id")) for function in _parts(spec, "functions")}
    return ModelOffer(
        id=str(spec["model_id"]),
        methods=tuple(name for name, of in _FUNCTIONS.items() if of in functions and state not in _ENDED),
        tasks=tuple(map(str, _list(spec.get("task_ids")))),
        state=state,
        ends=next(
            (day or (f"version {since}" if since else "") for day, _, since, state in life if state in _ENDED), ""
        ),
    )


def _step(told: Mapping[str, Any]) -> tuple[str, int, str, str]:
    """A step of a life: its day, its place (for steps that have no day), its version and its name."""
    name = str(told.get("id"))
    place = _LIFE.index(name) if name in _LIFE else 0
    return str(told.get("start_date") or ""), place, str(told.get("since_version") or ""), name


def _warning(spec: Mapping[str, Any], model: ModelOffer) -> str:
    """What somebody who pays should know of a model's life; empty if it goes on."""
    if model.state == "available" and not model.ends:
        return ""
    state = [] if model.state == "available" else [f"is {model.state}"]
    ends = [f"is tuned no more from {model.ends} on"] if model.ends else []
    return f"{model.id} {' and '.join([*state, *ends])}{_instead(spec)}"


def _instead(spec: Mapping[str, Any]) -> str:
    steps = [step.get("alternative_model_ids") or () for step in spec.get("lifecycle") or ()]
    named = dict.fromkeys(str(model) for models in steps for model in models)
    return f"; the service names {', '.join(named)} instead" if named else ""


def _unknown(method: Method, tunable: Mapping[str, Json]) -> NotOffered:
    return _not_among(f"the service has no model {method.model!r} for {_words(method)}", method, tunable)


def _gone(spec: Json, model: ModelOffer, method: Method, tunable: Mapping[str, Json]) -> NotOffered:
    since = f" since {model.ends}" if model.ends else ""
    return _not_among(f"{model.id} is {model.state}{since}{_instead(spec)}", method, tunable)


def _not_among(reason: str, method: Method, tunable: Mapping[str, Json]) -> NotOffered:
    nearest = get_close_matches(method.model, tunable, n=NEAREST, cutoff=0)
    return NotOffered(
        f"{reason}; the nearest of {len(tunable)}: {', '.join(nearest)}",
        backend=BACKEND,
        hint="Name one of them; wxtuning.models(backend) lists all.",
    )


def _words(method: Method) -> str:
    return _WORDS[method.method]


_WORDS = {"prompt_tuning": "prompt tuning", "lora": "LoRA", None: "tuning"}


def parameters(spec: Mapping[str, Any], method: Method) -> Iterator[tuple[str, Range]]:
    """The method's parameters by our names, with what the specification says of them."""
    for name, entry in _entries(spec, method).items():
        ours = _OUR_NAMES.get(name, name)
        if ours in type(method).model_fields and (found := _range(entry)):
            yield ours, found
    if isinstance(method, LoRA) and (both := _range(_entries(spec, method).get(BOTH))):
        yield from _sides(both)


def _entries(spec: Mapping[str, Any], method: Method) -> Mapping[str, Any]:
    """What a specification says of the method's parameters, by the service's names."""
    if not isinstance(method, LoRA):
        return _part(spec, "training_parameters")
    told = _part(spec, "lora_fine_tuning_parameters")
    return {**told, **_part(told, "peft_parameters")}


_OUR_NAMES = {"rank": "r"}


def _sides(both: Range) -> Iterator[tuple[str, Range]]:
    """The two bounds of a row whose sum the service bounds, with defaults that make up the service's own."""
    most = both.high - 1
    sides = sides_of(int(both.default)) if both.default is not None else {}
    for name in ("max_input_tokens", "max_output_tokens"):
        yield name, Range(low=1, high=most, default=sides.get(name))


def _range(entry: object) -> Range | None:
    """Bounds, or the only values taken, as far as they are told; None for what is no number."""
    if not isinstance(entry, Mapping):
        return None
    choices = [number for each in _list(entry.get("supported")) if (number := _number(each)) is not None]
    told = {
        "low": _number(entry.get("min", min(choices, default=None))),
        "high": _number(entry.get("max", max(choices, default=None))),
        "default": _number(entry.get("default")),
    }
    known = {name: number for name, number in told.items() if number is not None}
    return Range(choices=tuple(choices), **known) if known else None


def _unfit(values: Mapping[str, Any], spec: Mapping[str, Any], method: Method) -> Iterator[str]:
    """What the specification does not take of a body's values; those that are ours as they are have their ranges."""
    entries, ranged = _entries(spec, method), dict(parameters(spec, method))
    for name, value in values.items():
        if _OUR_NAMES.get(name, name) not in ranged and (problem := _misfit(value, entries.get(name))):
            yield f"{_SHOWN.get(name, name)} {problem}"


_SHOWN = {BOTH: f"max_input_tokens + max_output_tokens ({BOTH})"}


def _misfit(value: object, entry: object) -> str:
    if not isinstance(entry, Mapping):
        return ""
    supported, most = entry.get("supported"), entry.get("max_length")
    if isinstance(supported, list) and any(one not in supported for one in _each(value)):
        return f"is {', '.join(map(str, _each(value)))}; {BACKEND} takes {' or '.join(map(str, supported))}"
    if isinstance(value, str) and isinstance(most, int) and len(value) > most:
        return f"has {len(value):,} characters; {BACKEND} takes {most:,} at most"
    number, allowed = _number(value), _range(entry)
    if number is not None and allowed and not allowed.takes(number):
        return f"is {number:g}; {BACKEND} takes {allowed}"
    return ""


def _each(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


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
        bounds.append(_part(_part(spec, "lora_fine_tuning_parameters"), BOTH).get("max"))
    return min((found for bound in bounds if (found := _whole(bound)) is not None), default=None)
