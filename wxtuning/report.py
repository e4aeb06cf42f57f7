"""What a run has to show: the data, the loss curve, tuned against untuned. Renders what was found elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from wxtuning import curve
from wxtuning.compare import Comparison
from wxtuning.datareport import DataView
from wxtuning.plan import Plan
from wxtuning.status import Metric
from wxtuning.tables import inert


@dataclass(frozen=True, kw_only=True)
class Report:
    """A run's report; a notebook shows it as tables and a picture, `print` as text."""

    plan: Plan
    metrics: tuple[Metric, ...]
    comparison: Comparison | None
    warnings: tuple[str, ...] = ()

    @property
    def data(self) -> DataView:
        """What became of every row, with its labels and lengths."""
        plan = self.plan
        return DataView(report=plan.report, tokens=plan.tokens, test=plan.test_report, warnings=plan.warnings)

    def __str__(self) -> str:
        return "\n\n".join(part for part in (str(self.data), self.curve_text(), *self._scores()) if part)

    def curve_text(self) -> str:
        chart = curve.as_text(self.metrics)
        return "\n".join([*([f"Loss by epoch\n{chart}"] if chart else []), *map(inert, self.warnings)])

    def _scores(self) -> tuple[str, ...]:
        if not self.comparison:
            return ()
        found = self.comparison
        confusion = (found.confusion_table("tuned").text(),) if found.headline == "accuracy" else ()
        return (found.table().text(), *confusion, found.before_and_after().text())

    def _repr_html_(self) -> str:
        parts = [self.data._repr_html_(), curve.as_svg(self.metrics), *map(escape, map(inert, self.warnings))]
        if self.comparison:
            parts += [self.comparison.table().html(), self.comparison.before_and_after().html()]
        return "".join(f"<div style='margin:1em 0'>{part}</div>" for part in parts if part)
