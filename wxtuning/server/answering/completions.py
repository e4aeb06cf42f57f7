"""Completions in OpenAI's words: requests checked, answers, chunks and errors written. Knows no HTTP and no model."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wxtuning.engine import Decoding
from wxtuning.server.errors import Refused, invalid
from wxtuning.server.fields import nearest
from wxtuning.server.trainings.quotes import quoted

if TYPE_CHECKING:
    from wxtuning.server.answering.batching import Answered

JSON = Mapping[str, Any]

DEFAULT_NEW_TOKENS = 128
MOST_NEW_TOKENS = 8192
MOST_STOPS, MOST_PROMPTS = 4, 128
NEUTRAL: JSON = {
    "n": (1,), "best_of": (1,), "echo": (False,), "suffix": ("",), "logprobs": (0, False), "top_logprobs": (0,),
    "presence_penalty": (0,), "frequency_penalty": (0,), "logit_bias": ({},), "tools": ([],), "functions": ([],),
    "modalities": (["text"],), "response_format": ({"type": "text"},), "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False), "function_call": ("none", "auto"), "reasoning_effort": ("none",),
    "verbosity": (), "audio": (), "prediction": (), "web_search_options": (),
}  # fmt: skip
"""What this server does not have, with the values that ask for nothing."""
READ = (
    "model", "prompt", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "stop",
    "stream", "stream_options",
)  # fmt: skip
IGNORED = ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key")
"""What concerns OpenAI's house only."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One of the two forms: how its answers are named, and how a text stands in them."""

    prefix: str
    whole: str
    chunk: str
    is_chat: bool


TEXT = Kind(prefix="cmpl-", whole="text_completion", chunk="text_completion", is_chat=False)
CHAT = Kind(prefix="chatcmpl-", whole="chat.completion", chunk="chat.completion.chunk", is_chat=True)


def decoding(body: JSON) -> Decoding:
    """How the answer is made, greedy unless a temperature is given.

    Raises:
        Refused: naming the parameter that is out of its range or that this server does not have.
    """
    _check_names(body)
    temperature = _number(body, "temperature", 0.0, 0, 2)
    return Decoding(
        max_new_tokens=_whole(body, _length_name(body), DEFAULT_NEW_TOKENS, 1, MOST_NEW_TOKENS),
        stop=_stops(body),
        temperature=temperature,
        top_p=max(1e-6, _number(body, "top_p", 1.0, 0, 1)),
        seed=_whole(body, "seed", secrets.randbelow(2**32), -(2**63), 2**64) % 2**32,
    )


def prompts(body: JSON) -> list[str]:
    """The prompts of a completion.

    Raises:
        Refused: if they are no text or list of texts.
    """
    given = body.get("prompt")
    found = [given] if isinstance(given, str) else given
    fits = isinstance(found, list) and 0 < len(found) <= MOST_PROMPTS and all(isinstance(one, str) for one in found)
    if not fits:
        raise invalid(
            f"prompt is no text and no list of 1 to {MOST_PROMPTS} texts; token ids are not read", target="prompt"
        )
    return list(found or ())


