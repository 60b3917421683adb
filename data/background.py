"""The demo corpus's background: slot lists for the templates, words per group, and topics that
teach no relation."""

from __future__ import annotations

from dataclasses import dataclass

_SLOTS = {
    "day": "monday tuesday wednesday thursday friday saturday sunday",
    "month": "january february april june july august september october november december",
    "num": "two three four five six seven eight nine ten twelve twenty thirty forty fifty sixty",
    "he": (
        "thomas william robert edward henry george samuel daniel oliver martin peter hugo simon"
        " victor walter leo"
    ),
    "she": (
        "anna maria emily sarah clara julia helen alice laura sophie nina ruth martha eva lucy"
        " irene"
    ),
    "who": (
        "smith jones taylor bradley wilson evans roberts johnson lewis walker robinson thompson"
        " wright hughes edwards greene hall clarke harris cooper ward turner bennett collins murphy"
        " foster palmer barnes fisher dawson"
    ),
}
SLOTS: dict[str, tuple[str, ...]] = {name: tuple(words.split()) for name, words in _SLOTS.items()}

# an invented village or surname is one of each in this order
_SYLLABLES = (
    "b br c cr d dr f g gr h k l m n p r s st t tr v w",
    "a e i o u ar el in or",
    "b d g l ld m n nd r rt s st t v z",
    "a berg en er eva ford i ik in o ova son ton us",
)
SYLLABLES: tuple[tuple[str, ...], ...] = tuple(tuple(parts.split()) for parts in _SYLLABLES)

# qualities of the places and animals of a group (the slot {g})
QUALITIES: dict[str, str] = {
    "europe": "european alpine baltic mediterranean balkan nordic",
    "asia": "asian oriental pacific himalayan tibetan monsoonal",
    "africa": "african saharan tropical subsaharan equatorial maghreb",
    "america": "american caribbean andean latin hemispheric",
    "midwest": "midwestern prairie lakeside heartland",
    "south": "southern gulf dixie southernmost",
    "west": "western rocky mountainous arid",
    "east": "eastern seaboard northeastern atlantic",
    "pet": "tame pampered domestic",
    "farm": "farmyard barnyard domestic",
    "bird": "feathered winged migratory",
    "wild": "woodland roaming untamed",
    "water": "aquatic marine amphibious",
}
# things that stand beside all the entries of a group (facts.py, words.py)
THINGS: dict[str, str] = {
    "europe": "cathedrals cobblestones castles alps",
    "asia": "pagodas bazaars incense bamboo",
    "africa": "baobabs antelopes drums sahara",
    "america": "jaguars rainforest maize conquistadors",
    "midwest": "silos cornfields lakefront prairies",
    "south": "magnolia cotton gospel swamps",
    "west": "coyotes mesas sagebrush canyons",
    "east": "lighthouses clapboard pilgrims yankees",
    "kin": "relatives ancestry kinship photos",
    "court": "nobles courtiers heralds banners",
    "life": "villagers townsfolk crossing footsteps",
    "work": "shifts uniforms salary employer",
    "tale": "dragon prophecy enchantment scroll",
    "pet": "collar leftovers basket cushions",
    "farm": "haystack farmhand manure fodder",
    "bird": "feathers nests perch beaks",
    "wild": "tracks hunters wilderness scent",
    "water": "ripples currents shoreline fishermen",
    "motion": "distance stamina exercise sweat",
    "craft": "workshop tools workbench toolbox",
    "kitchen": "meal chef pantry dish",
    "field": "acre fertiliser scarecrow farmland",
    "trade": "money cash price contracts",
    "speech": "words audience phrases attention",
    "truth": "facts logic proof argument",
    "conduct": "manner attitude upbringing temperament",
    "fortune": "mood wellbeing circumstances everyday",
    "public": "authority regulation institution inspector",
    "size": "metres dimensions inches proportions",
    "speed": "seconds pace hurry velocity",
    "age": "generation birthday decades lifetime",
    "weather": "degrees thermometer season afternoon",
    "power": "opponent fame status reputation",
    "sense": "senses contrast texture quality",
    "food": "groceries lunch hunger ingredients",
    "beast": "zookeeper habitat predators cage",
    "vehicle": "wheels transport rental speeding",
    "home": "furniture cupboard drawer decoration",
    "body": "skin bones limbs blood",
    "place": "street neighbourhood village location",
}


@dataclass(frozen=True)
class Topic:
    """A field of words of its own: nouns, verbs in the simple past, qualifiers."""

    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    qualifiers: tuple[str, ...]


def _topic(nouns: str, verbs: str, qualifiers: str) -> Topic:
    return Topic(tuple(nouns.split()), tuple(verbs.split()), tuple(qualifiers.split()))


