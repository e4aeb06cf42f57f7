"""How answers are judged, by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wxtuning import metrics


@dataclass(frozen=True)
class ClassificationEvaluator:
    """Accuracy and macro-F1. `words` maps each label to what the model writes for it; both are understood."""

    words: Mapping[str, str]
    headline: str = "accuracy"

    def read(self, answer: str) -> str:
        """The label that an answer names, or `NO_LABEL`."""
        word = metrics.parse_label(answer, tuple(self.words.values()))
        label_of = {word: label for label, word in self.words.items()}
        return label_of.get(word) or metrics.parse_label(answer, tuple(self.words))

    def score(self, outputs: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        return {
            "accuracy": metrics.accuracy(outputs, references),
            "macro_f1": metrics.macro_f1(outputs, references, tuple(self.words)),
        }

    def each(self, outputs: Sequence[str], references: Sequence[str]) -> tuple[float, ...]:
        return tuple(float(output == reference) for output, reference in zip(outputs, references, strict=True))


@dataclass(frozen=True)
class TextEvaluator:
    """ROUGE-L and exact match, for generation and summarization."""

    headline: str = "rouge_l"

    def read(self, answer: str) -> str:
        return answer.strip()

    def score(self, outputs: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        matches = [metrics.exact_match(*pair) for pair in zip(outputs, references, strict=True)]
        each = self.each(outputs, references)
        return {"rouge_l": sum(each) / len(each), "exact_match": sum(matches) / len(matches)}

    def each(self, outputs: Sequence[str], references: Sequence[str]) -> tuple[float, ...]:
        return tuple(metrics.rouge_l(output, reference) for output, reference in zip(outputs, references, strict=True))
