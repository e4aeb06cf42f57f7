"""Record batches to lines with polars: the same lines and the same report as row by row, at the speed of columns.

Only what any step might have to do with a single row is left to the steps themselves: texts that are not plain, and
labels that are not known. So there is one meaning of every step, and a property test compares the two ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, cast

from wxtuning.records.cleaning import flag_personal, steps
from wxtuning.records.columns import columns_of
from wxtuning.records.hashes import SeenHashes
from wxtuning.records.mojibake import suspicious
from wxtuning.records.reading import read_items, templates, told
from wxtuning.records.record import Batch
from wxtuning.records.report import Ledger
from wxtuning.rows.ahead import ahead
from wxtuning.rows.columnar import has_long_row, items_of
from wxtuning.rows.policy import TURNING
from wxtuning.spec import Cleaning
from wxtuning.spec import Mapping as ColumnMapping

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    import pyarrow as pa
    from _typeshed import SupportsWrite
    from numpy.typing import NDArray

    Words64 = NDArray[np.uint64]

TABLE_ROWS = 65_536
"""Rows of a record batch that are worked on at once."""

WHITE = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
"""What `str.strip` removes; polars and Python do not agree on it by themselves."""

SEEN = r"[!-~\p{Nd}“”„«»¿¡[\p{L}--[\u115f\u1160\u17b4\u17b5\u3164\uffa0]]]"
"""A character that is surely seen, so that its text is not empty; a few letters are drawn as nothing."""

PERSONAL_WEIGHT = 4
"""Texts with a sign `@`, two colons or four digits may hold personal data; an IP address has no less."""


def is_possible() -> bool:
    """Whether polars is installed."""
    try:
        import polars  # noqa: F401
    except ImportError:
        return False
    return True


def is_plain(mapping: ColumnMapping) -> bool:
    """Whether input and output are one column each, so that record batches need not become rows."""
    return not mapping.messages and all(columns_of(name) == (name,) for name in templates(mapping))


@dataclass
class Conversion:
    """The conversion of one data set; `number`, `input` and `output` are the columns of its frames."""

    mapping: ColumnMapping
    cleaning: Cleaning
    labels: Sequence[str]
    ledger: Ledger
    repeated: int = field(default=0, init=False)

    def of_tables(self, coming: Iterator[pa.RecordBatch], file: SupportsWrite[bytes]) -> int:
        """Map, clean and check the rows of record batches, and write the good ones; returns how many that are."""
        read = ahead((batch, _is_plain(batch, templates(self.mapping))) for batch in coming)
        return self._write((self._cleaned_table(batch, is_plain=is_plain) for batch, is_plain in read), file)

    def of_batches(self, coming: Iterator[Batch], file: SupportsWrite[bytes]) -> int:
        """The same for rows that are mapped already."""
        return self._write((self._cleaned(_frame(batch)) for batch in coming), file)

    def _write(self, frames: Iterator[pl.DataFrame], file: SupportsWrite[bytes]) -> int:
        """Write what is new in cleaned frames, in a thread of its own, and warn of what was noticed at the end."""
        seen, kept, written = SeenHashes(), 0, None
        with ThreadPoolExecutor(1) as writer:
            for frame in frames:
                fresh = self._new(frame, seen)
                kept += len(fresh)
                if written is not None:
                    written.result()
                written = writer.submit(self._worded(fresh).write_ndjson, cast("IO[bytes]", file))
            if written is not None:
                written.result()
        self._warn(seen)
        return kept

    def _cleaned_table(self, batch: pa.RecordBatch, *, is_plain: bool) -> pl.DataFrame:
        """What the cleaning steps leave of a record batch, in the order of its rows."""
        if not is_plain:
            return _frame(self._stepped(self._read_rows(batch)))
        numbers = self.ledger.take(range(batch.num_rows))
        return self._cleaned(_numbered(batch, templates(self.mapping), numbers, personal=self.cleaning.flag_personal))

    def _cleaned(self, frame: pl.DataFrame) -> pl.DataFrame:
        """What the cleaning steps leave of a frame, in the order of its rows."""
        import polars as pl

        plain = _plain(frame, self.cleaning, self.labels)
        if plain.all():
            return self._cleaned_columns(frame)
        odd = _frame(self._stepped(_batch(frame.filter(~plain))))
        return pl.concat([self._cleaned_columns(frame.filter(plain)), odd]).sort("number")

    def _new(self, frame: pl.DataFrame, seen: SeenHashes) -> pl.DataFrame:
        """The rows that were not there before; personal data in them is flagged."""
        import polars as pl

        hashes = frame.select(
            input=pl.col("input").hash(1),
            one=pl.col("input").hash(1) ^ pl.col("output").hash(2),
            two=pl.col("input").hash(3) ^ pl.col("output").hash(4),
        )
        is_new = pl.Series(seen.new(hashes["one"].to_numpy(), hashes["two"].to_numpy()), dtype=pl.Boolean)
        seen.add_inputs(hashes["input"].filter(is_new).to_numpy())
        if self.cleaning.drop_duplicates:
            self._remove("exact duplicate", frame, ~is_new)
            frame = frame.filter(is_new)
        else:
            self.repeated += int((~is_new).sum())
        if self.cleaning.flag_personal:
            flag_personal(_batch(frame.filter("suspect")), self.ledger)
        return frame

    def _worded(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        words: Mapping[str, str] = self.mapping.label_map
        lines = frame.select("input", "output")
        return lines.with_columns(pl.col("output").replace(words)) if words else lines

    def _warn(self, seen: SeenHashes) -> None:
        if self.repeated:
            self.ledger.warnings.append(f"{self.repeated} rows repeat the input and output of an earlier one")
        if count := seen.repeated_inputs():
            text = f"{count} rows repeat the input of an earlier one with another output"
            self.ledger.warnings.append(text)

    def _read_rows(self, batch: pa.RecordBatch) -> Batch:
        items = told(items_of(batch), self.ledger.read + 1)
        return read_items(items, self.ledger.take(items), self.mapping, self.ledger)

    def _stepped(self, batch: Batch) -> Batch:
        for step in steps(self.cleaning, self.labels):
            batch = step(batch, self.ledger)
        return batch

    def _cleaned_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        if self.cleaning.strip and frame["edge"].any():
            frame = self._stripped(frame)
        least, most = self.cleaning.min_characters, self.cleaning.max_characters
        if least:
            frame = self._kept("input too short", frame, pl.col("input").str.len_chars() >= least)
        if most is not None:
            frame = self._kept("input too long", frame, _is_no_longer("input", most))
            frame = self._kept("output too long", frame, _is_no_longer("output", most))
        return frame

    def _stripped(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        texts = pl.col("input", "output")
        before = frame.filter("edge")
        after = before.with_columns(texts.str.strip_chars(WHITE))
        is_changed = (before.select(texts.str.len_bytes()) != after.select(texts.str.len_bytes())).select(
            pl.any_horizontal(pl.all())
        )
        self.ledger.change("surrounding white space stripped", after["number"].filter(is_changed.to_series()).to_list())
        places = frame["edge"].arg_true()
        return frame.with_columns(frame[name].scatter(places, after[name]) for name in ("input", "output"))

    def _kept(self, step: str, frame: pl.DataFrame, wanted: pl.Expr) -> pl.DataFrame:
        good = frame.select(wanted).to_series()
        self._remove(step, frame, ~good)
        return frame.filter(good)

    def _remove(self, step: str, frame: pl.DataFrame, gone: pl.Series) -> None:
        if gone.any():
            self.ledger.remove(step, frame["number"].filter(gone).to_list())


def _plain(frame: pl.DataFrame, cleaning: Cleaning, labels: Sequence[str]) -> pl.Series:
    """Of which rows the steps on columns know all: nothing to repair, compose or ask, and something to see."""
    import polars as pl

    texts = pl.col("input", "output")
    begins = pl.all_horizontal(texts.str.contains(f"^[{re.escape(WHITE)}]*{SEEN}"))
    is_foreign = (texts.str.len_bytes() != texts.str.len_chars()).name.suffix(" is foreign")
    checks = frame.select(is_foreign, known=_known(cleaning, labels))
    plain = _where(frame["edge"], checks["known"], frame, begins)
    # What is not ASCII takes far longer to look at than all else.
    for name in ("input", "output"):
        plain = _where(checks[f"{name} is foreign"], plain, frame, _harmless(name, cleaning))
    return plain


def _where(asked: pl.Series, plain: pl.Series, frame: pl.DataFrame, check: pl.Expr) -> pl.Series:
    """Which rows are plain, where it is asked only those for which the check holds."""
    if not asked.any():
        return plain
    return plain.scatter(asked.arg_true(), frame.filter(asked).select(check).to_series() & plain.filter(asked))


def _known(cleaning: Cleaning, labels: Sequence[str]) -> pl.Expr:
    import polars as pl

    text = pl.col("output").str.strip_chars(WHITE) if cleaning.strip else pl.col("output")
    return text.is_in(list(labels)) if labels else pl.lit(True)


def _harmless(name: str, cleaning: Cleaning) -> pl.Expr:
    import polars as pl

    text = pl.col(name)
    harmless = ~text.str.contains(TURNING.pattern)
    if cleaning.fix_mojibake or cleaning.normalize:
        harmless &= ~text.str.contains(suspicious()) & (text == text.str.normalize("NFC"))
    return harmless


def _is_no_longer(name: str, most: int) -> pl.Expr:
    import polars as pl

    # Nothing has more characters than bytes, and these need not be counted.
    return (pl.col(name).str.len_bytes() <= most) | (pl.col(name).str.len_chars() <= most)


def _is_plain(batch: pa.RecordBatch, names: Sequence[str]) -> bool:
    import pyarrow as pa

    texts = [batch.column(name) for name in names]
    if not all(column.type in (pa.string(), pa.large_string()) and not column.null_count for column in texts):
        return False
    return not has_long_row(batch) and not any(_has_nul(column) for column in texts)


def _has_nul(column: pa.Array) -> bool:
    characters, _ = _characters(column)
    return bool(len(characters)) and not characters.min()


def _characters(column: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of all texts of a column one after the other, and where each text ends."""
    import numpy as np
    import pyarrow as pa

    _, offsets, data = column.buffers()
    width = np.int32 if column.type == pa.string() else np.int64
    ends = np.frombuffer(offsets, width)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    if data is None:
        return np.empty(0, np.uint8), ends[1:]
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]], ends[1:] - ends[0]


