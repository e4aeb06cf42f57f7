"""Customer comments of the pre-training: one ticket holds a mood and facts, and the sentences that say so."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from wxtuning.tiny import phrases, words
from wxtuning.tiny.asides import amid_asides
from wxtuning.tiny.grammar import Slots, fill, sentence
from wxtuning.tiny.subjects import SUBJECTS, Subject
from wxtuning.tiny.words import World

FIELDS = ("order", "city", "product", "name", "date", "amount", "colour")

_QUALITY = next(subject for subject in SUBJECTS if subject.topic == "quality")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """One comment with the truth about it.

    `facts` holds what the text mentions, by field name; `unsaid` is a further sentence that would fit the ticket.
    """

    text: str
    satisfied: bool
    urgent: bool | None
    facts: dict[str, str]
    unsaid: str


def tickets(rng: random.Random, world: World, *, longest: int = 4) -> Iterator[Ticket]:
    """Endless tickets, each of one to `longest` sentences."""
    while True:
        yield ticket(rng, world, longest=longest)


def ticket(rng: random.Random, world: World, *, longest: int = 4) -> Ticket:
    """One ticket of one to `longest` sentences, at least one of which shows the mood."""
    subject, satisfied = rng.choice(SUBJECTS), rng.random() < 0.5
    facts = _facts(rng, world)
    slots = _slots(subject, facts)
    moods = [_mood(rng, slots, satisfied=satisfied) for _ in range(rng.choice((1, 1, 2)))]
    plain, urgent = _plain(rng, slots), _urgency(rng)
    said = _shuffled(rng, (moods + plain + [line for line in (urgent[1],) if line])[:longest])
    text = _as_typed(rng, " ".join(said))
    return Ticket(
        text=text,
        satisfied=satisfied,
        urgent=urgent[0] if urgent[1] in said else None,
        facts={field: value for field, value in facts.items() if _mentions(text, value)},
        unsaid=_unsaid(rng, slots, satisfied=satisfied),
    )


def _mood(rng: random.Random, slots: Slots, *, satisfied: bool) -> str:
    frames = phrases.SATISFIED if satisfied else phrases.UNSATISFIED
    return amid_asides(rng, sentence(fill(rng, rng.choice(frames), slots)), slots, satisfied=satisfied)


def _plain(rng: random.Random, slots: Slots) -> list[str]:
    fields = rng.sample(sorted(phrases.PLAIN), rng.choice((0, 0, 1, 1, 2, 2, 3)))
    return [sentence(fill(rng, rng.choice(phrases.PLAIN[field]), slots)) for field in fields]


def _unsaid(rng: random.Random, slots: Slots, *, satisfied: bool) -> str:
    if rng.random() < 0.5:
        return _mood(rng, slots, satisfied=satisfied)
    return sentence(fill(rng, rng.choice(phrases.PLAIN[rng.choice(sorted(phrases.PLAIN))]), slots))


def _urgency(rng: random.Random) -> tuple[bool | None, str]:
    if rng.random() < 0.8:
        return None, ""
    urgent = rng.random() < 0.5
    return urgent, fill(rng, rng.choice(phrases.URGENT if urgent else phrases.CALM), {})


def _shuffled(rng: random.Random, sentences: list[str]) -> list[str]:
    rng.shuffle(sentences)
    return sentences


def _slots(subject: Subject, facts: dict[str, str]) -> Slots:
    return {
        **words.SLOTS,
        **{field: (value,) for field, value in facts.items()},
        # The same thing as the product, so that no other thing in the comment could be meant.
        "thing": (facts["product"].split(" ", 1)[-1],),
        "noun": subject.nouns,
        "good_part": subject.good,
        "bad_part": subject.bad,
        "good_event": subject.good_events,
        "bad_event": subject.bad_events,
        "product_good": _QUALITY.good,
        "product_bad": _QUALITY.bad,
    }


def _facts(rng: random.Random, world: World) -> dict[str, str]:
    return {
        "order": order_number(rng),
        "city": _city(rng, world),
        "product": product(rng, world),
        "name": _proper(rng, world.names, world.invented).title(),
        "date": f"{rng.randint(1, 28)} {rng.choice(words.MONTHS)}",
        "amount": f"{rng.randint(2, 900)} {rng.choice(words.COINS)}",
        "colour": rng.choice(words.COLOURS),
    }


def _city(rng: random.Random, world: World) -> str:
    if rng.random() >= world.invented:
        return rng.choice(world.cities)
    return " ".join(words.invented_word(rng) for _ in range(rng.choice((1, 1, 1, 1, 2, 3)))).title()


def order_number(rng: random.Random) -> str:
    """Four to seven digits, now and then with letters before them (`KX-40291`)."""
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randint(4, 7)))
    if rng.random() < 0.8:
        return digits
    return "".join(rng.choice("ABCDEFGHKLMNPRSTWXZ") for _ in range(2)) + rng.choice(("", "-")) + digits


def product(rng: random.Random, world: World) -> str:
    """A thing, mostly with a make before it; either may be an invented word."""
    thing = _proper(rng, world.things, world.invented / 2)
    if rng.random() < 0.25:
        return thing
    return f"{_proper(rng, words.MAKES, world.invented / 2)} {thing}"


def _proper(rng: random.Random, known: object, invented: float) -> str:
    assert isinstance(known, tuple)
    return words.invented_word(rng) if rng.random() < invented else str(rng.choice(known))


def _mentions(text: str, value: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


_CONTRACTIONS = (
    ("do not", "don't"), ("does not", "doesn't"), ("did not", "didn't"), ("cannot", "can't"), ("will not", "won't"),
    ("would not", "wouldn't"), ("is not", "isn't"), ("was not", "wasn't"), ("I am", "I'm"), ("I have", "I've"),
    ("could not", "couldn't"), ("I will", "I'll"), ("has not", "hasn't"), ("It is", "It's"), ("We are", "We're"),
)  # fmt: skip


def _as_typed(rng: random.Random, text: str) -> str:
    """The text as people write: contractions, lower case, missing stops, exclamation marks, a slip of the finger."""
    if rng.random() < 0.5:
        for full, brief in _CONTRACTIONS:
            text = re.sub(rf"\b{full}\b", brief, text)
    if rng.random() < 0.12:
        text = text.replace(".", rng.choice(("!", "!!", "...", " -")))
    if rng.random() < 0.1:
        text = text.rstrip(".")
    if rng.random() < 0.12:
        text = _slip(rng, text)
    return text.lower() if rng.random() < 0.1 else text


def _slip(rng: random.Random, text: str) -> str:
    place = rng.randrange(len(text))
    if not text[place].isalpha():
        return text
    return text[:place] + rng.choice(("", text[place] * 2, rng.choice("etaoinsr"))) + text[place + 1 :]
