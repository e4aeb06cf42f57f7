"""Generation in watsonx's words: parameters checked, answers and events written. Knows no HTTP and no model."""

from __future__ import annotations

import json
import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wxtuning.engine import Decoding
from wxtuning.server.answering.answers import SECONDS
from wxtuning.server.errors import Refused, invalid
from wxtuning.server.fields import nearest
from wxtuning.server.trainings.quotes import quoted

if TYPE_CHECKING:
    from wxtuning.server.answering.batching import Answered

DEFAULT_NEW_TOKENS = 20
MOST_NEW_TOKENS = 8192
MOST_MILLISECONDS = 600_000
SAMPLE_ONLY = ("temperature", "top_p", "top_k", "random_seed")
RETURNED = ("input_text", "generated_tokens", "input_tokens")
NOT_OFFERED = {
    "length_penalty": "use max_new_tokens",
    "prompt_variables": "this server has no prompt templates; send the whole input",
}
"""Parameters of the service that this server does not have, and what to do instead."""
WITHHELD = ("token_logprobs", "token_ranks", "top_n_tokens")
"""What the service returns if asked, and this server does not."""
_RANGES: Mapping[str, tuple[type, float, float]] = {
    "max_new_tokens": (int, 1, MOST_NEW_TOKENS),
    "min_new_tokens": (int, 0, MOST_NEW_TOKENS),
    "temperature": (float, 0, 2),
    "top_p": (float, 0, 1),
    "top_k": (int, 1, 100),
    "random_seed": (int, 0, 2**32 - 1),
    "repetition_penalty": (float, 1, 2),
    "truncate_input_tokens": (int, 0, 2**31),
    "time_limit": (int, 1, MOST_MILLISECONDS),
}
PARAMETERS = (*_RANGES, "decoding_method", "stop_sequences", "include_stop_sequence", "return_options")
"""What this server reads."""
MOST_STOPS, LONGEST_STOP = 6, 40


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a request's parameters ask for.

    Args:
        decoding: How the answer is made.
        seconds: How long it may take.
        last_tokens: What `truncate_input_tokens` says; 0 for all.
        with_stop: The stop sequence that ended the answer is part of it.
        returned: What of RETURNED the caller wants besides.
        warnings: Parameters that have no effect here.
    """

    decoding: Decoding
    seconds: float = SECONDS
    last_tokens: int = 0
    with_stop: bool = True
    returned: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = field(default=())


def wish(parameters: Mapping[str, Any]) -> Wish:
    """The wish in the parameters of a generation request.

    Raises:
        Refused: naming the parameter that is out of its range or that this server does not have.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    _check_names(given)
    numbers = {name: _number(given, name) for name in _RANGES if name in given}
    samples = _samples(given)
    ignored = () if samples else tuple(name for name in SAMPLE_ONLY if name in given)
    return Wish(
        decoding=_decoding(numbers, _stops(given), samples),
        seconds=numbers.get("time_limit", SECONDS * 1000) / 1000,
        last_tokens=int(numbers.get("truncate_input_tokens", 0)),
        with_stop=_flag(given, "include_stop_sequence", default=True),
        returned=_returned(given),
        warnings=tuple(f"{name} has no effect with decoding_method greedy" for name in ignored),
    )


def result(answered: Answered, asked: Wish, *, before: str = "") -> dict[str, Any]:
    """One entry of `results`; `before` is put before the text, for who wants the input with it."""
    stop = answered.stopped_by if asked.with_stop else ""
    seed = {"seed": asked.decoding.seed} if asked.decoding.temperature else {}
    return {
        "generated_text": f"{before}{answered.text}{stop}",
        "generated_token_count": answered.tokens,
        "input_token_count": answered.input_tokens,
        "stop_reason": answered.stop_reason,
        **seed,
    }


