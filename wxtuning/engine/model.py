"""A base model, loaded once and frozen: which class, which device, which number format, which tokens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from wxtuning.engine.contents import FOLDER_HOLDS, check_folder
from wxtuning.engine.errors import EngineError
from wxtuning.engine.tokens import Tokens

# Below this width the conversions of bfloat16 cost more than its matrix products save (measured, see tests/benchmarks).
WIDE = 512
# Below this width one thread is as fast as two, and a second one that waits for a busy core costs up to 3x (measured).
NARROW = 256
# Tokens that a CPU computes at once: more only costs memory there, its matrix products are no faster (measured).
AT_ONCE_ON_CPU = 1024
# Up to this many tokens a row, plain attention trains faster in bfloat16 on a CPU than torch's flash kernel (measured).
SHORT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A frozen model in eval mode with its tokens. Safe to share; hold `lock` while an adapter is switched in."""

    name: str
    model: Any
    tokens: Tokens
    seq2seq: bool
    device: torch.device
    dtype: torch.dtype
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def width(self) -> int:
        return int(self.embedding.weight.shape[1])

    @property
    def embedding(self) -> Any:
        return self.model.get_input_embeddings()

    @property
    def longest(self) -> int | None:
        """The most positions the model was built for; None where it has no such limit (T5)."""
        config = self.model.config.get_text_config(decoder=True)
        limit = getattr(config, "max_position_embeddings", None)
        return int(limit) if limit else None

    @property
    def at_once(self) -> int | None:
        """The most tokens worth computing in one pass; None where more is always better."""
        return AT_ONCE_ON_CPU if self.device.type == "cpu" else None

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return self.embedding(ids)  # type: ignore[no-any-return]  # transformers is untyped here

    def ids(self, rows: list[list[int]]) -> torch.Tensor:
        return torch.tensor(rows, dtype=torch.long, device=self.device)


def load_base(name: str, *, revision: str | None = None, device: str = "auto", dtype: str = "auto") -> Base:
    """The base `name` (folder or hub id), from safetensors only and never with code of its own.

    Raises EngineError: model_not_found, bad_model (damaged or not safetensors), unsupported_model.
    """
    _check_folder(name)
    # transformers draws random weights before it reads the real ones; the caller's random state is not its to use.
    with torch.random.fork_rng(devices=[]), _quiet(), _translated(name):
        config = _config(name, revision)
        chosen = choose_device(device)
        number = choose_dtype(dtype, chosen, width=_width(config))
        tokenizer = _tokenizer(name, revision)
        seq2seq = bool(config.is_encoder_decoder)
        model = _model(name, revision, config, number).to(chosen)
    if model.get_output_embeddings() is None:
        raise EngineError(f"{name} has no output head", code="unsupported_model", hint=_LANGUAGE_MODEL)
    tokens = Tokens(tokenizer, model.generation_config, seq2seq=seq2seq)
    return Base(name=name, model=model, tokens=tokens, seq2seq=seq2seq, device=chosen, dtype=number)


def hollow_base(name: str, *, revision: str | None = None) -> Base:
    """The base `name` as `load_base` has it, without its weights: its shape says what fits it.

    Raises EngineError: model_not_found, bad_model, unsupported_model.
    """
    meta = torch.device("meta")
    tokens = tokens_of(name, revision)
    with _quiet(), _translated(name):
        config = _config(name, revision)
        with meta:
            model = _class_of(config).from_config(config, trust_remote_code=False)
    seq2seq = bool(config.is_encoder_decoder)
    return Base(name=name, model=model, tokens=tokens, seq2seq=seq2seq, device=meta, dtype=torch.float32)


def tokens_of(name: str, revision: str | None = None) -> Tokens:
    """The tokens of the base `name`, as `load_base` has them, without its weights.

    Raises EngineError: model_not_found, bad_model, unsupported_model.
    """
    with _quiet(), _translated(name):
        config = _config(name, revision)
        generation = _generation(name, revision, config)
        return Tokens(_tokenizer(name, revision), generation, seq2seq=bool(config.is_encoder_decoder))


def choose_device(wanted: str) -> torch.device:
    """`wanted`, or for "auto" CUDA, then MPS, then the CPU. Raises EngineError `bad_config` for one not here."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu")
    kind = wanted.partition(":")[0]
    if (kind == "cuda" and not torch.cuda.is_available()) or (kind == "mps" and not _has_mps()):
        raise EngineError(
            f"this machine has no {kind} device", code="bad_config", hint="device='auto' takes what is here"
        )
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device, *, width: int) -> torch.dtype:
    """`wanted`, or for "auto" bfloat16 where `device` multiplies it natively and, on a CPU, the model is wide."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    native = device.type == "cpu" and width >= WIDE and _cpu_has_bfloat16()
    return torch.bfloat16 if native else torch.float32


