"""What a caller asks of a tuning, checked against the model's own ranges. Knows names and values; runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wxtuning.server.errors import invalid
from wxtuning.server.fields import nearest, part, text
from wxtuning.server.trainings.catalog import TASKS, Spec
from wxtuning.server.trainings.hyperparameters import Entry, Table
from wxtuning.server.trainings.quotes import quoted

FIELD, ANSWER = "{{input}}", "{{output}}"

BASE_MODEL = part({"model_id": text()})
GPU = ("num", "name")
"""What may be said of the service's graphics cards, which change nothing here."""

Values = dict[str, Any]
Problem = tuple[str, str]
"""A parameter, and what is wrong with it."""


def prompt_tuning(given: Mapping[str, Any], spec: Spec) -> Values:
    """The parameters of a prompt tuning, defaults filled in.

    Raises:
        Refused: naming every value that is out of its range.
    """
    table: Table = spec["training_parameters"]
    asked = {name: value for name, value in given.items() if name not in ("base_model", "task_id", "tuning_type")}
    problems = [*_problems(asked, table), *_task(given), *_template(asked, answer=False), *_start(asked)]
    if given.get("tuning_type", "prompt_tuning") != "prompt_tuning":
        problems.append(("tuning_type", f"is {quoted(given['tuning_type'])}; expected 'prompt_tuning'"))
    _refuse("prompt_tuning", problems)
    filled = {**_defaults(table), **asked}
    if filled["init_method"] != "text":
        filled.pop("init_text", None)
    return {**_named(given, spec), "tuning_type": "prompt_tuning", **filled}


def lora(given: Mapping[str, Any], spec: Spec) -> Values:
    """The parameters of a LoRA tuning, defaults filled in.

    Raises:
        Refused: naming every value that is out of its range.
    """
    table = {name: entry for name, entry in spec["lora_fine_tuning_parameters"].items() if name != "peft_parameters"}
    apart = ("base_model", "task_id", "peft_parameters", "gpu")
    asked = {name: value for name, value in given.items() if name not in apart}
    peft = _peft(given.get("peft_parameters"), spec)
    problems = [
        *_problems(asked, table),
        *_task(given),
        *_template(asked, answer=True),
        *_gpu(given),
        *_response(asked),
    ]
    _refuse("parameters", problems)
    gpu = {"gpu": given["gpu"]} if "gpu" in given else {}
    return {**_named(given, spec), **_defaults(table), **asked, **gpu, "peft_parameters": peft}


def _peft(given: Any, spec: Spec) -> Values:
    if not isinstance(given, Mapping):
        raise invalid(
            "not offered by this server: POST /ml/v1/fine_tunings of all weights, without parameters.peft_parameters; "
            'LoRA is, with {"type": "lora"} there, and prompt tuning, at POST /ml/v4/trainings',
            target="parameters.peft_parameters",
            code="not_offered",
        )
    table: Table = spec["lora_fine_tuning_parameters"]["peft_parameters"]
    asked = {name: value for name, value in given.items() if name != "target_modules"}
    modules = given.get("target_modules")
    problems = list(_problems(asked, table))
    if modules is not None and not _are_names(modules):
        problems.append(("target_modules", f"is {quoted(modules)}; expected a list of names of linear layers"))
    _refuse("parameters.peft_parameters", problems)
    return {**_defaults(table), **asked, **({"target_modules": list(modules)} if modules else {})}


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) and name for name in value)


def _named(given: Mapping[str, Any], spec: Spec) -> Values:
    return {"base_model": {"model_id": spec["model_id"]}, "task_id": given.get("task_id", "generation")}


def _defaults(table: Table) -> Values:
    return {name: entry["default"] for name, entry in table.items()}


def _refuse(place: str, problems: list[Problem]) -> None:
    if problems:
        message = "; ".join(f"{place}.{name} {text}" for name, text in problems)
        raise invalid(message, target=problems[0][0], code="invalid_input_argument")


def _problems(asked: Mapping[str, Any], table: Table) -> Iterator[Problem]:
    for name, value in asked.items():
        if name not in table:
            yield name, f"is no parameter of this model; {nearest(name, table)}"
        elif text := _problem(value, table[name]):
            yield name, text


