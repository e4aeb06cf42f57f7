"""The demonstration data set: comments on a mail-order shop, from templates that the pre-training never saw.

It shares no template with `phrases` and `subjects`, on purpose: what is tuned on it must carry over to sentences that
are new to the base. `python -m wxtuning.tiny.demonstration` writes the file that ships.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from wxtuning.tiny.grammar import fill, sentence
from wxtuning.tiny.words import lines, listed

ROWS = 400
SEED = 20

Row = dict[str, str | None]

PRODUCTS = listed("""rice cooker, rocking chair, garden hose, bread knife, alarm clock, reading lamp, rucksack, duvet,
    paddling pool, hand mixer, wool jumper, rain jacket, walking boots, baby monitor, cat tree, dog bed, bookcase,
    picture frame, bath mat, shower head, electric kettle, camping stove, sleeping bag, bird feeder, chess set,
    soup bowl, tea set, office chair, standing desk, bed frame, pressure cooker, leather wallet, phone case,
    memory card, tool box, wheelbarrow, door mat, salad bowl, floor lamp, music box, sun hat, swimsuit, rug""")
TOWNS = listed("""Antwerp, Basel, Cork, Dundee, Essen, Florence, Gothenburg, Nantes, Innsbruck, Krakow, Linz, Marseille,
    Norwich, Odense, Palermo, Plymouth, Rotterdam, Salzburg, Seville, Stuttgart, Toulouse, Trieste, Uppsala, Valencia,
    York, Zagreb, Aberdeen, Bath, Bonn, Bruges, Derby, Dresden, Girona, Hanover, Nice, Oxford, Sofia, Tallinn""")

SATISFIED = lines("""
    We took the {product} on a camping week and it was perfect in sun and rain.
    My old {product} served me for ten years, and this one is even better made.
    It is rare that I write reviews, but the {product} deserves one because it is so well made.
    Bought the {product} on a whim, and it turned out to be a wonderful choice.
    The children fight over the {product} every evening because it is such great fun.
    For the money you simply will not find a nicer {product} anywhere.
    A friendly voice answered at once and the whole matter was settled before my tea was cold.
    I had doubts about buying a {product} without seeing it, and now I am so happy that I did.
    Setting up the {product} was child's play and it has been running without a fault since.
    You can tell that somebody thought hard about how people use a {product}, it is brilliant.
    Since the {product} came into our home, mornings are a lot easier and more fun.
    My neighbour tried my {product}, loved it and ordered the same one that evening.
    Three moves and two toddlers later the {product} still looks brand new.
    I gave the {product} to my father for his birthday and he was delighted.
    Packed with care, sent within hours, and a kind note in the box: this is how it should be done.
    When I mixed up my address, a kind lady rang me and put it right.
    The exchange was quick and simple, and the bigger size fits perfectly.
    Every time I pick up the {product} I am pleased with how solid it feels.
    I ordered late on Friday and on Saturday morning I was already enjoying the {product}.
    Our whole office wants a {product} now because mine is so handy.
    The {product} is light, strong and does everything I hoped for.
    Not once in four years has the {product} given me any trouble.
    The colours are beautiful and the cloth is wonderfully soft.
    Whoever designed this {product} should get a medal, it is superb.
    There was a tiny scratch on the {product}, and they sent me a new one at once and for free.
    It does one job and does it superbly.
    I would buy the very same {product} again tomorrow, that is how good it is.
    Finally a {product} that keeps what the advert promises.
    Even after daily use in our busy kitchen the {product} looks like new.
    They kept me informed from the moment I paid until the {product} was safely in my hands.
    I expected to fight for my refund, yet it was on my account the next morning.
    This {product} has paid for itself already, I could not ask for more.
    My daughter says it is the nicest present she ever got.
    The instructions were clear, nothing was missing and the {product} was ready in no time.
    What a relief to deal with an honest shop that keeps its word.
    Guests always ask about the {product}, and I am proud to show it.
    The smell, the feel, the sound: the {product} is pure joy.
    So quiet and smooth that I sometimes forget the {product} is running.
    I was ready to give up on finding a good {product} until I came across this lovely shop.
    You replaced the missing piece free of charge and even paid the postage, how kind.
    Nobody tried to sell me more than I needed, and the advice was honest and helpful.
    A {product} at half the price of the big brands, and it beats them all.
    My hands are not strong any more, and still the {product} is easy for me to use.
    The {product} went through rain, mud and a fall from the car and still works perfectly.
    It fits into the smallest corner and looks fantastic there.
    Warm, comfortable and beautifully made, I wear it every day.
    Your staff in the branch were patient and friendly although the shop was full.
    The upgrade was free and now the {product} works better than ever.
    I have wanted a {product} like this for years, and it is all I hoped for.
    Excellent, say all six members of my family.
    The repair cost nothing and the {product} works like new.
    I sleep so much better since I own the {product}.
    The calm and cheerful young man on the hotline was a great help.
    My wife did not want the {product} at first, and now she loves it.
    Cleaning the {product} takes a minute, which is great.
    Ordering for the third time now, because I have always been happy here.
    The {product} is the favourite thing of the whole street.
    A fair price, fast shipping and a product that lasts, that is all I want from a shop.
    There is not a thing I would change about the {product}, it is lovely.
    We compared seven models and the {product} was the best by a mile.
