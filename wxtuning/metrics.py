"""Scores of answers and tests of their differences, as plain functions on sequences. Knows no models and no rows.

Every metric is tested against scikit-learn or rouge-score, the tests on differences against SciPy.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from wxtuning.errors import DataError

NO_LABEL = "(no label)"
"""What an answer counts as that is none of the labels."""


def parse_label(answer: str, labels: Sequence[str]) -> str:
    """The label that an answer names, or `NO_LABEL`.

    Surrounding white space, quotes and punctuation and the case of letters are forgiven; anything else is not: an
    answer that talks about a label is no label. The same parser judges tuned and untuned answers.
    """
    bare = _bare(answer)
    return next((label for label in labels if _bare(label) == bare), NO_LABEL)


FORGIVEN = "\"'`.!,:;\u201c\u201d\u2018\u2019\u00ab\u00bb"
"""Punctuation and quotes, straight and curved, around an answer."""


def _bare(text: str) -> str:
    return text.strip(string.whitespace + FORGIVEN).casefold()


def accuracy(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Share of outputs equal to their reference, 0 to 1.

    Raises:
        DataError: if there is nothing to score.
    """
    _check_any("accuracy", "reference", len(references))
    return sum(output == reference for output, reference in zip(outputs, references, strict=True)) / len(references)


def macro_f1(outputs: Sequence[str], references: Sequence[str], labels: Sequence[str]) -> float:
    """Mean over the labels of the F1 score, 0 to 1; a label that is neither expected nor answered counts 0.

    Raises:
        DataError: if there is nothing to score, or no label.
    """
    _check_any("macro_f1", "reference", len(references))
    _check_any("macro_f1", "label", len(labels))
    return sum(_f1(outputs, references, label) for label in labels) / len(labels)


def _f1(outputs: Sequence[str], references: Sequence[str], label: str) -> float:
    hits = sum(1 for output, reference in zip(outputs, references, strict=True) if output == reference == label)
    named = sum(output == label for output in outputs) + sum(reference == label for reference in references)
    return 2 * hits / named if named else 0.0


def _check_any(metric: str, what: str, count: int) -> None:
    if not count:
        raise DataError(f"{metric} needs one {what} or more, found none", hint="Score rows that are held out.")


def confusion(outputs: Sequence[str], references: Sequence[str]) -> dict[str, dict[str, int]]:
    """How often each reference (outer key) was answered by each output (inner key)."""
    counts: dict[str, Counter[str]] = {}
    for output, reference in zip(outputs, references, strict=True):
        counts.setdefault(reference, Counter())[output] += 1
    return {reference: dict(row) for reference, row in counts.items()}


def exact_match(output: str, reference: str) -> float:
    """1 if both are equal after white space is folded, else 0."""
    return float(output.split() == reference.split())


def rouge_l(output: str, reference: str) -> float:
    """F-measure of the longest common subsequence of words, 0 to 1 (Lin 2004, "ROUGE: A Package for Automatic
    Evaluation of Summaries", without stemming)."""
    ours, theirs = _words(output), _words(reference)
    common = _longest_common_subsequence(ours, theirs)
    return 2.0 * common / (len(ours) + len(theirs)) if common else 0.0


def _words(text: str) -> list[str]:
    # rouge-score keeps only a-z and 0-9, which makes every text in another script empty; letters are letters here.
    return re.findall(r"[^\W_]+", text.lower())


def _longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for index, other in enumerate(second, start=1):
            diagonal, row[index] = row[index], diagonal + 1 if word == other else max(row[index], row[index - 1])
    return row[-1]


def perplexity(losses: Sequence[float], tokens: Sequence[int]) -> float:
    """exp of the mean loss per token: `losses` are sums of nats per text, `tokens` the texts' token counts.

    Raises:
        DataError: if there is no text, or no token in the texts.
    """
    _check_any("perplexity", "text", len(losses))
    _check_any("perplexity", "token", sum(tokens))
    return math.exp(min(sum(losses) / sum(tokens), 700.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How much better one column is than another on the same rows: mean, 95 % interval, p-value and its test."""

    column: str
    against: str
    metric: str
    mean: float
    low: float
    high: float
    p_value: float
    test: str

    @property
    def significant(self) -> bool:
        return self.p_value < 0.05


def mcnemar(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided exact p-value of McNemar's test on paired right (1) and wrong (0) answers (McNemar 1947).

    Only rows on which the two disagree tell them apart; their split is compared with a fair coin.
    """
    only_first = sum(a > b for a, b in zip(first, second, strict=True))
    only_second = sum(b > a for a, b in zip(first, second, strict=True))
    disagreements = only_first + only_second
    tail = sum(math.comb(disagreements, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / (1 << disagreements))


def paired_bootstrap(
    first: Sequence[float], second: Sequence[float], *, samples: int, seed: int
) -> tuple[float, float]:
    """95 % percentile interval of the mean of `first - second` over resampled rows (Efron and Tibshirani 1993)."""
    import numpy as np

    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    rows = np.random.default_rng(seed).integers(len(differences), size=(samples, len(differences)))
    low, high = np.percentile(differences[rows].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def sign_flip(first: Sequence[float], second: Sequence[float], *, samples: int, seed: int) -> float:
    """Two-sided p-value of a paired permutation test on the mean difference: signs are flipped at random."""
    import numpy as np

    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(samples, len(differences)))
    extreme = np.abs((signs * differences).mean(axis=1)) >= abs(differences.mean()) - 1e-12
    # One is added above and below: the order that was seen is itself one of the permutations.
    return float((extreme.sum() + 1) / (samples + 1))
