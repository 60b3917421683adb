"""Every word of the corpus is accounted for: runs against a count of the same text in plain
Python."""

from collections import Counter

import numpy as np
import pytest

from w2v.errors import InputError


def check_words(trained, lines, *, epochs=2, min_count=1, max_vocab=0, sample=False):
    """Fails unless the summary's words agree with `lines` and with each other; returns them."""
    counts = Counter(word for line in lines for word in line)
    ranked = [word for word, count in counts.most_common() if count >= min_count][
        : max_vocab or None
    ]
    words = trained.summary.words
    assert words.read == sum(map(len, lines))
    assert words.in_vocabulary == sum(counts[word] for word in ranked)
    assert words.left_out == words.read - words.in_vocabulary
    assert words.passed == epochs * words.read
    assert words.passed_left_out == epochs * words.left_out
    assert words.passed == words.trained + words.subsampled + words.passed_left_out
    assert (words.subsampled > 0) == sample
    assert trained.summary.vocabulary == len(ranked) == len(trained.vectors.words)
    assert trained.summary.epochs_done == epochs
    return words


GIANT = [[f"w{i * i % 71 % 23}" for i in range(12_345)]]
SHORT = [["a", "b"], [], ["c"], [], [], ["b", "a", "c"]] * 1500
EMPTY = [[], *[[]] * 5000, ["a", "b"], *[[]] * 5000]


@pytest.mark.parametrize("max_sentence", [0, 3, 1000, 10**12])
@pytest.mark.parametrize(
    "lines", [GIANT, SHORT, EMPTY], ids=["one giant line", "short lines", "empty lines"]
)
@pytest.mark.parametrize("threads", [1, 2])
def test_shapes_of_text(train, lines, max_sentence, threads):
    check_words(train(lines, max_sentence=max_sentence, threads=threads), lines)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("max_sentence", [0, 7])
def test_lines_of_all_lengths(train, zipf_lines, threads, max_sentence):
    check_words(
        train(zipf_lines, epochs=3, threads=threads, max_sentence=max_sentence),
        zipf_lines,
        epochs=3,
    )


@pytest.mark.parametrize("min_count", [1, 2, 60, 300])
@pytest.mark.parametrize("threads", [1, 2])
def test_min_count(train, zipf_lines, min_count, threads):
    lines = [*zipf_lines, [f"once{i}" for i in range(50)]]
    check_words(train(lines, min_count=min_count, threads=threads), lines, min_count=min_count)


@pytest.mark.parametrize("max_vocab", [2, 5, 10**9])
@pytest.mark.parametrize("max_sentence", [0, 5])
def test_max_vocab(train, zipf_lines, max_vocab, max_sentence):
    check_words(
        train(zipf_lines, max_vocab=max_vocab, max_sentence=max_sentence),
        zipf_lines,
        max_vocab=max_vocab,
    )


@pytest.mark.parametrize("max_sentence", [0, 4, 1000])
@pytest.mark.parametrize("threads", [1, 2])
def test_subsampling_drops_as_many_as_its_formula_says(train, zipf_lines, threads, max_sentence):
    trained = train(
        zipf_lines, sample=0.01, min_count=5, epochs=4, threads=threads, max_sentence=max_sentence
    )
    words = check_words(trained, zipf_lines, epochs=4, min_count=5, sample=True)
    counts = np.array(
        [count for _, count in Counter(w for line in zipf_lines for w in line).most_common()]
    )
    counts = counts[counts >= 5]
    ratio = 0.01 * counts.sum() / counts
    keep = np.minimum(1, np.sqrt(ratio) + ratio)
    spread = np.sqrt((4 * counts * keep * (1 - keep)).sum())
    assert abs(words.trained - 4 * (counts * keep).sum()) < 5 * spread


def test_which_words_are_dropped_depends_on_seed_and_epoch_alone(train, zipf_lines):
    trained = [
        train(zipf_lines, sample=0.005, threads=threads, seed=seed).summary.words.trained
        for threads, seed in ((1, 3), (2, 3), (1, 4))
    ]
    assert trained[0] == trained[1] != trained[2]


def test_every_epoch_drops_other_words(train, zipf_lines):
    once, twice = (
        train(zipf_lines, sample=0.005, epochs=epochs).summary.words.trained for epochs in (1, 2)
    )
    assert twice != 2 * once


def test_only_one_word_lines(train, folder):
    with pytest.raises(InputError, match="no word has a context word"):
        train([["a"], ["b"], [], ["a"]] * 100)
    assert [path.name for path in folder.iterdir()] == ["corpus.txt"]


def test_everything_subsampled(train, folder):
    with pytest.raises(InputError, match="`sample` 0"):
        train([["a", "b", "a"]] * 100, sample=1e-15)
    assert [path.name for path in folder.iterdir()] == ["corpus.txt"]


@pytest.mark.parametrize(
    ("lines", "settings", "message"),
    [
        (
            [["a", "b"]] * 3,
            {"min_count": 4},
            r"no word reaches `min_count` 4.*2 distinct words.*try `min_count` 3",
        ),
        (
            [["a", "a", "b"]],
            {"min_count": 2},
            r"only one word.* reaches `min_count` 2.*try `min_count` 1",
        ),
        ([["a", "a"]] * 3, {}, r"repeats a single word, 'a'"),
        ([["a", "b"]] * 3, {"max_vocab": 1}, r"`max_vocab` 1 leaves one word"),
    ],
)
def test_too_few_words(train, folder, lines, settings, message):
    with pytest.raises(InputError, match=message):
        train(lines, **settings)
    assert [path.name for path in folder.iterdir()] == ["corpus.txt"]


@pytest.mark.parametrize("lines", [[], [[]], [[]] * 50])
def test_no_words(train, folder, lines):
    (folder / "corpus.txt").write_text("\n" * len(lines))
    with pytest.raises(InputError, match="contains no words"):
        train(["corpus.txt"])
    assert [path.name for path in folder.iterdir()] == ["corpus.txt"]


def test_several_files_are_one_corpus(train, folder):
    (folder / "a.txt").write_text("x y z\n" * 10)
    (folder / "b.txt").write_text("x y\n" * 10)
    words = train(["a.txt", "b.txt"]).summary.words
    assert (words.read, words.passed) == (50, 100)
