"""Lines in a model's own tokens: how long they are, what the limits cut, and single rows in full.

Knows counts and texts; the tokenizer that counts is given. Nothing here is sent or paid.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import accumulate
from typing import Literal, Protocol, overload

from wxtuning.records import Record
from wxtuning.tables import Cell, Table, inert, shortened

ALL_COUNTED = 10_000
"""Up to so many rows every row is counted; of more, those that can reach a limit and a sample of this size."""

DEAR_ROWS = 50
"""So many rows are counted where each costs requests."""

USUAL_BYTES = 4.0
"""Bytes of a token where nothing was counted: about what English has in the vocabularies of today's models."""

AT_ONCE = 10_000
"""Rows that are counted in one call, so that memory stays flat."""

BINS = 10
BARS = "▁▂▃▄▅▆▇█"

Pairs = Sequence[tuple[str, str]]
Counts = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenBound:
    """A text of c UTF-8 bytes has at most c + `extra` tokens; where `nfc`, only a text in Unicode form NFC has."""

    extra: int
    nfc: bool = False

    def most(self, text: str) -> int | None:
        """The most tokens the text can have, or None where nothing can be said."""
        if text.isascii():
            return len(text) + self.extra
        if self.nfc and not unicodedata.is_normalized("NFC", text):
            return None
        return len(text.encode()) + self.extra


class Tokenizer(Protocol):
    """A model's tokens as one backend uses them for one method. `bound` is None where bytes do not bound tokens.

    `dear` says that every text counted is a request: only rows that may not fit are counted then, and few of them.
    """

    @property
    def bound(self) -> TokenBound | None: ...

    @property
    def dear(self) -> bool: ...

    def count(self, pairs: Pairs) -> tuple[Counts, ...]:
        """For each (input, output) the tokens of the rendered input and of the output with its end, uncut.

        They are what the backend holds against max_input_tokens and max_output_tokens.
        """
        ...

    def xray(self, pairs: Pairs) -> tuple[XRay, ...]:
        """Each (input, output) as the backend will train on it.

        Raises:
            NotOffered: if the backend does not tell.
        """
        ...


