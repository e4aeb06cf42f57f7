"""Single rows as the training loop sees them, piece by piece. Made by the code that makes its batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wxtuning.engine.config import TuneConfig
from wxtuning.engine.data import encoded, fitting, to_rows
from wxtuning.engine.tokens import Tokens

Piece = tuple[int, str]
"""A token's id and its part of the text. A character of several tokens stands with the last of them."""

BROKEN = "\ufffd"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One row: `virtual` tuned vectors, the prompt, and the answer, whose tokens alone count in the loss.

    `start` is what a seq2seq decoder begins with, `end` the token that ends the answer; None where there is none, or
    where it was cut. `lost_input` and `lost_output` are the texts that did not fit, with the numbers of their tokens.
    """

    virtual: int
    prompt: tuple[Piece, ...]
    start: Piece | None
    answer: tuple[Piece, ...]
    end: Piece | None
    lost_input: str
    lost_input_tokens: int
    lost_output: str
    lost_output_tokens: int


def xray(pairs: Sequence[tuple[str, str]], tokens: Tokens, config: TuneConfig) -> list[Seen]:
    """Every (input, output) as it would be trained on.

    Raises EngineError `bad_config`: the template alone is too long.
    """
    rows = to_rows(pairs, tokens, config).rows
    whole = zip(*encoded(pairs, tokens, config.verbalizer), strict=True)
    return [
        _seen(pair, (row.prompt, row.answer), full, tokens, config)
        for pair, row, full in zip(pairs, rows, whole, strict=True)
    ]


def _seen(
    pair: tuple[str, str], kept: tuple[tuple[int, ...], tuple[int, ...]], full: tuple[list[int], list[int]],
    tokens: Tokens, config: TuneConfig,
) -> Seen:  # fmt: skip
    (prompt, answer), (whole_prompt, whole_answer) = kept, full
    ended = bool(tokens.ends) and len(answer) == len(whole_answer)
    words, end = (answer[:-1], answer[-1:]) if ended else (answer, ())
    cut = len(whole_prompt) > len(prompt)
    return Seen(
        virtual=config.num_virtual_tokens if config.method == "prompt_tuning" else 0,
        prompt=tuple(pieces(prompt, tokens)),
        start=_named(tokens.start, tokens) if tokens.seq2seq else None,
        answer=tuple(pieces(words, tokens)),
        end=_named(end[0], tokens) if end else None,
        lost_input=pair[0][len(fitting(pair[0], tokens, config)[0]) :] if cut else "",
        lost_input_tokens=len(whole_prompt) - len(prompt),
        lost_output=_lost(whole_answer, len(answer), tokens),
        lost_output_tokens=len(whole_answer) - len(answer),
    )


def _lost(answer: Sequence[int], kept: int, tokens: Tokens) -> str:
    words = answer[: len(answer) - bool(tokens.ends)]
    return "".join(text for _, text in list(pieces(words, tokens))[kept:])


def pieces(ids: Sequence[int], tokens: Tokens) -> Iterator[Piece]:
    """Each token with the text that it adds to those before it; all together are the text of `ids`."""
    whole = 0  # where the first token stands whose text is still open
    for place in range(1, len(ids) + 1):
        # A token before the open ones: at the start of a text some tokenizers leave a space out.
        first = max(0, whole - 1)
        text = _text(ids[first:place], tokens)[len(_text(ids[first:whole], tokens)) :]
        if text.endswith(BROKEN) and place < len(ids):
            yield ids[place - 1], ""
        else:
            yield ids[place - 1], text
            whole = place


def _named(token: int, tokens: Tokens) -> Piece:
    return token, _text([token], tokens)


def _text(ids: Sequence[int], tokens: Tokens) -> str:
    return str(tokens.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))
