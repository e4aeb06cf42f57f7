"""The filter grammar of model specifications: `f[,f][:and|:or]`, `!f` for absence. Knows tags; knows no models."""

from __future__ import annotations

from collections.abc import Callable, Set

from wxtuning.server.errors import invalid
from wxtuning.server.trainings.quotes import quoted

KINDS = ("modelid_", "provider_", "source_", "input_tier_", "output_tier_", "tier_", "task_", "lifecycle_", "function_")

Filter = Callable[[Set[str]], bool]


def parsed(text: str) -> Filter:
    """What a filter says of the tags of a model; an empty one takes every model.

    Raises:
        Refused: for a filter of a kind that nobody knows.
    """
    listed, _, joined = text.rpartition(":")
    if joined not in ("and", "or"):
        listed, joined = text, "or"
    terms = [_term(part.strip()) for part in listed.split(",") if part.strip()]
    if not terms:
        return lambda tags: True
    quantifier = all if joined == "and" else any
    return lambda tags: quantifier(term(tags) for term in terms)


def _term(text: str) -> Filter:
    wanted = text.removeprefix("!")
    if not wanted.startswith(KINDS):
        raise invalid(
            f"filters: {quoted(text)} is no filter; expected one that begins with {', '.join(KINDS)}, or with ! and "
            "one of them, such as function_text_generation",
            target="filters",
        )
    return (lambda tags: wanted not in tags) if text.startswith("!") else (lambda tags: wanted in tags)