Part = Literal["virtual", "prompt", "start", "answer", "end"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """One place of a row: its id (None for a tuned vector), its text, its part, and whether it counts in the loss."""

    part: Part
    text: str
    id: int | None = None

    @property
    def in_loss(self) -> bool:
        return self.part in ("answer", "end")


@dataclass(frozen=True, kw_only=True, slots=True)
class XRay:
    """One row as the model will see it: its `tokens` in order, and what of its texts did not fit.

    `number` is the row's 1-based number. A character of several tokens stands with the last of them. `lost_input` and
    `lost_output` are the texts that are cut off, with the numbers of their tokens; an answer that is cut has no token
    that ends it.
    """

    tokens: tuple[Token, ...]
    number: int = 0
    lost_input: str = ""
    lost_input_tokens: int = 0
    lost_output: str = ""
    lost_output_tokens: int = 0

    @property
    def in_loss(self) -> int:
        """How many tokens the loss is measured on."""
        return sum(token.in_loss for token in self.tokens)

    def text(self, part: Part) -> str:
        """The text of one part, as its tokens spell it."""
        return "".join(token.text for token in self.tokens if token.part == part)

    def table(self) -> Table:
        """Part by part, the tokens separated by bars."""
        rows = [self._row(part) for part in dict.fromkeys(token.part for token in self.tokens)]
        return Table(title=self._title(), columns=("part", "tokens", "in the loss", "text"), rows=(*rows, *self._cut()))

    def _row(self, part: Part) -> tuple[Cell, ...]:
        found = [token for token in self.tokens if token.part == part]
        text = f"{len(found)} tuned vectors" if part == "virtual" else "│".join(token.text for token in found)
        return part, len(found), "yes" if found[0].in_loss else "no", text

    def _cut(self) -> tuple[tuple[Cell, ...], ...]:
        lost = (
            ("input", self.lost_input_tokens, self.lost_input),
            ("output", self.lost_output_tokens, self.lost_output),
        )
        return tuple((f"cut off the {name}", count, "never", text) for name, count, text in lost if count)

    def _title(self) -> str:
        return f"Row {self.number}: {len(self.tokens)} tokens, {self.in_loss} of them count in the loss"

    def __str__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        tokens = "".join(_chip(token, number) for number, token in enumerate(self.tokens))
        cut = "".join(
            f"<span style='text-decoration:line-through;opacity:.6'>{escape(inert(shortened(str(text), 300)))}</span>"
            f" <small>({escape(str(name))}: {count} tokens)</small> "
            for name, count, _, text in self._cut()
        )
        return f"<div><b>{escape(self._title())}</b><br><code>{tokens}</code><br>{cut}</div>"


_COLOURS = {"virtual": "#d7c7f2", "prompt": "#e4e4e4", "start": "#d7c7f2", "answer": "#bfe5c3", "end": "#f5d9a8"}


def _chip(token: Token, number: int) -> str:
    text = "▪" if token.part == "virtual" else token.text
    edge = ";border-left:1px solid #888" if number else ""
    name = token.part if token.id is None else f"{token.part}, id {token.id}"
    style = f"background:{_COLOURS[token.part]};color:#111;white-space:pre-wrap{edge}"
    return f"<span style='{style}' title='{name}'>{escape(inert(text))}</span>"


@dataclass(frozen=True, slots=True)
class XRays(Sequence[XRay]):
    """Some rows as the model will see them; `print` and a notebook show them one below the other."""

    rows: tuple[XRay, ...]

    @overload
    def __getitem__(self, place: int) -> XRay: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[XRay, ...]: ...
    def __getitem__(self, place: int | slice) -> XRay | tuple[XRay, ...]:
        return self.rows[place]

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.rows))

    __repr__ = __str__  # what a console shows of a call

    def _repr_html_(self) -> str:
        return "".join(row._repr_html_() for row in self.rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """The lengths of one field in tokens. `cut` are the 1-based numbers of the rows over the limit, all of them.

    `histogram` holds (from, to, rows), ends included. `lost` is the sum of the tokens over the limit.
    """

    least: int
    median: int
    p95: int
    most: int
    limit: int
    cut: tuple[int, ...]
    lost: int
    histogram: tuple[tuple[int, int, int], ...]

    @property
    def bars(self) -> str:
        """The histogram as a line of bars."""
        most = max((rows for _, _, rows in self.histogram), default=0)
        return "".join(BARS[-(-rows * (len(BARS) - 1) // most)] for _, _, rows in self.histogram) if most else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenReport:
    """Lengths of the rows to tune on (train and validation) in the model's own tokens, before anything is sent.

    `rows` were judged, `counted` of them by the tokenizer; the others are too short in bytes to reach a limit. What is
    cut, `lost` and `beyond` (rows that are longer than the model even when cut) are exact in any case; lengths and
    `tokens_per_epoch`, which are those after cutting, are estimates from a sample unless `exact`, and
    `tokens_at_most` is then a sure bound. Tuned vectors are not counted.

    Where counting costs requests, `bytes_per_token` says how long a token was in the rows that were counted: what is
    said of all others, cuts included, is an estimate by it.
    """

    rows: int
    counted: int
    inputs: Lengths
    outputs: Lengths
    tokens_per_epoch: int
    tokens_at_most: int
    beyond: tuple[int, ...] = ()
    bytes_per_token: float | None = None

    @property
    def exact(self) -> bool:
        return self.counted == self.rows

    def table(self) -> Table:
        rows = tuple(_line(name, lengths) for name, lengths in (("input", self.inputs), ("output", self.outputs)))
        columns = ("tokens", "min", "median", "p95", "max", "limit", "rows cut", "tokens lost", "lengths")
        return Table(title="Tokens", columns=columns, rows=rows, notes=self._notes())

    def _notes(self) -> tuple[str, ...]:
        if self.exact:
            return (f"{self.tokens_per_epoch:,} tokens an epoch; all {self.rows:,} rows are counted",)
        if self.bytes_per_token is not None:
            return (
                f"about {self.tokens_per_epoch:,} tokens an epoch, at most {self.tokens_at_most:,}",
                f"{self.counted:,} of {self.rows:,} rows are counted, as each costs requests: the others are estimated "
                f"at {self.bytes_per_token:.1f} bytes a token; .tokens(exact=True) counts all",
            )
        return (
            f"about {self.tokens_per_epoch:,} tokens an epoch, at most {self.tokens_at_most:,}",
            f"{self.counted:,} of {self.rows:,} rows are counted: all that can reach a limit, and a sample of the "
            "others, from which the lengths are estimated",
        )

    def __str__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


def _line(name: str, of: Lengths) -> tuple[Cell, ...]:
    return (name, of.least, of.median, of.p95, of.most, of.limit, len(of.cut), of.lost, of.bars)


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What a row may take: tokens of the rendered input, of the output with its end, and (None: any) of both."""

    template: str
    inputs: int
    outputs: int
    both: int | None = None

    def kept(self, counts: Counts) -> int:
        """The tokens of a row after cutting."""
        return min(counts[0], self.inputs) + min(counts[1], self.outputs)

    def can_exceed(self, most: Counts) -> bool:
        over = most[0] > self.inputs or most[1] > self.outputs
        return over or (self.both is not None and sum(most) > self.both)


def rendered(template: str, text: str) -> str:
    """The input as the model reads it."""
    return template.replace("{{input}}", text).rstrip(" ")


def measured(records: Sequence[Record], room: Room, tokenizer: Tokenizer, *, exact: bool = False) -> TokenReport:
    """Count the tokens of the lines, as few as it takes to know what is cut.

    Args:
        records: The lines to tune on; at least one.
        room: The limits, and the template around every input.
        tokenizer: Counts.
        exact: Count every row, however many there are.
    """
    if tokenizer.dear and not exact:
        return _estimated(records, room, tokenizer)
    bounds = None if exact or len(records) <= ALL_COUNTED else _bounds(records, room.template, tokenizer.bound)
    chosen = _chosen(len(records), bounds, room)
    counts = dict(zip(chosen.all, _counted([records[place] for place in chosen.all], tokenizer), strict=True))
    weights = [chosen.weight if place in chosen.sampled else 1.0 for place in chosen.all]
    left = sum(sum(bounds[place] or ()) for place in chosen.left) if bounds else 0
    at_most = sum(room.kept(found) for found in counts.values()) + left
    return _report(records, counts, weights, room, counted=len(counts), at_most=at_most)


def longest_answer(answers: Sequence[str], tokenizer: Tokenizer) -> int:
    """The tokens of the longest of these outputs with its end; where counting costs requests, at most so many."""
    bound = tokenizer.bound
    most = [bound.most(answer) if tokenizer.dear and bound else None for answer in answers]
    open_answers = [answer for answer, tokens in zip(answers, most, strict=True) if tokens is None]
    counts = tokenizer.count([("", answer) for answer in open_answers]) if open_answers else ()
    return max([*(count for _, count in counts), *(tokens for tokens in most if tokens is not None)])


def _report(
    records: Sequence[Record], counts: dict[int, Counts], weights: Sequence[float], room: Room, *,
    counted: int, at_most: int, bytes_per_token: float | None = None,
) -> TokenReport:  # fmt: skip
    beyond = [place for place, found in counts.items() if room.both is not None and room.kept(found) > room.both]
    kept = sum(room.kept(found) * weight for found, weight in zip(counts.values(), weights, strict=True))
    return TokenReport(
        rows=len(records),
        counted=counted,
        inputs=_lengths(records, counts, weights, 0, room.inputs),
        outputs=_lengths(records, counts, weights, 1, room.outputs),
        tokens_per_epoch=round(kept),
        tokens_at_most=at_most,
        beyond=tuple(records[place].number for place in beyond),
        bytes_per_token=bytes_per_token,
    )


def _estimated(records: Sequence[Record], room: Room, tokenizer: Tokenizer) -> TokenReport:
    """As `measured`, by as few requests as tell whether anything is cut."""
    most = _bounds(records, room.template, tokenizer.bound) or [None] * len(records)
    doubtful = [place for place, bound in enumerate(most) if bound is None or room.can_exceed(bound)]
    asked = sorted(random.Random(0).sample(doubtful, min(DEAR_ROWS, len(doubtful))))
    known = dict(zip(asked, _counted([records[place] for place in asked], tokenizer), strict=True))
    rate = _bytes_per_token([(_texts(records[place], room.template), counts) for place, counts in known.items()])
    counts = {
        place: known.get(place) or _likely(_texts(record, room.template), rate) for place, record in enumerate(records)
    }
    at_most = sum(room.kept(known.get(place) or bound or counts[place]) for place, bound in enumerate(most))
    return _report(
        records, counts, [1.0] * len(records), room, counted=len(known), at_most=at_most, bytes_per_token=rate
    )


def _texts(record: Record, template: str) -> tuple[bytes, bytes]:
    return rendered(template, record.input).encode(), record.output.encode()


def _bytes_per_token(counted: Sequence[tuple[tuple[bytes, bytes], Counts]]) -> float:
    tokens = sum(sum(counts) for _, counts in counted)
    return sum(len(text) for texts, _ in counted for text in texts) / tokens if tokens else USUAL_BYTES


def _likely(texts: tuple[bytes, bytes], rate: float) -> Counts:
    prompt, answer = (round(len(text) / rate) for text in texts)
    return max(prompt, 1), answer + 1


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Places of rows: all that are counted, those among them drawn for many like them, and those left uncounted."""

    all: list[int]
    sampled: set[int]
    left: list[int]

    @property
    def weight(self) -> float:
        return 1 + len(self.left) / len(self.sampled)


Bounds = list[Counts | None]


def _chosen(size: int, bounds: Bounds | None, room: Room) -> _Chosen:
    if bounds is None:
        return _Chosen(list(range(size)), set(), [])
    short = [place for place, most in enumerate(bounds) if most is not None and not room.can_exceed(most)]
    # Drawn, not every n-th: data may be periodic. Always the same draw, so that a plan repeats.
    sampled = set(random.Random(0).sample(short, min(ALL_COUNTED, len(short))))
    left = [place for place in short if place not in sampled]
    uncounted = set(left)
    return _Chosen([place for place in range(size) if place not in uncounted], sampled, left)


def _bounds(records: Sequence[Record], template: str, bound: TokenBound | None) -> Bounds | None:
    if bound is None:
        return None
    return [_most(record, template, bound) for record in records]


def _most(record: Record, template: str, bound: TokenBound) -> Counts | None:
    prompt, answer = bound.most(rendered(template, record.input)), bound.most(record.output)
    return None if prompt is None or answer is None else (prompt, answer)


def _counted(records: Sequence[Record], tokenizer: Tokenizer) -> Iterator[Counts]:
    for start in range(0, len(records), AT_ONCE):
        yield from tokenizer.count([(record.input, record.output) for record in records[start : start + AT_ONCE]])


def _lengths(
    records: Sequence[Record], counts: dict[int, Counts], weights: Sequence[float], field: int, limit: int
) -> Lengths:
    sizes = [found[field] for found in counts.values()]
    ordered = sorted(zip(sizes, weights, strict=True))
    sums = list(accumulate(weight for _, weight in ordered))
    over = {place: found[field] - limit for place, found in counts.items() if found[field] > limit}
    return Lengths(
        least=ordered[0][0],
        median=_quantile(ordered, sums, 0.5),
        p95=_quantile(ordered, sums, 0.95),
        most=ordered[-1][0],
        limit=limit,
        cut=tuple(records[place].number for place in over),
        lost=sum(over.values()),
        histogram=_histogram(ordered),
    )


def _quantile(ordered: Sequence[tuple[int, float]], sums: Sequence[float], share: float) -> int:
    """The least length that `share` of all rows do not exceed."""
    from bisect import bisect_left

    # A hair less, so that rounding in the sums does not take the next row.
    return ordered[bisect_left(sums, sums[-1] * share * (1 - 1e-12))][0]


def _histogram(ordered: Sequence[tuple[int, float]]) -> tuple[tuple[int, int, int], ...]:
    width = _width(ordered[-1][0] + 1)
    heights = [0.0] * (ordered[-1][0] // width + 1)
    for size, weight in ordered:
        heights[size // width] += weight
    return tuple((place * width, place * width + width - 1, round(rows)) for place, rows in enumerate(heights))


def _width(span: int) -> int:
    """The least round number (1, 2, 5, 10, 20, ...) of which at most BINS cover the span."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power * BINS >= span:
                return step * power
        power *= 10


def numbered(rows: Sequence[XRay], records: Sequence[Record]) -> XRays:
    """The rows with the numbers of their records."""
    return XRays(tuple(replace(row, number=record.number) for row, record in zip(rows, records, strict=True)))
