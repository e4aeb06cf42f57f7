"""Templates to text: `{slots}` and `[choices|in|brackets]` filled at random. Knows no words of its own."""

import random
import re
from collections.abc import Callable, Mapping, Sequence

_SLOT = re.compile(r"\{(\w+)\}")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SPACES = re.compile(r" {2,}")
_ARTICLE = re.compile(r"\b([Aa])n? (?=([A-Za-z]))")
_STRAY = re.compile(r" +([.,!?:])")

Slots = Mapping[str, Sequence[str] | Callable[[random.Random], str]]


def fill(rng: random.Random, template: str, slots: Slots) -> str:
    """The template with every slot and choice replaced, slots inside fillings too; KeyError for an unknown slot."""
    text = template
    while "[" in text or "{" in text:
        text = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), text)
        text = _SLOT.sub(lambda match: _filling(rng, slots[match[1]]), text)
    return tidy(text)


def tidy(text: str) -> str:
    """One space between words, none before punctuation, `a` or `an` as the next letter asks."""
    text = _STRAY.sub(r"\1", _SPACES.sub(" ", text)).strip()
    return _ARTICLE.sub(lambda match: f"{match[1]}{'n' if match[2] in 'aeiouAEIO' else ''} ", text)


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _filling(rng: random.Random, filling: Sequence[str] | Callable[[random.Random], str]) -> str:
    return filling(rng) if callable(filling) else rng.choice(filling)
