"""Corpora of more than 2^31 words: every place in the text and every count is a 64-bit number on
its whole way.

The text is a sparse file of 3.2 billion ids, nearly all of it holes, which take neither disk nor
memory.
"""

from __future__ import annotations

import heapq
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from w2v.corpus.store import (
    ID_TYPE,
    TokenStore,
    TokenStoreBuilder,
    _overwrite,
    _read,
    map_ids,
    ranked,
)
from w2v.corpus.tokenizer import EncodedChunk
from w2v.corpus.vocabulary import Vocabulary
from w2v.lm.columns import Columns, Source
from w2v.sampling.unigram import alias_table, keep_probabilities, unigram_probabilities
from w2v.settings.build import build_config
from w2v.training.engine import Tally, block_seeds
from w2v.training.schedule import Block, Blocks, Schedule, cut_blocks
from w2v.tree import huffman
from w2v.words.fused import HogwildEngine
from w2v.words.windows import WindowReader, upper_bits

LENGTH = 3_200_000_000
# of the text in the file; what lies before is id 0, the end of a line just before it
START = 3_000_000_000
COUNTS = np.array([4_000_000_000, 3_000_000_000, 2_500_000_000, 900, 30, 7, 2, 1], np.int64)


def small_text() -> np.ndarray:
    random = np.random.default_rng(4)
    ids = random.integers(0, 10, 3000).astype(np.int32)  # 8 and 9 are rare words
    ids[random.random(3000) < 0.05] = -1
    ids[-1] = -1
    return ids


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    path = tmp_path_factory.mktemp("sparse") / "ids.i32"
    with open(path, "w+b") as file:
        file.truncate(LENGTH * ID_TYPE.itemsize)
        _overwrite(file, np.int64(START - 1), np.array([-1], np.int32))
        _overwrite(file, np.int64(START), small_text())
        assert (
            _read(file, np.int64(START), np.int64(START + 3000)).tolist() == small_text().tolist()
        )
        ids = map_ids(file, LENGTH)
    assert path.stat().st_blocks * 512 < 1 << 20
    path.unlink()
    return ids


def splitmix(positions: np.ndarray, key: int) -> np.ndarray:
    """Returns the hash of subsampling, computed with Python's integers."""
    mask, found = (1 << 64) - 1, []
    for position in positions.tolist():
        x = (position * 0x9E3779B97F4A7C15 + key) & mask
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & mask
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & mask
        found.append((x ^ (x >> 31)) >> 32)
    return np.array(found, np.int64)


def test_blocks(sparse):
    bounds = cut_blocks(sparse, 1 << 26, 1000)
    assert bounds.dtype == np.int64 and bounds[-1] == LENGTH
    assert (np.diff(bounds) > 0).all() and (np.diff(bounds) <= (1 << 26) + 1001).all()
    assert cut_blocks(sparse, START - 100, 1000).tolist() == [0, START, LENGTH], (
        "the cut falls on the line end"
    )


def test_learning_rate_and_seeds():
    bounds = np.array([0, 2**31, START, LENGTH], np.int64)
    for number in range(3 * 7):
        block = Blocks(bounds, 7)[number]
        exact = Fraction(block.epoch * LENGTH + block.start, 7 * LENGTH)
        assert block.fraction == float(exact)
        assert Schedule(0.025).rate(block.fraction) == pytest.approx(
            0.025 * float(max(Fraction(1, 10**4), 1 - exact))
        )
    before, own = 6 * LENGTH + START, LENGTH - START
    shares = [float(Fraction(part, 7 * LENGTH)) for part in (before, own)]
    assert Blocks(bounds, 7)[20] == Block(6, 2, START, LENGTH, *shares)
    seeds = [block_seeds(1, Block(2, index, 0, 1, 0.0)) for index in (5, 5 + 2**31, 5 + 2**32)]
    assert len({seed for _, seed in seeds}) == 3
    assert len({key for key, _ in seeds}) == 1


@pytest.mark.parametrize("sample", ["0", "0.05"])
@pytest.mark.parametrize("max_sentence", ["0", "20"])
@pytest.mark.parametrize("loss", ["neg", "hsigmoid"])
def test_the_kernel_reads_there_what_it_reads_at_the_start(sparse, sample, max_sentence, loss):
    text = small_text()
    given = {
        "sample": sample,
        "max_sentence": max_sentence,
        "loss": loss,
        "threads": "1",
        "dim": "16",
    }
    config = build_config({"corpus": ("x",), **given})
    tallies, vectors = [], []
    for ids, start in ((text, 0), (sparse, START)):
        engine = HogwildEngine(config, ids, COUNTS)
        engine.initialise()
        tallies.append(engine.train(Block(0, 9, start, start + len(text), 0.5), 0.05, 0))
        vectors.append(engine.vectors.copy())
    near, far = tallies
    key, _ = block_seeds(1, Block(0, 9, 0, 0, 0.0))
    keep = (keep_probabilities(COUNTS, float(sample)) * (2**32 - 1)).astype(np.uint32)
    words = (text >= 0) & (text < len(COUNTS))
    places = np.flatnonzero(words)
    survivors = splitmix(places + START, int(key)) <= keep[text[places]]
    assert (
        (far.read, far.rare)
        == (near.read, near.rare)
        == ((text >= 0).sum(), (text >= len(COUNTS)).sum())
    )
    assert (far.trained, far.dropped) == (survivors.sum(), (~survivors).sum())
    if sample == "0":  # then nothing depends on the place
        assert far == near
        np.testing.assert_array_equal(*vectors)
    else:
        assert far.dropped > 100 and far.trained > 100
        assert not np.array_equal(*vectors)


