"""Tags as lists are filtered by them: `tag.value`, several of them, and values joined by ` or ` or ` and `."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from wxtuning.server.resources import Wanted


def tagged(values: Sequence[str]) -> list[Wanted]:
    """What a resource must be marked with to fit all values.

    A value is a tag as it was written, or several: `a or b` takes what has one of them, `a and b` what has both.
    """
    return [("tag", wanted) for value in values for wanted in _any_of(value)]


def fits(tags: Collection[str], values: Sequence[str]) -> bool:
    """Whether tags are what `tagged` asks for."""
    return all(any(tag in tags for tag in wanted) for _, wanted in tagged(values))


def _any_of(value: str) -> list[list[str]]:
    """Lists of tags; of each list, one must be there."""
    if " or " in value:
        return [[value, *value.split(" or ")]]
    if " and " in value:
        return [[value, tag] for tag in value.split(" and ")]
    return [[value]]
