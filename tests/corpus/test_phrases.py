"""Phrases: the pairs, their scores and the joined text are those of the definition, written out
here in plain Python as gensim and word2phrase have it."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import w2v
from tests import forks
from tests.examples import examples
from w2v.corpus import neighbours, read_memory, store
from w2v.corpus.joining import joined
from w2v.corpus.phrases import score_pairs
from w2v.corpus.vocabulary import Vocabulary
from w2v.settings.build import build_config
from w2v.settings.groups import CorpusSettings

Lines = list[list[str]]
CORPUS = build_config({"corpus": ("in memory",)}).corpus


def pairs_of(line: list[str], connectors: set[str]) -> list[tuple[str, ...]]:
    """Every word with the next one, and the connectors between them."""
    found, start = [], None
    for place, word in enumerate(line):
        if word in connectors:
            continue
        if start is not None and place - start - 1 <= neighbours.MAX_BRIDGE:
            found.append(tuple(line[start : place + 1]))
        start = place
    return found


def expected(
    lines: Lines, scoring: str, threshold: float, min_count: int, connectors: set[str]
) -> dict[tuple[str, ...], float]:
    words = Counter(word for line in lines for word in line)
    pairs = Counter(pair for line in lines for pair in pairs_of(line, connectors))
    total = sum(words.values())
    found = {}
    for pair, count in pairs.items():
        if count < min_count:
            continue
        first, second = words[pair[0]], words[pair[-1]]
        if scoring == "word2phrase":
            score = (count - min_count) / first / second * total
        elif scoring == "gensim":
            distinct = len(words.keys() - connectors) + len(pairs)
            score = (count - min_count) / (first * second) * distinct
        else:
            chance = first / total * second / total
            score = math.log(count / total / chance) / -math.log(count / total)
        if score > threshold:
            found[pair] = score
    return found


def join(line: list[str], phrases: dict[tuple[str, ...], str]) -> list[str]:
    found, place = [], 0
    while place < len(line):
        sizes = range(len(line) - place, 1, -1)
        size = next((n for n in sizes if tuple(line[place : place + n]) in phrases), 1)
        parts = tuple(line[place : place + size])
        found.append(phrases[parts] if size > 1 else parts[0])
        place += size
    return found


def lines_of(text: store.TokenStore) -> Lines:
    found: Lines = [[]]
    for number in text.ids.tolist():
        if number < 0:
            found.append([])
        else:
            found[-1].append(text.vocabulary.words[number])
    return found[:-1]


TEXTS = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "d", "of", "the", "e_f"]), max_size=12),
    min_size=1,
    max_size=30,
).filter(lambda lines: any(lines))


@settings(deadline=None, max_examples=examples(30))
@given(
    lines=TEXTS,
    scoring=st.sampled_from(["word2phrase", "gensim", "npmi"]),
    min_count=st.integers(1, 3),
    threshold=st.floats(0.01, 0.9),
    connectors=st.sampled_from([(), ("of", "the"), ("of",), ("missing",)]),
    part=st.sampled_from([1, 2, 7, 1 << 22]),
)
def test_pairs_scores_and_text_are_those_of_the_definition(
    lines: Lines,
    scoring: str,
    min_count: int,
    threshold: float,
    connectors: tuple[str, ...],
    part: int,
) -> None:
    want = expected(lines, scoring, threshold, min_count, set(connectors))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "PART_IDS", part)
        patch.setattr(neighbours, "RANGE_WORDS", part)
        found = w2v.phrases(
            lines, scoring=scoring, min_count=min_count, threshold=threshold, connectors=connectors
        )
        near = {pair for pair, score in want.items() if abs(score - threshold) < 1e-5}
        got = {phrase.parts: phrase.score for phrase in found}
        assert got.keys() - near == want.keys() - near
        for pair in got.keys() & want.keys():
            # float32, as word2phrase.c computes
            assert got[pair] == pytest.approx(want[pair], rel=1e-6)
        if not len(found):
            return
        assert [each.score for each in found] == sorted((e.score for e in found), reverse=True)
        words = {phrase.parts: phrase.word for phrase in found}
        after = joined(read_memory(lines, CORPUS), words)
    assert lines_of(after) == [join(line, words) for line in lines]
    assert [found.join(line) for line in lines] == lines_of(after)
    counts = Counter(word for line in lines_of(after) for word in line)
    assert (
        dict(zip(after.vocabulary.words, after.vocabulary.counts.tolist(), strict=True)) == counts
    )
    assert after.n_words == sum(counts.values())


@settings(deadline=None, max_examples=examples(25))
@given(
    lines=TEXTS,
    chosen=st.lists(
        st.lists(st.sampled_from(["a", "b", "c", "of"]), min_size=2, max_size=5).map(tuple),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    part=st.sampled_from([1, 3, 1 << 22]),
)
def test_phrases_of_any_length_are_joined_from_left_to_right(
    lines: Lines, chosen: list[tuple[str, ...]], part: int
) -> None:
    words = {parts: "_".join(parts) for parts in chosen}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "PART_IDS", part)
        after = joined(read_memory(lines, CORPUS), words)
    assert lines_of(after) == [join(line, words) for line in lines]


def test_a_second_pass_finds_phrases_of_phrases() -> None:
    lines = [[f"a{i}", "new", "york", "times", f"b{i}"] for i in range(6)]
    lines += [[f"c{i}", "new", "york", f"d{i}"] for i in range(12)]
    lines += [[f"w{i}", f"v{i}"] for i in range(300)]
    found = w2v.phrases(lines, scoring="gensim", threshold=1, min_count=2, passes=2)
    by_word = {phrase.word: phrase for phrase in found}
    assert by_word["new_york"].parts == ("new", "york") and by_word["new_york"].level == 1
    assert by_word["new_york_times"].parts == ("new_york", "times")
    assert by_word["new_york_times"].level == 2
    assert found.join(lines[0])[1:2] == ["new_york_times"]
    assert len(list(found.passes)) == 2


def corpus_of_phrases(folder: Path) -> Path:
    generator = np.random.default_rng(3)
    words = [f"w{i}" for i in range(40)]
    lines = []
    for _ in range(600):
        line = [words[i] for i in generator.integers(0, 40, 8)]
        line.insert(4, "new york" if generator.random() < 0.4 else "bank of america")
        lines.append(" ".join(line))
    path = folder / "corpus.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_command_line_and_the_library_agree(tmp_path: Path) -> None:
    corpus = corpus_of_phrases(tmp_path)
    options = ["--connectors", "en", "--scoring", "npmi", "--threshold", "0.6"]
    piped = forks.run("phrases", str(corpus), *options, folder=tmp_path)
    fields = [line.split("\t") for line in piped.stdout.splitlines()]
    assert {each[0] for each in fields} == {"new_york", "bank_of_america"}
    documents = forks.run("phrases", str(corpus), *options, "--json", "-q", folder=tmp_path)
    assert (piped.returncode, documents.returncode, documents.stderr) == (0, 0, "")
    parsed = [json.loads(line) for line in documents.stdout.splitlines()]
    found = w2v.phrases(corpus, connectors="en", scoring="npmi", threshold=0.6)
    columns = ["phrase", "parts", "count", "score", "pass"]  # those of the file
    rows = [[*each[:1], list(each.parts), *each[2:]] for each in found]
    assert [list(each.items()) for each in parsed] == [
        list(zip(columns, row, strict=True)) for row in rows
    ]
    assert [each[1] for each in fields] == [" ".join(each.parts) for each in found]
    found.save(tmp_path / "phrases.tsv")
    assert (tmp_path / "phrases.tsv").read_text() == piped.stdout


def test_a_run_with_phrases_learns_and_goes_on(tmp_path: Path) -> None:
    corpus = corpus_of_phrases(tmp_path)
    path = tmp_path / "phrases.tsv"
    w2v.phrases(corpus, connectors="en", scoring="npmi", threshold=0.6).save(path)
    settings = {"dim": 8, "threads": 1, "phrases": path, "checkpoint_every": "1k"}
    straight = w2v.train(corpus, epochs=4, output=tmp_path / "straight", **settings)
    assert {"new_york", "bank_of_america"} <= set(straight.vectors.words)
    assert not {"york", "america"} & set(straight.vectors.words)
    words = straight.summary["words"]
    assert words["read"] == words["in_vocabulary"] + words["left_out"] == 600 * 9
    begun = w2v.train(
        corpus,
        epochs=4,
        output=tmp_path / "begun",
        callbacks=[lambda event: "stop" if event.kind == "epoch" else None],
        **settings,
    )
    assert begun.summary["interrupted"]
    again = begun.resume()
    assert np.array_equal(again.vectors.matrix, straight.vectors.matrix)
    lines = [line.split() for line in corpus.read_text().splitlines()]
    held = w2v.train(lines, epochs=4, output=tmp_path / "held", **settings)
    assert np.array_equal(held.vectors.matrix, straight.vectors.matrix)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "new_york",
        "new_york\tnew york\t5\t10.0",
        "new york\tnew york\t5\t10.0\t1",
        "new_york\tnew\t5\t10.0\t1",
        "new_york\tnew  york\t5\t10.0\t1",
        "new_york\tnew york\tfive\t10.0\t1",
        "new_york\tnew york\t5\t10.0\t0",
        "new_york\tnew york\t5\t10.0\t1\tmore",
    ],
)
def test_a_line_that_is_no_phrase_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "phrases.tsv"
    path.write_text(f"ice_cream\tice cream\t5\t10.0\t1\n{line}\n")
    with pytest.raises(w2v.InputError, match="line 2"):
        w2v.train([["ice", "cream", "melts"]] * 20, phrases=path, min_count=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 0},
        {"threshold": 2, "scoring": "npmi"},
        {"scoring": "pmi"},
        {"passes": 0},
        {"delimiter": " "},
        {"min_count": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(w2v.InputError, match=next(iter(wrong))):
        w2v.phrases([["a", "b"]] * 10, **wrong)  # type: ignore[arg-type]


def test_what_is_no_file_of_phrases_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.tsv", Path("/dev/zero")):
        with pytest.raises(w2v.InputError, match="phrases"):
            w2v.train([["a", "b"]] * 10, phrases=path, min_count=1)


@pytest.mark.parametrize("scoring", ["word2phrase", "gensim", "npmi"])
def test_counts_whose_product_exceeds_64_bits(scoring: str) -> None:
    often, pair, words = 6 << 30, 1 << 30, 1 << 37
    text = read_memory([["of", "the"]], CorpusSettings())
    counts = np.array([often, often])
    text = replace(text, n_words=words, vocabulary=Vocabulary(["of", "the"], counts))
    one = np.array([1])
    pairs = neighbours.PairCounts(one - 1, one - 1, one, one * pair, 1)
    (score,) = score_pairs(text, neighbours.Bridges.of(text, frozenset()), pairs, 5, scoring)
    expected = {
        "word2phrase": (pair - 5) / often / often * words,
        "gensim": (pair - 5) / often / often * 3,
        "npmi": math.log(pair / often / often * words) / math.log(words / pair),
    }
    assert score == pytest.approx(expected[scoring], rel=1e-5)
