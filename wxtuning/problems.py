"""What pydantic finds wrong, as problems that people can act on. Knows places, types and defaults; knows no spec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo

from wxtuning.errors import PlanError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]
Owner = type[BaseModel] | None

EXPECTED = {
    "bool_parsing": "True or False",
    "bool_type": "True or False",
    "dict_type": "a dict",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt:.12g}",
    "greater_than_equal": "{ge:.12g} or more",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "invalid_key": "a name that is text",
    "json_type": "JSON text",
    "less_than": "less than {lt:.12g}",
    "literal_error": "{expected}",
    "model_attributes_type": "a dict of parameters",
    "model_type": "a dict of parameters",
    "string_too_short": "a text of length {min_length} or more",
    "string_type": "text",
    "string_unicode": "text that UTF-8 can write",
    "tuple_type": "a list",
    "union_tag_invalid": "one whose {discriminator} is one of {expected_tags}",
    "union_tag_not_found": "one with a {discriminator}",
}
"""What each kind of pydantic's errors asks for; a kind that is not here speaks in pydantic's words."""

LONGEST_NAME = 40
MOST_DIGITS = 18


@contextmanager
def as_plan_error(kind: type) -> Iterator[None]:
    """Raise what pydantic finds wrong with a `kind` as one PlanError that lists all of it, one problem a line."""
    try:
        yield
    except ValidationError as cause:
        problems = [f"{kind.__name__}: {_problem(kind, error)}" for error in cause.errors(include_url=False)]
        raise PlanError(problems) from None


def _problem(kind: type, error: ErrorDetails) -> str:
    path, owner = _walked([kind] if issubclass(kind, BaseModel) else [], error["loc"])
    complaint = _complaint(owner, path, error)
    return f"{'.'.join(map(_shown, path))}: {complaint}" if path else complaint


def _walked(kinds: Sequence[type[BaseModel]], place: Place) -> tuple[Place, Owner]:
    """A place as its user wrote it, and the model that its last name belongs to, if to any."""
    if not place:
        return (), None
    name, rest = place[0], place[1:]
    if len(kinds) > 1:  # pydantic puts the tag that chose a model of a union into the place; nobody wrote it there
        return _walked([kind for kind in kinds if _has_tag(kind, name)], rest)
    owner = kinds[0] if kinds else None
    if not rest:
        return place, owner
    path, found = _walked(_models_in(owner, name), rest)
    return (name, *path), found


def _has_tag(kind: type[BaseModel], tag: int | str) -> bool:
    return any(field.default == tag for field in kind.model_fields.values())


def _models_in(owner: Owner, name: int | str) -> list[type[BaseModel]]:
    field = _field(owner, name)
    choices = (field.annotation, *get_args(field.annotation)) if field else ()
    return [choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel)]


def _field(owner: Owner, name: int | str) -> FieldInfo | None:
    return owner.model_fields.get(str(name)) if owner else None


def _complaint(owner: Owner, path: Place, error: ErrorDetails) -> str:
    name = path[-1] if path else ""
    match error["type"]:
        case "extra_forbidden":
            return _unknown(owner, str(name))
        case "missing":
            return "found nothing, expected a value; give one"
        case "value_error":
            return error["msg"].removeprefix("Value error, ")
        case "json_invalid":
            return f"no JSON ({error['ctx']['error']}), expected one whole JSON value; mend the text"
    given = error["input"]
    return f"found {_found(given)}, expected {_expected(error)}; {_way_out(_field(owner, name), given)}"


def _unknown(owner: Owner, name: str) -> str:
    known = owner.model_fields if owner else {}
    if twin := next((field for field, info in known.items() if name in _aliases(info)), None):
        return f"another name for {twin}, which is given too; leave one of them out"
    if near := get_close_matches(name, known, n=1):
        return f"no such parameter; did you mean {near[0]}?"
    return f"no such parameter; leave it out, or take one of {', '.join(known)}"


def _aliases(field: FieldInfo) -> Sequence[object]:
    return field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else ()


def _found(value: object) -> str:
    # A text may be a secret that went into the wrong field: only its kind is told.
    if isinstance(value, str):
        return "text" if value else "an empty text"
    if isinstance(value, int) and abs(value) >= 10**MOST_DIGITS:
        return f"a number of more than {MOST_DIGITS} digits"
    if value is None or isinstance(value, int | float):
        return str(value)
    return f"a {type(value).__name__}"


def _expected(error: ErrorDetails) -> str:
    if template := EXPECTED.get(error["type"]):
        return template.format(**error.get("ctx", {}))
    return error["msg"].removeprefix("Input should be ")


def _way_out(field: FieldInfo | None, given: object) -> str:
    if near := get_close_matches(given, _choices(field), n=1) if isinstance(given, str) else ():
        return f"did you mean {near[0]!r}?"
    if field is None or field.is_required():
        return "change it"
    if isinstance(field.default, str | int | float):
        return f"change it, or leave it out for {field.default!r}"
    return "change it, or leave it out"


def _choices(field: FieldInfo | None) -> list[str]:
    return [choice for choice in get_args(field.annotation) if isinstance(choice, str)] if field else []


def _shown(name: int | str) -> str:
    # A name may come out of a file: it stays short, and on its line.
    text = str(name) if str(name).isprintable() else repr(name)
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"
