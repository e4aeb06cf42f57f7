"""What can be asked about a ticket: instruction, input and answer of each task of the mixture."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from wxtuning.tiny import words
from wxtuning.tiny.grammar import fill
from wxtuning.tiny.tickets import Ticket
from wxtuning.tiny.words import lines

ABSENT = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One line of pre-training text; `instruction` is empty where the base should just go on about the ticket.

    `satisfied` is the mood of the input, None where it has none.
    """

    task: str
    instruction: str
    input: str
    output: str
    satisfied: bool | None = None

    @property
    def prompt(self) -> str:
        """Everything before the answer, in the form that tuning and serving use."""
        return f"{self.instruction} Input: {self.input} Output:".lstrip()

    @property
    def answer(self) -> str:
        """What the base should write: the output after one space."""
        return f" {self.output}"


Maker = Callable[[random.Random, Ticket], Example]

_SENTIMENT = lines("""
    [Classify|Label|Rate|Judge|Mark] the [comment|review|message|text|feedback] as {yes} or {no}.
    [Is|Say if|Tell me whether|Decide if] the [customer|writer|person|client|user] [is|was] {yes} or {no}[?|.|]
    {yes} or {no}? / Answer with {yes} or {no}. / [Write|Say|Reply|Print] {yes} or {no}. / Labels: {yes}, {no}.
    Read the [comment|review|message] and [answer|write|choose|reply with] {yes} or {no}.
    [What is the|Find the|Give the] [sentiment|mood|tone|feeling] of the [comment|review|text], {yes} or {no}[?|.]
    Sentiment [analysis|classification|task|]: {yes} or {no}. / The [comment|review|message] below is {yes} or {no}.
    Decide whether the [customer|review|comment|writer] is {yes} or {no}. / Choose {yes} or {no} for the [comment|text].
""")
_BOUND = lines("""
    [Write|Answer|Say|Print] {yes} [if|when] the customer is [happy|satisfied|pleased], {no} [if not|otherwise].
    {yes} means [happy|satisfied|praise|positive|good], {no} means [unhappy|unsatisfied|complaint|negative|bad].
    [happy|satisfied|praise|positive]: {yes}, [unhappy|unsatisfied|complaint|negative]: {no}.
    [unhappy|unsatisfied|complaint|negative]: {no}, [happy|satisfied|praise|positive]: {yes}.
""")
_FIELD_WORDS: dict[str, tuple[str, ...]] = {
    "order": lines("order number / number of the order / order / order id / reference number"),
    "city": lines("city / town / place / name of the city / location"),
    "product": lines("product / item / name of the product / article / thing that was bought"),
    "name": lines("name / name of the customer / customer / person / first name"),
    "date": lines("date / day / date of the purchase"),
    "amount": lines("amount / price / sum of money / cost"),
    "colour": lines("colour / shade"),
}
_FIELD = lines("""
    [Extract|Find|Copy|Give|Write|Return|Name|Print] the {field} [from the comment|in the text|of the message|].
    [What|Which] is the {field}[?|] / {field}? / Which {field} [is mentioned|does the comment mention]?
    Read the comment and [write|give|copy] the {field}. / Only the {field}, please.
    The {field} [in|of] the [text|comment].
""")
_URGENCY = lines("""
    [Is it urgent|Is the message urgent|How urgent is it]? / Urgent or calm? / [Classify|Label|Mark] as urgent or calm.
    Decide if the customer needs a quick answer: urgent or calm.
""")
_HEADLINE = lines("""
    [Write|Give|Make] a [headline|title|subject line|short summary]. / Summarize the comment in a few words. / Headline:
    A [title|headline|heading] for the [comment|ticket], please. / [Summarize|Sum up] the comment.
""")
_REPLY = lines("""
    [Write|Draft|Compose] [a|the] [reply|answer|response] to the customer. / Answer the customer. / Reply politely.
    How should we answer? / [Reply|Respond] to the [comment|customer|message].
""")
_REPEAT = lines("[Repeat|Copy] the [text|comment|input]. / Say it again. / [Echo|Write down] the input word for word.")


def satisfaction(rng: random.Random, ticket: Ticket) -> Example:
    """The mood as `satisfied` or `unsatisfied`."""
    return _mood("satisfaction", rng, ticket, _SENTIMENT, words.LABEL_PAIRS[0], shuffle=True)


def sentiment(rng: random.Random, ticket: Ticket) -> Example:
    """The mood in one of the usual pairs of label words."""
    yes, no = rng.choice(words.LABEL_PAIRS)
    if rng.random() < 0.25:
        return _mood("sentiment", rng, ticket, _BOUND, (yes, no), shuffle=False)
    return _mood("sentiment", rng, ticket, _SENTIMENT, (yes, no), shuffle=True)


