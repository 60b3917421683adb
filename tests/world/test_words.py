"""Word vectors over ranks, as real processes: the same bytes every time, and of the text what one
process reads of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import w2v
from tests.ranks import Ended
from w2v.corpus.cache import list_entries

HERE = Path(__file__).parent


@pytest.fixture
def text(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    share = 1 / np.arange(1, 300)
    words = random.choice(299, 40_000, p=share / share.sum())
    lines = np.split(words, np.sort(random.choice(40_000, 2000, replace=False)))
    path = tmp_path / "corpus.txt"
    path.write_text("".join(" ".join(f"w{word}" for word in line) + "\n" for line in lines))
    return path


def cached(cache: str) -> dict[str, bytes]:
    (entry,) = Path(cache, "corpora").iterdir()
    return {path.name: path.read_bytes() for path in entry.iterdir()}


def test_two_ranks_train_word_vectors(
    ranks: Callable[..., list[Ended]], text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches = [str(tmp_path / "cache-of-ranks"), str(tmp_path / "cache")]
    given = {"script": str(HERE / "check_words.py"), "environment": {"W2V_CACHE_DIR": caches[0]}}
    one, other = ranks(2, text, tmp_path, **given)
    assert (one.status, other.status) == (0, 0), one.err + other.err
    assert one.out.startswith("rank 1 sees a different corpus from rank 0 (") and other.out == ""
    for first, again in (("first", "again"), ("rounds", "rounds-again")):
        vectors = [(tmp_path / name / "vectors.npy").read_bytes() for name in (first, again)]
        assert vectors[0] == vectors[1]
    assert not (tmp_path / "no").exists()
    summary = json.loads((tmp_path / "first" / "summary.json").read_text())
    lines = (tmp_path / "first" / "metrics.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["predictions"] for line in lines) == summary["predictions"]

    monkeypatch.setenv("W2V_CACHE_DIR", caches[1])
    given = {"dim": 12, "epochs": 2, "sample": 0.01, "min_count": 2, "threads": 1}
    alone = w2v.train(text, **given, output=tmp_path / "alone")
    assert len(list_entries()) == 1
    # ids, counts and words are the same bytes
    assert cached(caches[0]) == cached(caches[1])
    assert summary["words"] == alone.summary["words"]
    # how far each window reaches is drawn by block, and ranks have shorter ones
    assert summary["predictions"] == pytest.approx(alone.summary["predictions"], rel=0.01)
    assert summary["final_loss"] == pytest.approx(alone.summary["final_loss"], rel=0.02)

    # and as if they were on two machines
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    arguments = ("train", text, *options, "--output", tmp_path / "apart")
    one, other = ranks(2, *arguments, apart=True)
    assert (one.status, other.status) == (0, 0), one.err + other.err
    apart = json.loads((tmp_path / "apart" / "summary.json").read_text())
    assert apart["predictions"] == summary["predictions"]
    assert apart["final_loss"] == pytest.approx(summary["final_loss"], rel=0.005)


def test_a_small_text_is_learnt_as_by_one_process(ranks, corpus, tmp_path):
    """Which needs many exchanges: of a text that has a few blocks, too."""
    given = ("train", corpus, "--dim", 12, "--min-count", 1, "--threads", 1, "--epochs", 4)
    losses = []
    for size in (1, 2):
        ends = ranks(size, *given, "--quiet", "--output", tmp_path / str(size))
        assert [end.status for end in ends] == [0] * size, ends[0].err
        losses.append(json.loads((tmp_path / str(size) / "summary.json").read_text())["final_loss"])
    assert losses[1] == pytest.approx(losses[0], rel=0.06)

    # and of this one nothing, which comes out while a checkpoint is being written
    lines, run = tmp_path / "lines.txt", tmp_path / "none"
    lines.write_text("a\nb\n" * 40)
    given = ("train", lines, *given[2:], "--sample", 0, "--quiet", "--output", run)
    one, other = ranks(2, *given)
    assert (one.status, other.status, other.out, other.err) == (2, 2, "", "")
    assert "two words" in one.err and len(one.err.splitlines()) == 1
    assert not run.exists()
