"""What your data should look like: small files of training lines for each task, to look at and to start from.

The rows are made up. They keep the row policy, are all different, and classes are balanced.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from wxtuning.errors import PlanError
from wxtuning.spec import Task

FEW = 6
"""Rows of a file that is only looked at."""

Line = tuple[str, str]

THINGS = (
    "blender", "bookshelf", "coffee machine", "desk lamp", "garden hose", "headset", "kettle", "keyboard", "mattress",
    "office chair", "phone case", "printer", "rain jacket", "running shoes", "suitcase", "tent", "toaster", "watch",
)  # fmt: skip
GOOD = (
    "arrived a day early and works well", "is better than the picture promised", "was easy to put together",
    "still looks like new after a year", "does exactly what I bought it for", "came with a very clear manual",
    "was replaced at once when I asked", "is worth every cent",
)  # fmt: skip
BAD = (
    "broke on the second day", "came two weeks late and in a torn box", "is smaller than the page says",
    "makes a noise that nobody can sleep through", "was charged twice and nobody answers",
    "does not fit the parts it was sold with", "lost its colour in the first rain", "never arrived at all",
)  # fmt: skip
BUYERS = (
    "I ordered it for my mother", "It was a present", "I use it at work every day", "This is my second one",
    "We needed one in a hurry", "A friend told me about it", "I had waited a long time for it", "My children chose it",
    "It came from the shop in town", "I paid with a voucher",
)  # fmt: skip

ASKED = (
    ("Where is my order of the {thing}?", "it left our warehouse and should reach you within two working days"),
    ("Can I return the {thing}?", "yes, within thirty days; the label for the parcel is in your account"),
    ("The {thing} stopped working.", "please send us a photo of its type plate, and a new one is on its way today"),
    ("Do you have the {thing} in blue?", "blue is back on Monday, and we will keep one for you until then"),
    ("Is the {thing} still under warranty?", "it is, for two years from the day you bought it"),
    ("I was charged twice for the {thing}.", "the second payment is already on its way back to you"),
)
OPENINGS = ("Good morning.", "Hello!", "A quick question.", "Hi there!", "Good evening.")

TEAMS = ("The design team", "The support team", "The warehouse", "The sales team", "The board", "The web team")
TOPICS = (
    ("the new price list", "Some customers had called it hard to read, and two of them had bought elsewhere"),
    ("the move to the second floor", "The lift is small, and nobody wants to carry the old cupboards up the stairs"),
    ("the slow check-out page", "Since April it takes nine seconds to open, twice as long as in the year before"),
    ("the summer timetable", "Three people want to be away in the same week, and the shop may not stay closed"),
    ("late parcels", "There were forty complaints in May, most of them about one and the same carrier"),
    ("the staff canteen", "Prices there have gone up again, while fewer and fewer of us eat in the building"),
    ("the old telephone system", "Spare parts can hardly be found any more, and calls break off during storms"),
)
DECISIONS = (
    ("try a new way for one month", "Figures will show whether it was worth the trouble"),
    ("wait for the results of the last quarter", "Without them any choice would be a guess, most people felt"),
    ("begin on Monday with a small group", "If that goes well, everybody else follows before winter"),
    ("ask three customers first", "What they answer counts more than what we believe among ourselves"),
    ("look for a cheaper supplier", "Two offers are on the table already, and a third has been promised"),
)
PEOPLE = (("Ana", "write it down"), ("Ben", "tell the others"), ("Chidi", "do the sums"), ("Dana", "call the landlord"),
          ("Emil", "draw a plan"), ("Farah", "set a date"), ("Greta", "order what is needed"))  # fmt: skip


def templates(task: Task, *, rows: int = FEW) -> str:
    """A small valid JSON Lines file for a task, one `{"input", "output"}` a line, as text.

    Args:
        task: `classification` (labels positive and negative), `generation` or `summarization`.
        rows: How many lines, 1 to 500; watsonx.ai takes no fewer than 50.

    Raises:
        PlanError: for another task or number of rows.
    """
    made = _WRITERS.get(task)
    problems = [] if made else [_unknown(task)]
    if isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows <= MOST:
        problems.append(f"rows is {rows!r}; expected a whole number from 1 to {MOST}")
    if problems or made is None:
        raise PlanError(problems)
    return "".join(_line(*made(number)) for number in range(rows))


MOST = 500


def _unknown(task: str) -> str:
    near = get_close_matches(str(task), _WRITERS, n=1)
    return f"there is no task {task!r}; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(_WRITERS)}")


def _line(text: str, answer: str) -> str:
    return json.dumps({"input": text, "output": answer}, ensure_ascii=False) + "\n"


def _classification(number: int) -> Line:
    label, said = (("positive", GOOD), ("negative", BAD))[number % 2]
    what, buyer, thing = _picked(number // 2, said, BUYERS, THINGS)
    return f"The {thing} {what}. {buyer}.", label


def _generation(number: int) -> Line:
    thing, opening, (question, answer) = _picked(number, THINGS, OPENINGS, ASKED)
    return f"{opening} {question.format(thing=thing)}", f"Thank you for writing to us about the {thing}: {answer}."


def _summarization(number: int) -> Line:
    (topic, trouble), (decision, why), (person, task), team = _picked(number, TOPICS, DECISIONS, PEOPLE, TEAMS)
    told = (
        f"{team} met to talk about {topic}. {trouble}. In the end it was settled to {decision}. {why}. "
        f"{person} will {task} by Friday."
    )
    return told, f"On {topic}, {team[0].lower()}{team[1:]} will {decision}; {person} will {task}."


def _picked(number: int, *choices: Sequence[Any]) -> list[Any]:
    """One of each, another combination for each number, and neighbours differ in every part."""
    picked: list[Any] = []
    shift = 0
    for choice in choices:
        number, place = divmod(number, len(choice))
        picked.append(choice[(place + shift) % len(choice)])
        shift += place + 1
    return picked


_WRITERS: dict[str, Callable[[int], Line]] = {
    "classification": _classification,
    "generation": _generation,
    "summarization": _summarization,
}
