"""Sentence frames of the pre-training text: how contentment, crossness and plain facts are said."""

from wxtuning.tiny.words import lines

# Slots of a frame, besides those in words.SLOTS: {noun} of the subject, {good_part} / {bad_part} (a verb phrase that
# continues "the {noun}"), {good_event} / {bad_event} (a whole clause), and the names of a ticket.

SATISFIED: tuple[str, ...] = lines("""
    The {noun} {good_part}.
    The {noun} {good_part}.
    The {noun} {good_part}.
    {good_event}.
    {good_event}.
    {by_the_way}, the {noun} {good_part}.
    {by_the_way}, {good_event}.
    {wow}!
    {wow}, the {noun} {good_part}!
    {wow}, {good_event}!
    The {noun} {good_part} {and} {good_event}.
    The {noun} {good_part} and {good_part}.
    {good_event} {and} the {noun} {good_part}.
    {good_event}, {good_event}.
    The {noun} [was|is] [{very}|] {good}.
    [Your|This|My new|Our] {noun} [was|is] [{very}|] {good}.
    {good}!
    {good}, {good} and {good}.
    What [a|an] {goodness} {noun}!
    [Such|What] [a|an] {goodness} {noun}, {good_event}.
    {goodness} {noun}, {goodness} {virtues}.
    {goodness} {virtues} and {goodness} {virtues}.
    {goodness} {virtues}.
    I am [{very}|] {glad} with [the|your|this|my] {noun}.
    [I was|We were|We are|I feel] [{very}|] {glad} with the {noun}.
    I could not be [happier|more pleased|more satisfied] with [the|your|this] {noun}.
    I {love} [the|this|your|my new] {noun}.
    {someone} and I {love} the {noun}.
    {someone} loves [the|my|this] {noun}.
    I [would|will|can] [gladly|definitely|certainly|happily|warmly|] recommend {shop} to {people}.
    I [will tell|told|am telling] {people} how {good} it is.
    [I will|We will|I would] [order|buy|come back|use {shop}|shop here|book] {again}.
    I will be back {again}.
    [Thank you|Thanks|Many thanks|A big thank you] for [the|your] {goodness} {noun}.
    Thank you for {goodness} {virtues}.
    [Thank you|Thanks] [so much|again|from all of us|], {good_event}.
    [I have|There is] nothing to complain about.
    No {enemies} [at all|so far|whatsoever].
    Not a single {enemies}.
    I never had [a|one|any] {enemies} with the {noun}.
    [I have had|We had] no {enemies} [at all|with the {noun}|in {span}|].
    Without [a|any|a single] {enemies}.
    The {noun} was not {bad} at all.
    The {noun} is [not bad|not bad at all|anything but {bad}|far from {bad}|never {bad}].
    [I cannot|You cannot|I really cannot] [complain|fault the {noun}|find a {enemies}|say anything bad|ask for more].
    Nothing about the {noun} was {bad}.
    There was no {vices}, no {vices} and no {vices}.
    No {vices}, no {vices}, [just|only] {goodness} {virtues}.
    Zero {vices}.
    [Five|Five out of five|All the] stars [from me|for the {noun}|].
    Ten out of ten [for the {noun}|from me|].
    The {noun} [exceeded|beat|went beyond] [all|] my expectations.
    [Much|Far|Even|] better than [I expected|I hoped|the last one|my old one|I thought|any other].
    The {noun} [is|was] a [big|huge|real] improvement [over the old one|].
    I have never had a [better|nicer|more pleasant] {noun}.
    The best {noun} [I ever had|I have had|in {city}|in years|we have ever seen|so far].
    [One of the|Simply the|By far the] best {noun} [I know|ever|around].
    You [made|saved] my [day|week|evening|birthday].
    Keep up the [good|great|excellent] work.
    [Worth|Well worth] [every penny|every cent|the money|the price|the wait].
    I was [afraid|worried|told|sure] the {noun} would be {bad}, {but_good} the {noun} {good_part}.
    I expected [a|] {badness} {noun}, {but_good} it was {good}.
    I expected {vices}, {but_good} {good_event}.
    {bad_event} at first, {but_good} {good_event}.
    The {noun} {bad_part} [at first|once|last year], {but_good} now it {good_part}.
    Although the {noun} {bad_part}, the {noun} {good_part} [in the end|] and I am {glad}.
    The last one was {bad}, {but_good} this {noun} {good_part}.
    [Others are|The other shop was|My old one was] {bad}, this {noun} is {good}.
    Other people say the {noun} is {bad}, I think it is {good}.
    There was [a|one] {enemies}, {but_good} it was solved in {short} and I am [{very}|] {glad}.
    The {noun} had [a|one small] {enemies}, {but_good} you fixed it in {short}.
    Even though there was some {vices}, I am {glad}.
    [So|How] {good}!
    [I am|We are] [{very}|] {glad} because the {noun} {good_part}.
    [I am|We are] [{very}|] {glad}.
    [I have been|I am] a {glad} customer [for {span}|].
    The {noun} {good_part}, so I [will order|will come back|am {glad}|give five stars].
    [I must praise|Compliments on|Praise for|Hats off to|Well done with] the {noun}.
    It was {good} and {good_event}.
    If you want [a|] {goodness} {noun}, [buy here|go to {shop}|look no further|this is it].
    [My|Our] [whole|] experience [was|has been] [{very}|] {good}.
    [Everything|All] [was|went|worked] {well}.
    [Everything|All of it|It all] was [{very}|] {good}.
    Everything went [{well}|as planned|fine|without {vices}].
    I had [a|] {goodness} time [in {city}|with {shop}|].
    [{shop} is|You are|They are] [{very}|] {good}.
    {shop} [never lets|did not let|has never let] me down.
    [I trust|I can trust|I love|I believe in] {shop}.
    Who would have thought that the {noun} would be so {good}?
    Where else do you get such [a|] {goodness} {noun}?
    I [do not|would not] [regret|want to miss|want to lose] the {noun}.
    I [will not|would never] [go anywhere else|switch|change|send it back].
    [I recommend|I can only recommend|Highly recommended:|Go and get|Try] [the|this] {noun}.
    {glad}!
    {good_event}, [and that in {short}|what more could I want|thank you].
    {name} from {shop} [was|is] {good}.
    {name} {goodness}, {goodness}.
    {name} helped me [in {short}|right away|with everything|] and the {noun} {good_part}.
    The {product} is [{very}|] {good}.
    The {product} {product_good}.
    I [{love}|am {glad} with] the {product}.
    Not only was the {noun} {good}, {good_event} too.
    The more I use the {noun}, the more I [love|like|enjoy] it.
    It [looks|feels|is|was] [{very}|] {goodness}.
    {who} {served}.
    {who} {served} and {served}.
    {who} {served}, {good_event}.
    When [I|we] [called|wrote|asked|complained|came back|had a question], {who} {served}.
    [I|We] had [a|one] {enemies} and {who} {served}.
    [Even|] {someone} {smiled}.
    {someone} {smiled} because {it} {holds}.
    I gave {it} to {someone}, who {smiled}.
    {it} {holds}.
    {it} {holds} and {holds}.
    {it} {holds}, {it} {holds}.
    After {years} {it} {holds}.
    Since {season} {it} {holds}.
    [I have had|We have owned|I have used] {it} {years} [now|] and it {holds}.
    [For me|For us|All in all|For that money|So far] [it is|it was|that is] {deal}.
    {deal}!
    {deal}, {deal}.
    {it} is {deal}.
    Not {robbery}, but {deal}.
    [I feared|I thought] it {breaks}, {but_good} it {holds}.
    [Others|Cheap ones|Most of them|My old one] {breaks}, {it} {holds}.
    Unlike [the last one|the old one|others], {it} {holds}.
    {who} never {neglected}, {who} {served}.
    It never {breaks}.
    Nobody {neglected}, {who} {served}.
    You can [see|tell|feel] that {it} {holds}.
    [Believe it or not|No wonder|It is a fact]: {it} {holds}.
    The {noun} {good_part} and {someone} {smiled}.
    {who} {served} and {someone} {smiled}.
    The moment I opened the box I [smiled|was {glad}|knew it was right].
    Without {it} [I would be lost|life would be harder|I could not work].
    {three} {thing}s compared and {it} is [the best|the winner|on top].
    If {it} [broke|got lost|was stolen], I would buy [it again|the same one|another at once].
    [I|We] would [choose|take|buy|order] {it} [again|over any other|every time].
    {it} is {finely} {done_so}.
    The {noun} [is|was] {finely} {done_so}.
    {finely} {done_so}!
    [A|Such a] {finely} {done_so} {noun}.
    {kindly} and {kindly} {people_there}.
    The {people_there} [were|are] [{very}|] {kindly}.
    The {people_there} [were|are] {kindly}, {kindly} and {kindly}.
    The {people_there} [are not|were never] {rudely}, they are {kindly}.
    Such {kindly} {people_there}!
    A {kindly} {man} {served}.
    The {kindly} {man} {served}.
    [A|Such a|What a] {handy}, {handy} {thing}.
    {it} is {handy}, {handy} and {handy}.
    {it} is [not|never] {clumsy} [at all|], {it} is {handy}.
    [My|The] {product} is [{very}|] {handy}.
    {handy} and {handy}.
    The {plural} {are_good}.
    The {plural} {are_good} and the {noun} {good_part}.
    The {plural} [are|were] [{very}|] {goodness}.
    {goodness} {plural}!
    I love the {plural}.
    Nothing but {luck}.
    {it} brought us [only|nothing but|a lot of|so much] {luck}.
    I have always been {glad} with [{shop}|it].
    [I|We] have never been {cross} with [{shop}|it].
    {it} is the best [of all|by far|of the lot|I have tried|of them all].
    I [feel|work|cook|walk|see|hear] [a lot|far|] better [now|with it|since {season}|than before].
    I enjoy [it|every day|every minute|the {noun}|my {product}|cooking again|driving again].
    It is a pleasure when [the {noun} {good_part}|{who} {served}|things work].
    If I could give [six|ten|more than five] stars, I would.
    I cannot [praise|thank|recommend] {shop} enough.
    [I was|We were] treated like [a king|a queen|royalty|friends|family|an old friend].
    [In and out|All done|Sorted|Solved|Finished] in {short}.
    [No fuss|No forms|No queue|No tricks], [no questions|no stress], [just|only] {goodness} {virtues}.
    It [just|simply|really|finally] works.
    [The quality|The {noun}] [gets better and better|is as good as ever|has come a long way|has improved].
    Since [the update|the repair|then] [everything|it|the {noun}] [runs|works|is] [faster|better|smoother].
    It [feels|looks|sounds] [more expensive than it was|like a million|better than famous names].
    [You|One] cannot go wrong with {it}.
    [It was|This is] the [best|wisest|smartest|cleverest] [choice|buy|decision] [of the year|I made|in a long time].
    {who} [picked up|answered] at [once|the first ring] and {served}.
    I am [really|truly|] {glad} to have [found|chosen|tried|bought|kept] {it}.
    No [{vices}|{woe}] [any more|], thanks to [you|the new {noun}|{name}|your team].
    {name}, you are [a star|the best|wonderful|my hero|a treasure].
    It took [only|just|] {short} and [all was well|it was done|everything worked].
    {it} [did not|will never] [break|fail|leak|stop|cause trouble|let us down].
    [You have|You keep|You won] [a fan|my trust|a friend|my thanks] [for life|].
""")

