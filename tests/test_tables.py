"""A table shows what stands in it; nothing in a cell comes to life."""

from __future__ import annotations

import math
from html.parser import HTMLParser

import pytest

from wxtuning.tables import Table, inert, shortened, shown

HOSTILE = {
    "\x1b[31mred": "\\x1b[31mred",
    "\x1b]8;;http://evil\x07click": "\\x1b]8;;http://evil\\x07click",
    "[red]loud[/red]": "[red]loud[/red]",
    "[link=http://evil]x": "[link=http://evil]x",
    "[/]": "[/]",
    ":boom:": ":boom:",
    "a\u202eb": "a\\u202eb",
    "a\u2066b": "a\\u2066b",
    "\u200fx": "\\u200fx",
    "a\x00b": "a\\x00b",
    "a\tb": "a\\tb",
    "a\rb": "a\\rb",
    "a\x9bb": "a\\x9bb",
    "a\u2028b": "a\\u2028b",
    "\ufeffx": "\\ufeffx",
    "a\ud800": "a\\ud800",
    "a\nb": "a⏎b",
    "a\r\nb": "a⏎b",
}


class Parsed(HTMLParser):
    """The tags of an HTML text, and its words as a reader sees them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data):
        self.words.append(data)


def table(*cells, columns=None, **fields):
    heads = columns or tuple(f"c{index}" for index in range(len(cells)))
    return Table(title="Title", columns=heads, rows=(cells,), **fields)


@pytest.mark.parametrize(("cell", "seen"), HOSTILE.items())
def test_a_hostile_cell_stands_in_the_terminal_as_text(cell, seen):
    assert seen in table(cell).text()


@pytest.mark.parametrize(("cell", "seen"), HOSTILE.items())
def test_a_hostile_cell_stands_in_the_notebook_as_text(cell, seen):
    assert Parsed(table(cell).html()).words == ["Title", "c0", seen]


@pytest.mark.parametrize(("note", "seen"), HOSTILE.items())
def test_a_hostile_note_is_shown_as_text(note, seen):
    noted = table("x", notes=(note,))
    assert seen in noted.text()
    assert Parsed(noted.html()).words[-1] == seen


@pytest.mark.parametrize(
    "cell", ["<script>alert(1)</script>", "<img src=x onerror=a()>", "</td></table><b>", "' onx='a"]
)
def test_html_in_a_cell_adds_no_tag_and_no_attribute(cell):
    found = Parsed(table(cell).html())
    assert found.tags == Parsed(table("x").html()).tags
    assert found.words[-1] == cell


@pytest.mark.parametrize("place", ["title", "columns", "notes"])
def test_html_in_title_head_and_notes_adds_no_tag(place):
    def made(text):
        given = {"title": "t", "columns": ("c",), "notes": ("n",)}
        return Table(rows=(("x",),), **{**given, place: text if place == "title" else (text,)}).html()

    assert Parsed(made("<script>alert(1)</script>")).tags == Parsed(made("x")).tags


def test_markup_in_title_and_head_is_no_markup():
    text = Table(title="[bold]t[/bold]", columns=("[red]c",), rows=(("x" * 20,),)).text()
    assert "[bold]t[/bold]" in text
    assert "[red]c" in text


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        (None, "-"),
        (0, "0"),
        (1234567, "1234567"),
        (0.0, "0.000"),
        (0.5, "0.500"),
        (-2.3456, "-2.346"),
        (0.001, "0.001"),
        (0.00012, "1.2e-04"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_number_is_shown_with_sensible_digits(cell, seen):
    assert shown(cell) == seen


def test_numbers_stand_on_the_right_and_words_on_the_left():
    numbers = Table(title="t", columns=("word", "count"), rows=(("a", 1), ("bb", None), ("c", 1234)))
    assert [line.split() for line in numbers.text().splitlines()[-3:]] == [["a", "1"], ["bb", "-"], ["c", "1234"]]
    assert len({len(line) for line in numbers.text().splitlines()[-3:]}) == 1
    assert numbers.html().count("text-align:right") == 3


def test_one_word_makes_a_column_of_numbers_a_column_of_words():
    assert "right" not in Table(title="t", columns=("c",), rows=((1,), ("one",))).html()


def test_letters_of_every_script_and_joined_emoji_are_left_as_they_are():
    text = "Straße 注文 طلب 👩\u200d🔬 é"
    assert inert(text) == text


def test_a_long_cell_is_folded_and_not_cut():
    lines = table("x" * 100).text(width=40).splitlines()
    assert sum(line.count("x") for line in lines) == 100
    assert max(map(len, lines)) <= 40


def test_a_whole_column_is_never_broken_over_lines():
    job = "watsonx:fine_tunings/" + "0123456789ab" * 3
    asked = Table(title="Runs", columns=("job", "name"), rows=((job, "word " * 40),), whole=("job",))
    assert job in asked.text(80)


def test_a_table_without_rows_still_shows_its_head():
    empty = Table(title="Runs", columns=("name",), rows=())
    assert "name" in empty.text()
    assert Parsed(empty.html()).words == ["Runs", "name"]


def test_a_table_shows_itself_in_terminal_and_notebook():
    assert str(table("x")) == table("x").text()
    assert table("x")._repr_html_() == table("x").html()


@pytest.mark.parametrize(
    ("text", "limit", "short"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a bcd", 3, "a…"), ("", 3, "")]
)
def test_a_shortened_text_keeps_the_limit(text, limit, short):
    assert shortened(text, limit) == short
