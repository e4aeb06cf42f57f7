"""Lines of JSON to rows of token ids, and rows to batches of like length. Knows tokens; knows nothing of tensors."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wxtuning.engine.config import TuneConfig
from wxtuning.engine.errors import EngineError
from wxtuning.engine.template import render
from wxtuning.engine.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Row:
    """One example: the ids of its prompt and of its answer."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one file, and how many of them had to be cut to fit."""

    rows: tuple[Row, ...]
    cut_prompts: int = 0
    cut_answers: int = 0

    def __len__(self) -> int:
        return len(self.rows)


def read_rows(file: Path, tokens: Tokens, config: TuneConfig) -> Rows:
    """Every line {"input", "output"} of `file` as ids, in order; see `to_rows`.

    Raises EngineError: no_rows, bad_row (file, line and field named), bad_config (the template alone is too long).
    """
    return to_rows(read_pairs(file), tokens, config)


def to_rows(pairs: Sequence[tuple[str, str]], tokens: Tokens, config: TuneConfig) -> Rows:
    """Every (input, output) as ids, in order; prompts and answers are cut to the config's limits.

    Of a long prompt the end of the input goes, the template stays whole. A cut answer loses its end token: the model
    is not taught to stop in the middle of a sentence.

    Raises EngineError `bad_config`: the template alone is too long.
    """
    prompts, answers = encoded(pairs, tokens, config.verbalizer)
    long = [number for number, prompt in enumerate(prompts) if len(prompt) > config.max_input_tokens]
    for number in long:
        prompts[number] = fitting(pairs[number][0], tokens, config)[1]
    limit = config.max_output_tokens
    rows = tuple(Row(tuple(prompt), tuple(answer[:limit])) for prompt, answer in zip(prompts, answers, strict=True))
    return Rows(rows=rows, cut_prompts=len(long), cut_answers=sum(len(answer) > limit for answer in answers))


def encoded(
    pairs: Sequence[tuple[str, str]], tokens: Tokens, verbalizer: str
) -> tuple[list[list[int]], list[list[int]]]:
    """The ids of every prompt and of every answer in full, before anything is cut."""
    texts = [render(verbalizer, source) for source, _ in pairs]
    return tokens.prompts(texts), tokens.answers([target for _, target in pairs], texts)


def read_pairs(file: Path) -> list[tuple[str, str]]:
    """(input, output) of every line. Raises EngineError: no_rows, bad_row."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as cause:
        raise EngineError(f"there is no {file.name} in {file.parent}", code="no_rows", hint=_ONE_LINE) from cause
    except UnicodeDecodeError as cause:
        raise EngineError(f"{file.name} is not UTF-8: {cause.reason}", code="bad_row", hint=_ONE_LINE) from cause
    pairs = [_pair(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not pairs:
        raise EngineError(f"{file.name} holds no rows", code="no_rows", hint=_ONE_LINE)
    return pairs


def fitting(text: str, tokens: Tokens, config: TuneConfig) -> tuple[str, list[int]]:
    """The longest beginning of `text` whose prompt fits, without white space at its end, and the prompt's ids."""

    def kept(size: int) -> str:
        return text[:size].rstrip()

    def prompt(size: int) -> list[int]:
        return tokens.prompts([render(config.verbalizer, kept(size))])[0]

    best = prompt(0)
    if len(best) > config.max_input_tokens:
        raise EngineError(
            f"the verbalizer alone has {len(best)} tokens, max_input_tokens is {config.max_input_tokens}",
            code="bad_config",
            hint="shorten the verbalizer or raise max_input_tokens",
        )
    low, high = 0, len(text)
    while high > 2 and len(prompt(high // 2)) > config.max_input_tokens:
        high //= 2
    while low + 1 < high:
        middle = (low + high) // 2
        if len(found := prompt(middle)) <= config.max_input_tokens:
            low, best = middle, found
        else:
            high = middle
    return kept(low), best


def windows(lengths: Sequence[int], *, size: int, seed: int, epoch: int) -> list[list[int]]:
    """Row numbers in windows of `size`, each of like length, in an order of this seed and epoch; each row once.

    A little noise on the lengths mixes neighbours anew every epoch. The result depends on the arguments alone, so a
    run that resumes needs no random state.
    """
    rng = random.Random(f"{seed}/{epoch}")
    noisy = [length * rng.uniform(1.0, 1.1) for length in lengths]
    ordered = sorted(range(len(lengths)), key=noisy.__getitem__)
    cut = slices(ordered, size)
    rng.shuffle(cut)
    return cut


def slices(items: Sequence[int], size: int) -> list[list[int]]:
    """`items` in order, `size` at a time."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def split_long(rows: Sequence[Row], *, most: int | None) -> list[list[Row]]:
    """`rows` in parts of at most `most` tokens with their padding, at least one row each; None leaves them whole."""
    longest = max(row.length for row in rows)
    size = len(rows) if most is None else max(1, most // longest)
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]


def common_prefix(rows: Sequence[Row]) -> int:
    """How many tokens all prompts share at their start; at least one token of each prompt is left over."""
    prompts = [row.prompt for row in rows]
    # What the smallest and the largest share in alphabetic order, all between them share too.
    pairs = zip(min(prompts), max(prompts), strict=False)
    shared = next((place for place, (one, other) in enumerate(pairs) if one != other), len(min(prompts)))
    return min(shared, min(map(len, prompts)) - 1)


_ONE_LINE = 'write one JSON object a line: {"input": "...", "output": "..."}'


def _pair(file: Path, number: int, line: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
    except ValueError as cause:
        raise EngineError(f"{file.name} line {number} is not JSON: {cause}", code="bad_row", hint=_ONE_LINE) from cause
    if not isinstance(row, dict):
        raise EngineError(f"{file.name} line {number} is not an object", code="bad_row", hint=_ONE_LINE)
    return _text(file, number, row, "input"), _text(file, number, row, "output")


def _text(file: Path, number: int, row: dict[str, object], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise EngineError(f"{file.name} line {number}: {name} is not a text", code="bad_row", hint=_ONE_LINE)
    if name == "output" and not value.strip():
        raise EngineError(
            f"{file.name} line {number}: output is empty", code="bad_row", hint="remove the row or fill it"
        )
    return value
