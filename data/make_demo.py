"""Writes the demo corpus, its analogy questions and its similarity set.

    python data/make_demo.py            # demo.txt.xz here, the two sets in w2v/evaluation/sets/
    python data/make_demo.py --output DIR

A word's neighbours are those of its role (templates_*.py: every capital has a mayor) and those of
its entry (facts.py, words.py: France, Paris and French share the Seine and the Louvre), so that
word vectors trained on the text have paris - france ~ rome - italy. The words of one entry mostly
stand in sentences of their own, and no sentence holds the four words of a question.

The text is the same on every machine and Python version: all choices use Random.random(), whose
sequence Python guarantees for a seed.
"""

from __future__ import annotations

import argparse
import lzma
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TypeVar

import background
import facts
import templates_grammar
import templates_names
import words

T = TypeVar("T")

TABLES = {
    "geography": facts.COUNTRIES,
    "states": facts.STATES,
    "people": facts.FAMILY,
    "animals": facts.ANIMALS,
    "verbs": words.VERBS,
    "judgement": words.LONG_ADJECTIVES,
    "qualities": words.SHORT_ADJECTIVES,
    "things": words.NOUNS,
}
# section of the question set -> table, role of the question's first word, role of its second
SECTIONS = {
    "capital-countries": ("geography", "capital", "country"),
    "currency": ("geography", "country", "currency"),
    "city-in-state": ("states", "city", "state"),
    "family": ("people", "male", "female"),
    "animal-young": ("animals", "animal", "young"),
    "gram1-adjective-to-adverb": ("judgement", "adjective", "adverb"),
    "gram2-opposite": ("judgement", "adjective", "opposite"),
    "gram3-comparative": ("qualities", "adjective", "comparative"),
    "gram4-superlative": ("qualities", "adjective", "superlative"),
    "gram5-present-participle": ("verbs", "base", "participle"),
    "gram6-nationality-adjective": ("geography", "country", "nationality"),
    "gram7-past-tense": ("verbs", "participle", "past"),
    "gram8-plural": ("things", "singular", "plural"),
    "gram9-plural-verbs": ("verbs", "base", "third"),
}
QUESTIONS_PER_SECTION = 300
ROLES = {**templates_names.ROLES, **templates_grammar.ROLES}
PAIRS = {**templates_names.PAIRS, **templates_grammar.PAIRS}
PAIR_SENTENCES = 10  # per entry and pair of roles
TOPIC_SENTENCES = 2500  # per topic
GENERAL_SENTENCES = 9000
# words that take "an", not "a"
AFTER_AN = re.compile(r"(?!uni|us[eu]|ut|eu|uk|one\b)[aeiou]|heir|honest|hour")


def pick(rng: Random, items: Sequence[T]) -> T:
    """One of items, each equally likely. (Random.choice may differ between Python versions.)"""
    return items[int(rng.random() * len(items))]


def sample(rng: Random, items: Sequence[T], k: int) -> list[T]:
    """k different items in random order (Fisher-Yates)."""
    pool = list(items)
    for i in range(min(k, len(pool))):
        j = i + int(rng.random() * (len(pool) - i))
        pool[i], pool[j] = pool[j], pool[i]
    return pool[:k]


def split_choices(template: str) -> list[str | list[str]]:
    """Parts of a template: text, or the list of alternatives of one `[a|b]`."""
    parts: list[str | list[str]] = []
    for i, part in enumerate(re.split(r"\[([^\]]*)\]", template)):
        parts.append(part.split("|") if i % 2 else part)
    return parts


def fill(rng: Random, template: list[str | list[str]], slots: Mapping[str, Sequence[str]]) -> str:
    """One sentence: a choice for every `[a|b]`, another word of slots[name] for every `{name}`, a
    or an by sound."""
    text = "".join(part if isinstance(part, str) else pick(rng, part) for part in template)
    used: set[str] = set()
    out: list[str] = []
    for token in text.split():
        if token[0] == "{":
            values = slots[token[1:-1]]
            token = pick(rng, values)
            while token in used and len(values) > 2:
                token = pick(rng, values)
            used.add(token)
        if out and out[-1] in ("a", "an"):
            out[-1] = "an" if AFTER_AN.match(token) else "a"
        out.append(token)
    return " ".join(out)


def invent_name(rng: Random, taken: set[str]) -> str:
    """A name that reads like a village or a surname and is not taken yet; it is added to taken."""
    while True:
        name = "".join(pick(rng, parts) for parts in background.SYLLABLES)
        if name not in taken:
            taken.add(name)
            return name


def known_words() -> set[str]:
    """Every word of the tables, which an invented name must not be."""
    tables = TABLES.values()
    return {
        w
        for table in tables
        for entry in table.entries
        for w in (*entry.forms.values(), *entry.hints)
    }