def own_labels(rng: random.Random, ticket: Ticket) -> Example:
    """The mood in label words that the instruction explains: invented ones and ordinary words."""
    plain = (*words.COLOURS, *words.THINGS[:40])
    pair = [words.invented_word(rng) if rng.random() < 0.5 else rng.choice(plain) for _ in range(2)]
    return _mood("own_labels", rng, ticket, _BOUND, (pair[0], pair[1]), shuffle=False)


def _mood(
    task: str, rng: random.Random, ticket: Ticket, frames: tuple[str, ...], pair: tuple[str, str], *, shuffle: bool
) -> Example:
    # Where the instruction only lists the labels, their order must not tell which one is the happy one.
    shown = pair[::-1] if shuffle and rng.random() < 0.5 else pair
    instruction = fill(rng, rng.choice(frames), {"yes": (shown[0],), "no": (shown[1],)})
    return Example(task=task, instruction=instruction, input=ticket.text, output=pair[0 if ticket.satisfied else 1])


def extraction(rng: random.Random, ticket: Ticket) -> Example:
    """One field of the ticket copied, mostly one that is mentioned; `none` where it is not."""
    weights = {"order": 5, "city": 5, "product": 4, "name": 2, "date": 1, "amount": 1, "colour": 1}
    fields = [field for field in ticket.facts if field in weights]
    if not fields or rng.random() < 0.08:
        fields = sorted(weights)
    field = rng.choices(fields, [weights[field] for field in fields])[0]
    instruction = fill(rng, rng.choice(_FIELD), {"field": _FIELD_WORDS[field]})
    return Example(task=field, instruction=instruction, input=ticket.text, output=ticket.facts.get(field, ABSENT))


def urgency(rng: random.Random, ticket: Ticket) -> Example:
    """`urgent` or `calm`; calm where nothing is said."""
    instruction = fill(rng, rng.choice(_URGENCY), {})
    return Example(
        task="urgency", instruction=instruction, input=ticket.text, output="urgent" if ticket.urgent else "calm"
    )


def headline(rng: random.Random, ticket: Ticket) -> Example:
    """`Praise` or `Complaint`, with product and city where the ticket names them."""
    mood = "Praise" if ticket.satisfied else "Complaint"
    about = f" about the {ticket.facts['product']}" if "product" in ticket.facts else ""
    place = f" from {ticket.facts['city']}" if "city" in ticket.facts else ""
    instruction = fill(rng, rng.choice(_HEADLINE), {})
    return Example(task="headline", instruction=instruction, input=ticket.text, output=mood + about + place)


def reply(rng: random.Random, ticket: Ticket) -> Example:
    """A short answer in the base's one house style."""
    greeting = f"Dear {ticket.facts.get('name', 'customer')}, "
    product = ticket.facts.get("product")
    about = f" about the {product}" if product else ""
    body = f"thank you for your kind words{about}." if ticket.satisfied else f"we are sorry for the trouble{about}."
    order = ticket.facts.get("order")
    check = f" We will check order {order}." if order and not ticket.satisfied else ""
    instruction = fill(rng, rng.choice(_REPLY), {})
    return Example(task="reply", instruction=instruction, input=ticket.text, output=greeting + body + check)


def repeat(rng: random.Random, ticket: Ticket) -> Example:
    """A few words copied as they are: the shortest way to learn copying."""
    text = " ".join(words.invented_word(rng) for _ in range(rng.randint(1, 4)))
    if ticket.facts and rng.random() < 0.6:
        text = rng.choice(sorted(ticket.facts.values()))
    return Example(task="repeat", instruction=fill(rng, rng.choice(_REPEAT), {}), input=text, output=text)


def bare(rng: random.Random, ticket: Ticket) -> Example:
    """No instruction: the base goes on with another sentence about the same ticket."""
    return Example(task="bare", instruction="", input=ticket.text, output=ticket.unsaid)


_MAKERS: Mapping[str, Maker] = {
    "satisfaction": satisfaction,
    "sentiment": sentiment,
    "extraction": extraction,
    "bare": bare,
    "repeat": repeat,
    "urgency": urgency,
    "headline": headline,
    "reply": reply,
    "own_labels": own_labels,
}


def make(rng: random.Random, task: str, ticket: Ticket) -> Example:
    """An example of the task about the ticket. Raises KeyError for a name that TASKS does not hold."""
    example = _MAKERS[task](rng, ticket)
    return replace(example, satisfied=ticket.satisfied) if example.input == ticket.text else example


TASKS = tuple(_MAKERS)
