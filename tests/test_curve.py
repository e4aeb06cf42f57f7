"""The loss curve shows every point it has, in text, as SVG and as PNG."""

from __future__ import annotations

import struct
from xml.etree import ElementTree

import pytest

from wxtuning.curve import as_svg, as_text, save_png
from wxtuning.status import Metric

NAME = "{http://www.w3.org/2000/svg}"


def metrics(*losses, validation=()):
    points = [Metric(step=step, epoch=step / 10, loss=loss) for step, loss in enumerate(losses, start=1)]
    return points + [
        Metric(step=10, epoch=float(epoch), validation_loss=loss) for epoch, loss in enumerate(validation, 1)
    ]


def lines_of(svg):
    return [line.get("points", "").split() for line in ElementTree.fromstring(svg).iter(f"{NAME}polyline")]


def test_without_points_there_is_nothing_to_show():
    assert as_text([]) == as_svg([]) == ""
    assert as_text(metrics(validation=[1.0])) == ""


def test_the_text_names_the_highest_loss_and_the_last_epoch():
    text = as_text(metrics(2.5, *[0.5] * 19))
    assert text.splitlines()[0].split() == ["2.500", "┤•"]
    assert text.splitlines()[-1].split() == ["0", "epoch", "2"]


@pytest.mark.parametrize("count", [1, 2, 5, 64, 65, 1000])
def test_the_text_has_one_point_for_each_column_and_keeps_its_size(count):
    drawn = as_text(metrics(*(3 / step for step in range(1, count + 1))), width=64, height=10).splitlines()
    assert sum(line.count("•") for line in drawn) == min(count, 64)
    assert len(drawn) == 12
    assert max(map(len, drawn[:-1])) <= 64 + 10


@pytest.mark.parametrize("loss", [0.0, 1.0, 1e-9, 1e6])
def test_a_loss_that_never_changes_is_a_level_line(loss):
    drawn = as_text(metrics(*[loss] * 7)).splitlines()
    assert [line.count("•") for line in drawn if "•" in line] == [7]


def test_a_falling_loss_falls():
    rows = as_text(metrics(3.0, 2.0, 1.0, 0.1)).splitlines()[:10]
    heights = [next(at for at, row in enumerate(rows) if row[10:].ljust(4)[column] == "•") for column in range(4)]
    assert heights == sorted(set(heights))


def test_the_svg_holds_every_training_and_validation_point():
    train, validation = lines_of(as_svg(metrics(3.0, 2.0, 1.0, validation=[2.5, 1.5])))
    assert (len(train), len(validation)) == (3, 2)


def test_the_svg_stays_inside_its_frame():
    svg = as_svg(metrics(*[3.0, 0.0] * 5, validation=[9.0]))
    _, _, width, height = map(float, ElementTree.fromstring(svg).get("viewBox").split())
    points = [tuple(map(float, point.split(","))) for line in lines_of(svg) for point in line]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


def test_the_svg_runs_no_script_and_loads_nothing():
    tags = {element.tag for element in ElementTree.fromstring(as_svg(metrics(1.0))).iter()}
    assert tags <= {f"{NAME}{name}" for name in ("svg", "title", "path", "text", "polyline")}


@pytest.mark.parametrize("validation", [(), (1.5, 1.0)])
def test_the_png_is_a_picture_of_800_by_400(tmp_path, validation):
    file = save_png(metrics(2.0, 1.0, validation=validation), tmp_path / "loss.png", title="Größe <b>")
    head = file.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", head[16:24]) == (800, 400)


def test_a_loss_that_is_no_number_is_left_out_of_every_picture(tmp_path):
    points = [Metric(step=1, epoch=0.5, loss=1.0), Metric(step=2, epoch=1.0, loss=float("nan"))]
    assert "•" in as_text(points)
    assert "nan" not in as_svg(points)
    assert save_png(points, tmp_path / "loss.png", title=r"costs $\frac$ 値").stat().st_size > 1000


def test_a_picture_of_nothing_is_still_a_picture(tmp_path):
    assert save_png([], tmp_path / "loss.png", title="nothing").is_file()
