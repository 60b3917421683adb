"""Weights from files and lists: encodings, shards with reserved ids, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from w2v.sampling.candidates import compute_accidental_hits
from w2v.sampling.samplers import LogUniformSampler, UniformSampler, UnigramSampler


def probabilities(sampler: UnigramSampler) -> list[float]:
    return sampler.probability(torch.arange(sampler.range_max)).tolist()


@pytest.mark.parametrize(
    "content",
    [
        b"a,1\nb,2\nc,5\n",
        b"a,1\r\nb,2\r\nc,5",
        b"1\n2\n5\n",
        b"\n\n1\n2\n \n5\n",
        b"\xef\xbb\xbf1\n2\n5\n",
        b"\xef\xbb\xbfa\t1\nb\t2\nc\t5\n",
        "ä,1\nö,2\nß,5\n".encode("latin-1"),
        "ä,1\nö,2\nß,5\n".encode("shift-jis", "replace"),
        b"a,9,1\nb,9,2\n,,5e0\n",
        b' "a, b" , 1 \nb, +2 \nc,5.0\n',
    ],
)
def test_files_of_weights(tmp_path, content):
    path = tmp_path / "vocab"
    path.write_bytes(content)
    assert probabilities(UnigramSampler(vocab_file=path)) == pytest.approx([1 / 8, 2 / 8, 5 / 8])


@pytest.mark.parametrize("line", ["b", "b,", "b,x", "b 2", "b,1_0", "b,0x10", "b,\u0662"])
def test_lines_without_a_weight(tmp_path, line):
    path = tmp_path / "vocab"
    path.write_text(f"a,1\n{line}\nc,5\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 2.*is not a weight"):
        UnigramSampler(vocab_file=path)


@pytest.mark.parametrize("reserved", range(4))
@pytest.mark.parametrize("shards", [1, 2, 3])
@pytest.mark.parametrize("distortion", [0.75, 0.0, -0.5, np.float32(0.5)])
def test_shards_cut_all_ids_reserved_ones_too(reserved, shards, distortion):
    weights = [3.0, 5.0, 0.5, 8.0, 2.0, 9.0]
    all_ids = [0.0] * reserved + [w ** float(distortion) for w in weights]
    for shard in range(shards):
        kept = all_ids[shard::shards]
        sampler = UnigramSampler(
            weights,
            distortion=distortion,
            num_reserved_ids=reserved,
            num_shards=np.int64(shards),
            shard=shard,
            range_max=len(kept),
        )
        want = [w / sum(kept) for w in kept]
        assert probabilities(sampler) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distortion": float("nan")}, "distortion is nan"),
        ({"distortion": float("inf")}, "distortion is inf"),
        ({"distortion": "1"}, "distortion is '1'"),
        ({"distortion": None}, "distortion is None"),
        ({"weights": ["a", "b"]}, r"weights are \['a', 'b'\].*numbers"),
        ({"weights": [1.0, float("nan")]}, "finite"),
        ({"num_reserved_ids": 2.5}, "num_reserved_ids is 2.5.*whole"),
        ({"num_reserved_ids": -1}, "num_reserved_ids is -1"),
        ({"num_shards": 0}, "num_shards is 0.*1 or more"),
        ({"num_shards": None}, "num_shards is None"),
        ({"shard": 1}, "shard is 1.*0 to"),
        ({"shard": 0.5}, "shard is 0.5"),
        ({"range_max": "2"}, "range_max is '2'"),
        ({"range_max": 3}, "range_max is 3.*2 classes"),
    ],
)
def test_what_weights_refuse(change, message):
    with pytest.raises(ValueError, match=message):
        UnigramSampler(**{"weights": [1.0, 2.0], **change})


def test_true_classes_of_a_sampler():
    sampler = LogUniformSampler(np.int64(9))
    want = sampler.sample(torch.tensor([[0], [8]]), 3, False).true_expected_count
    for classes in ([[0], [8]], np.array([[0], [8]]), torch.tensor([[0], [8]]).to(torch.uint64)):
        assert torch.equal(sampler.sample(classes, 3, False).true_expected_count, want)
    with pytest.raises(ValueError, match=r"true_classes is torch\.float32"):
        sampler.sample(torch.tensor([[0.5]]), 3, False)
    with pytest.raises(ValueError, match="generator is 3"):
        sampler.sample(None, 3, False, 3)
    for wrong in (2.5, float("nan"), "3", None, 0):
        with pytest.raises(ValueError, match="range_max is"):
            UniformSampler(wrong)


def test_no_candidates_no_hits():
    row, position = compute_accidental_hits(torch.tensor([[1, 2]]), torch.tensor([]).long())
    assert len(row) == len(position) == 0
