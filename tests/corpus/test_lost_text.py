"""When much of a text is lost, or words end in punctuation, it is said, with what to do."""

from __future__ import annotations

import numpy as np
import pytest

from w2v.corpus import Vocabulary
from w2v.corpus.selection import lost_text
from w2v.settings.groups import CorpusSettings


def told(counts: dict[str, int], **settings: object) -> list[str]:
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    words, numbers = zip(*ranked, strict=True)
    return lost_text(Vocabulary(words, np.array(numbers)), CorpusSettings(**settings))


@pytest.mark.parametrize(("rare", "warned"), [(19, False), (20, False), (21, True), (80, True)])
def test_more_than_a_fifth_below_min_count(rare, warned):
    found = told({"often": 100 - rare, **{f"rare{i}": 1 for i in range(rare)}}, min_count=2)
    assert bool(found) == warned
    if warned:
        (sentence,) = found
        assert f"{rare} % of the text, {rare} of 100 words" in sentence
        assert "`min_count` 2" in sentence and "`tokenizer` words" in sentence
        assert "\n" not in sentence
        (by_words,) = told(
            {"often": 100 - rare, **{f"rare{i}": 1 for i in range(rare)}},
            min_count=2,
            tokenizer="words",
        )
        assert "`tokenizer`" not in by_words


def test_max_vocab_is_no_loss():
    assert told({"a": 50, "b": 50}, max_vocab=1, min_count=1) == []


@pytest.mark.parametrize("mark", [",", ".", "!?", "»", "，", "。", "”", "..."])
def test_words_that_end_in_punctuation(mark):
    (sentence,) = told({"king": 90, f"king{mark}": 10}, min_count=1)
    assert f"10 % of the words end in punctuation, such as 'king{mark}' next to 'king'" in sentence
    assert "`tokenizer` words" in sentence
    assert told({"king": 96, f"king{mark}": 4}, min_count=1) == []
    assert told({"king": 90, f"queen{mark}": 10}, min_count=1) == []  # abbreviations, perhaps
    assert told({"king": 90, mark[0]: 10}, min_count=1) == []  # a word of its own
    assert told({"king": 90, f"king{mark}": 10}, min_count=1, tokenizer="words") == []


@pytest.mark.parametrize("lines", ["", "Ice_Cream\tIce Cream\t5\t9.5\t1\n"])
def test_phrases_of_another_text(lines, tmp_path):
    path = tmp_path / "p.tsv"
    path.write_text(lines)
    counts = {"ice_cream": 9, "melts": 5}
    (sentence,) = told(counts, min_count=1, phrases=str(path))
    assert str(path) in sentence
    path.write_text(lines + "ice_cream\tice cream\t5\t9.5\t1\n")
    assert told(counts, min_count=1, phrases=str(path)) == []