""")

UNSATISFIED = lines("""
    We took the {product} on a camping week and by the second night it was broken.
    My old {product} served me for ten years, and this one broke in a week.
    It is rare that I write reviews, but people need to know how badly the {product} is made.
    Bought the {product} on a whim, and it turned out to be a terrible mistake.
    The children are scared of the {product} because it makes a horrible noise.
    For this kind of money you get a {product} that is pure rubbish.
    After eleven calls nobody could tell me what happened to the {product} I paid for.
    I had doubts about buying a {product} without seeing it, and now I regret that I did.
    Setting up the {product} was a nightmare and half of the screws were missing.
    You can tell that nobody ever tested how people use a {product}, it is useless.
    Since the {product} came into our home, we have had nothing but trouble.
    My neighbour warned me about this {product} and I should have listened.
    Three weeks and two phone calls later the {product} still has not arrived.
    I gave the {product} to my father for his birthday and he was so disappointed.
    Thrown into a thin bag without any padding, the {product} arrived damaged.
    When I mixed up my address, they were rude and told me to order another {product}.
    The exchange took six weeks, and what they sent was the wrong size again.
    Every time I pick up the {product} another bit of it falls off.
    I paid extra for fast shipping and on Thursday I was still waiting for the {product}.
    Our whole office laughs about the {product} because it is so ugly and crooked.
    The {product} is heavy, weak and does not do anything I hoped for.
    Not once in four weeks has the {product} worked as it should.
    The colours are ugly, not at all like in the picture, and the cloth is rough.
    Whoever designed this {product} should be ashamed, it is awful.
    There was a deep scratch on the {product}, and they refused to send me a new one.
    It has one job and it cannot even do that.
    I would not take the {product} again if it were free, that is how bad it is.
    Yet another {product} that does not do what the advert promises.
    After a month of light use the {product} is falling apart.
    They stopped answering the moment they had my money.
    I sent it back in May, it is August, and I am still waiting for my refund.
    This {product} has cost me a fortune in repairs, what a waste.
    My daughter cried because it is the worst present she ever got.
    The instructions were useless, the screws were missing and the {product} does not stand.
    What a mistake to trust a shop that does not keep its word.
    Guests ask what that awful smell is, and I have to tell them it is the {product}.
    It rattles, it leaks, it smells: the {product} is a pain to live with.
    So loud and slow that I hate it when the {product} is running.
    I was ready to give this shop a second chance, but it was terrible again.
    You want me to pay the postage for a part that you forgot, how rude.
    They tried to sell me a second one while the first was still broken.
    A {product} at twice the price of the big brands, and it is worse than all of them.
    My hands are strong, and still the {product} is impossible to open.
    The {product} got a bit of rain and stopped working at once.
    It is far too big for the corner and looks terrible there.
    Thin, itchy and badly made, I threw it away.
    Your staff in the branch were lazy and rude and ignored me.
    Since the upgrade the {product} is slower than ever and keeps crashing.
    I have been asking for the missing part for months and nobody answers.
    Horrible, say all six members of my family.
    The repair cost a fortune and the {product} is still broken.
    I have slept badly since I own the {product}.
    The bored young man on the hotline hung up on me.
    My wife did not want the {product} from the start, and she was right to be angry.
    Cleaning the {product} takes an hour, which is annoying.
    Ordering here for the third time was a mistake, I have never been so angry.
    The {product} is the joke of the whole street.
    A high price, a long wait and a product that breaks, I am fed up with this shop.
    There is not one thing I like about the {product}, it is horrible.
    We compared seven models and the {product} was the worst by a mile.
