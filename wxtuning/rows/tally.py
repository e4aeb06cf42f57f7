"""What is worth a warning about rows that are all usable by themselves: repeats, labels, characters. Counts only."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from wxtuning.rows.policy import TURNING
from wxtuning.rows.repeats import Repeats
from wxtuning.rows.sieve import Sifted
from wxtuning.rows.verdict import WarningCode

IMBALANCE = 10
"""A label that stands so many times as often as another is worth a warning."""


class Tally:
    """Counts over the usable rows, in memory that grows by no more than 24 bytes a row.

    Args:
        input, output: The columns that each of the two texts is made of.
        counts_labels: Whether the output is a label.
    """

    def __init__(self, input: Sequence[str], output: Sequence[str], *, counts_labels: bool) -> None:
        self._input = tuple(input)
        self._output = tuple(output)
        self._columns = frozenset((*input, *output))
        self._counts_labels = counts_labels
        self.counts: Counter[WarningCode] = Counter()
        self.labels: Counter[str] = Counter()
        self.repeats = Repeats()

    def add(self, row: Mapping[str, object]) -> None:
        """Count a usable row."""
        inputs = [str(row[column]) for column in self._input]
        outputs = [str(row[column]) for column in self._output]
        self.repeats.add(inputs, outputs)
        self.counts["extra_field"] += not row.keys() <= self._columns
        self.look_at([*inputs, *outputs])
        if self._counts_labels:
            self.labels["".join(outputs)] += 1

    def add_ordinary(self, rows: Sifted) -> None:
        """Count the rows of a block that are surely good."""
        self.repeats.add_ordinary(rows.lines.array, *rows.input)
        self.counts["extra_field"] += len(rows.lines.quotes) * rows.has_extra_fields
        if self._counts_labels:
            for label, count in Counter(rows.outputs()).items():
                self.labels[str(json.loads(b'"' + label + b'"'))] += count

    def look_at(self, texts: Sequence[str]) -> None:
        """Count what is noticeable in the texts of one row."""
        self.counts["surrounding_whitespace"] += any(text != text.strip() for text in texts)
        self.counts["bidi_control"] += any(not text.isascii() and TURNING.search(text) for text in texts)

    def warnings(self) -> dict[WarningCode, str]:
        """Each warning with a sentence that counts."""
        repeated, conflicting = self.repeats.count()
        self.counts["duplicate_row"] = repeated
        self.counts["conflicting_rows"] = conflicting
        said = {code: _SENTENCES[code].format(count) for code, count in self.counts.items() if count}
        return {code: said[code] for code in _SENTENCES if code in said} | self._about_labels()

    def _about_labels(self) -> dict[WarningCode, str]:
        if not self.labels:
            return {}
        (most, many), (least, few) = self.labels.most_common()[0], self.labels.most_common()[-1]
        if len(self.labels) == 1:
            return {"single_class": f"all {many:,} rows have the label {most!r}"}
        if many < IMBALANCE * few:
            return {}
        return {"class_imbalance": f"{many:,} rows have the label {most!r}, and {few:,} the label {least!r}"}


_SENTENCES: dict[WarningCode, str] = {
    "bidi_control": "rows with characters that change the direction in which text is shown: {:,}",
    "extra_field": "rows with fields that are not used: {:,}",
    "duplicate_row": "rows that repeat an earlier one, input and output: {:,}",
    "conflicting_rows": "inputs that stand in the data with different outputs: {:,}",
    "surrounding_whitespace": "rows with white space around a text: {:,}",
}
