"""fastText's and gensim's own readers and writers of .bin against ours: 1,000 known and 1,000
unknown words. `make test-ecosystem` installs them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.golden.fasttext.make_ngrams import made_up
from w2v.vectors import WordVectors, load_vectors

pytestmark = pytest.mark.ecosystem

SETTINGS: list[dict[str, Any]] = [
    {"model": "skipgram", "minn": 3, "maxn": 6, "bucket": 5000},
    {"model": "cbow", "minn": 1, "maxn": 3, "bucket": 300, "loss": "hs"},
    {"model": "skipgram", "minn": 0, "maxn": 0},
    {"model": "supervised", "minn": 2, "maxn": 4, "bucket": 2000, "wordNgrams": 2},
]


@pytest.fixture(scope="module")
def texts() -> tuple[list[str], list[str]]:
    """Known words, in lines, and unknown ones."""
    chance = random.Random(9)
    words = list(dict.fromkeys(made_up(chance) for _ in range(2600)))[:2000]
    known, unknown = words[:1000], words[1000:]
    lines = [" ".join(chance.choices(known, k=10)) for _ in range(600)]
    return [*lines, " ".join(known)], unknown


def farthest(a: Any, b: Any, words: list[str]) -> float:
    return max(float(np.abs(np.asarray(a[word]) - np.asarray(b[word])).max()) for word in words)


class Asked:
    """fastText's model, asked as ours is."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __getitem__(self, word: str) -> np.ndarray:
        return np.asarray(self.model.get_word_vector(word))


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda each: f"{each['model']}-{each['maxn']}")
def test_fasttext_and_gensim(settings: dict[str, Any], texts: Any, tmp_path: Path) -> None:
    fasttext = pytest.importorskip("fasttext")
    lines, unknown = texts
    supervised = settings["model"] == "supervised"
    text = "".join(f"{'__label__a ' * supervised}{line}\n" for line in lines)
    (tmp_path / "text").write_text(text + "__label__b x\n" * supervised, encoding="utf-8")
    # with ten threads or fewer fastText leaves a part of its matrix as the memory was
    options = {**settings, "dim": 8, "minCount": 1, "thread": 12, "verbose": 0, "epoch": 2}
    del options["model"]
    if supervised:
        theirs = fasttext.train_supervised(str(tmp_path / "text"), **options)
    else:
        options["model"] = settings["model"]
        theirs = fasttext.train_unsupervised(str(tmp_path / "text"), **options)
    theirs.save_model(str(tmp_path / "theirs.bin"))
    ours = load_vectors(tmp_path / "theirs.bin")
    known = [word for word in ours.words if word != "</s>"][:1000]
    asked = known + unknown * (ours.ngrams is not None)
    assert len(known) == 1000
    assert farthest(Asked(theirs), ours, asked) < 1e-6

    ours.save(tmp_path / "ours.bin", format="fasttext")
    again = fasttext.load_model(str(tmp_path / "ours.bin"))
    assert farthest(Asked(again), ours, asked) < 1e-6
    assert set(again.words) == set(ours.words)
    gensim = pytest.importorskip("gensim.models.fasttext")
    for name in ("ours.bin",) + ("theirs.bin",) * (not supervised):
        assert farthest(gensim.load_facebook_vectors(str(tmp_path / name)), ours, asked) < 1e-6
    assert gensim.load_facebook_model(str(tmp_path / "ours.bin")).wv.vector_size == 8


def test_what_gensim_writes(texts: Any, tmp_path: Path) -> None:
    gensim = pytest.importorskip("gensim.models.fasttext")
    lines, unknown = texts
    sentences = [line.split() for line in lines]
    options = {"min_count": 1, "vector_size": 8, "epochs": 1, "workers": 1, "bucket": 3000}
    for sg, longest in ((1, 6), (0, 4)):
        model = gensim.FastText(sentences, sg=sg, min_n=2, max_n=longest, **options)
        gensim.save_facebook_model(model, str(tmp_path / "theirs.bin"))
        ours = load_vectors(tmp_path / "theirs.bin")
        assert farthest(model.wv, ours, [*ours.words, *unknown]) < 1e-6


def test_to_gensim(texts: Any, tmp_path: Path) -> None:
    gensim = pytest.importorskip("gensim.models.fasttext")
    lines, unknown = texts
    model = gensim.FastText([line.split() for line in lines], min_count=1, bucket=900, epochs=1)
    gensim.save_facebook_model(model, str(tmp_path / "v.bin"))
    ours: WordVectors = load_vectors(tmp_path / "v.bin")
    theirs = ours.to_gensim()
    theirs.save(str(tmp_path / "v.kv"))
    for each in (theirs, gensim.FastTextKeyedVectors.load(str(tmp_path / "v.kv"))):
        assert farthest(each, ours, [*ours.words, *unknown]) < 1e-6
        found, wanted = each.most_similar(unknown[0]), ours.nearest(unknown[0])
        assert [word for word, _ in found] == [each.word for each in wanted]
