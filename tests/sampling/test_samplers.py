"""Candidate samplers against TensorFlow's figures, exact probabilities and exhaustive
definitions."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from w2v.sampling.candidates import Sampler, compute_accidental_hits
from w2v.sampling.samplers import (
    AllCandidateSampler,
    LearnedUnigramSampler,
    LogUniformSampler,
    UniformSampler,
    UnigramSampler,
)

GOLDEN = Path(__file__).parents[1] / "golden"
SURE = 6.0  # standard deviations that chance does not reach


def cases(folder: str) -> list[str]:
    return sorted(path.stem for path in (GOLDEN / folder).glob("*.npz"))


def load(folder: str, name: str) -> tuple[dict, dict]:
    with np.load(GOLDEN / folder / f"{name}.npz") as arrays:
        options = json.loads(str(arrays["__options__"]))
        return options, {
            key: torch.from_numpy(arrays[key]) for key in arrays.files if key[0] != "_"
        }


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampler_of(options: dict, arrays: dict) -> Sampler:
    kind = options["sampler"]
    if kind == "fixed_unigram":
        more = {
            key: options[key]
            for key in ("distortion", "num_reserved_ids", "num_shards", "shard")
            if key in options
        }
        if "vocab_file" in options:
            more["vocab_file"] = GOLDEN / options["vocab_file"]
        return UnigramSampler(arrays.get("unigrams"), range_max=options["range_max"], **more)
    if kind == "all":
        return AllCandidateSampler(options["num_sampled"])
    return {"uniform": UniformSampler, "log_uniform": LogUniformSampler}[kind](options["range_max"])


def chi2_deviations(observed: torch.Tensor, p: torch.Tensor) -> float:
    """How many standard deviations chi-square lies from its mean, cells of less than 5 expected
    counts put together."""
    expected = p.double() * observed.sum()
    assert (observed[p == 0] == 0).all()
    rare = expected < 5
    observed = torch.cat([observed[~rare].double(), observed[rare].double().sum()[None]])
    expected = torch.cat([expected[~rare], expected[rare].sum()[None]])
    kept = expected > 0
    chi2 = ((observed - expected)[kept] ** 2 / expected[kept]).sum()
    freedom = int(kept.sum()) - 1
    return float(abs(chi2 - freedom) / (2 * freedom) ** 0.5)


FIXED = [name for name in cases("tf_samplers") if "learned" not in name]


@pytest.mark.parametrize("name", FIXED)
def test_expected_counts_are_tensorflow_s(name):
    options, arrays = load("tf_samplers", name)
    sampler = sampler_of(options, arrays)
    S = options["num_sampled"]
    tries = int(arrays.get("num_tries_inferred", torch.tensor(S)))
    if "probability_f64" in arrays:
        p = sampler.probability(torch.arange(sampler.range_max))
        torch.testing.assert_close(p, arrays["probability_f64"], rtol=1e-12, atol=0)
    for ids, counts in (
        ("true_classes", "true_expected_count"),
        ("sampled", "sampled_expected_count"),
    ):
        ours = sampler.expected_count(arrays[ids], S, tries)
        assert ours.dtype == torch.float64
        torch.testing.assert_close(ours.float(), arrays[counts], rtol=1e-5, atol=1e-7)
        if f"{counts}_formula_f64" in arrays:
            torch.testing.assert_close(ours, arrays[f"{counts}_formula_f64"], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", FIXED)
def test_draws_have_their_probabilities_and_their_counts(name):
    options, arrays = load("tf_samplers", name)
    sampler = sampler_of(options, arrays)
    S, labels = options["num_sampled"], arrays["true_classes"]
    found = sampler.sample(labels, S, options.get("unique", True), seeded())
    assert found.sampled.shape == (S,) and found.sampled.dtype == torch.int64
    torch.testing.assert_close(
        found.true_expected_count, sampler.expected_count(labels, S, found.num_tries)
    )
    torch.testing.assert_close(
        found.sampled_expected_count, sampler.expected_count(found.sampled, S, found.num_tries)
    )
    if options.get("unique", True):
        assert len(found.sampled.unique()) == S
    if options["sampler"] != "all":
        draws = sampler.draw((200_000,), seeded(1), torch.device("cpu"))
        p = sampler.probability(torch.arange(sampler.range_max))
        assert float(p.sum()) == pytest.approx(1, abs=1e-12)
        assert chi2_deviations(draws.bincount(minlength=sampler.range_max), p) < SURE


@pytest.mark.parametrize("name", ["learned_unigram_repeat", "learned_unigram_unique"])
def test_learned_unigram_is_tensorflow_s(name):
    options, arrays = load("tf_samplers", name)
    sampler, S = LearnedUnigramSampler(options["range_max"]), options["num_sampled"]
    for step in range(options["steps"]):
        assert torch.equal(sampler.weights, arrays["weights_before_step"][step])
        tries, labels = int(arrays["num_tries_inferred"][step]), arrays["true_classes"][step]
        for ids, counts in ((labels, "true"), (arrays["sampled"][step], "sampled")):
            golden = arrays[f"{counts}_expected_count"][step]
            torch.testing.assert_close(
                sampler.expected_count(ids, S, tries).float(), golden, rtol=1e-5, atol=0
            )
        draws = sampler.draw((100_000,), seeded(step), torch.device("cpu"))
        p = sampler.probability(torch.arange(sampler.range_max))
        assert chi2_deviations(draws.bincount(minlength=sampler.range_max), p) < SURE
        before = sampler.weights.double() / sampler.weights.sum()
        found = sampler.sample(labels, S, options["unique"], seeded(step))
        if not options["unique"]:
            torch.testing.assert_close(found.true_expected_count, before[labels] * S)
    assert torch.equal(sampler.weights, arrays["weights_after_last_step"])


def test_learned_unigram_goes_on_from_saved_weights():
    one, two = LearnedUnigramSampler(20), LearnedUnigramSampler(20)
    one.sample(torch.tensor([3, 3, 7]), 5, False)
    two.weights = one.weights
    labels = torch.tensor([[1], [3]])
    for ours, theirs in zip(
        one.sample(labels, 4, True, seeded()), two.sample(labels, 4, True, seeded()), strict=True
    ):
        assert torch.equal(torch.as_tensor(ours), torch.as_tensor(theirs))


def test_candidates_all():
    found = AllCandidateSampler(9).sample(torch.tensor([[1, 2], [8, 0]]), 9, True)
    assert found.sampled.tolist() == list(range(9))
    assert found.sampled_expected_count.tolist() == [1] * 9
    assert found.true_expected_count.tolist() == [[1, 1], [1, 1]]
    with pytest.raises(ValueError, match=r"num_sampled is 5.*9"):
        AllCandidateSampler(9).sample(None, 5, True)


@pytest.mark.parametrize("name", cases("tf_accidental_hits"))
def test_accidental_hits_are_tensorflow_s(name):
    _, arrays = load("tf_accidental_hits", name)
    row, position = compute_accidental_hits(arrays["labels"], arrays["sampled"])
    assert row.tolist() == arrays["indices"].tolist()
    assert position.tolist() == arrays["ids"].tolist()


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), max_size=6),
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
)
def test_accidental_hits_by_definition(labels, sampled):
    last = {word: position for position, word in enumerate(sampled)}
    expected = [(n, last[word]) for n, row in enumerate(labels) for word in row if word in last]
    found = compute_accidental_hits(
        torch.tensor(labels).reshape(-1, 2).long(), torch.tensor(sampled)
    )
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize(
    "sampler",
    [
        UniformSampler(30),
        LogUniformSampler(30),
        UnigramSampler(range(1, 31)),
        LearnedUnigramSampler(30),
    ],
)
def test_a_generator_decides(sampler, unique):
    one, same, other = (sampler.sample(None, 29, unique, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.sampled, same.sampled) and one.num_tries == same.num_tries
    assert not torch.equal(one.sampled, other.sampled)


@pytest.mark.parametrize("V", [2**25 + 3, 2**31 + 11])
def test_classes_beyond_float32(V):
    for sampler in (UniformSampler(V), LogUniformSampler(V)):
        draws = sampler.draw((400_000,), seeded(), torch.device("cpu"))
        assert int(draws.min()) >= 0 and int(draws.max()) < V
        late = draws[draws >= V // 2]
        assert abs(int((late % 2).sum()) / len(late) - 0.5) < SURE * 0.5 / len(late) ** 0.5
        share = (
            0.5
            if isinstance(sampler, UniformSampler)
            else 1 - float(np.log1p(V // 2) / np.log1p(V))
        )
        assert len(late) / len(draws) == pytest.approx(
            share, abs=SURE * (share / len(draws)) ** 0.5
        )
    ids = torch.tensor([V - 2, V - 1])
    exact = np.log1p(1 / np.array([V - 1, V], float)) / np.log1p(float(V))
    np.testing.assert_allclose(LogUniformSampler(V).probability(ids), exact, rtol=1e-12)


def test_unigram_classes_beyond_float32():
    V = 2**24 + 64
    weights = torch.zeros(V)
    weights[2**24 :] = 1.0
    draws = UnigramSampler(weights).draw((64_000,), seeded(), torch.device("cpu")) - 2**24
    assert chi2_deviations(draws.bincount(minlength=64), torch.full((64,), 1 / 64)) < SURE


def test_weights_from_a_vocabulary_file(tmp_path):
    path = tmp_path / "vocab.tsv"
    path.write_text("the\t6\n1,000\t3\n\nx,y,1\n", encoding="utf-8")
    p = UnigramSampler(vocab_file=path).probability(torch.arange(3))
    torch.testing.assert_close(p, torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64))
    path.write_text("the\t6\nof\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"vocab.tsv, line 2: 'of' is not a weight"):
        UnigramSampler(vocab_file=path)


def test_extreme_weights_and_distortions():
    p = UnigramSampler([1e300, 1.0], distortion=3).probability(torch.arange(2))
    assert p.tolist() == [1, 0]
    p = UnigramSampler([4.0, 2, 1], distortion=-1).probability(torch.arange(3))
    torch.testing.assert_close(p, torch.tensor([1.0, 2, 4], dtype=torch.float64) / 7)
    p = UnigramSampler([0.0, 5], distortion=0, num_reserved_ids=1).probability(torch.arange(3))
    assert p.tolist() == [0, 0.5, 0.5]
    alone = UnigramSampler([0.0, 5]).sample(torch.tensor([0, 1]), 1, True)
    assert alone.sampled.tolist() == [1] and alone.true_expected_count.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        (r"num_sampled is 11.*only 10 classes", lambda: UniformSampler(10).sample(None, 11, True)),
        (
            r"num_sampled is 3.*only 2 classes",
            lambda: UnigramSampler([1, 0, 1]).sample(None, 3, True),
        ),
        (r"num_sampled is 0", lambda: UniformSampler(10).sample(None, 0, False)),
        (
            r"range from -1 to 10.*0 to 9",
            lambda: UniformSampler(10).sample(torch.tensor([-1, 10]), 1, True),
        ),
        (
            r"true_classes has 2 rows.*for 3",
            lambda: UniformSampler(9).sample(torch.tensor([1, 2]), 1, True, rows=3),
        ),
        (r"range from -2 to 1", lambda: UnigramSampler([1, -2])),
        (r"finite", lambda: UnigramSampler([1, float("nan")])),
        (r"all 2 weights are 0", lambda: UnigramSampler([0, 0])),
        (
            r"range_max is 4.*3 classes",
            lambda: UnigramSampler([1, 2], num_reserved_ids=1, range_max=4),
        ),
        (r"exactly one", lambda: UnigramSampler()),
        (r"shard is 2", lambda: UnigramSampler([1, 2], num_shards=2, shard=2)),
        (r"num_reserved_ids is -1", lambda: UnigramSampler([1, 2], num_reserved_ids=-1)),
        (r"distortion is -1", lambda: UnigramSampler([1, 0], distortion=-1)),
        (r"shape \[0\]", lambda: UnigramSampler([])),
        (r"range_max is 0", lambda: UniformSampler(0)),
    ],
)
def test_bad_arguments(message, wrong):
    with pytest.raises(ValueError, match=message):
        wrong()
