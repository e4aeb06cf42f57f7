"""Words around a mood that do not carry it: where, when, with whom, who says so; and what the writer feels about it."""

import random

from wxtuning.tiny.grammar import Slots, fill, sentence
from wxtuning.tiny.words import lines

# Most of what people write has nothing to do with the mood. The base must learn to read past it.
WHERE_AND_WHEN: tuple[str, ...] = lines("""
    on [Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday] [morning|afternoon|evening|night|]
    last [week|month|night]
    [before|after|during] the [party|trip|meeting|wedding|holiday|exam|match|move|weekend|game|storm|sale] / in {city}
    on the way to [work|school|the station|my sister|the airport] / for the [camping|fishing|skiing] trip with {someone}
    in the [second|first|big|little|old|new] branch
    with [two|three|a few|some] [colleagues|friends|children|neighbours]
    as a present for {someone} / over the phone / by mail / through the app / at the [counter|front desk|till|gate|door]
    after a [long|short] [search|walk|talk|day|drive|night] / [this|that] [morning|afternoon|evening]
    for my [office|garden]
    for the [new|old|little|big] [house|flat|kitchen|garden|room|baby|dog|cat]
    on the [second|third|first|next|last] day
    by the end [of the day|of the week|of the trip|] / without seeing it first / for the [second|third|first] time
    when I [called|wrote|came home|opened it|asked|moved|got there|was ill]
    while [we|the children|my parents] were away
    since [we moved|I bought it|the baby came|last year|the new owner came] / in my [student|younger|working] days
    among all the [models|shops|hotels|brands] we compared / thanks to [a friend|the advert|a review|the catalogue]
    between [lunch and dinner|two meetings|Easter and summer] / at [eleven|noon|midnight|seven|twenty past two]
    near the [station|river|church|market|school|sea] / on the [roof|balcony|street|corner|floor|table|desk]
""")
WHO_SAYS: tuple[str, ...] = lines("""
    I [think|believe|find|know|admit|confess|feel|guess] that / you can [see|tell|imagine] that
    it [seems|appears|turned out] that
    {someone} [says|thinks|tells everyone|agrees|believes|wrote] that
    I [never|rarely|seldom|often] write reviews, but this time
    the truth is that / it is [no secret|a fact|clear] that / I want [you|people|everyone] to know that
    the reviews say that
    what [matters|counts|I remember] is that / as [soon as|long as] I can remember, / all I can say is that
    I [noticed|saw] that
    not everyone [knows|will agree], but / in case you [wonder|ask], / I should [add|mention|say] that / guess what,
    whoever [made|designed|runs|sold] it should know that / when you [look|think|ask around], you see that
    let me tell you that
""")
RELIEVED: tuple[str, ...] = lines("""
    how [kind|nice|lovely|thoughtful|good] / what a [relief|joy|pleasure|delight|treat|find]
    which [I love|is great|I like|pleased us]
    I [like|love] that / lucky me / that made [me smile|my day|us happy]
    so I am [glad|happy|thankful|grateful|pleased]
    such [luck|a joy|a relief] / you deserve [a medal|praise|thanks|a prize] / I [value|welcome] that
    I can only praise that
    and that makes me [happy|smile] / to my [delight|joy|great relief] / just as I [hoped|wished|wanted]
    who could ask for more
    full marks / a success / that won me over / others can learn from that / I am [truly|] thankful / what a win
""")
BITTER: tuple[str, ...] = lines("""
    how [rude|sad|mean|careless|annoying] / what a [shame|pity|pain|mistake|letdown|mess]
    which [I hate|is awful|is a pity|hurt us]
    I [hate|dislike] that / poor me / that made [me cry|me angry|us sad] / so I am [sad|angry|cross|bitter|upset]
    such [bad luck|a pity|a shame] / you should be ashamed / I [resent|cannot accept] that / I can only warn of that
    and that makes me [angry|sad|sick] / to my [horror|regret|great annoyance] / just as I [feared|was warned]
    I deserve better
    a fail / a failure / that drove me away / others do better than that / I feel [cheated|fooled|betrayed|robbed]
    what a loss
    not acceptable / that spoiled it
""")


def amid_asides(rng: random.Random, mood: str, slots: Slots, *, satisfied: bool) -> str:
    """The sentence as it is, in half of the cases, or with something before or after it."""
    if rng.random() < 0.5 or mood[-1] not in ".!":
        return mood
    return sentence(rng.choice((_before, _after, _said, _felt))(rng, mood[:-1], slots, satisfied) + mood[-1])


def _before(rng: random.Random, mood: str, slots: Slots, satisfied: bool) -> str:
    return f"{_aside(rng, slots)}, {_inner(mood)}"


def _after(rng: random.Random, mood: str, slots: Slots, satisfied: bool) -> str:
    return f"{mood} {_aside(rng, slots)}"


def _said(rng: random.Random, mood: str, slots: Slots, satisfied: bool) -> str:
    return f"{fill(rng, rng.choice(WHO_SAYS), slots)} {_inner(mood)}"


def _felt(rng: random.Random, mood: str, slots: Slots, satisfied: bool) -> str:
    return f"{mood}, {fill(rng, rng.choice(RELIEVED if satisfied else BITTER), slots)}"


def _aside(rng: random.Random, slots: Slots) -> str:
    return fill(rng, rng.choice(WHERE_AND_WHEN), slots)


def _inner(mood: str) -> str:
    first = mood.split(" ", 1)[0]
    return mood if first in ("I", "I'm") or first[1:] != first[1:].lower() else mood[:1].lower() + mood[1:]
