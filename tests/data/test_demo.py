"""The demo data in data/ and w2v/evaluation/sets: reproducible, held out, covered and balanced."""

from __future__ import annotations

import lzma
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
SETS = ROOT / "w2v" / "evaluation" / "sets"

Pair = tuple[str, str]


@pytest.fixture(scope="module")
def lines() -> list[list[str]]:
    """The words of every sentence of the checked-in corpus."""
    text = lzma.decompress((DATA / "demo.txt.xz").read_bytes()).decode()
    return [line.split() for line in text.splitlines()]


@pytest.fixture(scope="module")
def counts(lines: list[list[str]]) -> Counter[str]:
    return Counter(word for line in lines for word in line)


@pytest.fixture(scope="module")
def questions() -> dict[str, list[tuple[Pair, Pair]]]:
    """Section -> questions, each as its two pairs."""
    sections: dict[str, list[tuple[Pair, Pair]]] = {}
    for line in (SETS / "demo-analogies.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(": "):
            section = sections.setdefault(line[2:], [])
        else:
            a, b, c, d = line.split()
            section.append(((a, b), (c, d)))
    return sections


@pytest.fixture(scope="module")
def similarity() -> list[tuple[str, str, float]]:
    rows = (SETS / "demo-similarity.tsv").read_text(encoding="utf-8").splitlines()
    return [(a, b, float(score)) for a, b, score in (row.split("\t") for row in rows)]


def leaks(lines: list[list[str]], questions: dict[str, list[tuple[Pair, Pair]]]) -> list[str]:
    """The sentences that hold all words of two different pairs of one section (every question is
    two such pairs)."""
    partners: dict[str, set[tuple[str, str, str]]] = {}
    for section, pairs in questions.items():
        for first, second in {pair for question in pairs for pair in question}:
            partners.setdefault(first, set()).add((section, first, second))
    found = []
    for line in lines:
        here = set(line)
        whole = [
            pair for word in here & partners.keys() for pair in partners[word] if pair[2] in here
        ]
        if len({section for section, _, _ in whole}) < len(whole):
            found.append(" ".join(line))
    return found


# the generator, which compresses as little as it can: only the text is looked at
QUICKLY = """
import lzma, sys
compress = lzma.compress
lzma.compress = lambda text, preset: compress(text, preset=0)
sys.path[:0] = [sys.argv.pop(1)]
import make_demo
make_demo.main()
"""


def test_the_generator_writes_what_is_checked_in(tmp_path: Path) -> None:
    """Every process has its own hash seed, so that this also fails when the order of a set gets
    into the text."""
    command = [sys.executable, "-c", QUICKLY, DATA, "--output", tmp_path]
    subprocess.run(command, check=True)
    made, kept = (
        lzma.decompress((folder / "demo.txt.xz").read_bytes()) for folder in (tmp_path, DATA)
    )
    assert made == kept  # the text: compressed bytes may differ between versions of liblzma
    for name in ("demo-analogies.txt", "demo-similarity.tsv"):
        assert (tmp_path / name).read_bytes() == (SETS / name).read_bytes()
        assert (DATA / name).resolve() == SETS / name


def test_no_sentence_holds_two_pairs_of_a_section(
    lines: list[list[str]], questions: dict[str, list[tuple[Pair, Pair]]]
) -> None:
    assert leaks(lines, questions) == []


def test_the_leak_check_finds_a_leak(questions: dict[str, list[tuple[Pair, Pair]]]) -> None:
    for section in questions.values():
        (a, b), (c, d) = section[0]
        assert leaks([["the", d, a, "and", c, b]], questions)
        assert not leaks([["the", a, b, "and", c]], questions)


def test_every_word_of_the_sets_is_frequent_enough_to_be_trained(
    counts: Counter[str],
    questions: dict[str, list[tuple[Pair, Pair]]],
    similarity: list[tuple[str, str, float]],
) -> None:
    asked = {
        w
        for section in questions.values()
        for question in section
        for pair in question
        for w in pair
    }
    asked |= {w for a, b, _ in similarity for w in (a, b)}
    assert {w: counts[w] for w in asked if counts[w] < 5} == {}


def test_sections_are_balanced_and_questions_unique(
    questions: dict[str, list[tuple[Pair, Pair]]],
) -> None:
    assert len(questions) >= 12
    assert sum(name.startswith("gram") for name in questions) == 9
    assert min(map(len, questions.values())) >= 200
    assert max(map(len, questions.values())) <= 1.5 * min(map(len, questions.values()))
    for section in questions.values():
        assert len(set(section)) == len(section)
        assert all(len({*first, *second}) == 4 for first, second in section)
        used = Counter(pair for question in section for pair in question)
        assert max(used.values()) <= 0.15 * 2 * len(section)


def test_similarity_pairs_are_unique_and_spread_over_the_scale(
    similarity: list[tuple[str, str, float]],
) -> None:
    assert len(similarity) >= 200
    assert len({frozenset(row[:2]) for row in similarity}) == len(similarity)
    assert all(a != b and 0 <= score <= 10 for a, b, score in similarity)
    shares = Counter(score for _, _, score in similarity)
    assert len(shares) >= 5
    assert max(shares.values()) < 0.4 * len(similarity)


def test_the_corpus_has_the_shape_of_text(lines: list[list[str]], counts: Counter[str]) -> None:
    """Size within the demo's time, a few thousand words, varied sentences, few very frequent
    function words."""
    words = sum(counts.values())
    assert 1_000_000 < words < 3_000_000
    assert (DATA / "demo.txt.xz").stat().st_size < 3_000_000
    assert 3_000 < len(counts) < 20_000
    assert len({len(line) for line in lines}) >= 10
    assert len(set(map(tuple, lines))) > 0.8 * len(lines)
    assert sum(count for _, count in counts.most_common(20)) > 0.3 * words
    assert all(word == word.lower() and word.isascii() for word in counts)
