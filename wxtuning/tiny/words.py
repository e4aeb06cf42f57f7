"""Words of the pre-training text: slots of the grammar, and the proper names of three disjoint worlds."""

import random
from collections.abc import Sequence
from dataclasses import dataclass


def lines(text: str) -> tuple[str, ...]:
    """The entries of `text`, one per line or separated by `/`, stripped."""
    return tuple(part.strip() for line in text.splitlines() for part in line.split("/") if part.strip())


def listed(text: str) -> tuple[str, ...]:
    """The comma-separated entries of `text`, stripped."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


CITIES = listed("""London, Paris, Berlin, Madrid, Rome, Vienna, Dublin, Lisbon, Oslo, Helsinki, Warsaw, Prague, Athens,
    Budapest, Zurich, Geneva, Milan, Turin, Naples, Munich, Hamburg, Cologne, Leeds, Bristol, Glasgow, Cardiff, Boston,
    Chicago, Denver, Dallas, Houston, Seattle, Portland, Phoenix, Atlanta, Miami, Toronto, Montreal, Vancouver, Sydney,
    Melbourne, Perth, Delhi, Mumbai, Tokyo, Osaka, Seoul, Singapore, Cairo, Nairobi, Lagos, San Diego, New York,
    Cape Town, Mexico City, Buenos Aires, Los Angeles, Santiago, Lima, Bogota""")
NAMES = listed("""Anna, Ben, Carla, David, Emma, Frank, Grace, Henry, Irene, Jack, Karen, Leo, Maria, Nick, Olga, Paul,
    Rosa, Sam, Tina, Victor, Wendy, Omar, Priya, Chen, Yuki, Ahmed, Fatima, Lucas, Sofia, Mark, Julia, Peter, Laura,
    Simon, Alice, Robert, Helen, Oscar, Nina, George""")
THINGS = listed("""kettle, toaster, lamp, jacket, backpack, tent, bicycle, helmet, phone, laptop, tablet, printer,
    monitor, keyboard, headset, speaker, camera, watch, sofa, chair, desk, mattress, pillow, blanket, curtain, carpet,
    mirror, shelf, wardrobe, blender, mixer, oven, fridge, freezer, heater, fan, vacuum cleaner, coffee machine, iron,
    hair dryer, razor, toothbrush, shirt, dress, coat, scarf, hat, belt, wallet, suitcase, umbrella, raincoat, boots,
    sandals, gloves, drill, saw, ladder, lawn mower, grill, guitar, piano, puzzle, board game, doll, stroller, car seat,
    crib, toy train, novel, cookbook, notebook, fountain pen, router, charger, cable, battery pack, hard drive, webcam,
    microphone, projector, television, radio, clock, candle, vase, teapot, frying pan, knife set, lunch box, bottle""")
MAKES = listed("""red, blue, green, black, white, small, large, leather, wooden, steel, cotton, electric, folding,
    wireless, travel, garden, kitchen, office, summer, winter, silk, bamboo, glass, ceramic, portable, digital""")

HELD_OUT_CITIES = listed("""Ghent, Malmo, Porto, Graz, Lyon, Tampere, Bergen, Gdansk, Utrecht, Bilbao, Quito, Hobart,
    Halifax, Kyoto, Pune, Accra, Tunis, Austin, Omaha, Salt Lake City, Saint Paul, Leipzig, Exeter, Verona, Split""")
HELD_OUT_NAMES = listed("""Zoe, Felix, Ingrid, Marcus, Bianca, Tobias, Amelia, Rashid, Mei, Dmitri, Elena, Hugo""")
HELD_OUT_THINGS = listed("""telescope, aquarium, trampoline, harmonica, waffle maker, drone, scooter, bathrobe, hammock,
    cello, microscope, thermos, tripod, birdhouse, wok, yoga mat, canoe, snowboard, treadmill, sewing machine""")

MONTHS = listed("""January, February, March, April, May, June, July, August, September, October, November, December""")
COLOURS = listed("red, blue, green, black, white, yellow, brown, grey, pink, purple, orange, silver")
COINS = listed("dollars, euros, pounds")

LABEL_PAIRS: tuple[tuple[str, str], ...] = (
    ("satisfied", "unsatisfied"), ("positive", "negative"), ("happy", "unhappy"), ("praise", "complaint"),
    ("good", "bad"), ("pleased", "angry"), ("content", "upset"), ("like", "dislike"),
)  # fmt: skip

# What a slot in braces may become. Entries may hold slots and [choices|in|brackets] again.
SLOTS: dict[str, tuple[str, ...]] = {
    "very": listed("""very, really, so, extremely, incredibly, truly, quite, just, absolutely, simply, totally,
        completely, unbelievably, exceptionally, rather, seriously"""),
    "good": listed("""great, excellent, wonderful, perfect, fantastic, lovely, superb, brilliant, outstanding,
        impressive, amazing, delightful, flawless, first class, spot on, top notch, really good, very good, nice,
        pleasant, terrific, awesome, marvellous, splendid, beautiful, fabulous, remarkable, exceptional, ideal, fine,
        solid, good, very nice, reliable, faultless, magnificent, incredible, stunning, phenomenal, second to none,
        just right, well worth it, ace, ten out of ten, better than expected, exactly as described, as good as new,
        exactly what I wanted, just what I needed, fast and friendly, quick and easy, a cut above, high quality,
        smooth, comfortable, charming, refreshing, world class, unbeatable, great value, a pleasure, a joy, a delight,
        a dream, a bargain, a real gem, a lifesaver, a great success, a treat, a winner, a hit, money well spent"""),
    "bad": listed("""terrible, awful, poor, horrible, dreadful, disappointing, useless, bad, unacceptable, disgraceful,
        shoddy, pathetic, appalling, atrocious, lousy, horrendous, ridiculous, shocking, unreliable, dismal, miserable,
        substandard, second rate, mediocre at best, very bad, very poor, really bad, inferior, flimsy, hopeless, sloppy,
        careless, abysmal, shameful, outrageous, worthless, unusable, faulty, defective, below average, overpriced,
        way too slow, slow and rude, unprofessional, frustrating, annoying, rubbish, garbage, trash, not good enough,
        nothing like the picture, not as described, far from perfect, worse than expected, a nightmare, a joke,
        a disaster, a mess, a disgrace, a waste of money, a waste of time, a rip-off, a scam, a letdown,
        a big disappointment, a shame, a pain, a failure, a total flop, one big headache, the worst"""),
    "goodness": listed("""great, excellent, wonderful, fantastic, lovely, superb, brilliant, good, outstanding, amazing,
        terrific, perfect, nice, pleasant, impressive, delightful, fabulous, beautiful, marvellous, exceptional"""),
    "badness": listed("""terrible, awful, poor, horrible, dreadful, disappointing, bad, shoddy, lousy, appalling,
        useless,
        pathetic, disgraceful, frustrating, miserable, annoying, horrendous, shocking, ridiculous, sloppy"""),
    "glad": listed("""happy, pleased, delighted, satisfied, thrilled, impressed, content, overjoyed, glad, excited,
        over the moon, grateful, amazed, relieved, in love, comfortable"""),
    "cross": listed("""unhappy, angry, upset, annoyed, frustrated, furious, disappointed, fed up, dissatisfied,
        irritated,
        displeased, disgusted, appalled, unimpressed, let down, sick and tired, outraged, miserable, unsatisfied,
        exhausted, done"""),
    "well": listed("""well, perfectly, beautifully, smoothly, flawlessly, without a hitch, like a charm, wonderfully,
        brilliantly, without any trouble, like a dream, as promised, to perfection, better than ever, nicely,
        exactly as it should"""),
    "badly": listed("""badly, poorly, terribly, horribly, worse than before, carelessly, miserably, far too slowly,
        only half the time, in the worst way, nothing like promised, all wrong"""),
    "love": listed("love, adore, really like, enjoy, appreciate, absolutely love, cannot get enough of, treasure"),
    "hate": listed("hate, regret, dislike, despise, cannot stand, really dislike, am sick of, am tired of"),
    "enemies": listed("""problem, issue, fault, complaint, delay, mistake, error, defect, hiccup, glitch, bug,
        bad experience, single problem, single complaint, moment of trouble, reason to complain"""),
    "virtues": listed("""quality, speed, service, value, comfort, care, attention, honesty, kindness, design,
        reliability, support, friendliness, patience, choice, taste"""),
    "vices": listed("""delay, damage, noise, smell, rudeness, mess, dirt, confusion, chaos, hassle, stress, waste,
        mistakes, bugs, errors, broken promises, excuses, poor quality, hidden costs, extra fees, bad service,
        faults"""),
    "people": listed("""my friends, my family, everyone, anyone, my sister, my neighbours, my colleagues,
        all my friends,
        my mother, other customers, my whole team, people I know, anybody"""),
    "someone": listed("""my wife, my husband, my son, my daughter, my mum, my dad, my boss, my friend, my brother,
        my grandmother, my flatmate, my cousin, my aunt, my girlfriend, my neighbour, the whole family, my kid"""),
    "span": listed("""two days, a week, three weeks, a month, an hour, two hours, half a day, ten minutes, a few days,
        six months, forty minutes, one evening, three days, five weeks, a year, a couple of hours, nearly a month"""),
    "short": listed("""one day, two hours, ten minutes, a few minutes, an hour, no time, under a minute, half an hour,
        seconds, two days, five minutes, less than a day, a moment, a flash"""),
    "often": listed("""twice, three times, four times, again and again, many times, a dozen times, every day,
        over and over"""),
    "again": listed("again, soon, any time, next year, next time, for years to come, without a doubt, in a heartbeat"),
    "shop": listed("""you, this shop, your company, this store, this seller, these people, your team, this place,
        your shop, this firm, this business, this brand, you guys, your website, this hotel, this service"""),
    "part": listed("""lid, handle, zip, screen, strap, button, switch, cord, seam, hinge, wheel, motor, cover, plug,
        leg,
        lock, stand, case, display, filter, spring, knob, lens, base"""),
    "wow": listed("""Wow, Brilliant, Fantastic, Excellent, Perfect, Superb, Amazing, Great stuff, Well done, Bravo,
        Lovely,
        Thank you, Thanks a lot, Many thanks, Hooray, Kudos, Cheers, Love it, Happy days, Top marks, Thumbs up"""),
    "ugh": listed("""Terrible, Awful, Horrible, Ugh, Shame on you, Disgraceful, Never again, Pathetic, Avoid, Rubbish,
        Unbelievable, What a joke, Total waste, Very poor, So annoying, Disappointed, Appalling, Hopeless, Useless,
        Thumbs down, Bad luck for me"""),
    "by_the_way": listed("""Honestly, To be honest, Frankly, All in all, Overall, In short, I must say, I have to say,
        Just so you know, For the record, In the end, As a customer, Once more, This time, From start to finish, Again,
        In my opinion, Believe me"""),
    # People and firms acting, without a subject before the verb: "they ...", "the seller ...", "you ...".
    "who": listed("""they, you, the seller, the company, someone, the lady on the phone, your people,
        the man in the shop,
        the woman at the door, the team, your colleague, a young man, the firm, the manager, the girl at the desk,
        the office, the landlord, the hotel, the driver, the boss, your mechanic, a nice woman, the support people"""),
    "served": lines("""helped [me|us|my mother] {quickly}
        [replaced|exchanged|repaired|fixed] [it|the {part}|everything] {quickly}
        [waived|dropped|paid back] the fee / sent [a new one|a spare {part}|the missing {part}] {quickly}
        gave [me|us] a [discount|voucher|free upgrade|free coffee|present]
        apologised and [fixed|solved|changed] it {quickly}
        kept [every|the|their] promise / kept [me|us] posted / answered {quickly}
        took it back without [a word|a receipt|fuss]
        even [called|wrote|drove over|came back] to ask if all was well / noticed my mistake and put it right
        found [a way|a solution|the right size|what I lost] / stayed [calm|friendly|patient|until it worked]
        took [real|great|good] care [of me|of us|of everything|with it] / smiled and [helped|said hello|found it]
        made it [easy|simple|possible|right] / went the extra mile / listened and understood / never pushed me to buy
        carried my [bags|boxes] / explained [it|the {part}|all of it] [twice|with patience|in plain words]
        remembered me / thought of everything / was [honest|fair|kind|generous] / met every wish / did more than I asked
        returned my [wallet|bag|phone|money] / charged me nothing / brought it [to my door|upstairs] / cheered me up
        refunded [me|us|the full price|the postage] {quickly} / waited for me / let me try it first
        told the truth"""),
    "neglected": lines("""[shrugged|laughed|hung up|walked off|looked away] [when I asked for help|when I complained|]
        stopped [replying|answering|caring] [after I paid|]
        [refused|forgot|failed] to [help|pay|reply|send it]
        told me to [wait|call again|buy another one|look for it myself|pay more]
        [sent|gave|sold] me a [used|broken|dirty|wrong] one
        would not [take it back|listen|give me a refund|let me speak|even look at it|say sorry|pay the postage]
        made me pay [for it|twice|the postage|for the return|extra] / cut me off / [lied|cheated|misled me] [about it|]
        did not [even|] [say sorry|look up|read my mail|turn up|keep the promise|know the price|say hello|bother]
        blamed [me|the post|my phone|the weather|each other]
        [lost|broke|damaged|ruined|scratched] [it|my bag|the {part}|my papers]
        left [me|us] [waiting|standing|in the cold|in the dark|alone|without an answer] / kept my [money|deposit|phone]
        [chatted|smoked|played with a phone|ate lunch] while I [waited|stood there|stood in line]
        passed me from one person to the next / [promised|swore] to call and [never did|forgot] / sold my place
        tried to [sell me more|cheat me|trick me|blame me|charge me twice]
        threw it [over the fence|on the floor|at me]
        cancelled [without a word|at the last minute|again|my order] / took my money and ran / never wrote back
        needed {span} to answer / changed the price / wasted my time / did nothing [at all|for {span}|]"""),
    # Mostly nothing: half of what people do, they do without an adverb.
    "quickly": ("",) * 10
    + listed("""at once, straight away, right away, on the spot, in {short}, within {short}, the same day,
        without asking questions, free of charge, for free, for nothing, with a smile"""),
    "it": listed("""it, this one, that thing, the thing, this, mine, ours, the {thing}, my {thing}, the {product},
        our {thing}"""),
    "holds": lines("""[still looks|looks|feels] [brand new|as good as on the first day|like new|clean|sharp|smart]
        [lasts|lasted] [for years|{years}|longer than any other] / [survived|went through|made it through] {hardship}
        [has run|has worked|has kept going|has served me] [for {years}|since {season}] without [a fault|{vices}]
        is [still|] going strong [after {years}|] / shows no [wear|rust|marks|stains] [after {years}|]
        does [its job|everything I need|all it should] [and more|day in day out|superbly|]
        keeps [its promise|its shape|going]
        is [light|strong|sturdy|handy|quiet|smart|warm|roomy|safe|tough] and [light|strong|handy|quiet|smart|soft]
        [beats|outdoes|wins against] [all the others|the famous names|my old one]
        costs [half|less] and does [more|the same]
        makes [evenings|cooking|life|work|cleaning|my day|travel] [easier|fun|a joy|better]
        fits [everywhere|in any corner|in my bag|just right] / saves [time|money|space|power|my back]
        [cleans|folds|opens|closes|charges] [easily|in seconds|with one hand|with ease] / brings joy
        never lets me down
        came with [everything|all the parts|clear instructions|a kind note|a long warranty|a spare {part}]
        took [only|] {short} to [set up|put together|clean|charge]
        was [easy|quick|child's play] to [set up|put together|clean]
        is the [favourite|pride|star] of [the house|my kitchen|the children|our office]
        makes people ask where I got it
        helps [me|my mother|us] [sleep|a lot|every day|to relax] / smells [nice|fresh|of roses]
        runs [quietly|cool|smoothly]"""),
    "breaks": lines("""
        [snapped|cracked|tore|bent|melted|burst|leaked|split|jammed|died|broke] [after {span}|at once|on day one|]
        [came|comes|fell|falls] [apart|loose|off|to bits|in pieces|undone] [after {span}|when you touch it|]
        [has|had|came with|arrived with] a [crack|dent|scratch|stain|hole|leak|bad smell|[broken|missing] {part}|fault]
        [peels|rusts|fades|stinks|leaks|rattles|hums|shakes|sticks|squeaks|smokes] [all day|every time|]
        [could not stand|did not survive|gave up in] {hardship} / barely lasted {span} / did not [even|] last {span}
        [will not|does not|would not] [open|start|stay on|switch off|heat up|stand up|lock|print|keep warm] [any more|]
        is [heavy|weak|thin|dull|crooked|loud|sticky|rough|stiff|wobbly|itchy] and [heavy|weak|thin|dull|loud|smelly]
        [costs|cost] [more|twice as much] and does [less|nothing] / costs a fortune / gathers dust / ended in the bin
        makes [evenings|cooking|life|work|cleaning|travel] [harder|a pain|worse|impossible]
        does not [keep its promise|do its job|fit anywhere|hold anything|match the photo|feel safe|match the advert]
        came without [instructions|screws|a {part}|half of the parts|the charger|any padding] / was sewn badly
        took {span} to [set up|put together|clean|charge] / was [hard|impossible] to [set up|put together|clean|open]
        is a [danger|pain|joke|burden] / [hurt|burned|shocked|cut] {someone} / made {someone} [cry|ill|angry]
        blew the fuse / [ruined|stained|scratched|flooded] my [floor|table|clothes|kitchen|hair]
        was [glued|patched] together
        forgets [my settings|the time|everything] / loses [air|water|power|its colour] / keeps me awake
        is good for nothing
        has [had|needed] {three} repairs [so far|already|]
        was broken [when it came|from day one|on arrival|again]"""),
    "three": listed("two, three, four, five, six, seven, eight"),
    "years": listed("""years, two years, three years, ten years, a decade, many winters, a year, five summers,
        eight months"""),
    "season": listed("""spring, last summer, last autumn, the winter, May, last year, day one, the first day, Easter,
        Christmas"""),
    "hardship": listed("""rain, snow, a storm, a fall, a move, a toddler, daily use, the dog, a long trip,
        the heat,
        mud, a hike, the washing machine, the dishwasher, the first night, a week of use, one winter, our kids,
        the sea"""),
    "smiled": lines("""[smiled|laughed|beamed|cheered|danced|jumped for joy|clapped] [when it came|all day|all evening|]
        was [so|] [happy|proud|touched|delighted|moved|thrilled|surprised] / wants one too
        cannot stop talking about it
        [asked|keeps asking] where I got it / calls it the [best|loveliest|greatest] [gift|thing|one] ever
        uses it every day
        will not [share it|give it back|go to bed without it|use any other] / fell in love with it / ordered one as well
        had a [great|wonderful|lovely|brilliant] time / sleeps better now / is over the moon
        thanked me [twice|for days]"""),
    "cried": lines("""[cried|wept|cursed|shouted|groaned|shook his head|gave up] [when it came|all evening|in the end|]
        was [so|] [sad|embarrassed|angry|ashamed|disappointed|upset|hurt|scared|shocked] / will not touch it
        [warned me|told me not to buy it|was right to warn me]
        calls it the [worst|ugliest|silliest] [thing|buy] ever
        never used it again / got [hurt|ill|sick|a shock|a rash|burned] / threw it away / laughed at me for buying it
        had a [bad|horrible|miserable|rotten] time / could not sleep / asked for the money back / hates it
        waited in vain"""),
    "deal": lines("""a [fair|good|great|low|small] price / half the price / a bargain / [money|time] well spent
        good value
        great value [for money|] / worth [it|every cent|the trip|a try] / a [wise|smart|good|clever] buy
        the right choice
        a [steal|gift|win|find] / a [joy|pleasure|treat|blessing] [to use|every day|] / a class of its own / a safe bet
        a [quick|happy|good] end / a [warm|kind] welcome / a [firm|place|brand] to rely on
        a pleasant surprise"""),
    "robbery": lines("""a [steep|high|crazy|silly] price / twice the price / a rip-off
        [money|time] [wasted|thrown away|down the drain]
        poor value [for money|] / not worth [it|a cent|the trip|a try] / a [silly|stupid|bad|costly] mistake
        the wrong choice
        a [fraud|lie|trick|loss|trap] / a [pain|nuisance|torture|burden] [to use|every day|] / a class below / a bad bet
        a [slow|sad|bad|bitter] end / a [cold|rude] welcome / a [firm|place|brand] to avoid
        a nasty surprise"""),
    "finely": listed("""well, beautifully, perfectly, wonderfully, carefully, superbly, nicely, neatly, brilliantly,
        very well, lovingly, properly, expertly, cleverly, elegantly"""),
    "poorly": listed("""badly, poorly, carelessly, terribly, horribly, cheaply, sloppily, very badly, awfully,
        wrongly, miserably, stupidly, half-heartedly"""),
    "done_so": listed("""made, packed, sewn, designed, organised, written, cooked, built, finished, cleaned, trained,
        prepared, wrapped, painted, planned, managed, kept, assembled, printed, explained, run, thought out, cut,
        lit"""),
    "kindly": listed("""friendly, patient, helpful, polite, kind, caring, honest, cheerful, attentive, generous, calm,
        warm, welcoming, thoughtful, professional, clever, competent, skilled, sweet, gentle, quick, reliable, fair"""),
    "rudely": listed("""rude, lazy, unhelpful, impolite, arrogant, dishonest, bored, hostile, greedy, nasty, grumpy,
        cold,
        clueless, unfriendly, unprofessional, stupid, incompetent, careless, mean, rough, slow, unreliable, unfair"""),
    "handy": listed("""sturdy, light, handy, strong, quiet, smart, pretty, soft, comfortable, elegant, practical, clean,
        fast, tasty, fresh, bright, safe, robust, stylish, warm, sharp, clear, smooth, durable, cosy, simple"""),
    "clumsy": listed("""flimsy, heavy, ugly, weak, loud, dull, rough, stiff, crooked, dirty, slow, tasteless, stale,
        dark,
        dangerous, fragile, old-fashioned, cold, blunt, unclear, shaky, itchy, sticky, cramped, complicated, broken"""),
    "people_there": listed("""staff, people, waiters, drivers, nurses, teachers, colleagues, guides, agents, ladies,
        shop assistants, technicians, men, hosts, neighbours, cleaners, women at the desk, owners, doctors"""),
    "plural": listed("""colours, instructions, shoes, rooms, drinks, screws, seats, towels, buttons, photos, headphones,
        boots, pages, prices, toys, cups, wheels, batteries, beds, meals, vegetables, tickets, lessons, curtains,
        pillows,
        trousers, speakers, flowers, glasses, tools, windows, strawberries, pictures, socks, updates, letters,
        plates"""),
    "are_good": lines("""are [still|] [as good as new|in perfect order|a joy|just right|first class|spotless]
        [look|feel|smell|taste|sound|work] [great|wonderful|lovely|so good|fantastic] / were all there / fit perfectly
        [were|are] [clear|clean|fresh|easy to follow|fair|ready in time|the right size|comfortable] / make me smile
        [last|lasted] [for ages|for years] / arrived [early|in perfect shape|on time]
        are the best of [all|the lot]"""),
    "are_bad": lines("""are [already|] [broken|falling apart|a joke|a mess|all wrong|far too small|worthless|filthy]
        [look|feel|smell|taste|sound|work] [bad|awful|cheap|so wrong|terrible] / were missing / do not fit [at all|]
        [were|are] [unclear|dirty|stale|impossible to follow|unfair|never ready|the wrong size|painful] / make me angry
        [broke|fell off] after {span} / arrived [late|in bad shape|broken] / are the worst of [all|the lot]
        do not work"""),
    "luck": listed("joy, fun, praise, comfort, pleasure, smiles, good things, happiness, kindness, compliments"),
    "woe": listed("trouble, pain, stress, worry, tears, problems, lies, bad news, anger, broken promises, excuses"),
    "man": listed("""man, woman, lady, boy, girl, colleague, waiter, driver, nurse, agent, clerk, gentleman, student,
        shop assistant, person, fellow, team, mechanic, guide, doctor, host"""),
    "and": listed("and, and also, plus"),
    "but": listed("but, yet, however, but then, but sadly, still"),
    "but_good": listed("but, yet, but in the end, but luckily, however, still, but I must admit"),
    "but_bad": listed("but, yet, but in the end, but sadly, however, unfortunately, but then, except that"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """The proper names a ticket may mention, and how many of them are made up on the spot.

    `invented` is the share (0 to 1) of products, cities and names spelled by `invented_word`.
    """

    cities: Sequence[str]
    names: Sequence[str]
    things: Sequence[str]
    invented: float


TRAINING_WORLD = World(cities=CITIES, names=NAMES, things=THINGS, invented=0.4)
HELD_OUT_WORLD = World(cities=HELD_OUT_CITIES, names=HELD_OUT_NAMES, things=HELD_OUT_THINGS, invented=0.3)

_ONSETS = listed("b, br, c, ch, d, dr, f, fl, g, gr, h, j, k, kl, l, m, n, p, pl, qu, r, s, sh, sk, st, t, tr, v, w, z")
_VOWELS = listed("a, e, i, o, u, ai, ee, oo, ou, ia, ei, y")
_CODAS = ("", "", "", "n", "r", "l", "s", "t", "m", "x", "ck", "nd", "rt", "ss", "ng")
_PARTS = tuple(
    word.lower()
    for entry in (*CITIES, *NAMES, *THINGS, *MAKES, *SLOTS["goodness"], *SLOTS["badness"], *SLOTS["part"])
    for word in entry.split()
    if len(word) > 3
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def invented_word(rng: random.Random) -> str:
    """A lower-case word of 3 letters or more: syllables, head of one word on tail of another, or plain letters."""
    kind = rng.random()
    if kind < 0.15:
        return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(3, 7)))
    if kind < 0.5:
        return _spliced(rng)
    return "".join(_syllable(rng) for _ in range(rng.choice((2, 2, 3))))


def _syllable(rng: random.Random) -> str:
    return rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS)


def _spliced(rng: random.Random) -> str:
    # Bits of ordinary words, or the base would meet their tokens in those words alone and could not copy them.
    return rng.choice(_PARTS)[: rng.randint(2, 5)] + rng.choice(_PARTS)[-rng.randint(2, 5) :]