def sentences(rng: Random) -> Iterator[str]:
    """The sentences of the corpus, entry by entry; the caller shuffles them."""
    roles = {role: [split_choices(t) for t in texts] for role, texts in ROLES.items()}
    pairs = {names: [split_choices(t) for t in texts] for names, texts in PAIRS.items()}
    taken = known_words()
    slots: dict[str, Sequence[str]]
    for table in TABLES.values():
        for entry in table.entries:
            hints = [*entry.hints, *(invent_name(rng, taken) for _ in range(table.invented))]
            slots = {
                **background.SLOTS,
                "s": hints,
                "t": [*hints, *background.THINGS[entry.group].split()],
            }
            slots["g"] = background.QUALITIES.get(entry.group, "").split()
            # some words are much more frequent than others, as in all text
            weight = 0.6 + 1.2 * rng.random() ** 2
            for role, word in entry.forms.items():
                for _ in range(int(table.sentences * weight)):
                    yield fill(rng, pick(rng, roles[role]), {**slots, "x": (word,)})
            for (first, second), templates in pairs.items():
                if first in entry.forms and second in entry.forms:
                    both = {**slots, "x": (entry.forms[first],), "y": (entry.forms[second],)}
                    for _ in range(PAIR_SENTENCES):
                        yield fill(rng, pick(rng, templates), both)
    yield from filler(rng)


def filler(rng: Random) -> Iterator[str]:
    """Sentences that teach no relation: the topics, and everyday ones made of function words."""
    templates = [split_choices(t) for t in background.TOPIC_TEMPLATES]
    for topic in background.TOPICS.values():
        slots = {
            **background.SLOTS,
            "n": topic.nouns,
            "m": topic.nouns,
            "v": topic.verbs,
            "w": topic.verbs,
        }
        slots |= {"q": topic.qualifiers, "r": topic.qualifiers}
        for _ in range(TOPIC_SENTENCES):
            yield fill(rng, pick(rng, templates), slots)
    templates = [split_choices(t) for t in background.GENERAL_TEMPLATES]
    for _ in range(GENERAL_SENTENCES):
        yield fill(rng, pick(rng, templates), background.SLOTS)


def corpus_text(seed: int = 1) -> str:
    """The demo corpus: one sentence per line, lower case, words separated by one space."""
    rng = Random(seed)
    lines = list(sentences(rng))
    return "\n".join(sample(rng, lines, len(lines))) + "\n"


def questions_text(seed: int = 2) -> str:
    """The analogy questions in the format of questions-words.txt: a is to b as c is to d."""
    rng = Random(seed)
    out = []
    for section, (table, first, second) in SECTIONS.items():
        entries = [e.forms for e in TABLES[table].entries if first in e.forms and second in e.forms]
        ordered = [(a, b) for a in entries for b in entries if a is not b]
        out.append(f": {section}")
        for a, b in sample(rng, ordered, QUESTIONS_PER_SECTION):
            out.append(f"{a[first]} {a[second]} {b[first]} {b[second]}")
    return "\n".join(out) + "\n"


def similarity_text(seed: int = 3, pairs_per_kind: int = 45) -> str:
    """Word pairs with a score: 2 for the same table, + 3 for the same role, 2 the same group, 3 the
    same entry.

    So paris-france 2 + 2 + 3 = 7, france-italy 2 + 3 + 2 = 7, france-peru 5, france-rome 4,
    france-lima 2, france-walking 0; a word with itself would have 10. Every score is equally
    frequent.
    """
    rng = Random(seed)
    entries = [(name, entry) for name, table in TABLES.items() for entry in table.entries]
    members = [
        (name, entry, role, word) for name, entry in entries for role, word in entry.forms.items()
    ]
    found: dict[int, dict[tuple[str, str], None]] = {score: {} for score in (0, 2, 4, 5, 7)}
    while any(len(kind) < pairs_per_kind for kind in found.values()):
        table_a, entry_a, role_a, a = pick(rng, members)
        related = [m for m in members if m[0] == table_a] if rng.random() < 0.8 else members
        close = (
            [m for m in related if m[1].group == entry_a.group] if rng.random() < 0.5 else related
        )
        table_b, entry_b, role_b, b = pick(rng, close)
        score = 0
        if table_a == table_b:
            score = (
                2
                + 3 * (role_a == role_b)
                + 2 * (entry_a.group == entry_b.group)
                + 3 * (entry_a is entry_b)
            )
        if a != b and (b, a) not in found[score]:
            found[score][a, b] = None
    rows = [
        f"{a}\t{b}\t{score}"
        for score, kind in found.items()
        for a, b in list(kind)[:pairs_per_kind]
    ]
    return "\n".join(sample(rng, rows, len(rows))) + "\n"


def main() -> None:
    """Command line: writes the three files."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--output", type=Path, help="folder for all three (default: the project's own places)"
    )
    output = parser.parse_args().output
    sets = output or here.parent / "w2v" / "evaluation" / "sets"
    sets.mkdir(parents=True, exist_ok=True)
    data = lzma.compress(corpus_text().encode(), preset=6)
    ((output or here) / "demo.txt.xz").write_bytes(data)  # xz is the smallest: bz2 + 15 %, gzip x 2
    (sets / "demo-analogies.txt").write_text(questions_text(), encoding="utf-8", newline="\n")
    (sets / "demo-similarity.tsv").write_text(similarity_text(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
