"""The facts that the demo corpus teaches and that the demo questions ask for.

A table has one entry per line: `group  form form ...  : hint hint ...`. The forms fill the table's
roles in order (`-` = the entry has no such form). The hints are words that belong to the entry
alone and stand beside all of its forms, so that France, Paris and French share neighbours that
Italy, Rome and Italian do not. What the words of one role have in common (every capital has a
mayor) is in templates_names.py and templates_grammar.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One line of a table: its group, its word per role, the words that belong to it alone."""

    group: str
    forms: dict[str, str]
    hints: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Entries with the same roles."""

    roles: tuple[str, ...]
    entries: tuple[Entry, ...]
    sentences: int  # per form of an entry of average weight
    invented: (
        int  # hints per entry that make_demo.py invents (surnames, villages) beside the listed ones
    )


def parse_table(roles: str, text: str, sentences: int, invented: int = 0) -> Table:
    """The table written as text; ValueError if a line has too few or too many forms."""
    names = tuple(roles.split())
    entries = []
    for line in text.strip().splitlines():
        left, hints = line.split(":")
        group, *words = left.split()
        if len(words) != len(names):
            raise ValueError(f"{len(names)} forms expected: {line!r}")
        forms = {role: word for role, word in zip(names, words, strict=True) if word != "-"}
        entries.append(Entry(group, forms, tuple(hints.split())))
    return Table(names, tuple(entries), sentences, invented)


_COUNTRIES = """
europe france paris french - : seine louvre croissant champagne lyon
europe germany berlin german - : bratwurst autobahn bavaria hamburg rhine
europe italy rome italian - : tiber pasta venice vespa tuscany
europe spain madrid spanish - : flamenco paella barcelona prado matador
europe portugal lisbon portuguese - : fado porto tagus algarve azulejo
europe greece athens greek - : acropolis feta parthenon piraeus aegean
europe england london english pound : thames cricket wembley yorkshire cornwall
europe poland warsaw polish zloty : vistula pierogi chopin gdansk krakow
europe hungary budapest hungarian forint : goulash paprika balaton liszt debrecen
europe czechia prague czech koruna : vltava pilsner bohemia brno dvorak
europe sweden stockholm swedish krona : nobel meatball uppsala gothenburg malmo
europe norway oslo norwegian krone : fjord salmon viking bergen trondheim
europe denmark copenhagen danish - : lego aarhus jutland tivoli kierkegaard
europe finland helsinki finnish - : sauna sibelius tampere lapland reindeer
europe austria vienna austrian - : waltz schnitzel salzburg tyrol mozart
europe switzerland bern swiss franc : fondue matterhorn zurich watchmaker geneva
europe ireland dublin irish - : shamrock guinness galway joyce cork
europe russia moscow russian ruble : kremlin volga borscht siberia tolstoy
europe ukraine kiev ukrainian hryvnia : dnieper odessa lviv cossack sunflower
europe romania bucharest romanian leu : transylvania dracula carpathians timisoara constanta
europe bulgaria sofia bulgarian - : rosewater varna plovdiv thrace yoghurt
europe serbia belgrade serbian - : nis tesla vojvodina sava ajvar
europe albania tirana albanian lek : durres vlore skanderbeg shkoder bunker
asia turkey ankara turkish lira : bosphorus kebab anatolia izmir sultan
asia japan tokyo japanese yen : sushi samurai osaka kyoto kimono
asia china beijing chinese yuan : yangtze panda shanghai dumpling confucius
asia korea seoul korean - : kimchi busan hanbok taekwondo incheon
asia india delhi indian rupee : ganges curry mumbai sari bollywood
asia thailand bangkok thai baht : tuktuk phuket siam lemongrass chiang
asia vietnam hanoi vietnamese dong : mekong pho saigon danang hue
asia indonesia jakarta indonesian rupiah : batik sumatra gamelan bali satay
asia mongolia ulaanbaatar mongolian tugrik : gobi yurt genghis steppe altai
asia iran tehran iranian rial : saffron isfahan shiraz caspian pistachio
asia iraq baghdad iraqi dinar : tigris basra mosul mesopotamia euphrates
asia bangladesh dhaka bangladeshi taka : bengal jute chittagong padma sundarbans
asia pakistan islamabad pakistani - : indus karachi lahore punjab cashmere
asia nepal kathmandu nepalese - : everest sherpa pokhara annapurna gurkha
asia kazakhstan astana kazakh tenge : almaty baikonur aral karaganda kumis
asia armenia yerevan armenian dram : ararat apricot sevan gyumri duduk
africa egypt cairo egyptian - : nile pyramid pharaoh luxor sphinx
africa morocco rabat moroccan dirham : couscous marrakesh casablanca atlas tagine
africa tunisia tunis tunisian - : carthage sousse harissa djerba kairouan
africa kenya nairobi kenyan shilling : safari maasai mombasa turkana marathoner
africa nigeria abuja nigerian naira : lagos yoruba jollof kano afrobeat
africa ghana accra ghanaian cedi : cocoa ashanti kumasi volta kente
africa zambia lusaka zambian kwacha : zambezi copperbelt kitwe livingstone kariba
africa angola luanda angolan kwanza : benguela huambo lobito cassava kizomba
africa senegal dakar senegalese - : goree casamance wrestling mbalax thies
america canada ottawa canadian dollar : maple toronto hockey quebec moose
america cuba havana cuban - : cigar rum rumba trinidad castro
america peru lima peruvian sol : inca cusco llama ceviche andes
america chile santiago chilean - : atacama valparaiso copper neruda patagonia
america brazil brasilia brazilian real : samba amazon carnival pele bahia
america venezuela caracas venezuelan bolivar : orinoco arepa maracaibo joropo barinas
america colombia bogota colombian peso : cartagena emerald medellin cumbia magdalena
america jamaica kingston jamaican - : reggae sprinter marley rastafari jerk
america uruguay montevideo uruguayan - : gaucho tango asado salto candombe
america ecuador quito ecuadorian - : galapagos guayaquil tortoise equator cuenca
america paraguay asuncion paraguayan guarani : chaco itaipu harp terere jesuit
"""

_STATES = """
midwest chicago illinois : lincoln skyscraper peoria bulls pullman
midwest detroit michigan : motown huron lansing pistons chevrolet
midwest milwaukee wisconsin : brewers cheddar packers harley madison
midwest minneapolis minnesota : superior loons duluth twins lutheran
midwest omaha nebraska : cornhusker platte buffett lancaster sandhills
midwest wichita kansas : tornado dorothy topeka cessna sunbelt
midwest cleveland ohio : erie buckeye akron wright cavaliers
midwest indianapolis indiana : speedway hoosier pacers gary wabash
midwest davenport iowa : caucus cornfield hawkeye dubuque sioux
midwest fargo dakota : bison badlands lakota bismarck rushmore
south houston texas : nasa longhorn rodeo alamo ranger
south memphis tennessee : elvis graceland nashville grizzlies whiskey
south atlanta georgia : braves pecan savannah hawks peachtree
south miami florida : everglades dolphins hurricane alligator flamingo
south louisville kentucky : derby bourbon bluegrass bardstown jockey
south tulsa oklahoma : cherokee oilman sooner thunder dustbowl
south birmingham alabama : crimson tuscaloosa mobile montgomery steelworks
south jackson mississippi : delta biloxi catfish natchez steamboat
south charlotte carolina : hornets tobacco appalachian speedboat raleigh
south richmond virginia : jefferson norfolk colonial shenandoah jamestown
south shreveport louisiana : creole bayou gumbo cajun jazzman
south baltimore maryland : ravens crabcake annapolis orioles chesapeake
west phoenix arizona : cactus navajo canyon tucson diamondbacks
west denver colorado : rockies broncos aspen nuggets boulder
west seattle washington : boeing mariners starbucks olympia cascades
west portland oregon : trailblazers salem beaver willamette lumberjack
west honolulu hawaii : ukulele volcano pineapple surfer hula
west anchorage alaska : iditarod grizzly glacier husky juneau
west reno nevada : casino jackpot silverado vegas comstock
west boise idaho : spud sawtooth basque lumberyard nampa
west billings montana : yellowstone cattleman missoula crow bighorn
west cheyenne wyoming : frontier laramie geyser cowboy teton
west provo utah : mormon zion osmond timpanogos saltlake
west oakland california : hollywood redwood raiders surfboard sacramento
east philadelphia pennsylvania : liberty eagles pittsburgh quaker amish
east boston massachusetts : harvard celtics puritan fenway chowder
east burlington vermont : skiing syrup champlain montpelier dairyman
east bangor maine : lobster acadia portsmouth moosehead canoeist
east wilmington delaware : dupont dover brandywine incorporation rehoboth
east hartford connecticut : insurance yale stamford whaler mystic
"""

_FAMILY = """
kin father mother : parent newborn cradle lullaby household
kin brother sister : sibling bunk quarrel twin playroom
kin son daughter : offspring firstborn christening heirloom nursery
kin uncle aunt : cousins reunion postcard picnics farmhouse
kin nephew niece : godparent babysitting tricycle piggybank puppet
kin grandfather grandmother : rocking memoir wrinkled ancestor fireside
kin grandson granddaughter : pension scrapbook lollipop sundays storybook
kin husband wife : marriage anniversary divorce honeymoon spouse
kin groom bride : wedding altar bouquet veil toast
kin stepfather stepmother : remarried custody resentment blended stepchild
kin stepbrother stepsister : grudge jealousy attic rivalry wardrobe
kin dad mom : minivan barbecue soccer homework pancakes
kin widower widow : funeral mourning grave condolence bereaved
court king queen : throne crown coronation palace monarchy
court prince princess : castle ballroom betrothed carriage fairytale
court duke duchess : estate dukedom tiara manor regent
court emperor empress : imperial dynasty legion conquest edict
court baron baroness : hunting barony vineyard tenant monocle
court count countess : chateau masquerade duel casanova velvet
court lord lady : peerage butler parlour garter shire
life boy girl : playground schoolyard marbles hopscotch classmate
life man woman : adult stranger voter pedestrian citizen
life bachelor spinster : unmarried lodger solitude matchmaker hermit
life gentleman gentlewoman : manners etiquette gloves courtesy waistcoat
work actor actress : theatre film rehearsal oscar premiere
work waiter waitress : restaurant tray tip diner menu
work policeman policewoman : patrol handcuffs arrest siren badge
work steward stewardess : cabin airline passengers trolley seatbelt
work landlord landlady : rent tenants lodging lease eviction
work monk nun : monastery vow convent prayer abbey
work host hostess : banquet guests cocktail party reception
tale wizard witch : spell wand potion broomstick cauldron
tale hero heroine : rescue villain legend sword quest
tale god goddess : temple myth offering olympus worshipper
tale heir heiress : inheritance fortune lawyer attorney testament
"""

_ANIMALS = """
pet dog puppy : leash bark kennel bone fetch
pet cat kitten : whiskers purr litterbox tomcat catnip
pet hen chick : coop eggshell rooster hatchery grain
farm cow calf : udder cattle pasture milkmaid cowshed
farm horse foal : saddle stallion bridle hoof mare
farm sheep lamb : wool shepherd flock shearing ram
farm pig piglet : sty snout trough bacon mud
farm goat kid : billy goatherd horns beard nibble
bird duck duckling : pond quack reeds webbed mallard
bird goose gosling : gander honk feather gaggle migration
bird swan cygnet : ballet lakeside plumage neck mute
bird eagle eaglet : talon cliff prey eyrie wingspan
bird owl owlet : hoot midnight barn vole nocturnal
wild deer fawn : antler thicket doe stag venison
wild bear cub : honey den hibernation paw claw
wild kangaroo joey : pouch outback wallaby marsupial hop
wild hare leveret : clover hedgerow burrow greyhound sprint
wild fox kit : vixen henhouse bushy hounds cunning
water frog tadpole : lily croak swamp spawn amphibian
water seal pup : blubber iceberg flipper arctic rookery
water eel elver : estuary sargasso slippery weir trap
"""

COUNTRIES = parse_table(
    "country capital nationality currency", _COUNTRIES, sentences=135, invented=2
)
STATES = parse_table("city state", _STATES, sentences=190, invented=2)
FAMILY = parse_table("male female", _FAMILY, sentences=200)
ANIMALS = parse_table("animal young", _ANIMALS, sentences=260)