def _edges(column: pa.Array) -> NDArray[np.bool_]:
    """Which texts may begin or end with white space, or with nothing that is seen; all others do so with ASCII."""
    import numpy as np

    characters, ends = _characters(column)
    if not len(characters):
        return np.ones(len(ends), np.bool_)
    begins = np.concatenate(([0], ends[:-1]))
    first, last = characters[np.minimum(begins, len(characters) - 1)], characters[ends - 1]
    is_seen = (first - np.uint8(0x21) < 0x7F - 0x21) & (last - np.uint8(0x21) < 0x7F - 0x21)
    edges: NDArray[np.bool_] = ~is_seen | (begins == ends)
    return edges


def _suspects(column: pa.Array) -> NDArray[np.bool_]:
    """In which texts personal data may stand."""
    import numpy as np

    characters, ends = _characters(column)
    # From "0" over ":" to "@" is one stretch of ASCII, which takes one comparison.
    hits = np.flatnonzero((characters - 0x30) <= 0x10)
    weights = np.array([1] * 10 + [2, 0, 0, 0, 0, 0, PERSONAL_WEIGHT], np.uint8)[characters[hits] - 0x30]
    rows = np.searchsorted(ends, hits, side="right")
    return np.bincount(rows, weights, minlength=len(ends)) >= PERSONAL_WEIGHT


def _numbered(batch: pa.RecordBatch, names: Sequence[str], numbers: range, *, personal: bool) -> pl.DataFrame:
    import polars as pl

    texts = [batch.column(name) for name in names]
    suspect = _suspects(texts[0]) | _suspects(texts[1]) if personal else pl.repeat(False, len(numbers), eager=True)
    return pl.DataFrame(
        {
            "number": pl.int_range(numbers.start, numbers.stop, eager=True),
            "input": pl.from_arrow(texts[0]),
            "output": pl.from_arrow(texts[1]),
            "edge": _edges(texts[0]) | _edges(texts[1]),
            "suspect": suspect,
        }
    )


def _batch(frame: pl.DataFrame) -> Batch:
    return Batch(frame["number"].to_list(), frame["input"].to_list(), frame["output"].to_list())


def _frame(batch: Batch) -> pl.DataFrame:
    import polars as pl

    schema = {"number": pl.Int64, "input": pl.String, "output": pl.String}
    frame = pl.DataFrame([batch.numbers, batch.inputs, batch.outputs], schema=schema)
    return frame.with_columns(edge=pl.lit(True), suspect=pl.lit(True))
