"""What is to be tuned and how. Knows names and ranges; knows nothing of tensors or files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from wxtuning.engine.errors import EngineError

Method = Literal["prompt_tuning", "lora"]
InitMethod = Literal["random", "text"]
DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, kw_only=True, slots=True)
class TuneConfig:
    """Everything that decides the bytes of an adapter, apart from the rows.

    The same config, rows, base, machine and thread count give the same adapter bytes.

    model, revision          local folder or hub id of a causal or seq2seq model, and its branch, tag or commit
    method                   prompt_tuning (Lester et al. 2021, arXiv:2104.08691) or lora (Hu et al. 2021,
                             arXiv:2106.09685)
    init_method, init_text   where the soft prompt starts: random, or the embeddings of a text, which is repeated or
                             cut to num_virtual_tokens as PEFT does
    r, lora_alpha, lora_dropout, target_modules   as in PEFT; no target_modules means PEFT's own choice for the class
    learning_rate            the highest of the run: linear from 0 over warmup_ratio of the steps, then linear to 0
    batch_size               rows computed at once; batch_size x accumulate_steps rows make one optimiser step
    max_input_tokens         tokens of the rendered prompt; the input's text is cut at its end, never the template
    max_output_tokens        tokens of the answer with its end token
    verbalizer               the template around every input; holds {{input}} exactly once
    early_stopping_patience  epochs without a better validation loss before the run ends with its best epoch
    checkpoint_every_seconds, checkpoint_every_steps   how much work a crash can cost; steps=None leaves it to seconds
    device, dtype            auto takes CUDA, then MPS, then the CPU; bfloat16 where the device is made for it
    threads                  of the CPU; None takes one for a narrow model, which is as fast, else torch's own choice

    Raises EngineError `bad_config` for a value out of range.
    """

    model: str
    revision: str | None = None
    method: Method = "prompt_tuning"
    init_method: InitMethod = "random"
    init_text: str | None = None
    num_virtual_tokens: int = 20
    r: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.0
    target_modules: tuple[str, ...] | None = None
    num_epochs: int = 8
    learning_rate: float = 0.1
    batch_size: int = 16
    accumulate_steps: int = 1
    max_input_tokens: int = 256
    max_output_tokens: int = 128
    verbalizer: str = "Input: {{input}} Output:"
    seed: int = 0
    warmup_ratio: float = 0.06
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    early_stopping_patience: int | None = None
    checkpoint_every_seconds: float = 30.0
    checkpoint_every_steps: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        problems = [text for text in _problems(self) if text]
        if problems:
            raise EngineError("; ".join(problems), code="bad_config", hint="correct the values named and start again")

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> TuneConfig:
        """The config that `to_json` wrote. Raises EngineError `bad_config` for broken JSON or an unknown name."""
        values = _object(text)
        if unknown := sorted(set(values) - {field.name for field in fields(cls)}):
            raise EngineError(f"unknown names in the config: {unknown}", code="bad_config", hint=_SAME_VERSION)
        if "model" not in values:
            raise EngineError("the config names no model", code="bad_config", hint='add "model": folder or hub id')
        if values.get("target_modules") is not None:
            values["target_modules"] = tuple(values["target_modules"])
        return cls(**values)


_SAME_VERSION = "write the config with the wxtuning that runs it"
_AT_LEAST_ONE = (
    "num_virtual_tokens",
    "r",
    "lora_alpha",
    "num_epochs",
    "batch_size",
    "accumulate_steps",
    "max_input_tokens",
    "max_output_tokens",
)
_MOST = 2**31 - 1
_AT_LEAST_ONE_OR_NONE = ("early_stopping_patience", "checkpoint_every_steps", "threads")
_AT_LEAST_ZERO = ("weight_decay", "checkpoint_every_seconds")
_ABOVE_ZERO = ("learning_rate", "max_grad_norm")


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as cause:
        raise EngineError(f"the config is not JSON: {cause}", code="bad_config", hint=_SAME_VERSION) from cause
    if not isinstance(values, dict):
        raise EngineError("the config is not a JSON object", code="bad_config", hint=_SAME_VERSION)
    return values


def _problems(config: TuneConfig) -> list[str]:
    return [
        *(_whole(config, name, least=1) for name in _AT_LEAST_ONE),
        *(_whole(config, name, least=1) for name in _AT_LEAST_ONE_OR_NONE if getattr(config, name) is not None),
        _whole(config, "seed", least=0),
        *(_number(config, name, least=0) for name in _AT_LEAST_ZERO),
        *(_number(config, name, above=0) for name in _ABOVE_ZERO),
        *(_share(config, name) for name in ("lora_dropout", "warmup_ratio")),
        _choice(config, "method", get_args(Method)),
        _choice(config, "init_method", get_args(InitMethod)),
        _choice(config, "dtype", DTYPES),
        _device(config.device),
        _template(config.verbalizer),
        _start(config),
    ]


def _whole(config: TuneConfig, name: str, *, least: int) -> str:
    value = getattr(config, name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
        return f"{name} is {value!r}, expected a whole number, at least {least}"
    return ""


def _number(config: TuneConfig, name: str, *, least: float | None = None, above: float | None = None) -> str:
    value = getattr(config, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"{name} is {value!r}, expected a number"
    if least is not None and not least <= value < float("inf"):
        return f"{name} is {value}, expected at least {least}"
    if above is not None and not above < value < float("inf"):
        return f"{name} is {value}, expected more than {above}"
    return ""


def _share(config: TuneConfig, name: str) -> str:
    value = getattr(config, name)
    return "" if isinstance(value, (int, float)) and 0 <= value < 1 else f"{name} is {value!r}, expected 0 to below 1"


def _choice(config: TuneConfig, name: str, choices: tuple[str, ...]) -> str:
    value = getattr(config, name)
    return "" if value in choices else f"{name} is {value!r}, expected one of {list(choices)}"


def _device(device: str) -> str:
    return "" if device.partition(":")[0] in DEVICES else f"device is {device!r}, expected one of {list(DEVICES)}"


def _template(verbalizer: str) -> str:
    count = verbalizer.count("{{input}}")
    return "" if count == 1 else f"the verbalizer holds {{{{input}}}} {count} times, expected once"


def _start(config: TuneConfig) -> str:
    if config.method == "prompt_tuning" and config.init_method == "text" and not (config.init_text or "").strip():
        return "init_method is 'text' but init_text is empty"
    return ""
