"""Text to token ids and back, for prompts and for answers. Knows tokenizers; knows nothing of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Tokens:
    """One base's tokenizer with the rules of prompt and answer.

    A prompt carries the special tokens the tokenizer puts before it. A causal model's answer is one space and the
    text, a seq2seq model's answer the text alone; both end with the end token.
    """

    def __init__(self, tokenizer: Any, generation_config: Any, *, seq2seq: bool) -> None:
        self.tokenizer = tokenizer
        self.seq2seq = seq2seq
        self.ends = _ends(tokenizer, generation_config)
        self.start: int = _decoder_start(tokenizer, generation_config)
        self._space = "" if seq2seq else _space_before_answer(tokenizer)

    @property
    def end(self) -> int | None:
        """The token that ends an answer; None where the model has none."""
        return self.ends[0] if self.ends else None

    def prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each prompt, never empty."""
        if not texts:
            return []
        rows: list[list[int]] = self.tokenizer(list(texts), verbose=False)["input_ids"]
        return [self._opened(row) for row in rows]

    def answers(self, texts: Sequence[str], prompts: Sequence[str]) -> list[list[int]]:
        """The ids of each answer as it follows its prompt, with the end token."""
        if not texts:
            return []
        joined = [
            self._space + text if self._needs_space(prompt) else text
            for text, prompt in zip(texts, prompts, strict=True)
        ]
        rows: list[list[int]] = self.tokenizer(joined, add_special_tokens=False, verbose=False)["input_ids"]
        return [row + list(self.ends[:1]) for row in rows]

    def text(self, ids: Sequence[int]) -> str:
        """The text of generated ids without special tokens and without the space before an answer."""
        made = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(made).removeprefix(" ")

    def plain(self, text: str) -> list[int]:
        """The ids PEFT takes for a text that starts a soft prompt: with the tokenizer's special tokens."""
        return list(self.tokenizer(text, verbose=False)["input_ids"])

    def _needs_space(self, prompt: str) -> bool:
        return not prompt[-1:].isspace()

    def _opened(self, row: list[int]) -> list[int]:
        # Some causal tokenizers close every text with their end token; an answer must follow, so it goes.
        while not self.seq2seq and row and row[-1] in self.ends:
            row = row[:-1]
        return row or [self.start]


def _ends(tokenizer: Any, generation_config: Any) -> tuple[int, ...]:
    declared = getattr(generation_config, "eos_token_id", None)
    listed = declared if isinstance(declared, list) else [declared]
    found = [tokenizer.eos_token_id, *listed]
    return tuple(dict.fromkeys(int(end) for end in found if end is not None))


def _decoder_start(tokenizer: Any, generation_config: Any) -> int:
    names = ("decoder_start_token_id", "bos_token_id", "pad_token_id", "eos_token_id")
    known = [getattr(generation_config, name, None) for name in names] + [
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
    ]
    return int(next((token for token in known if isinstance(token, int)), 0))


def _space_before_answer(tokenizer: Any) -> str:
    """The space to write before an answer; none where the tokenizer puts one before every text by itself."""
    prompt = tokenizer("Output:", add_special_tokens=False, verbose=False)["input_ids"]
    for space in (" ", ""):
        answer = tokenizer(f"{space}a", add_special_tokens=False, verbose=False)["input_ids"]
        text = str(tokenizer.decode(prompt + answer, clean_up_tokenization_spaces=False))
        if text.strip() == "Output: a":
            return space
    return " "