def choose_attention(base: Base, *, longest: int) -> None:
    """Let `base` attend in the way that trains fastest on rows of at most `longest` tokens."""
    if base.device.type == "cpu" and base.dtype == torch.bfloat16 and longest <= SHORT:
        base.model.set_attn_implementation("eager")


@contextmanager
def threads_for(base: Base, wanted: int | None = None) -> Iterator[None]:
    """`wanted` CPU threads inside the block; for None one where the base is narrow, else what torch has."""
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or (1 if base.width < NARROW else before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cpu_has_bfloat16() -> bool:
    # `get_capabilities` is new in torch 2.11; older ones only have the two private questions.
    ask = getattr(torch.cpu, "get_capabilities", None)
    if ask is not None:
        able = ask()
        return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, bool)() for name in names)


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


_LANGUAGE_MODEL = "choose a causal or sequence-to-sequence language model"


def _check_folder(name: str) -> None:
    folder = Path(name)
    is_path = folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1
    if is_path or folder.exists():
        check_folder(folder)


def _config(name: str, revision: str | None) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)


def _width(config: Any) -> int:
    text = config.get_text_config(decoder=True)
    return int(getattr(text, "hidden_size", 0) or getattr(text, "d_model", 0) or 0)


def _tokenizer(name: str, revision: str | None) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)


def _generation(name: str, revision: str | None, config: Any) -> Any:
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(name, revision=revision)
    except OSError:  # no such file: then the model takes it from its config
        return GenerationConfig.from_model_config(config)


def _class_of(config: Any) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    return AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM


def _model(name: str, revision: str | None, config: Any, dtype: torch.dtype) -> Any:
    model, report = _class_of(config).from_pretrained(
        name,
        revision=revision,
        config=config,
        dtype=dtype,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    _check_complete(name, report)
    return model.eval().requires_grad_(False)


def _check_complete(name: str, report: dict[str, Any]) -> None:
    # transformers fills weights it does not find with random numbers; that is never what a caller wants here.
    absent = sorted(str(key) for key in [*report.get("missing_keys", ()), *report.get("mismatched_keys", ())])
    if absent:
        raise EngineError(
            f"the weights of {name} lack or misfit {len(absent)} tensors, the first is {absent[0]}",
            code="bad_model",
            hint="fetch the model again; config.json and the weights must belong together",
        )


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except EngineError:
        raise
    except ImportError as cause:
        hint = "pip install 'wxtuning[local]', and the package that the message names"
        raise EngineError(f"{name} needs a package: {cause}", code="missing_dependency", hint=hint) from cause
    except json.JSONDecodeError as cause:
        raise EngineError(f"a JSON file of {name} is broken: {cause}", code="bad_model", hint=FOLDER_HOLDS) from cause
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise _not_loaded(name, cause) from cause
    except RuntimeError as cause:
        raise EngineError(f"{name} does not load: {_brief(cause)}", code="bad_model", hint=FOLDER_HOLDS) from cause
    except Exception as cause:
        # tokenizers raises nothing but Exception itself; safetensors a class of its own, which derives from it alone.
        if type(cause) is Exception:
            text = f"the tokenizer of {name} is damaged: {_brief(cause)}"
            raise EngineError(text, code="bad_model", hint=FOLDER_HOLDS) from cause
        if type(cause).__name__ != "SafetensorError":
            raise
        raise EngineError(f"the weights of {name} are damaged: {cause}", code="bad_model", hint=FOLDER_HOLDS) from cause


def _not_loaded(name: str, cause: Exception) -> EngineError:
    text = _brief(cause)
    if "trust_remote_code" in str(cause):
        hint = "choose a model of a class that transformers has; code from a model folder is never run"
        return EngineError(f"{name} wants to run code of its own", code="unsupported_model", hint=hint)
    if "Unrecognized" in text or "model type" in str(cause):
        return EngineError(
            f"{name} is no model that can be tuned: {text}", code="unsupported_model", hint=_LANGUAGE_MODEL
        )
    if isinstance(cause, OSError):
        hint = "check the name; set HF_TOKEN for a private model, HF_HUB_OFFLINE=0 to let it be fetched"
        return EngineError(f"{name} was not found: {text}", code="model_not_found", hint=hint)
    return EngineError(f"{name} does not load: {text}", code="bad_model", hint=FOLDER_HOLDS)


def _brief(cause: BaseException) -> str:
    lines = [line for line in str(cause).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(cause).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no advice from transformers while a base loads; its settings are put back."""
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
