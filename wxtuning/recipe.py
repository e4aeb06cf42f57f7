"""An experiment as a YAML file that people read, change and keep beside their code. Knows texts; opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wxtuning.errors import PlanError
from wxtuning.spec import ExperimentSpec

HEAD = "# An experiment of wxtuning: `wxtuning plan FILE` checks it, `wxtuning run FILE` runs it.\n"

_OWN = ("source", "store", "backend")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a file holds: the spec, and the addresses of rows, store and backend, each None if it is not said."""

    spec: ExperimentSpec
    source: str | None = None
    store: str | None = None
    backend: str | None = None

    def to_yaml(self, *, note: str = "") -> str:
        """The recipe as YAML, without what is as it would be anyway; `from_yaml` reads it back equal.

        Args:
            note: Lines of comment at the top.
        """
        import yaml

        spec = self.spec.model_dump(mode="json", exclude_defaults=True)
        # A method is named even where it is the default: a file should say what it does.
        spec["method"] = {"method": self.spec.method.method, "model": self.spec.method.model, **spec.get("method", {})}
        addresses = {name: value for name in _OWN if (value := getattr(self, name)) is not None}
        body = yaml.safe_dump({**addresses, **spec}, sort_keys=False, allow_unicode=True, width=110)
        return HEAD + "".join(f"# {line}\n" for line in note.splitlines()) + str(body)

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """Read a recipe.

        Raises:
            PlanError: with everything that is wrong in it; nothing but plain values is read.
        """
        said = _plain_values(text)
        addresses = {name: said.pop(name) for name in _OWN if name in said}
        if wrong := [name for name, value in addresses.items() if not isinstance(value, str)]:
            raise PlanError([f"{name} is {addresses[name]!r}; expected a text" for name in wrong])
        return cls(spec=ExperimentSpec.model_validate(said), **addresses)


def _plain_values(text: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as cause:
        raise PlanError([f"this is no YAML: {_first_line(cause)}"]) from None
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise PlanError([f"expected names with values, such as `name: my-experiment`, found {type(found).__name__}"])
    return dict(found)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