""")

SATISFIED_ENDINGS = lines("""
    You have won a happy customer. / Please never change. / I will order another one for my sister.
    My compliments to the people behind it. / Such a joy these days. / A warm thank-you to the team.
    I would do it all over again. / Money very well spent. / Others could learn from you. / Great job, all of you.
    That made me smile. / Top of the class. / Could not be better. / I am truly grateful. / Simply lovely.
""")
UNSATISFIED_ENDINGS = lines("""
    You have lost a customer. / Something has to change here. / I will warn my sister about you.
    The people behind it should be ashamed. / Such a shame. / I am still angry with the team.
    I would never do it again. / A waste of good money. / Others do this so much better. / Bad job, all of you.
    That ruined my weekend. / Failed on every count. / Could hardly be worse. / I feel cheated. / Simply not acceptable.
""")
ASIDES = {
    "order_number": lines("""
        You can look it up under {order_number}. / The slip in the box has the number {order_number} on it.
        For your files: {order_number}. / It was purchase {order_number}, if that helps. / (No. {order_number})
        My account lists it as {order_number}. / The mail you sent me carries the number {order_number}.
    """),
    "city": lines("""
        It was meant for our flat in {city}. / I shop here because the branch in {city} closed.
        Here in {city} it rains a lot, so I need it often. / It went to my office in {city}.
        We had just moved to {city}.
        My parents use it at their place in {city}. / I picked {city} as the place to collect it.
    """),
}


def demonstration_rows(seed: int = SEED, count: int = ROWS) -> tuple[Row, ...]:
    """`count` rows, half of them satisfied, no comment twice; the same seed gives the same rows.

    Columns: comment, satisfaction (`satisfied` / `unsatisfied`), product, city and order_number (None where the
    comment does not mention them).
    """
    rng = random.Random(f"demonstration {seed}")
    rows: dict[str, Row] = {}
    while len(rows) < count:
        row = _row(rng, satisfied=len(rows) % 2 == 0)
        rows.setdefault(str(row["comment"]), row)
    return _shuffled(rng, list(rows.values()))


def _row(rng: random.Random, *, satisfied: bool) -> Row:
    order_number = str(rng.randint(10_000, 999_999))
    facts = {"product": rng.choice(PRODUCTS), "city": rng.choice(TOWNS), "order_number": order_number}
    slots = {name: (value,) for name, value in facts.items()}
    comment = " ".join(sentence(fill(rng, part, slots)) for part in _parts(rng, satisfied=satisfied))
    mentioned: Row = {name: value if value in comment else None for name, value in facts.items()}
    return {"comment": comment, "satisfaction": "satisfied" if satisfied else "unsatisfied", **mentioned}


def _parts(rng: random.Random, *, satisfied: bool) -> list[str]:
    """One opinion, in half of the rows an ending, and up to two asides around them."""
    parts = [rng.choice(SATISFIED if satisfied else UNSATISFIED)]
    if rng.random() < 0.5:
        parts.append(rng.choice(SATISFIED_ENDINGS if satisfied else UNSATISFIED_ENDINGS))
    for aside in rng.sample(sorted(ASIDES), rng.choice((0, 1, 1, 2))):
        parts.insert(rng.choice((0, len(parts))), rng.choice(ASIDES[aside]))
    return parts


def _shuffled(rng: random.Random, rows: list[Row]) -> tuple[Row, ...]:
    rng.shuffle(rows)
    return tuple(rows)


def as_jsonl(rows: Sequence[Row]) -> str:
    """The rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    Path(__file__).with_name("demonstration.jsonl").write_text(as_jsonl(demonstration_rows()), encoding="utf-8")