def _problem(value: Any, entry: Entry) -> str:
    """What is wrong with a value, or nothing."""
    if "supported" in entry:
        # True is 1 in Python and 1 is no switch, so the kinds are compared too.
        fits = any(type(value) is type(one) and value == one for one in entry["supported"])
        return "" if fits else f"is {quoted(value)}; expected one of {entry['supported']}"
    if "min" in entry:
        return "" if _is_within(value, entry) else f"is {quoted(value)}; expected {_range(entry)}"
    if not isinstance(value, str):
        return f"is {quoted(value)}; expected a text"
    most = entry["max_length"]
    return f"has {len(value):,} characters; expected at most {most:,}" if len(value) > most else ""


def _is_within(value: Any, entry: Entry) -> bool:
    kinds = (int,) if isinstance(entry["default"], int) else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and bool(entry["min"] <= value <= entry["max"])


def _range(entry: Entry) -> str:
    kind = "a whole number" if isinstance(entry["default"], int) else "a number"
    return f"{kind} from {entry['min']} to {entry['max']}"


def _task(given: Mapping[str, Any]) -> Iterator[Problem]:
    task = given.get("task_id", "generation")
    if not isinstance(task, str) or task not in TASKS:
        yield "task_id", f"is {quoted(task)}; expected one of {', '.join(TASKS)}"


def _start(asked: Mapping[str, Any]) -> Iterator[Problem]:
    text = asked.get("init_text")
    if asked.get("init_method") == "text" and not (isinstance(text, str) and text.strip()):
        yield "init_text", "is empty; init_method 'text' needs the words that the soft prompt starts from"


def _template(asked: Mapping[str, Any], *, answer: bool) -> Iterator[Problem]:
    template = asked.get("verbalizer")
    if not isinstance(template, str):
        return
    if (times := template.count(FIELD)) != 1:
        yield "verbalizer", f"holds {FIELD} {times} times; expected once"
    elif ANSWER in template and not (answer and template.rstrip().endswith(ANSWER) and template.count(ANSWER) == 1):
        yield (
            "verbalizer",
            f"holds {ANSWER}; expected it at the end once, or not at all"
            if answer
            else (f"holds {ANSWER}; the answer follows the verbalizer by itself, leave it out"),
        )


def _response(asked: Mapping[str, Any]) -> Iterator[Problem]:
    # It names the text after which the loss counts; here that is always the answer, so it can only agree.
    template, response = asked.get("verbalizer"), asked.get("response_template")
    if not isinstance(response, str) or not response:
        return
    if not isinstance(template, str):
        yield "response_template", "stands alone; it goes with a verbalizer that holds it"
    elif not before_answer(template).rstrip().endswith(response.strip()):
        yield "response_template", f"is {quoted(response)}; expected the end of the verbalizer before the answer"


def _gpu(given: Mapping[str, Any]) -> Iterator[Problem]:
    gpu = given.get("gpu", {"num": 1})
    number = gpu.get("num") if isinstance(gpu, Mapping) else None
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        yield "gpu", f'is {quoted(gpu)}; expected {{"num": 1}} or more'
    elif unknown := [name for name in gpu if name not in GPU]:
        yield f"gpu.{quoted(unknown[0])}", f"is no field of it; {nearest(unknown[0], GPU)}"


def before_answer(verbalizer: str) -> str:
    """The part of a verbalizer that stands before the answer: all of it, without {{output}} at its end."""
    return verbalizer.rstrip().removesuffix(ANSWER) if ANSWER in verbalizer else verbalizer


def model_of(given: Mapping[str, Any], place: str, *, call: str) -> str:
    """The id of the base model that the parameters of a tuning name.

    Args:
        place: Where the parameters stand in the body.
        call: What a refusal names, such as `POST /ml/v4/trainings`.

    Raises:
        Refused: if they name none.
    """
    if "base_model" not in given:
        message = (
            f'{place}.base_model is missing; expected {{"model_id": "wxtuning/tiny"}} or another model of '
            "GET /ml/v1/foundation_model_specs"
        )
        raise invalid(message, target="base_model")
    return str(BASE_MODEL.read(given["base_model"], f"{place}.base_model", call)["model_id"])
