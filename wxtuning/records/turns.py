"""Chat messages to input and output. Knows roles and turns; knows no data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from wxtuning.rows.policy import quoted, text_fault
from wxtuning.rows.verdict import Fault

ANSWERS = "assistant"


@dataclass(frozen=True, slots=True)
class Turn:
    """An input, the answer to it, and how many messages after the answer are of no use."""

    input: str
    output: str
    left_out: int = 0


def turn(messages: object, field: str) -> Turn | Fault:
    """The last answer of a conversation, and everything before it as the input.

    A single question is the input as it is. Of a longer conversation every message gets the name of its role in
    front; what the system says stands first, without a name. `field` is the column's name, for the fault.
    """
    if fault := _fault(messages, field):
        return fault
    said = [(str(m["role"]), str(m["content"])) for m in cast("Sequence[Mapping[str, object]]", messages)]
    last = max((place for place, (role, _) in enumerate(said) if role == ANSWERS), default=None)
    if last is None:
        return Fault(
            field, "missing_field", f"no message has the role {ANSWERS!r}, so there is no output; add the answer"
        )
    return Turn(input=rendered(said[:last]), output=said[last][1], left_out=len(said) - last - 1)


def rendered(messages: Sequence[tuple[str, str]]) -> str:
    """Messages, each a role and its content, as one text."""
    system = [content for role, content in messages if role == "system"]
    others = [(role, content) for role, content in messages if role != "system"]
    if len(others) == 1:
        spoken = others[0][1]
    else:
        spoken = "\n".join(f"{role.capitalize()}: {content}" for role, content in others)
    return "\n\n".join([*system, spoken] if spoken else system)


def _fault(messages: object, field: str) -> Fault | None:
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        return Fault(field, "wrong_type", f"expected a list of messages, found {_kind(messages)}")
    faults = (_message_fault(f"{field}[{place}]", message) for place, message in enumerate(messages))
    return next((fault for fault in faults if fault), None)


def _message_fault(field: str, message: object) -> Fault | None:
    if not isinstance(message, Mapping):
        return Fault(field, "wrong_type", f"expected a message with role and content, found {_kind(message)}")
    return _within(field, message, "role") or _within(field, message, "content")


def _within(field: str, message: Mapping[str, object], name: str) -> Fault | None:
    fault = text_fault(message, name)
    return fault and fault._replace(field=f"{field}.{name}")


def _kind(value: object) -> str:
    return f"{type(value).__name__} {quoted(value)}"