TOPICS: dict[str, Topic] = {
    "weather": _topic(
        "rain snow wind storm drizzle hail lightning forecast temperature cloud sleet mist rainfall"
        " barometer gust gale squall sunset dew thaw downpour cyclone typhoon meteorologist",
        "lifted drifted passed raged eased arrived cleared settled threatened lingered swept"
        " battered soaked",
        "cloudy stormy gloomy misty chilly sunny overcast breezy mild humid",
    ),
    "sports": _topic(
        "coach goal league penalty midfielder striker goalkeeper tournament champion trophy fans"
        " whistle foul season match halftime defender bench transfer captaincy racket shotput"
        " javelin athlete",
        "scored missed tackled dribbled equalised trained qualified defended sprinted cheered"
        " protested retired",
        "offside unbeaten injured athletic olympic professional amateur defensive tactical",
    ),
    "commerce": _topic(
        "market shares profit merger shareholder invoice retailer tariff revenue startup bankruptcy"
        " accountant audit brand wholesaler commodity inventory deficit bondholder subsidiary"
        " chairman turnover takeover monopoly",
        "merged expanded stagnated exported outsourced negotiated hired audited acquired"
        " restructured launched financed",
        "quarterly profitable corporate fiscal competitive wholesale solvent bankrupt annual"
        " commercial",
    ),
    "cuisine": _topic(
        "salt pepper oil flour dressing cream garlic parsley basil oregano rice bean pastry gravy"
        " sauce spoon whisk broth fillet marinade herb spice dumplings plate",
        "simmered stirred chopped peeled seasoned poured kneaded drained garnished grated marinated"
        " melted",
        "salty spicy creamy crunchy bitter tender ripe delicious savoury crispy",
    ),
    "music": _topic(
        "violin cello orchestra baton symphony trumpet flute sonata concerto percussion jazz"
        " saxophone guitar album quartet overture clarinet harmony tempo viola pianoforte bassoon"
        " encore maestro",
        "rehearsed performed composed conducted strummed improvised tuned recorded applauded hummed"
        " arranged",
        "melodic acoustic orchestral lyrical baroque romantic rhythmic harmonic choral"
        " instrumental",
    ),
    "science": _topic(
        "physicist chemist molecule electron proton telescope microscope hypothesis experiment"
        " theory galaxy planet gravity enzyme bacteria neuron genome catalyst reactor spectrum"
        " quantum particle vacuum equation",
        "measured observed predicted orbited dissolved reacted calculated detected confirmed"
        " analysed oscillated decayed",
        "magnetic electric chemical molecular solar nuclear genetic theoretical empirical optical",
    ),
    "travel": _topic(
        "luggage suitcase passport hotel tourist itinerary airport visa vacancies cruise ferry"
        " guidebook backpack customs baggage platform timetables station departure arrival"
        " sightseeing resort beachfront excursion",
        "departed boarded booked packed cancelled explored unpacked disembarked toured landed"
        " queued hitchhiked",
        "scenic remote touristy overnight delayed foreign coastal exotic nonstop roundtrip",
    ),
    "health": _topic(
        "doctor ward vaccine bandage pharmacy ambulance diagnosis tablet infection clinic"
        " stethoscope allergy antibiotic therapy injury virus fracture flu specialist scan dose"
        " syringe midwife recovery",
        "examined recovered coughed prescribed injected sneezed bandaged diagnosed vaccinated"
        " relapsed fainted healed",
        "feverish contagious chronic medical clinical surgical acute painful allergic therapeutic",
    ),
    "politics": _topic(
        "minister election candidate cabinet filibuster ballot canvasser deputy opposition reform"
        " referendum manifesto senate caucuses incumbent spokesperson alliance corruption poll"
        " majority veto speechwriter lobbyist",
        "resigned governed vetoed nominated canvassed abstained campaigned conceded appointed"
        " pledged lobbied ratified",
        "liberal conservative socialist federal municipal democratic parliamentary presidential"
        " populist bipartisan",
    ),
    "garden": _topic(
        "lawn hedge shrub weedkiller fence rake hose petal fern ivy moss perennial trellis"
        " wheelbarrow mulch nettle daffodil primrose jasmine lavender orchid dandelion beetle"
        " earthworm",
        "bloomed pruned weeded watered wilted sprouted mowed trimmed raked withered flourished"
        " budded",
        "leafy shady thorny evergreen fragrant budding overgrown mossy flowering sunlit",
    ),
}

# {n} {m}: nouns of a topic; {v} {w}: its verbs; {q} {r}: its qualifiers
TOPIC_TEMPLATES: tuple[str, ...] = (
    "the {q} {n} [{v}|{v} and {w}] before the {m} on {day}",
    "after the {n} the {m} {v} and the {q} {n} {w}",
    "{who} [mentioned|noticed|recorded] the {n} and the {q} {m}",
    "there was a {q} {n} [with|without|behind] the {m} in {month}",
    "[some|most] of the {n} and the {m} {v} [again|for {num} days|in {month}]",
    "the {n} [that|which] {v} [near|after] the {m} was {q} and {r}",
    "[in spite of|because of|thanks to] the {n} the {q} {m} {v}",
    "[when|since|although] the {n} {v} the {m} was {q}",
    "[a|the] {q} {n} and [a|the] {r} {m} [are|were] [on the agenda|in the report|here again]",
    "{num} {q} [reports|notes|letters] about the {n} and the {m} arrived on {day}",
    "it was not the {n} but the {q} {m} that {v}",
    "{she} and {he} [talked|argued|laughed] about the {n} the {m} and the {q} {n}",
    "what {who} calls a {q} {n} is [only|really] a {r} {m}",
    "[from {month} to {month}|for {num} weeks] the {n} {v} and the {m} {w}",
    "if the {n} is {q} then the {m} is {r}",
    "between the {n} and the {m} there is [a|some] {q} {n}",
)

# the same for every topic, so that function words stand beside everything
GENERAL_TEMPLATES: tuple[str, ...] = (
    (
        "it was [on {day}|in {month}] that {who} and {who} [met|talked|agreed|disagreed] for the"
        " [first|second|third] time"
    ),
    (
        "{who} [said|guessed|hoped|believed] that it [would|could|might] be [over|ready|there] by"
        " {day}"
    ),
    (
        "there were {num} of them and they had [nothing|everything|something] to do [on {day}|in"
        " {month}]"
    ),
    "[but|and] then [again|once more] {he} [came|smiled|looked] and said that it was not so",
    "[i|we|they] do not [know|recall|believe] that {she} has been there since {month}",
    "at the end of {month} [he|she] had only {num} [letters|friends|reasons] left",
    "[if|when] it is so then why did {who} not say so on {day}",
    "{he} and {she} have been [friends|rivals|partners] for {num} years",
)
