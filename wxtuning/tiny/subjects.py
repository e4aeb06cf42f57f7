"""What customers talk about: per subject its nouns, and verb phrases and whole events of either polarity."""

from dataclasses import dataclass

from wxtuning.tiny.words import lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One thing to be content or cross about.

    `nouns` need an article; `good` and `bad` continue "the <noun> ..."; events are whole clauses in the first person.
    """

    topic: str
    nouns: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]
    good_events: tuple[str, ...]
    bad_events: tuple[str, ...]


SUBJECTS: tuple[Subject, ...] = (
    Subject(
        topic="delivery",
        nouns=lines("delivery / parcel / package / shipment / order / box / shipping / letter / post / crate"),
        good=lines("""arrived [a day|two days|much|] [early|ahead of schedule|ahead of time] / came [right|] on time
            came within {short} / was at my door [the next morning|in {short}|before breakfast|sooner than I hoped]
            was packed with care / reached us [safe and sound|in perfect condition|without a scratch]
            came faster than promised / was wrapped beautifully / was left safely [with a neighbour|in the porch]
            could be tracked every step of the way / got here in {short} / turned up exactly when you said
            was sent the same day / arrived undamaged / was complete / was free and fast / came overnight"""),
        bad=lines("""never [arrived|came|turned up|showed up]
            arrived [late|crushed|damaged|{span} late|open|wet|empty]
            came {span} late / is still not here / got lost [in the post|on the way|somewhere|] / is nowhere to be found
            was left [in the rain|on the street|at the wrong house|with a stranger] / took {span}
            was missing [half the parts|two items|the charger|a {part}|everything] / went to the wrong address
            has not moved for {span} / was delayed {often} / was badly packed / was thrown over the fence
            had a hole in it / was returned without a reason / has been stuck for {span} / was soaked
            was supposed to come {span} ago / disappeared / arrived in pieces / was torn open / vanished"""),
        good_events=lines("""I got everything within {short} / I had it in my hands after {short}
            it came sooner than I dared to hope / I could follow the parcel all the way
            the driver carried it up the stairs for me / the box was waiting for me when I got home
            you shipped it the very same day / nothing was broken when I opened it / every item was in the box"""),
        bad_events=lines("""I am still waiting [for my order|for the parcel|after {span}|]
            I have been waiting for {span}
            I waited {span} and nobody came / I stayed home all day for nothing / I received the wrong {thing}
            you sent me the wrong [size|colour|item|one] / half of my order is missing
            nothing has arrived [so far|yet|]
            I got an empty box / it should have been here {span} ago / nobody knows where my parcel is
            I had to [fetch|collect|pick up] it myself / the driver just drove off / no sign of my order
            somebody else signed for my parcel / there was no one at the door
            the tracking has not changed in {span}"""),
    ),
    Subject(
        topic="staff",
        nouns=lines("""agent / clerk / manager / waiter / waitress / receptionist / shop assistant / support team
            salesman
            woman at the counter / man at the desk / lady on the phone / guy at the till / cashier / advisor / service
            customer service / young man who served me / team / operator / helper / owner / consultant / staff
            host"""),
        good=lines("""
            was [{very}|] [polite|kind|friendly|helpful|patient|caring|attentive|courteous|welcoming|warm|cheerful]
            went out of [her|his|their] way to help [me|us] / answered [all|every one] of my questions
            called me back [within {short}|as promised|right away] / stayed late to help us
            listened to me [carefully|with patience|] / solved it in {short} / took the time to explain everything
            made us feel [at home|welcome|special] / remembered my name / treated me with respect
            knew the answer at once
            gave me good advice / was always there to help / sorted everything out / could not have been nicer
            smiled the whole time / was a star / knew exactly what to do / bent over backwards for me / was lovely to us
            helped me [at once|right away|a lot|choose the right one] / was honest with me / deserves a raise
            put it right straight away / kept me informed / replied within {short} / looked after us so well"""),
        bad=lines("""
            was [{very}|] [rude|unfriendly|unhelpful|impatient|arrogant|cold|lazy|hostile|dismissive|careless|clueless]
            hung up on me / ignored [me|us|my question|my emails|every message] / rolled [his|her] eyes
            shouted at [me|us]
            kept me on hold for {span} / talked down to me / laughed at me / lied to me / could not help me
            never called [me|] back / did not know anything / did not listen / refused to help
            insulted my [wife|husband]
            sent me from one desk to the next / was busy with [his|her] phone / made me feel stupid
            did not care at all
            blamed me for it / never answered / walked away / kept interrupting me / treated me like a thief
            forgot about us / gave me wrong information / pretended not to hear me / had no idea / could not care less
            promised to call and never did / made us wait {span} / was in a bad mood / swore at me
            accused me of lying"""),
        good_events=lines("""I was helped at once / somebody [finally|really|] listened / I got an answer in {short}
            every question was answered / they treated us like family / they fixed it on the spot
            someone called me the same day / everyone was so kind / you were there when I needed you
            they did more than they had to / I felt welcome from the first minute / they found a solution in {short}
            you put a smile on my face / you really care about people / they even thanked me for calling"""),
        bad_events=lines("""nobody [answers|answered|called me back|helped me|listens|cares|replied|came to help us]
            no one [answers|answered|called me back|could help|listens|cares|replied|knew anything]
            I was on hold for {span} / I called {often} and got no answer / I wrote {often} without a reply
            I had to explain it {often} / they treated me like dirt / I was left alone with the problem
            they kept passing me around / I got a different story each time / they did not even say sorry
            my emails are ignored / all I get is excuses / I left the shop in tears / I was sent away
            they promised to help and did nothing / I had to ask {often} / I waited {span} to be served"""),
    ),
    Subject(
        topic="quality",
        nouns=lines("""{product} / {thing} / product / device / machine / battery / screen / sound / camera / motor
            item
            new one / replacement / picture / build / finish / material / gadget / {part} / design / set / gift
            tool"""),
        good=lines("""works {well} / works / runs {well} / still [looks|works|feels] like new after {span}
            does exactly what it [promises|says|should] / holds up [well|nicely|]
            lasts [forever|all day|and lasts|for ages]
            looks [stunning|great|gorgeous|even better in real life|elegant|beautiful|expensive] / is built to last
            feels [sturdy|solid|soft|robust|well made|like quality] / is easy to [use|clean|set up|carry|store]
            makes my life [so much|] easier / is worth every [penny|cent] / has never let me down
            saves me a lot of time
            was ready to use in {short} / sounds crystal clear / is as quiet as a mouse / survived a fall
            charges in {short} / has a lovely finish / does the job / fits {well} / is exactly like the picture
            keeps going and going / beats every other one I tried / is sturdy and [light|handy|pretty]
            starts every time / is a pleasure to use / gets used every day / makes a wonderful gift / never fails"""),
        bad=lines("""broke after {span} / broke [on the first day|in my hands|at once] / stopped working [after {span}|]
            fell apart [after {span}|in my hands|] / leaks [everywhere|] / will not [turn on|start|charge|close|open]
            does not [work|turn on|start|fit|charge|close|hold|do what it should] / overheats / died after {span}
            scratches easily / smells [of plastic|odd|bad|burnt] / makes a [loud|strange|horrible] noise / cracked
            came without a {part} / has a [broken|loose|missing|cracked|bent] {part} / is already broken / rattles
            feels [cheap|flimsy|like a toy] / looks [used|nothing like the photo|cheap] / needs charging every hour
            lost its colour / started to rust / wobbles / tore / snapped in two / ended up in the bin / caught fire
            had to be sent back / gives me a headache / is much too [small|loud|weak|heavy|hot] / is full of scratches
            failed [{often}|after {span}|] / drains in an hour / never worked / burns everything / jams [all the time|]
            is falling to pieces / cannot be repaired / went straight back to the shop / gave up after {span}"""),
        good_events=lines("""I use it every day / I bought a second one / I would not want to be without it
            {someone} loves it
            it works {well} / I use it all the time and it never fails / I could set it up in {short}
            it does everything I need / I have had it for {span} without any trouble / {someone} wants one too
            I already ordered another one / even {someone} is impressed / it was easy to put together
            we use it all the time / it still works after {span} / I got so many compliments on it"""),
        bad_events=lines("""I had to throw it away / I sent it back / it broke after {span} / I cannot use it
            it does not work / I have to send it back again / the {part} [broke|fell|came] off [after {span}|]
            I had to buy another one somewhere else / it stopped working after {span} / {someone} cut a finger on it
            half of the parts are missing / I cannot get it to work / I used it once and it broke / it is going back
            the {part} is [broken|missing|cracked|loose|bent|stuck] / it was broken when I opened the box
            I paid good money for junk / it ruined my [evening|carpet|holiday|birthday|weekend|clothes]"""),
    ),
    Subject(
        topic="clothes",
        nouns=lines("""dress / shirt / coat / jacket / fabric / size / colour / pair of shoes / sweater / hat / skirt
        suit"""),
        good=lines("""fits [{well}|like a glove|true to size|my figure] / is [soft|warm|cosy|flattering]
            looks great on me
            feels [soft|lovely|great] on the skin / washes well / kept its shape after many washes / is stylish
            keeps me warm / is comfortable to wear / suits me / is beautifully made / matches the picture
            earned me a lot of compliments"""),
        bad=lines("""does not fit / shrank [in the first wash|] / lost its colour [after one wash|] / itches
            is see-through
            is [far|much|way|] too [small|big|tight|short|thin|long] / tore [on the first day|after {span}|at the seam]
            is badly made / has a hole / has a stain / looks nothing like the picture / fell apart in the wash
            feels scratchy / ran in the wash / has loose threads everywhere / makes me sweat"""),
        good_events=lines("""I wear it all the time / I got compliments all evening / it fits as if made for me
            I want it in every colour / it feels so soft / I have never owned anything so comfortable"""),
        bad_events=lines("""I could not even get it on / it shrank to a child's size / the seam opened on the first day
            the stitching came undone / my skin turned red / the colour came off on my skin"""),
    ),
    Subject(
        topic="website",
        nouns=lines("""app / website / site / checkout / login / online shop / update / new version / search / program
            account page / booking page / software / chat bot / menu"""),
        good=lines("""loads in {short} / is [easy|simple|fun|a breeze] to use / is clear and simple / never crashes
            runs {well} / saves me [so much time|a lot of time] / remembers my order / is well designed
            guides you step by step / works on every phone / found what I needed in {short} / makes sense
            got better with each update / is intuitive / has everything I need"""),
        bad=lines("""keeps [crashing|freezing|logging me out|loading|failing] / crashed [{often}|]
            freezes [all the time|]
            shows [an error|a blank page|the wrong price] / lost [all|] my [data|basket|photos|order] / will not load
            rejects my [card|password|code] / does not [load|work|open|let me pay|accept my card] / is down [again|]
            is [confusing|impossible to use|slow as a snail|full of bugs|full of ads] / made me start over {often}
            locked me out / has been broken for {span} / deleted everything / does not respond / takes forever to load
            drains my battery / asks for my password {often}"""),
        good_events=lines("""I found what I wanted in {short} / I could pay in {short} / ordering was easy
            I signed up in {short}
            it took {short} to book / I can do everything from my phone / even {someone} can use it"""),
        bad_events=lines("""I cannot log in / I cannot [pay|check out|reset my password|find my order|open it]
            I lost all my data / I got an error {often} / I tried {often} and gave up / it ate my order
            I was locked out for {span} / the page never loads / I had to install it {often}"""),
    ),
    Subject(
        topic="billing",
        nouns=lines("""refund / bill / invoice / payment / price / total / deposit / fee / charge / discount
            voucher / receipt
            cost / money / final price / credit / fare / rate"""),
        good=lines("""was back on my card in {short}
            was [fair|correct|clear|lower than I feared|honest|very reasonable]
            matched the quote / came through in {short} / was paid back in full / was explained line by line
            was cheaper than anywhere else / was sorted in {short} / had no hidden costs / was a nice surprise
            worked at once / saved me a lot of money / was exactly as agreed / was processed without any fuss"""),
        bad=lines("""is [wrong|missing|too high|a mystery|double what you said|still open]
            was [wrong|taken twice|refused]
            never came / has not come / is nowhere to be seen / was charged {often} / went up without warning
            is higher than agreed / was not accepted / includes things I never ordered / takes forever / made no sense
            was never paid back / is far too high / doubled overnight / did not match the offer / keeps going up
            came to twice the offer / is daylight robbery / was kept / has been promised for {span}"""),
        good_events=lines("""I got my money back [in {short}|at once|in full|without a fuss|]
            you refunded me [at once|in full]
            I saved a lot of money / I paid less than anywhere else / you gave me a discount / the bill was correct
            you took the fee off at once / I got more than I paid for / I even got a voucher"""),
        bad_events=lines("""you charged me {often} / I was charged {often} / I was charged for something I never ordered
            I want my money back / where is my refund / I am still waiting for my refund / give me my money back
            I paid [too much|{often}|for nothing] / you took {amount} too much / you owe me {amount}
            they refuse to [pay|refund|give back] my money / they added a fee nobody told me about
            you keep taking money from my account / my card was charged without my consent / they overcharged me
            I was made to pay {amount} extra / they kept my deposit / no refund [yet|so far|after {span}]"""),
    ),
    Subject(
        topic="stay",
        nouns=lines("""room / bed / bathroom / breakfast / hotel / view / flat / pool / shower / apartment / cabin
            lobby / stay
            house / balcony / wifi / suite / hostel / garden / campsite / beach"""),
        good=lines("""
            was [spotless|clean|cosy|quiet|sparkling clean|bright|spacious|tidy|tastefully done|roomy|peaceful]
            had everything we needed / felt like home / was bigger than we thought / was better than in the photos
            was worth the trip / smelled fresh / had a view to die for / was close to everything / was just like home
            made our holiday / was a short walk from the beach / was ready early / let me sleep like a baby"""),
        bad=lines("""was [dirty|filthy|noisy|cramped|freezing|damp|mouldy|cold|dark|smelly|disgusting|unsafe|overbooked]
            smelled of [smoke|mould|drains|sweat] / had [no hot water|bugs|mould on the wall|no window|stained sheets]
            was nothing like the photos / was not cleaned [for {span}|] / was next to a building site / was broken
            was not ready for {span} / kept me awake all night / was crawling with ants / looked run down / was flooded
            was a health hazard / was covered in dust / was miles from anywhere / had hair in it"""),
        good_events=lines("""we slept [well|like babies|like a log] / we did not want to leave / we felt at home
            we will come back {again} / we got a free upgrade / it was our best holiday / we had a wonderful time
            we enjoyed every minute / the children loved it"""),
        bad_events=lines("""we could not sleep / we left after one night / we found bugs in the bed
            we had no hot water
            there was mould everywhere / the heating did not work / our booking was gone
            we had to change rooms {often}
            there was dirt on the floor / it ruined our holiday / the noise went on all night
            nobody cleaned our room"""),
    ),
    Subject(
        topic="food",
        nouns=lines("""food / meal / soup / pizza / coffee / dinner / lunch / cake / bread / fish / steak / salad
            menu / sauce
            dessert / burger / pasta / kitchen / wine / restaurant / portion / table / curry / chicken / sandwich"""),
        good=lines("""
            was [delicious|tasty|fresh|yummy|mouth-watering|cooked to perfection|divine|well seasoned|full of flavour]
            tasted [great|fresh|heavenly|like home|wonderful|amazing] / came out [hot|quickly|looking beautiful]
            melted in the mouth / was the best I ever had / was so good we ordered more / was made with love
            was hot and fresh / smelled wonderful / was generous / had us asking for more / was ready in {short}"""),
        bad=lines("""
            was [cold|stale|burnt|raw|salty|tasteless|inedible|greasy|soggy|undercooked|overcooked|bland|dry|sour|tough]
            tasted [bad|of nothing|like cardboard|odd|stale|burnt] / came [cold|late|after {span}] / had a hair in it
            made [me|us|{someone}] [sick|ill] / was swimming in oil / was not fresh / was past its date / was tiny
            took {span} to come / went back to the kitchen / was as hard as stone / was still frozen / was off"""),
        good_events=lines("""we licked our plates clean / I have never eaten so well / we ordered it again
            every bite was a joy / we left full and happy / I could eat there every day
            the children asked for more"""),
        bad_events=lines("""I could not eat it / I found a hair in my soup / we waited {span} for our food
            we left hungry
            I was sick all night / I got food poisoning / we sent it back {often} / they forgot our order
            they brought the wrong dish / half the menu was sold out / we walked out"""),
    ),
    Subject(
        topic="travel",
        nouns=lines("""flight / train / bus / taxi / car / trip / ride / tour / driver / ferry / journey / seat
            guide / pilot
            rental car / van / engine / crew / cruise / transfer / coach / luggage / bag"""),
        good=lines("""was [on time|comfortable|smooth|punctual|safe|relaxing|fun|unforgettable|clean|right on schedule]
            left on time / arrived early / was a lot of fun / got us there [early|safely|in {short}|in comfort]
            was ready when we came / showed us everything / made the trip / had plenty of leg room / was waiting for us
            was worth getting up for / ran like clockwork / drove us safely home / was the highlight of our holiday"""),
        bad=lines("""was [late|cancelled|delayed|dirty|overbooked|{span} late|packed|filthy|unsafe|cramped|boring|lost]
            was cancelled [without warning|at the last minute|] / broke down [{often}|on the motorway|] / never came
            left without us / drove like a madman / took the wrong road / did not show up / had a flat tyre
            smelled of smoke / left {span} late / made me miss my [train|plane|meeting] / got us lost / did not stop
            had no seats left / had broken seats / scared the children / went missing / was scratched all over"""),
        good_events=lines("""we got there early / we had a great time / we saw so much / pick-up took {short}
            I slept all the way / we had seats together / everything went {well} / my bag was first off the belt"""),
        bad_events=lines("""I missed my [flight|train|connection] / we stood in line for {span}
            they lost my [bag|luggage]
            they cancelled my flight / we were stranded for {span} / nobody told us about the delay / I had to stand
            we slept on the airport floor / I had to take a taxi home / we sat on the bus for {span}
            they gave away my seat / they blamed me for a scratch that was there before"""),
    ),
    Subject(
        topic="repair",
        nouns=lines("""repair / installation / technician / engineer / plumber / warranty / mechanic / workshop
            electrician
            fitter / upgrade / service visit / builder / painter / gardener / cleaner / handyman / setup"""),
        good=lines("""came [on time|the same day|within {short}|exactly when promised]
            fixed it [in {short}|at the first try|]
            left everything [clean|tidy] / did a [great|clean|neat|thorough|first rate|proper] job / was done in {short}
            explained what was wrong / was quick and [clean|cheap|friendly] / knew the trade / cost me nothing
            found the fault in {short} / covered everything / took off [his|her] shoes / finished ahead of time
            showed me how it works / made it as good as new / charged less than the quote"""),
        bad=lines("""never [came|showed up|turned up|finished] / made it worse / left a mess
            damaged [the wall|the floor|my door]
            did not [come|show up|fix anything|work|last] / came {span} late / took {span} / had to come back {often}
            lasted only {span} / covers nothing / did a [bad|sloppy|poor|terrible|botched] job / broke something else
            forgot [his|her] tools / left in the middle of the job / was refused / cancelled {often} / ruined the floor
            charged me for nothing / solved nothing / did not know what to do / walked out"""),
        good_events=lines("""it works again / it was fixed in {short} / now it works better than ever
            no dirt was left behind
            they fixed it for free / I got a new one the next day / they came the same day / all my trouble is gone"""),
        bad_events=lines("""nothing was fixed / the same fault came back after {span} / I took a day off for nothing
            it is still broken / I am still without a {thing} / it broke again after {span} / nobody came
            they want {amount} for a simple repair / I have been without heating for {span}
            they sent it back in the same state / it leaks more than before / they scratched my floor"""),
    ),
    Subject(
        topic="internet",
        nouns=lines("""internet / connection / signal / line / network / phone line / contract / plan / router
            subscription
            membership / mobile service / cable / provider / tariff"""),
        good=lines("""is [fast|stable|rock solid|reliable|cheap|flexible|lightning fast] / works in every room
            never drops
            was up and running in {short} / was easy to cancel / is better than my old one / costs half of my old one
            has been stable for {span} / is worth the money / works {well}"""),
        bad=lines("""keeps [dropping|cutting out|failing] / drops [all the time|every evening|{often}] / is dead
            is down again
            is [slow|unstable|too expensive|unusable in the evening|painfully slow] / has been down for {span}
            cuts out [{often}|all day] / cannot be cancelled / got more expensive / renewed itself without asking
            does not reach my kitchen / costs twice as much as before / is slower than dial-up / stopped {span} ago"""),
        good_events=lines("""I can work from home at last / I switched in {short} / films load in {short}
            I never lose the line
            I get full speed all day / we can all be online at once"""),
        bad_events=lines("""I cannot work from home / I have no signal / I tried to cancel {often}
            I have been offline for {span}
            every call gets cut off / I cannot even open a page / you will not let me cancel
            I pay for speed I never get / they keep renewing my contract"""),
    ),
    Subject(
        topic="lessons",
        nouns=lines("""course / lesson / teacher / class / doctor / dentist / haircut / gym / trainer / nurse
            hairdresser / visit
            appointment / massage / workshop / concert / show / film / book / party / event / museum / exhibition"""),
        good=lines("""
            was [fun|inspiring|relaxing|worth it|clear|gentle|painless|well organised|interesting|moving|on time]
            taught me a lot / made me laugh / was over in {short} / gave me new ideas / made my day / started on time
            was well worth the money / left me feeling [great|relaxed|inspired] / exceeded all my hopes
            was a highlight
            kept everyone interested / changed my life / took great care of me"""),
        bad=lines("""
            was [boring|cancelled|painful|badly organised|chaotic|too short|a waste|dull|overcrowded|late|pointless]
            started {span} late / taught me nothing / was cancelled {often} / hurt a lot / put me to sleep
            made no sense
            left me [in pain|with a headache|bored|feeling worse] / was over before it began / ended in chaos
            was not worth the money / ruined my hair / did not teach us anything / kept me waiting for {span}"""),
        good_events=lines("""I learned so much / I felt no pain / I left with a smile / we laughed all evening
            I passed my exam
            we had so much fun / I felt better at once / I am going back next week"""),
        bad_events=lines("""I learned nothing / I left early / I walked out after {span} / I sat there for {span}
            they cancelled at the last minute / we could not hear a word / I still have the pain / I fell asleep
            my appointment was gone / nobody told us it was cancelled"""),
    ),
)
