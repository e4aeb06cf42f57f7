"""Which columns are input and output, where nobody said it. Knows the names that data sets use; knows no row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wxtuning.records.columns import columns_of
from wxtuning.spec import Mapping, Task
from wxtuning.tables import inert


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A shape that data sets have: its name, and its columns as a mapping names them."""

    name: str
    input: str = ""
    output: str = ""
    messages: str = ""

    @property
    def columns(self) -> frozenset[str]:
        if self.messages:
            return frozenset({self.messages})
        return frozenset({*columns_of(self.input), *columns_of(self.output)})

    def __str__(self) -> str:
        if self.messages:
            return f"messages={self.messages!r} ({self.name})"
        return f"input={self.input!r}, output={self.output!r} ({self.name})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inference:
    """What was found: a mapping and the name of its form, or the problems that keep it from being found."""

    mapping: Mapping | None
    form: str = ""
    problems: tuple[str, ...] = ()


FORMS = (
    Form(name="input/output", input="input", output="output"),
    Form(name="chat messages", messages="messages"),
    Form(name="Alpaca", input="{instruction}\n\n{input}", output="output"),
    Form(name="instruction/output", input="instruction", output="output"),
    Form(name="Dolly", input="{instruction}\n\n{context}", output="response"),
    Form(name="instruction/response", input="instruction", output="response"),
    Form(name="prompt/completion", input="prompt", output="completion"),
    Form(name="prompt/response", input="prompt", output="response"),
    Form(name="question/answer", input="question", output="answer"),
    Form(name="question with context", input="{context}\n\n{question}", output="answer"),
    Form(name="text/label", input="text", output="label"),
    Form(name="sentence/label", input="sentence", output="label"),
    Form(name="text/summary", input="text", output="summary"),
    Form(name="document/summary", input="document", output="summary"),
    Form(name="dialogue/summary", input="dialogue", output="summary"),
    Form(name="article/highlights", input="article", output="highlights"),
)
"""The forms that are known; of two whose columns are there, one that uses all columns of the other wins."""

TASK_OUTPUTS: dict[Task, frozenset[str]] = {
    "classification": frozenset({"label"}),
    "summarization": frozenset({"summary", "highlights"}),
    "generation": frozenset({"output", "completion", "response", "answer"}),
}
"""The outputs that a task asks for, where the columns would also serve another task."""


def infer(columns: Sequence[str], task: Task, asked: Mapping | None = None) -> Inference:
    """Find the mapping that fits a data set's columns, if only one does.

    Args:
        columns: The data set's columns.
        task: Decides where the columns would serve two tasks.
        asked: What was said; a mapping that says all is taken as it is, one that says a part is completed.

    Returns:
        The mapping with every column named, or the problems, which list the columns and the candidates.
    """
    asked = asked or Mapping()
    if asked.messages is not None or (asked.input is not None and asked.output is not None):
        return Inference(mapping=asked, form="as asked")
    found = _for_task(_fitting(columns, asked), task)
    if len(found) == 1:
        return Inference(mapping=_said(asked, found[0]), form=found[0].name)
    return Inference(mapping=None, problems=(_problem(columns, asked, found),))


def _fitting(columns: Sequence[str], asked: Mapping) -> list[Form]:
    there = frozenset(columns)
    fits = [form for form in FORMS if form.columns <= there and _agrees(form, asked)]
    fits = [form for form in fits if not any(form.columns < other.columns for other in fits)]
    return fits or _the_other_of_two(columns, asked)


def _agrees(form: Form, asked: Mapping) -> bool:
    return (asked.input in (None, form.input)) and (asked.output in (None, form.output))


def _the_other_of_two(columns: Sequence[str], asked: Mapping) -> list[Form]:
    """With two columns, one of them named by the user, the other is what is left."""
    used = {name for said in (asked.input, asked.output) if said is not None for name in columns_of(said)}
    rest = [column for column in columns if column not in used]
    if len(columns) != 2 or not used <= set(columns) or len(rest) != 1:
        return []
    return [Form(name="the other column", input=asked.input or rest[0], output=asked.output or rest[0])]


def _for_task(forms: list[Form], task: Task) -> list[Form]:
    fitting = [form for form in forms if form.messages or form.output in TASK_OUTPUTS[task]]
    return fitting if len(forms) > 1 and len(fitting) == 1 else forms


def _said(asked: Mapping, form: Form) -> Mapping:
    if form.messages:
        return asked.model_copy(update={"messages": form.messages})
    return asked.model_copy(update={"input": form.input, "output": form.output})


def _problem(columns: Sequence[str], asked: Mapping, found: Sequence[Form]) -> str:
    listed = ", ".join(inert(repr(column)) for column in columns) or "none"
    said = [f"{name}={value!r}" for name in ("input", "output") if (value := getattr(asked, name)) is not None]
    given = f" beside {said[0]}" if said else ""
    if found:
        ways = "; or ".join(map(str, found))
        return f"which columns are input and output{given} is ambiguous; columns found: {listed}; say .to_jsonl({ways})"
    return (
        f"which columns are input and output{given} is not known; columns found: {listed}; "
        "say .to_jsonl(input=..., output=...), each a column or a template such as '{title}: {body}'"
    )