def input_of(body: JSON) -> str:
    """The one input that a chat's messages are: a tuned model answers inputs, it was never taught conversations.

    Raises:
        Refused: if there is an earlier answer among them, or something that is no text.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages is no list of at least one message", target="messages")
    texts = [_content(message, number) for number, message in enumerate(messages)]
    return "\n".join(texts)


def answer(kind: Kind, model: str, answered: Sequence[Answered]) -> dict[str, Any]:
    """The body of an answer, one choice for each prompt."""
    choices = [
        {"index": index, **_text(kind, one.text), "finish_reason": _reason(one), "logprobs": None}
        for index, one in enumerate(answered)
    ]
    return {**_head(kind, kind.whole, model), "choices": choices, "usage": _usage(answered)}


def chunks(kind: Kind, model: str, pieces: Generator[Answered, None, None], *, with_usage: bool) -> Iterator[bytes]:
    """An answer as server-sent events; an error is an event of its own, and then nothing follows."""
    head, last = _head(kind, kind.chunk, model), None
    if kind.is_chat:
        yield _event({**head, "choices": [_choice({"delta": {"role": "assistant", "content": ""}}, None)]})
    try:
        with closing(pieces):
            for last in pieces:
                yield _event({**head, "choices": [_choice(_delta(kind, last.text), _reason(last))]})
    except Refused as refusal:
        yield _event(error(refusal))
        return
    if with_usage and last:
        yield _event({**head, "choices": [], "usage": _usage([last])})
    yield b"data: [DONE]\n\n"


def error(refusal: Refused) -> dict[str, Any]:
    """A refusal as OpenAI writes it."""
    kind = "invalid_request_error" if refusal.status < 500 else "server_error"
    return {"error": {"message": refusal.message, "type": kind, "param": refusal.target or None, "code": refusal.code}}


def _head(kind: Kind, name: str, model: str) -> dict[str, Any]:
    return {"id": kind.prefix + secrets.token_hex(12), "object": name, "created": int(time.time()), "model": model}


def _text(kind: Kind, text: str) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}} if kind.is_chat else {"text": text}


def _delta(kind: Kind, text: str) -> dict[str, Any]:
    return {"delta": {"content": text}} if kind.is_chat else {"text": text}


def _choice(part: JSON, reason: str | None) -> dict[str, Any]:
    return {"index": 0, **part, "finish_reason": reason, "logprobs": None}


def _reason(answered: Answered) -> str | None:
    if answered.stop_reason == "not_finished":
        return None
    return "stop" if answered.stop_reason in ("eos_token", "stop_sequence") else "length"


def _usage(answered: Sequence[Answered]) -> dict[str, int]:
    read, written = sum(one.input_tokens for one in answered), sum(one.tokens for one in answered)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _event(body: JSON) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()


def _check_names(body: JSON) -> None:
    known = (*READ, *NEUTRAL, *IGNORED)
    for name, value in body.items():
        if name not in known:
            raise invalid(f"{quoted(name)} is no parameter of completions; {nearest(name, known)}", target=name)
        if name in NEUTRAL and value is not None and value not in NEUTRAL[name]:
            message = f"not offered by this server: {name}={quoted(value)}; send the request without it"
            raise Refused(400, "unsupported_parameter", message, target=name)


def _length_name(body: JSON) -> str:
    return "max_tokens" if body.get("max_completion_tokens") is None else "max_completion_tokens"


def _whole(body: JSON, name: str, default: int, least: int, most: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise invalid(f"{name} is {quoted(value)}; expected a whole number from {least} to {most}", target=name)
    return value


def _number(body: JSON, name: str, default: float, least: float, most: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
        raise invalid(f"{name} is {quoted(value)}; expected a number from {least} to {most}", target=name)
    return float(value)


def _stops(body: JSON) -> tuple[str, ...]:
    given = body.get("stop")
    stops = [given] if isinstance(given, str) else given or []
    if not isinstance(stops, list) or len(stops) > MOST_STOPS or not all(isinstance(one, str) and one for one in stops):
        raise invalid(
            f"stop is {quoted(given)}; expected a text, or at most {MOST_STOPS} that are not empty", target="stop"
        )
    return tuple(stops)


def _content(message: Any, number: int) -> str:
    role = message.get("role") if isinstance(message, Mapping) else None
    if role not in ("system", "developer", "user"):
        expected = "a tuned model answers one input: send system and user only"
        raise invalid(f"messages[{number}] has the role {quoted(role)}; {expected}", target="messages")
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
        content = "".join(str(part.get("text", "")) for part in content)
    if not isinstance(content, str):
        raise invalid(f"messages[{number}].content is no text", target="messages")
    return content
