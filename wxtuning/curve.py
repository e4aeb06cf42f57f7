"""The loss curve as text, SVG and PNG. Knows points, not where they come from."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from wxtuning.status import Metric

WIDTH, HEIGHT, MARGIN = 640, 260, 44


def as_text(metrics: Sequence[Metric], *, width: int = 64, height: int = 10) -> str:
    """The training loss over the epochs as a chart of `width` by `height` characters; empty without points."""
    points = _points(metrics)
    if not points:
        return ""
    columns, height = _columns(points, width), max(2, height)
    high, low = max(columns), min(0.0, *columns)
    rows = [[" "] * len(columns) for _ in range(height)]
    for column, loss in enumerate(columns):
        rows[_row(loss, low, high, height)][column] = "•"
    for column, (before, after) in enumerate(pairwise(columns)):
        top, bottom = sorted((_row(before, low, high, height), _row(after, low, high, height)))
        for row in range(top + 1, bottom):
            rows[row][column + 1] = "│"
    heads = [f"{high:8.3f}", *[" " * 8] * (height - 2), f"{low:8.3f}"]
    lines = [f"{head} ┤{''.join(row).rstrip()}" for head, row in zip(heads, rows, strict=True)]
    last = f"epoch {points[-1][0]:g}"
    return "\n".join(
        [*lines, f"{' ' * 9}└{'─' * len(columns)}", f"{' ' * 10}0{last:>{max(len(columns) - 1, len(last) + 1)}}"]
    )


def _points(metrics: Sequence[Metric], *, validation: bool = False) -> list[tuple[float, float]]:
    read = [(m.epoch, m.validation_loss if validation else m.loss) for m in metrics]
    return [(epoch, loss) for epoch, loss in read if loss is not None and math.isfinite(loss)]


def _columns(points: Sequence[tuple[float, float]], width: int) -> list[float]:
    """The mean loss of each of `width` equal stretches, fewer if there are fewer points."""
    count = min(width, len(points))
    cuts = [round(index * len(points) / count) for index in range(count + 1)]
    parts = [[loss for _, loss in points[start:end]] for start, end in pairwise(cuts)]
    return [sum(part) / len(part) for part in parts]


def _row(loss: float, low: float, high: float, height: int) -> int:
    return round((high - loss) / ((high - low) or 1.0) * (height - 1))


def as_svg(metrics: Sequence[Metric]) -> str:
    """The same as an SVG fragment of its own, with the validation loss where there is one."""
    train, validation = _points(metrics), _points(metrics, validation=True)
    if not train:
        return ""
    right = max(epoch for epoch, _ in train) or 1.0
    high = max(loss for _, loss in [*train, *validation])

    def at(point: tuple[float, float]) -> str:
        x = MARGIN + point[0] / right * (WIDTH - 2 * MARGIN)
        y = MARGIN / 2 + (1 - point[1] / (high or 1.0)) * (HEIGHT - 1.5 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    bottom, end = HEIGHT - MARGIN, WIDTH - MARGIN
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' role='img' "
        f"font-family='sans-serif' font-size='12' fill='currentColor'><title>Loss by epoch</title>"
        f"<path d='M{MARGIN},{MARGIN / 2} V{bottom} H{end}' fill='none' stroke='currentColor'/>"
        f"<text x='{MARGIN - 6}' y='{MARGIN / 2 + 4}' text-anchor='end'>{high:.2f}</text>"
        f"<text x='{MARGIN - 6}' y='{bottom + 4}' text-anchor='end'>0</text>"
        f"<text x='{end}' y='{bottom + 18}' text-anchor='end'>epoch {right:g}</text>"
        f"<polyline points='{' '.join(map(at, train))}' fill='none' stroke='#2563eb' stroke-width='1.5'/>"
        f"<polyline points='{' '.join(map(at, validation))}' fill='none' stroke='#ea580c' stroke-width='1.5'/></svg>"
    )


def save_png(metrics: Sequence[Metric], file: Path, *, title: str) -> Path:
    """Draw the curve into a PNG file of 800 by 400 pixels.

    Raises:
        ImportError: without matplotlib, which comes with the `local` extra.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    if train := _points(metrics):
        axes.plot(*zip(*train, strict=True), label="training, each step", linewidth=1.2)
    if validation := _points(metrics, validation=True):
        axes.plot(*zip(*validation, strict=True), "o-", label="validation, each epoch", markersize=4)
    axes.set(xlabel="epoch", ylabel="loss (nats per token)", ylim=(0, None))
    axes.set_title(title, parse_math=False)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a title in a script that the font does not have is drawn as boxes
        figure.savefig(file)
    return file