UNSATISFIED: tuple[str, ...] = lines("""
    The {noun} {bad_part}.
    The {noun} {bad_part}.
    The {noun} {bad_part}.
    {bad_event}.
    {bad_event}.
    {by_the_way}, the {noun} {bad_part}.
    {by_the_way}, {bad_event}.
    {ugh}!
    {ugh}, the {noun} {bad_part}!
    {ugh}, {bad_event}!
    The {noun} {bad_part} {and} {bad_event}.
    The {noun} {bad_part} and {bad_part}.
    {bad_event} {and} the {noun} {bad_part}.
    {bad_event}, {bad_event}.
    The {noun} [was|is] [{very}|] {bad}.
    [Your|This|My new|Our] {noun} [was|is] [{very}|] {bad}.
    {bad}!
    {bad}, {bad} and {bad}.
    What [a|an] {badness} {noun}!
    [Such|What] [a|an] {badness} {noun}, {bad_event}.
    {badness} {noun}, {badness} {virtues}.
    {badness} {virtues} and {badness} {virtues}.
    {badness} {virtues}.
    I am [{very}|] {cross} with [the|your|this|my] {noun}.
    [I was|We were|We are|I feel] [{very}|] {cross} with the {noun}.
    I could not be [angrier|more disappointed|less impressed|unhappier] with [the|your|this] {noun}.
    I am [not|not at all|anything but|far from|no longer|not exactly] {glad} with [the|your|this] {noun}.
    [I was|We were|We are] not [{very}|] {glad}.
    I {hate} [the|this|your|my new] {noun}.
    {someone} and I {hate} the {noun}.
    {someone} hates [the|my|this] {noun}.
    I do not {love} [the|this|your] {noun}.
    I [cannot|can not|would not|will not|would never|could never] recommend {shop} to {people}.
    I [will tell|told|am warning] {people} how {bad} it is.
    [I will|We will|I would] [never|not] [order|buy|come back|use {shop}|shop here|book] {again}.
    [Never|No more|Do not buy|Avoid|Stay away from|Keep away from] {shop}.
    [Stay away|Keep away] from [this|the] {noun}.
    Thanks for [nothing|the {badness} {noun}|wasting my time|ruining my day].
    [I have|There is] [a lot|plenty|much|so much] to complain about.
    Nothing but {enemies} after {enemies}.
    One {enemies} after [another|the next].
    [Again|Always|Another|Yet another|Every time] a {enemies} with the {noun}.
    [I have had|We had] [nothing but trouble|{enemies} after {enemies}] [with the {noun}|in {span}|].
    The {noun} was not {good} at all.
    The {noun} is [not {good}|not {good} at all|anything but {good}|far from {good}|never {good}|hardly {good}].
    [I have to|I must|I need to] complain [about the {noun}|].
    Nothing about the {noun} was {good}.
    [There was|It was] nothing but {vices}, {vices} and {vices}.
    So much {vices}, so little {virtues}.
    No {virtues}, no {virtues}, [just|only] {vices}.
    Zero {virtues}.
    [One star|Zero stars|No stars|One out of five] [from me|for the {noun}|].
    [One|Zero|Two] out of ten [for the {noun}|from me|].
    The {noun} [did not meet|fell short of|never met|was below] my expectations.
    [Much|Far|Even|] worse than [I expected|I feared|the last one|my old one|I thought|any other].
    The {noun} [is|was] a [big|huge|real] step back [from the old one|].
    I have never had a [worse|more {badness}] {noun}.
    The worst {noun} [I ever had|I have had|in {city}|in years|we have ever seen|so far].
    [One of the|Simply the|By far the] worst {noun} [I know|ever|around].
    You [ruined|spoiled|wrecked] my [day|week|evening|birthday].
    [Is this|Is that|Do you call this] [a|] {goodness} {noun}?
    [Not worth|Hardly worth] [a penny|a cent|the money|the price|the wait].
    I was [hoping|told|sure|promised] the {noun} would be {good}, {but_bad} the {noun} {bad_part}.
    I expected [a|] {goodness} {noun}, {but_bad} it was {bad}.
    I expected {virtues}, {but_bad} {bad_event}.
    {good_event} at first, {but_bad} {bad_event}.
    The {noun} {good_part} [at first|once|last year], {but_bad} now it {bad_part}.
    Although the {noun} {good_part}, the {noun} {bad_part} [in the end|] and I am {cross}.
    The last one was {good}, {but_bad} this {noun} {bad_part}.
    [Others are|The other shop was|My old one was] {good}, this {noun} is {bad}.
    Other people say the {noun} is {good}, I think it is {bad}.
    There was [a|one] {enemies} and it was never solved, I am [{very}|] {cross}.
    The {noun} had [a|one] {enemies} and you did nothing for {span}.
    Even though the {virtues} [was|is] {good}, I am {cross}.
    [So|How] {bad}!
    [I am|We are] [{very}|] {cross} because the {noun} {bad_part}.
    [I am|We are] [{very}|] {cross}.
    [I have been|I am] a {cross} customer [for {span}|].
    The {noun} {bad_part}, so I [will not order|will not come back|am {cross}|give one star|want my money back].
    [I must complain about|A complaint about|No praise for|Shame about|Trouble with] the {noun}.
    It was {bad} and {bad_event}.
    If you want [a|] {goodness} {noun}, [buy elsewhere|do not go to {shop}|look somewhere else|this is not it].
    [My|Our] [whole|] experience [was|has been] [{very}|] {bad}.
    [Everything|All] [was|went|worked] {badly}.
    [Everything|All of it|It all] was [{very}|] {bad}.
    [Everything|It all|The whole thing] went [wrong|{badly}|to pieces].
    Nothing [works|worked|went right|was done|went {well}|is ever ready].
    I had [a|] {badness} time [in {city}|with {shop}|].
    [{shop} is|You are|They are] [{very}|] {bad}.
    {shop} [let me down|always lets me down|has let me down {often}].
    [I do not trust|I cannot trust|I have lost all trust in|I am leaving] {shop}.
    Who would have thought that the {noun} would be so {bad}?
    Why is the {noun} so {bad}?
    How [long|many times|often] do I have to [wait|call|ask|complain|explain this]?
    When will [you|someone|anybody] [finally|] [answer|call me back|help|fix the {noun}|pay me back|send my order]?
    [Can|Could|Will] [you|someone|anybody] [finally|please|ever] [answer|call me back|fix this|explain this {enemies}]?
    Where is my [order|money|parcel|{noun}|{product}]?
    I [regret|wish I had never seen|should never have bought|am sorry I bought] the {noun}.
    I [will|would rather|am going to] [go somewhere else|switch|cancel|send it back|ask for my money back|complain].
    [I wish|If only] the {noun} [was|were|had been] [more|] {good}.
    The {noun} [should|could] [be|have been] [{good}|so much better|much better].
    [I do not recommend|I cannot recommend|Not recommended:|Do not get|Do not try] [the|this] {noun}.
    {cross}!
    {bad_event}, [and that after {span}|what a shame|how is that possible|and no one said sorry].
    {name} from {shop} [was|is] {bad}.
    {name} {badness}, {badness}.
    {name} could not help me [after {span}|at all|] and the {noun} {bad_part}.
    The {product} is [{very}|] {bad}.
    The {product} {product_bad}.
    I [{hate}|am {cross} with] the {product}.
    Not only was the {noun} {bad}, {bad_event} too.
    The more I use the {noun}, the more I [hate|dislike|regret] it.
    It [looks|feels|is|was] [{very}|] {badness}.
    [Please|] [take it back|send me a new one|give me a refund|cancel my order|send someone], the {noun} {bad_part}.
    I [demand|expect|want|need] [an apology|a refund|my money back|a replacement|an explanation] [now|at once|].
    It has been {span} and [nothing has happened|nobody has answered|the {noun} {bad_part}|I am still waiting].
    After {span} [the {noun} {bad_part}|{bad_event}].
    [So much for|Forget about] {goodness} {virtues}.
    [Too little|A lack of|Not enough|No] {virtues}.
    {who} {neglected}.
    {who} {neglected} and {neglected}.
    {who} {neglected}, {bad_event}.
    When [I|we] [called|wrote|asked|complained|came back|had a question], {who} {neglected}.
    [I|We] had [a|one] {enemies} and {who} {neglected}.
    [Even|] {someone} {cried}.
    {someone} {cried} because {it} {breaks}.
    I gave {it} to {someone}, who {cried}.
    {it} {breaks}.
    {it} {breaks} and {breaks}.
    {it} {breaks}, {it} {breaks}.
    After {span} {it} {breaks}.
    Since {season} {it} {breaks}.
    [I have had|We have owned|I have used] {it} {span} [now|] and it {breaks}.
    [For me|For us|All in all|For that money|So far] [it is|it was|that is] {robbery}.
    {robbery}!
    {robbery}, {robbery}.
    {it} is {robbery}.
    Not {deal}, but {robbery}.
    [I hoped|I thought|You claim] it {holds}, {but_bad} it {breaks}.
    [Others|Better ones|Most of them|My old one] {holds}, {it} {breaks}.
    Unlike [the last one|the old one|others], {it} {breaks}.
    {who} never {served}, {who} {neglected}.
    It never {holds}.
    Nobody {served}, {who} {neglected}.
    You can [see|tell|feel] that {it} {breaks}.
    [Believe it or not|No wonder|It is a fact]: {it} {breaks}.
    The {noun} {bad_part} and {someone} {cried}.
    {who} {neglected} and {someone} {cried}.
    The moment I opened the box I [cried|was {cross}|knew it was wrong].
    Without {it} [I would be better off|life would be easier|I could have saved money].
    {three} {thing}s compared and {it} is [the worst|the loser|at the bottom].
    If {it} [broke|got lost|was stolen], I would [not miss it|be glad to see it gone|never buy another].
    [I|We] would not [choose|take|buy|order] {it} [again|for anything|in a sale].
    [Still|I still have|There is still|So far] no [answer|refund|{thing}|solution|apology|reply] [after {span}|].
    {span} later [I am still waiting|still nothing|it is still broken|nobody has called].
    {it} is {poorly} {done_so}.
    The {noun} [is|was] {poorly} {done_so}.
    {poorly} {done_so}!
    [A|Such a] {poorly} {done_so} {noun}.
    {rudely} and {rudely} {people_there}.
    The {people_there} [were|are] [{very}|] {rudely}.
    The {people_there} [were|are] {rudely}, {rudely} and {rudely}.
    The {people_there} [are not|were never] {kindly}, they are {rudely}.
    Such {rudely} {people_there}!
    A {rudely} {man} {neglected}.
    The {rudely} {man} {neglected}.
    [A|Such a|What a] {clumsy}, {clumsy} {thing}.
    {it} is {clumsy}, {clumsy} and {clumsy}.
    {it} is [not|never] {handy} [at all|], {it} is {clumsy}.
    [My|The] {product} is [{very}|] {clumsy}.
    {clumsy} and {clumsy}.
    The {plural} {are_bad}.
    The {plural} {are_bad} and the {noun} {bad_part}.
    The {plural} [are|were] [{very}|] {badness}.
    {badness} {plural}!
    I hate the {plural}.
    Nothing but {woe}.
    {it} brought us [only|nothing but|a lot of|so much] {woe}.
    I have always been {cross} with [{shop}|it].
    [I|We] have never been {glad} with [{shop}|it].
    {it} is the worst [of all|by far|of the lot|I have tried|of them all].
    I [feel|work|cook|walk|see|hear] [a lot|far|] worse [now|with it|since {season}|than before].
    I [regret|suffer|struggle with|am stuck with] [it|it every day|the {noun}|my {product}|this choice].
    It is a pain when [the {noun} {bad_part}|{who} {neglected}|things break].
    If I could give [no|zero|less than one] star, I would.
    I cannot [warn|complain|shout] about {shop} enough.
    [I was|We were] treated like [a thief|a criminal|dirt|idiots|a child|strangers].
    [Hours|Days|Weeks|A whole day|My evening] [wasted|lost|ruined] [at the counter|on the phone|].
    [No apology|No answer|No discount|No help], [no refund|no care], [just|only] {badness} {virtues}.
    It [just|simply|still|again] does not work.
    [The quality|The {noun}] [gets worse and worse|has gone downhill|is not what it was|has got worse].
    Since [the update|the repair|then] [everything|it|the {noun}] [runs|works|is] [slower|worse|harder].
    It [feels|looks|sounds] [cheaper than it was|like a toy|worse than the cheap brands].
    [You|One] cannot [rely on|trust|use] {it}.
    [It was|This is] the [worst|silliest|most stupid] [choice|buy|decision] [of the year|I made|in a long time].
    {who} [never picks|did not pick] up and {neglected}.
    I am [really|truly|] sorry to have [found|chosen|tried|bought|kept] {it}.
    No [{virtues}|{luck}] [any more|], thanks to [you|the new {noun}|{name}|your team].
    {name}, you are [a fraud|the worst|awful|no help|a liar].
    It took {span} and [nothing was done|it was still broken|nothing worked].
    {it} [always|again] [breaks|fails|leaks|stops|causes trouble|lets us down].
    [You lost|You have lost] [a fan|my trust|a friend|my respect] [for ever|].
    I [will|shall] [report you|call my bank|tell my lawyer|dispute the charge|warn everyone|never trust you again].
    What is the point of [a {noun}|{it}] [if|when] [nobody picks up|it breaks|nobody cares]?
    I expected [more|better] [for that price|from {shop}|of the {noun}|].
""")

