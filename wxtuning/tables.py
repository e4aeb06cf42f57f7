"""Tables as values that show themselves in a terminal and in a notebook. Knows nothing of what they hold.

Whatever stands in a cell is shown as text: no markup, control character or HTML of it comes to life.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Literal

Cell = str | int | float | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A title, the column heads and the rows; numbers are aligned to the right.

    The columns in `whole`, by their heads, are never broken over lines: what is copied out of them stays in one piece.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()

    def text(self, width: int = 100) -> str:
        """The table for a terminal of `width` columns, without colours."""
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        drawn = RichTable(
            title=Text(inert(self.title)), box=box.SIMPLE_HEAD, title_justify="left", title_style="", pad_edge=False
        )
        for index, column in enumerate(self.columns):
            side: Literal["left", "right"] = "right" if self._is_numeric(index) else "left"
            drawn.add_column(Text(inert(column)), justify=side, overflow="fold", no_wrap=column in self.whole)
        for row in self.rows:
            drawn.add_row(*(Text(shown(cell)) for cell in row))
        drawing = StringIO()
        console = Console(file=drawing, width=width, color_system=None, force_terminal=False, force_jupyter=False)
        console.print(drawn)
        for note in self.notes:
            console.print(Text(inert(note)))
        return "\n".join(line.rstrip() for line in drawing.getvalue().splitlines()).strip("\n")

    def html(self) -> str:
        """The table as an HTML fragment that needs no style sheet and no script."""
        head = "".join(f"<th style='text-align:left'>{escape(inert(column))}</th>" for column in self.columns)
        body = "".join(f"<tr>{''.join(map(self._html_cell, row, range(len(row))))}</tr>" for row in self.rows)
        notes = "".join(f"<div>{escape(inert(note))}</div>" for note in self.notes)
        caption = f"<caption style='text-align:left'><b>{escape(inert(self.title))}</b></caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"

    def _html_cell(self, cell: Cell, index: int) -> str:
        side = "right" if self._is_numeric(index) else "left"
        return f"<td style='text-align:{side}'>{escape(shown(cell))}</td>"

    def _is_numeric(self, index: int) -> bool:
        return bool(self.rows) and all(isinstance(row[index], int | float | None) for row in self.rows)

    __str__ = text
    _repr_html_ = html


def shown(cell: Cell) -> str:
    """A cell's text: numbers with sensible digits, None as a dash, control characters as escapes."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.3f}" if abs(cell) >= 0.001 or cell == 0 else f"{cell:.1e}"
    return inert(str(cell))


def inert(text: str) -> str:
    """The text with line ends as a sign and control or direction-changing characters as escapes."""
    return "".join(_inert_character(character) for character in text.replace("\r\n", "\n"))


def _inert_character(character: str) -> str:
    if character == "\n":
        return "⏎"
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in "\u200d\u200c":
        return character.encode("unicode_escape").decode("ascii")
    return character


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters of the text, an ellipsis in place of the rest."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
