"""The demo corpus's grammar: verbs, adjectives and nouns with their forms, in the tables of
facts.py."""

from __future__ import annotations

from facts import parse_table

# base form, third person, present participle, past tense
_VERBS = """
motion walk walks walking walked : pavement promenade stroll footpath barefoot
motion run runs running ran : marathon stopwatch treadmill lap trainers
motion swim swims swimming swam : pool lifeguard goggles backstroke lagoon
motion climb climbs climbing climbed : ladder rope ridge cliffside mountaineer
motion jump jumps jumping jumped : trampoline hurdle parachute puddle springboard
motion dance dances dancing danced : foxtrot ballerina disco choreography partner
motion fly flies flying flew : airplane runway pilot glider altitude
motion drive drives driving drove : windshield motorway chauffeur dashboard van
motion ride rides riding rode : motorbike helmet scooter pony handlebar
motion sail sails sailing sailed : yacht mast regatta captain keel
craft build builds building built : scaffold bricks architect foundation mortar
craft repair repairs repairing repaired : mechanic garage spanner engine leak
craft sew sews sewing sewed : needle thread seamstress button hem
craft knit knits knitting knitted : yarn jumper mittens scarf woollen
craft carve carves carving carved : chisel statue ivory sculptor ornament
craft weld welds welding welded : torch girder shipyard sparks visor
craft paint paints painting painted : canvas easel portrait gallery varnish
craft draw draws drawing drew : sketch crayon cartoon outline charcoal
kitchen cook cooks cooking cooked : supper stove casserole recipe apron
kitchen bake bakes baking baked : oven dough cake yeast bakery
kitchen fry fries frying fried : skillet lard onion batter wok
kitchen boil boils boiling boiled : kettle saucepan simmer noodles steam
kitchen slice slices slicing sliced : cucumber ham tomato loaf salami
kitchen eat eats eating ate : breakfast snack spoonful appetite mouthful
kitchen drink drinks drinking drank : beer thirst mug lemonade straw
field plant plants planting planted : seedling flowerbed tulip greenhouse sapling
field dig digs digging dug : spade trench hole gravel shovel
field harvest harvests harvesting harvested : wheat tractor barley sickle sheaf
field grow grows growing grew : vegetable lettuce compost pumpkin allotment
field milk milks milking milked : dairy churn creamery heifer pail
trade sell sells selling sold : auction bargain stallholder discount antique
trade buy buys buying bought : supermarket purchase shopper receipt souvenir
trade invest invests investing invested : stocks dividend portfolio bonds broker
trade borrow borrows borrowing borrowed : loan mortgage creditor debt collateral
trade advertise advertises advertising advertised : billboard slogan campaign vacancy brochure
speech speak speaks speaking spoke : microphone dialect podium orator accent
speech teach teaches teaching taught : classroom pupils algebra blackboard lesson
speech write writes writing wrote : novel essay pen manuscript poet
speech sing sings singing sang : choir ballad soprano chorus hymn
speech think thinks thinking thought : philosopher idea dilemma riddle insight
speech describe describes describing described : witness scenery detail incident symptoms
speech listen listens listening listened : radio headphones podcast eavesdropper melody
"""

# adjective, adverb, opposite
_LONG_ADJECTIVES = """
truth possible possibly impossible : escape cure miracle feat outcome
truth certain certainly uncertain : future fate prognosis prospects destiny
truth honest honestly dishonest : confession truthful salesman confess integrity
truth logical logically illogical : syllogism premise deduction conclusion paradox
truth rational rationally irrational : fear phobia economist superstition impulse
truth precise precisely imprecise : measurement caliper micrometer wording timing
truth accurate accurately inaccurate : map forecast reporting archer clockmaker
truth consistent consistently inconsistent : scores grading batsman referee performance
truth clear clearly unclear : instructions signpost explanation diagram leaflet
truth visible visibly invisible : comet ghost camouflage scar horizon
conduct polite politely impolite : greeting curtsy bow remark handshake
conduct patient patiently impatient : queue commuter delay angler traffic
conduct kind kindly unkind : nurse charity gossip bully neighbour
conduct responsible responsibly irresponsible : guardian caretaker spending trustee lifestyle
conduct moral morally immoral : preacher sermon vice virtue conscience
conduct wise wisely unwise : sage proverb counsel gamble mentor
conduct mature maturely immature : teenager prank tantrum adolescent behaviour
conduct willing willingly unwilling : volunteer recruit conscript helper participant
conduct conscious consciously unconscious : coma anaesthetic boxer brain dreamer
conduct competent competently incompetent : surgeon trainee clerk plumber supervisor
fortune fortunate fortunately unfortunate : accident mishap misfortune coincidence survivor
fortune lucky luckily unlucky : lottery dice gambler horseshoe amulet
fortune happy happily unhappy : childhood smile ending romance tears
fortune pleasant pleasantly unpleasant : odour fragrance climate surprise taste
fortune comfortable comfortably uncomfortable : mattress pillow armchair slippers hammock
fortune healthy healthily unhealthy : diet vitamins obesity fitness smoking
fortune usual usually unusual : routine habit hobby hairstyle pattern
fortune regular regularly irregular : heartbeat pulse rhythm interval breathing
public legal legally illegal : immigrant smuggler permit parking statute
public fair fairly unfair : trial verdict wage taxation umpire
public formal formally informal : dress invitation tuxedo ceremony attire
public secure securely insecure : password padlock vault encryption hacker
public safe safely unsafe : bridge scaffolding landing seatbelts lifeboat
public stable stably unstable : economy isotope coalition regime earthquake
public efficient efficiently inefficient : boiler factory logistics bureaucracy turbine
public reliable reliably unreliable : battery timetable courier generator sensor
public reasonable reasonably unreasonable : offer complaint landowner compromise haggling
public sufficient sufficiently insufficient : funds evidence supplies ration oxygen
public direct directly indirect : route flight shortcut detour correspondence
public flexible flexibly inflexible : schedule gymnast elastic contract curriculum
"""

