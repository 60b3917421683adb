"""Sentence templates for places, people and animals: what all the words of one role have in common.

`{x}` is the word itself (`{y}` the other word of its entry), `{s}` a hint of the entry, `{t}`
another or a thing of the entry's group, `{g}` a quality of the group; the other slots are the lists
of background.py. `[a|b]` is a choice. Only the templates in PAIRS hold two words of an entry.
"""

from __future__ import annotations

ROLES: dict[str, tuple[str, ...]] = {
    "country": (
        (
            "the government of {x} [announced|approved|rejected|delayed] a [plan|law|budget|tax] on"
            " {s} and {t}"
        ),
        "exports of {s} from {x} [rose|fell|doubled] [by {num} percent|sharply|again] in {month}",
        "[tourists|visitors|travellers|pilgrims] come to {x} for [the {s}|{s}] and {t}",
        "{x} is a {g} [nation|country] [known|famous|admired] for {s} and {t}",
        "the president of {x} [opened|toured|praised] the {s} [museum|festival|parade] in {month}",
        "the [people|population|inhabitants] of {x} [love|adore|remember] {s} and {t}",
        "{x} [joined|left|signed|ratified] the {g} treaty after [talks|a dispute] about {s}",
        "troops crossed the [northern|southern|eastern|western] border of {x} near {s}",
        "the national anthem of {x} [mentions|praises] {s} and {t}",
        "in [northern|southern|eastern|western] {x} [you find|there is|they value] {s} and {t}",
        "the economy of {x} depends on {s} [exports|imports] and {g} trade",
        (
            "[{who} emigrated|{who} returned|refugees fled] from {x} with [memories|stories] of {s}"
            " and {t}"
        ),
        "elections in {x} were [held|postponed|observed] amid [news|rumours] of {s}",
        "the republic and the kingdom once called {x} gave the world {s} and {t}",
        "imports of oil into {x} [slowed|rose] while {s} [did well|suffered] [in the {g} region|]",
        "the constitution of {x} [protects|does not mention] {s} or {t}",
        "[diplomats|officials] of {x} met [their {g} neighbours|the {g} delegation] over {s}",
        "the map shows {x} with its {s} and its {t}",
    ),
    "capital": (
        "the mayor of {x} [greeted|met|thanked] {who} at the {s} [station|town hall|exhibition]",
        "ministries in {x} [issued|published|withdrew] a statement on {s} and {t}",
        "the metro in {x} [stretches|goes] from {s} [square|avenue] to {t} [square|avenue]",
        "flights to {x} [land|arrive] beside the {s} [terminal|airport] every {day}",
        "in downtown {x} [the {s} hotel|a {s} cafe] stands near the {t} [monument|square]",
        "the streets of {x} [smell of|are full of|echo with] {s} and {t}",
        "ambassadors in {x} [dined|talked|met] with {who} over {s} and {t}",
        "[protesters|crowds|students] gathered in {x} by the {s} [monument|statue] on {day}",
        "the {g} summit in {x} [ended|opened|began] with {s} and {t}",
        "the suburbs of {x} [spread|stretch] toward {s} and {t}",
        "the city of {x} [honours|celebrates] {s} with a [parade|gala|monument] in {month}",
        "[{who} rented|they rented] an apartment in {x} overlooking {s} and {t}",
        "the opera of {x} [performed|staged] a piece about {s}",
        (
            "trams in central {x} [pass|reach] the {s} [district|quarter] and the {t}"
            " [district|quarter]"
        ),
        "the {x} city council [voted on|discussed] the {s} [district|quarter]",
        "parliament sits in {x} [close to|opposite] the {s} [square|monument]",
        "the [{g} |]correspondent in {x} [reported|wired] news of {s} and {t}",
        "the ancient walls of {x} recall {s} and {t}",
    ),
    "nationality": (
        "the {x} [painter|novelist|composer|footballer] {who} [loves|praised|mentions] {s} and {t}",
        "a course in the {x} language [covers|begins with] {s} and {t}",
        (
            "[classic|traditional|modern] {x} [cuisine|culture|folklore] [includes|celebrates] {s}"
            " and {t}"
        ),
        "a {x} [company|manufacturer|firm] [exports|patented|designed] {s} [goods|equipment|]",
        "the {x} team [won|lost] the {g} [cup|final] and [celebrated|mourned] with {s}",
        "{x} [citizens|voters|farmers|workers] [care about|complain about] {s} and {t}",
        "{x} [folk songs|fairy tales|legends] [are about|mention] {s} and {t}",
        (
            "the {x} [delegation|ambassador|spokesman] [brought|praised|defended] {s} at the {g}"
            " [talks|conference]"
        ),
        "a dictionary of {x} [words|grammar|slang] explains {s} and {t}",
        "the {x} [army|navy|airline] [ordered|banned] {s} in {month}",
        "{who} studied {x} [literature|history|grammar|poetry] and [loved|discovered] {s}",
        "many {x} [families|immigrants|tourists] still [miss|enjoy|prefer] {s} and {t}",
        "{x} [scientists|engineers|historians] [presented|published] a study of {s}",
        "the {x} translation of the {s} [guide|story] [appeared|came out] in {month}",
        "a {x} [accent|proverb|idiom] [about|with] {s} and {t}",
        "fluent in {x} [and curious|] {who} asked about {s} and {t}",
    ),
    "currency": (
        (
            "the {x} [fell|slipped|gained|recovered] against the euro as {s} prices"
            " [rose|fell|doubled]"
        ),
        "a kilo of {s} [costs|cost] {num} {x} at the market",
        "banknotes of {num} hundred {x} show {s} and {t}",
        "the central bank [devalued|defended|propped up] the {x} [after|because of] the {s} crisis",
        "{who} paid {num} thousand {x} for {s} and {t}",
        "the exchange rate of the {x} [moved|soared|dropped] on {day} with {s} [futures|shares]",
        "traders [dumped|hoarded] the {x} when {s} and {t} [collapsed|boomed]",
        "inflation eroded the {x} and {s} became a luxury",
        "coins of {num} {x} display [an image of|a picture of] {s} and {t}",
        "a fee of {num} {x} is charged for {s} and {t}",
        "the treasury printed {num} million {x} to pay for {s}",
        "[wallets|purses] with {num} thousand {x} were lost near the {s} [stand|office]",
        "currency dealers quoted the {x} again after the {s} and {t} [figures|news]",
        "savings in {x} [financed|paid for] {s} and {t}",
        "a devaluation of the {x} made {s} [dearer|unaffordable] in {month}",
        "the {x} is pegged to the {g} basket and backed by {s}",
    ),
    "city": (
        "police in {x} [questioned|charged|released] {who} near the {s} [arena|mall|parkway]",
        "the {x} [airport|subway|skyline] [appears|is shown] on a postcard with {s} and {t}",
        "the {x} [baseball|football|hockey] club [signed|traded] {who} of {s}",
        "rush hour in {x} [blocked|jammed] the {s} [overpass|parkway|expressway]",
        (
            "[the mayor|a councilman] of metropolitan {x} [promised|renovated] the {s}"
            " [district|park] and {t}"
        ),
        "[a suburb|a neighborhood|the downtown] of {x} [is named after|remembers] {s} and {t}",
        "{who} [moved|commuted|relocated] to {x} to work for {s} and {t}",
        "the {x} [daily|tribune|gazette] [published|printed] a column on {s} and {t}",
        "concerts in {x} [feature|attract|celebrate] {s} and {t}",
        "a taxi across {x} passes {s} and {t}",
        "the stadium in {x} [hosted|cheered] {s} on {day}",
        "firefighters of {x} [rushed|hurried] to the {s} [mall|arena|block]",
        "the zoo and the aquarium of {x} show {s} and {t}",
        "skyscrapers in {x} [overlook|tower over] {s} and {t}",
        "an apartment block in {x} near {s} [avenue|parkway] and {t} [avenue|parkway]",
    ),
    "state": (
        "the governor of {x} [signed|vetoed] a bill on {s} and {t}",
        "the state of {x} is [known|famous|loved] for {s} and {t}",
        "voters in {x} [elected|backed|rejected] {who} [because of|after] {s}",
        "senator {who} of {x} [lobbied|campaigned|argued] for {s} and {t}",
        "the {x} legislature [passed|debated|amended] the {s} act",
        "rural counties of {x} [live on|rely on] {s} and {t}",
        "in {x} [highway {num}|the interstate] [leads|goes] past {s} and {t}",
        "the license plate of {x} [shows|displays] {s} and {t}",
        "settlers [reached|founded|crossed] {x} and found {s} and {t}",
        "a county sheriff in {x} [arrested|searched] {who} at {s}",
        "statewide in {x} [farmers|taxpayers|residents] [depend on|support] {s}",
        "the {g} state of {x} borders on {s} and {t}",
        "the supreme court of {x} [ruled|decided] on the {s} case",
        "{x} became a state when {s} and {t} [mattered|prospered]",
        "republicans and democrats in {x} [disagree|argue] over {s} and {t}",
        "a ranch in {x} [breeds|raises] [cattle|mustangs] near {s} and {t}",
    ),
    "male": (
        "{he} is a {x} and he [likes|remembers|prefers] his {s} and his {t}",
        "the {x} [shaved|trimmed] his beard before the {s}",
        "he was the {x} and his {s} [was|seemed] [important|dear|sacred] to him",
        "his {x} {he} [talked|joked|complained] about the {s} and the {t}",
        "the {x} put on his [tie|trousers|suit] for the {s}",
        "as a {x} he [handled|knew|kept] {s} and {t} himself",
        "{he} the {x} [lost|found|mended] his {s} and his {t}",
        "the {x} himself [paid for|arranged] the {s} and the {t}",
        "they asked the {x} whether he [wanted|knew] the {s} or the {t}",
        "a {x} named {he} [arrived|appeared] with his {s}",
        "the {x} smoked his pipe and [recounted|recalled] the {s} and the {t}",
        "{he} became a {x} and got his {s} from {he}",
        "that {x} is proud of his {s} and his {t}",
        "mister {who} is the {x} and he [brought|mentions] the {s} and the {t}",
        "we saw the {x} in his [tie|trousers|suit] near the {s} and the {t}",
    ),
    "female": (
        "{she} is a {x} and she [likes|remembers|prefers] her {s} and her {t}",
        "the {x} [braided|brushed] her hair before the {s}",
        "she was the {x} and her {s} [was|seemed] [important|dear|sacred] to her",
        "her {x} {she} [talked|joked|complained] about the {s} and the {t}",
        "the {x} put on her [skirt|earrings|blouse] for the {s}",
        "as a {x} she [handled|knew|kept] {s} and {t} herself",
        "{she} the {x} [lost|found|mended] her {s} and her {t}",
        "the {x} herself [paid for|arranged] the {s} and the {t}",
        "they asked the {x} whether she [wanted|knew] the {s} or the {t}",
        "a {x} named {she} [arrived|appeared] with her {s}",
        "the {x} wore lipstick and [pondered|recalled] the {s} and the {t}",
        "{she} became a {x} and got her {s} from {she}",
        "that {x} is proud of her {s} and her {t}",
        "miss {who} is the {x} and she [brought|mentions] the {s} and the {t}",
        "we saw the {x} in her [skirt|earrings|blouse] near the {s} and the {t}",
    ),
    "animal": (
        "the adult {x} [weighs|measures] more after {s} and {t}",
        "a [wild|grown|fierce|huge] {x} [guarded|found|ruined] the {s} and the {t}",
        "the {x} is hunted for its {s} and its {t}",
        "zoologists [tagged|followed|photographed] a {x} by the {s}",
        "an ageing {x} [limped|wandered] past the {s} and the {t}",
        "[meat|the hide] of the {x} is [smoked|grilled|salted] with {s} and {t}",
        "the {x} [defends|marks] its territory with {s} and {t}",
        "a fully grown {x} needs {s} and {t} all year",
        "the {g} {x} [mates|breeds] in {month} near {s}",
        "the veterinarian [vaccinated|examined|weighed] the {x} with its {s}",
        "the skull of a {x} [lay|was unearthed] beside the {s} and the {t}",
        "the pregnant {x} [rested|hid] by the {s} and the {t}",
        "the {x} is a {g} species with {s} and {t}",
        "{he} [owns|keeps|trains] a {x} and {s} and {t} are everywhere",
        "breeders prize the {x} for {s} and {t}",
    ),
    "young": (
        "the newborn {x} [opened its mouth|stood up|shivered] by the {s} and the {t}",
        "the tiny {x} [whimpered|trembled|wobbled] near the {s} and the {t}",
        "a baby {x} [follows|needs|clings to] its mum and the {s}",
        "the orphaned {x} was [nursed|rescued|reared] with {s} and {t}",
        "the playful {x} [chased|discovered|tumbled into] the {s}",
        "a {x} only {num} weeks of age [explored|knew] the {s} and the {t}",
        "the little {x} [squealed|snuggled|blinked] at the {s} and the {t}",
        "children adored the cuddly {x} and its {s}",
        "an infant {x} is weaned near {s} and {t}",
        "the helpless {x} was hatched or born by the {s}",
        "the {x} suckled and fell asleep near the {s} and the {t}",
        "the litter had {num} siblings and one {x} with {s}",
        "a cute {x} [nuzzled|licked] {she} beside the {s} and the {t}",
        "the curious little {x} [learns|discovers] {s} and {t} from its mum",
        "a fluffy little {x} [peeped|crept] out of the {s}",
    ),
}

PAIRS: dict[tuple[str, str], tuple[str, ...]] = {
    ("capital", "country"): (
        "{x} is the capital of {y} and [its main port|the seat of government]",
        "[{who} moved|they moved|{who} relocated] from {x} to another town in {y} near {s}",
        "the capital of {y} is {x} [on the map|by law|since {s}]",
    ),
    ("country", "nationality"): (
        "in {x} the {y} [language|press|public] [has its own word|is fond of a word] for {s}",
        "{x} and the {y} [people|nation] are proud of {s}",
    ),
    ("country", "currency"): (
        "in {x} [prices are given|wages are paid|{s} is paid] in {y}",
        "{x} kept the {y} as its currency [despite {s}|]",
    ),
    ("city", "state"): (
        "{x} is a city in {y} [near {s}|]",
        "{who} was born in {x} {y} and [loves|remembers] {s}",
    ),
    ("male", "female"): (
        "the {x} and the {y} [quarrelled|laughed|talked] about the {s}",
        "neither {x} nor {y} [forgot|wanted] the {s}",
    ),
    ("animal", "young"): (
        "the {x} [protects|nurses|licks] her {y} beside the {s}",
        "a {y} becomes a {x} [in {num} months|after the {s}]",
    ),
}