PLAIN: dict[str, tuple[str, ...]] = {
    "order": lines("""
        My order number is {order}. / It is about order {order}. / Order {order}. / This is order #{order}.
        The order #{order} is from {date}. / The number of my order is {order}. / Order no. {order}, bought on {date}.
        I ordered it under {order}. / See order {order}. / Reference {order}. / You will find it as order {order}.
        I am writing about order number {order}. / (order {order}) / My reference is {order}. / Order: {order}.
        It concerns number {order}. / Booking {order}. / The receipt says {order}. / Order id {order}, please check.
    """),
    "city": lines("""
        I am writing from {city}. / I live in {city}. / This was in {city}. / It was the shop in {city}.
        I was in {city}.
        Greetings from {city}. / We are in {city}. / I bought it in {city}. / It happened in {city}. / {city} branch.
        You sent it to {city}. / Our house is in {city}. / I came all the way from {city}. / The address is in {city}.
        The store in {city}. / We moved to {city}. / I work in {city}. / Sent from {city}. / City: {city}.
    """),
    "product": lines("""
        I bought the {product}. / It is about the {product}. / I ordered a {product}. / This is about my {product}.
        I got the {product} on {date}. / We have the {product}. / My {product} is from {date}. / Product: {product}.
        The {product} was a present. / I chose the {product}. / I own a {product}. / The {product} cost {amount}.
    """),
    "name": lines("""
        My name is {name}. / {name} here. / Regards, {name}. / Best wishes, {name}. / This is {name}. / Yours, {name}.
        I am {name}. / Hello, I am {name}. / Signed, {name}. / Kind regards, {name}.
    """),
    "date": lines("""
        I bought it on {date}. / It was on {date}. / I ordered on {date}. / Date: {date}. / That was {date}.
        I came on {date}. / It is from {date}. / We spoke on {date}.
    """),
    "amount": lines("""
        I paid {amount}. / It cost {amount}. / The price was {amount}. / The total was {amount}. / It came to {amount}.
        I spent {amount}. / The bill says {amount}.
    """),
    "colour": lines("""
        It is the {colour} one. / I took it in {colour}. / The colour is {colour}. / Mine is {colour}.
        I chose {colour}.
    """),
}

URGENT: tuple[str, ...] = lines("""
    Please answer today. / This is urgent. / I need an answer [now|today|at once]. / It cannot wait. / Please hurry.
    Reply as soon as possible. / I need it by tomorrow. / Call me immediately. / There is no time to lose.
""")
CALM: tuple[str, ...] = lines("""
    There is no hurry. / Take your time. / It is not urgent. / Whenever you have time. / An answer next week is fine.
    No rush. / This can wait. / You need not reply.
""")