def answer(model_id: str, results: Sequence[Mapping[str, Any]], warnings: Sequence[str] = ()) -> dict[str, Any]:
    """The body of an answer."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = [{"message": message, "id": "wxtuning_parameter_ignored"} for message in warnings]
    return {"model_id": model_id, "created_at": now, "results": list(results), "system": {"warnings": told}}


def events(model_id: str, pieces: Generator[Answered, None, None], asked: Wish, input_tokens: int) -> Iterator[bytes]:
    """An answer as server-sent events: an empty piece with the warnings first; an error is an event of its own."""
    number = 0
    empty = {"generated_text": "", "generated_token_count": 0, "input_token_count": input_tokens}
    yield _event(number, "message", answer(model_id, [{**empty, "stop_reason": "not_finished"}], asked.warnings))
    try:
        with closing(pieces):
            for number, piece in enumerate(pieces, start=1):
                yield _event(number, "message", answer(model_id, [result(piece, asked)]))
    except Refused as refusal:
        yield _event(number + 1, "error", refusal.body())


def _event(number: int, kind: str, body: Mapping[str, Any]) -> bytes:
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(body)}\n\n".encode()


def _check_names(given: Mapping[str, Any]) -> None:
    for name in given:
        if name in NOT_OFFERED:
            message = f"not offered by this server: parameters.{name}; {NOT_OFFERED[name]}"
            raise Refused(400, "not_offered", message, target=f"parameters.{name}")
        if name not in PARAMETERS:
            raise _unknown(name, name, PARAMETERS)


def _number(given: Mapping[str, Any], name: str) -> float:
    kind, least, most = _RANGES[name]
    value = given[name]
    fits = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if not fits or not least <= value <= most or (name == "top_p" and value == 0):
        what = "a whole number" if kind is int else "a number"
        raise _bad(name, f"is {quoted(value)}", f"expected {what} from {least} to {most}")
    return float(value) if kind is float else int(value)


def _samples(given: Mapping[str, Any]) -> bool:
    method = given.get("decoding_method", "greedy")
    if method not in ("greedy", "sample"):
        raise _bad("decoding_method", f"is {quoted(method)}", "expected 'greedy' or 'sample'")
    return bool(method == "sample")


def _stops(given: Mapping[str, Any]) -> tuple[str, ...]:
    stops = given.get("stop_sequences", [])
    fits = isinstance(stops, list) and len(stops) <= MOST_STOPS
    if not fits or not all(isinstance(stop, str) and 0 < len(stop) <= LONGEST_STOP for stop in stops):
        wanted = f"expected at most {MOST_STOPS} texts of 1 to {LONGEST_STOP} characters"
        raise _bad("stop_sequences", f"is {quoted(stops)}", wanted)
    return tuple(dict.fromkeys(stops))


def _flag(given: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise _bad(name, f"is {quoted(value)}", "expected true or false")
    return value


def _returned(given: Mapping[str, Any]) -> frozenset[str]:
    options = given.get("return_options", {})
    if not isinstance(options, Mapping):
        raise _bad("return_options", f"is {quoted(options)}", "expected an object")
    known = (*RETURNED, *WITHHELD)
    if unknown := next((name for name in options if name not in known), None):
        raise _unknown(f"return_options.{unknown}", unknown, known)
    wanted = [name for name, value in options.items() if value]
    for name in wanted:
        if name in WITHHELD:
            message = f"not offered by this server: return_options.{name}; {', '.join(RETURNED)} are"
            raise Refused(400, "not_offered", message, target=f"parameters.return_options.{name}")
    return frozenset(wanted)


def _decoding(numbers: Mapping[str, float], stops: tuple[str, ...], samples: bool) -> Decoding:
    least = int(numbers.get("min_new_tokens", 0))
    most = int(numbers.get("max_new_tokens", max(DEFAULT_NEW_TOKENS, least)))
    if least > most:
        raise _bad("min_new_tokens", f"is {least}", f"expected at most max_new_tokens, which is {most}")
    plain = Decoding(
        max_new_tokens=most,
        min_new_tokens=least,
        stop=stops,
        repetition_penalty=numbers.get("repetition_penalty", 1.0),
    )
    if not samples or numbers.get("temperature") == 0:
        return plain
    return Decoding(
        max_new_tokens=plain.max_new_tokens,
        min_new_tokens=plain.min_new_tokens,
        stop=plain.stop,
        repetition_penalty=plain.repetition_penalty,
        temperature=numbers.get("temperature", 1.0),
        top_p=numbers.get("top_p", 1.0),
        top_k=int(numbers.get("top_k", 0)),
        seed=int(numbers.get("random_seed", secrets.randbelow(2**32))),
    )


def _unknown(place: str, name: str, known: Sequence[str]) -> Refused:
    message = f"{quoted(f'parameters.{place}')} is no parameter of text generation; {nearest(name, known)}"
    return invalid(message, target=f"parameters.{place}", code="json_validation_error")


def _bad(name: str, found: str, wanted: str) -> Refused:
    message = f"parameters.{name} {found}; {wanted}"
    return invalid(message, target=f"parameters.{name}", code="json_validation_error")