@pytest.mark.parametrize("max_sentence", [0, 20])
def test_the_tensors_of_windows_too(sparse, max_sentence):
    text = small_text()
    key, own = 2**63 + 5, 77
    keep = (keep_probabilities(COUNTS, 0.05) * (2**32 - 1)).astype(np.uint32)
    windows = WindowReader(sparse, keep, 4, max_sentence).read(START, START + len(text), key, own)
    places = np.flatnonzero((text >= 0) & (text < len(COUNTS)))
    survivors = places[splitmix(places + START, key) <= keep[text[places]]]
    assert windows.words.tolist() == text[survivors].tolist()
    assert (windows.read, windows.trained) == ((text >= 0).sum(), len(survivors))
    import torch

    positions = torch.tensor([0, 2**31 - 1, 2**31, 2**32, START, 2**40])
    assert upper_bits(positions, key).tolist() == splitmix(positions.numpy(), key).tolist()


def test_pages_are_given_back_far_into_the_file(sparse):
    store = TokenStore(sparse, Vocabulary(["a"], np.array([LENGTH])), LENGTH, 0)
    assert sparse[START + 5] == small_text()[5]
    store.release(START, LENGTH)
    store.release(0, LENGTH)
    assert sparse[START + 5] == small_text()[5]


def test_tallies_and_vocabularies_add_up():
    tally = Tally()
    for _ in range(3):
        tally.add(Tally(1.0, 2**31, 2**32, 1, 2, 2**33))
    assert (tally.predictions, tally.read, tally.trained) == (3 * 2**31, 3 * 2**32, 3 * 2**33)
    vocabulary = Vocabulary([f"w{i}" for i in range(len(COUNTS))], COUNTS)
    assert int(vocabulary.counts.sum()) == 9_500_000_940
    assert len(vocabulary.truncated(3_000_000_000)) == 2


def test_counts_gathered_from_many_chunks(tmp_path):
    """Each of 40 chunks is treated as if it held its words 100 million times."""
    with open(tmp_path / "ids", "w+b") as file:
        builder = TokenStoreBuilder(file, str(tmp_path), merge_entries=6)
        counts = np.array([100_000_000, 3, 50_000_000], np.int64)
        for _ in range(40):
            builder.add(
                EncodedChunk(np.zeros(1, np.int32), pa.array(["a", "b", "\n"]), counts, 0, 0)
            )
        builder._merge()
        vocabulary, ranks, lines = ranked(builder._words, builder._counts)
    assert list(vocabulary.words) == ["a", "b"]
    assert vocabulary.counts.tolist() == [4_000_000_000, 120]
    assert (ranks.tolist(), lines) == ([0, 1, -1], 2_000_000_000)


def test_frequencies():
    total = int(COUNTS.sum())
    keep = keep_probabilities(COUNTS, 1e-3)
    for count, kept in zip(COUNTS.tolist(), keep.tolist(), strict=True):
        ratio = 1e-3 * total / count
        assert kept == pytest.approx(min(1.0, ratio**0.5 + ratio), rel=1e-12)
    noise = unigram_probabilities(COUNTS, 1.0)
    assert noise.tolist() == pytest.approx([count / total for count in COUNTS.tolist()], rel=1e-12)
    accept, alias = alias_table(noise)
    share = accept / 2.0**32
    drawn = (share + np.bincount(alias, 1 - share, minlength=len(COUNTS))) / len(COUNTS)
    assert drawn == pytest.approx(noise, abs=1e-8)


def test_huffman_s_weights():
    tree = huffman(COUNTS)
    heap, cost = sorted(COUNTS.tolist()), 0
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        cost += both
        heapq.heappush(heap, both)
    assert int((tree.lengths.astype(object) * COUNTS.astype(object)).sum()) == cost


def test_the_path_of_a_saved_vocabulary(tmp_path: Path):
    vocabulary = Vocabulary([f"w{i}" for i in range(len(COUNTS))], COUNTS)
    vocabulary.save(tmp_path / "v.tsv")
    assert Vocabulary.load(tmp_path / "v.tsv").counts.tolist() == COUNTS.tolist()


def mapped_file_bytes() -> int:
    """Returns how many bytes of files are mapped into this process."""
    (line,) = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("RssFile")
    ]
    return int(line.split()[1]) * 1024


def test_looking_for_line_ends_does_not_map_the_text(tmp_path: Path):
    """The system maps the pages around what is read; without releasing them, the whole text would
    count as memory of the process."""
    size = 32 << 20  # 128 MB
    with open(tmp_path / "ids", "w+b") as file:
        for start in range(0, size, 1 << 22):
            _overwrite(file, np.int64(start), np.arange(1 << 22, dtype=np.int32))
        ids = map_ids(file, size)
    before = mapped_file_bytes()
    assert len(cut_blocks(ids, 50_000, 1000)) > 600
    assert mapped_file_bytes() - before < 40 << 20
    store = TokenStore(ids, Vocabulary(["a"], np.array([size])), size, 0)
    for start in range(0, size, 1 << 20):
        ids[start : start + (1 << 20)].max()
        store.release(start, start + (1 << 20))
        assert mapped_file_bytes() - before < 40 << 20
    store.release(0, size)
    assert mapped_file_bytes() - before < 4 << 20


def test_the_columns_of_a_language_model(sparse):
    columns = Columns(Source(sparse, None, 7), 20)
    bounds = columns.bounds(35, 2)
    assert bounds[-1] == LENGTH // 20 * 20 and (np.diff(bounds) > 0).all()
    column, row = divmod(START + 50, columns.rows)
    assert column * columns.rows > 2**31
    inputs, targets = columns.read(row, row + 40)
    text = small_text()
    assert targets[:, column].tolist() == text[50:90].tolist()
    assert inputs[:, column].tolist() == text[49:89].tolist()
