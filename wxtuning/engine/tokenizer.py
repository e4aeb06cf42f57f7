"""A model's tokens without its weights: for counting and looking. Knows files and tokenizers; knows no tensors.

transformers is slow to import and, per row, half as fast as the tokenizer that it wraps. So that tokenizer is used by
itself: read from its own file where transformers would change nothing about it, else taken out of transformers' hands.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from wxtuning.engine.errors import EngineError
from wxtuning.engine.tokens import Tokens

# Classes whose plain tokenizer.json transformers takes as it is (a test compares); for others it may build another one.
AS_WRITTEN = ("gpt2", "granite", "llama", "t5")
BACKENDS = ("TokenizersBackend", "PreTrainedTokenizerFast")
# transformers mends the patterns of some larger vocabularies while it loads them.
MOST_WORDS = 100_000
# What may stand in tokenizer_config.json without changing how a text is cut into tokens.
HARMLESS = frozenset(
    ["backend", "chat_template", "clean_up_tokenization_spaces", "model_input_names", "model_max_length",
     "name_or_path", "padding_side", "tokenizer_class", "truncation_side"]
)  # fmt: skip
SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
# Steps before the merges that only take a text apart, and so add nothing to it.
ONLY_SPLIT = ("BertPreTokenizer", "Digits", "Punctuation", "Split", "Whitespace", "WhitespaceSplit")


@dataclass(frozen=True, slots=True)
class ByteBound:
    """A text of c UTF-8 bytes has at most c + `extra` tokens; where `nfc`, only a text in Unicode form NFC has."""

    extra: int
    nfc: bool


class BareTokenizer:
    """A `tokenizers.Tokenizer` that answers the questions of `Tokens` as transformers' wrapper does."""

    def __init__(self, inner: Any, **ids: int | None) -> None:
        self.inner = inner
        self.eos_token_id, self.bos_token_id, self.pad_token_id = ids["eos"], ids["bos"], ids["pad"]
        inner.no_truncation()
        inner.no_padding()
        inner.encode_special_tokens = False

    def __call__(
        self, texts: str | list[str], *, add_special_tokens: bool = True, verbose: bool = False
    ) -> dict[str, Any]:
        if isinstance(texts, str):
            return {"input_ids": self.inner.encode(texts, add_special_tokens=add_special_tokens).ids}
        rows = self.inner.encode_batch_fast(texts, add_special_tokens=add_special_tokens)
        return {"input_ids": [row.ids for row in rows]}

    def decode(
        self, ids: Sequence[int], *, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool = False
    ) -> str:
        return str(self.inner.decode(list(ids), skip_special_tokens=skip_special_tokens))


def load_tokens(name: str, *, revision: str | None = None) -> Tokens:
    """The tokens of the base `name` (folder or hub id): the same ids as `load_base` gives, without its weights.

    Raises EngineError: model_not_found, bad_model, unsupported_model.
    """
    if found := _as_written(Path(name)):
        return found
    from wxtuning.engine.model import tokens_of

    tokens = tokens_of(name, revision)
    if (inner := _wrapped(tokens.tokenizer)) is not None:
        ids = {part: getattr(tokens.tokenizer, f"{part}_token_id") for part in ("eos", "bos", "pad")}
        tokens.tokenizer = BareTokenizer(inner, **ids)
    return tokens


def byte_bound(tokens: Tokens) -> ByteBound | None:
    """How the bytes of a text bound its tokens; None where they do not, or where that is not known.

    Byte-level BPE starts from single bytes and only merges; whatever lengthens the text before that spoils the bound.
    """
    inner = getattr(tokens.tokenizer, "inner", None)
    if inner is None or type(inner.model).__name__ != "BPE" or not _only_splits(inner.pre_tokenizer):
        return None
    form = inner.normalizer and type(inner.normalizer).__name__
    if form not in (None, "NFC"):
        return None
    # An answer brings a space and an end token of its own.
    return ByteBound(extra=max(2, inner.num_special_tokens_to_add(False)), nfc=form == "NFC")


def _only_splits(pre_tokenizer: Any) -> bool:
    if pre_tokenizer is None:
        return False
    told = json.loads(pre_tokenizer.__getstate__())
    steps = told["pretokenizers"] if told["type"] == "Sequence" else [told]
    levels = [step for step in steps if step["type"] == "ByteLevel"]
    others = {step["type"] for step in steps} - {"ByteLevel"}
    return len(levels) == 1 and not levels[0]["add_prefix_space"] and others <= set(ONLY_SPLIT)


def _as_written(folder: Path) -> Tokens | None:
    """The tokens out of the folder's own files, if those say all there is to say."""
    files = [folder / name for name in ("tokenizer.json", "tokenizer_config.json", "config.json")]
    if not all(file.is_file() for file in files):
        return None
    try:
        told, config = (json.loads(file.read_text(encoding="utf-8")) for file in files[1:])
    except ValueError:
        return None  # transformers has the words for what is wrong
    if config.get("model_type") not in AS_WRITTEN or not _says_nothing_more(told):
        return None
    inner = _inner(files[0])
    ids = {part: _added(inner, told.get(f"{part}_token")) for part in ("eos", "bos", "pad")}
    known = all(_added(inner, told.get(name)) is not None for name in SPECIAL if told.get(name))
    if not known or inner.get_vocab_size() > MOST_WORDS:
        return None
    return Tokens(BareTokenizer(inner, **ids), _generation(folder, config), seq2seq=_is_seq2seq(config))


def _inner(file: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(file))
    except Exception as cause:  # tokenizers raises nothing but Exception itself
        text = f"the tokenizer in {file.parent} is damaged: {cause}"
        raise EngineError(text, code="bad_model", hint="fetch the model's tokenizer.json again") from cause


def _says_nothing_more(told: dict[str, Any]) -> bool:
    plain = all(isinstance(told.get(name), str | None) for name in SPECIAL)
    return plain and told.get("tokenizer_class") in BACKENDS and set(told) <= {*HARMLESS, *SPECIAL}


def _added(inner: Any, token: str | None) -> int | None:
    added = {entry.content: number for number, entry in inner.get_added_tokens_decoder().items()}
    return added.get(token) if token else None


def _generation(folder: Path, config: dict[str, Any]) -> SimpleNamespace:
    file = folder / "generation_config.json"
    return SimpleNamespace(**(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else config))


def _is_seq2seq(config: dict[str, Any]) -> bool:
    return bool(config.get("is_encoder_decoder", config.get("model_type") == "t5"))


def _wrapped(tokenizer: Any) -> Any:
    """The tokenizer inside transformers' wrapper, if the wrapper adds nothing of its own to a text."""
    from transformers import PreTrainedTokenizerFast

    own = type(tokenizer)
    plain = isinstance(tokenizer, PreTrainedTokenizerFast) and not tokenizer.split_special_tokens
    if not plain or own._encode_plus is not PreTrainedTokenizerFast._encode_plus:
        return None
    return tokenizer.backend_tokenizer