# adjective, comparative, superlative
_SHORT_ADJECTIVES = """
size tall taller tallest : tower giraffe basketball spire tree
size short shorter shortest : stature anecdote haircut sleeve paragraph
size big bigger biggest : whale stadium giant warehouse crowd
size small smaller smallest : insect pebble crumb atom cottage
size long longer longest : tunnel speech tail eyelashes corridor
size wide wider widest : avenue plain doorway grin boulevard
size deep deeper deepest : well abyss cave submarine ravine
size high higher highest : summit ceiling skyline kite fever
size low lower lowest : tide murmur basement wages humidity
size thick thicker thickest : fog blanket walls slab soup
size thin thinner thinnest : wire veneer wafer eyebrow paper
size narrow narrower narrowest : alley strait gorge ledge footbridge
speed fast faster fastest : train cheetah racer rocket bullet
speed slow slower slowest : snail crawl elevator sloth download
speed quick quicker quickest : reflex errand glance snap reply
age young younger youngest : apprentice prodigy rookie sapper freshman
age old older oldest : ruin oak parchment veteran cathedral
weather cold colder coldest : frost winter blizzard shiver icicle
weather hot hotter hottest : desert chilli heatwave furnace lava
weather warm warmer warmest : coat sunshine quilt bath embers
weather cool cooler coolest : breeze cellar shade mint stream
weather dry drier driest : dune drought towel riverbed raisin
weather wet wetter wettest : umbrella monsoon raincoat sponge swampland
weather bright brighter brightest : star lantern spotlight diamond sunrise
weather dark darker darkest : dungeon shadow nightfall eclipse alleyway
power strong stronger strongest : wrestler muscle weightlifter ox current
power weak weaker weakest : excuse invalid twig tea signal
power rich richer richest : banker tycoon mansion jeweller millionaire
power poor poorer poorest : beggar slum peasant orphan shack
power brave braver bravest : soldier firefighter medal knight explorer
power smart smarter smartest : inventor chess quiz detective gadget
sense loud louder loudest : thunderclap drum explosion shout amplifier
sense sharp sharper sharpest : blade razor thorn scissors dagger
sense soft softer softest : cushion silk fur whisper butter
sense hard harder hardest : granite exam concrete puzzle steel
sense cheap cheaper cheapest : ticket hostel souvenirs plastic motel
sense clean cleaner cleanest : laundry hospital soap linen beach
sense sweet sweeter sweetest : sugar cinnamon dessert candy caramel
"""

# singular, plural
_NOUNS = """
food apple apples : orchard cider blossom core newton
food banana bananas : peel plantation ripening bunch smoothie
food cherry cherries : pits liqueur tart stalk blossoms
food pear pears : brandy poached crumble autumn juicy
food carrot carrots : rabbit stew rootcellar grater soil
food potato potatoes : mash starch crisps tuber blight
food mushroom mushrooms : truffle toadstool omelette fungus woodland
food sandwich sandwiches : mustard mayonnaise picnic crust lunchbox
food egg eggs : yolk shell nest scrambled carton
beast elephant elephants : trunk tusk grassland circus mahout
beast lion lions : roar antelope zebra tamer mane
beast monkey monkeys : jungle vine chimpanzee mischief primate
beast snake snakes : venom fangs reptile cobra scales
beast mouse mice : cheese mousetrap squeak rodent laboratory
beast spider spiders : web cobweb legs tarantula silken
beast butterfly butterflies : caterpillar wings pollen cocoon nectar
beast donkey donkeys : cart mule burden bray stubborn
vehicle car cars : petrol bumper windscreen headlight mileage
vehicle bicycle bicycles : pedals spokes cyclist tyre chain
vehicle truck trucks : lorry cargo freight diesel haulage
vehicle bus buses : passenger depot terminus fare conductor
vehicle boat boats : harbour oars rower anchor jetty
vehicle wagon wagons : prairie oxen settlers pioneer axle
home chair chairs : cushioned upholstery wicker carpenter seat
home table tables : cloth cutlery candlestick varnished dining
home lamp lamps : bulb switch glow kerosene bedside
home bottle bottles : bottleneck wine label vinegar glass
home knife knives : fork sharpener pocket wound carver
home window windows : curtain pane sill shutter draught
home key keys : lock doorman ignition locksmith ring
home book books : library chapter shelf author cover
body finger fingers : nail thumb pianist glove knuckle
body foot feet : sock shoe ankle blister toes
body tooth teeth : dentist brace cavity gum toothbrush
body eye eyes : lens pupil spectacles eyelid blink
body hand hands : wrist palm bracelet clap grip
place house houses : roof chimney suburb porch doorstep
place school schools : teacher bell uniform satchel exams
place road roads : asphalt pothole junction toll kerb
place church churches : steeple parish organist pew vicar
place shop shops : cashier counter customers grocer till
place computer computers : keyboard software processor laptop monitor
"""

VERBS = parse_table("base third participle past", _VERBS, sentences=120)
LONG_ADJECTIVES = parse_table("adjective adverb opposite", _LONG_ADJECTIVES, sentences=110)
SHORT_ADJECTIVES = parse_table(
    "adjective comparative superlative", _SHORT_ADJECTIVES, sentences=110
)
NOUNS = parse_table("singular plural", _NOUNS, sentences=170)
