"""Distinct classes: drawn as if one by one, and how many draws that took."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.sampling.test_samplers import SURE, seeded
from w2v.sampling.candidates import poisson
from w2v.sampling.samplers import LogUniformSampler, UniformSampler, UnigramSampler


def definition(p: np.ndarray, wanted: int, random: np.random.Generator) -> tuple[list[int], int]:
    """Drawing until `wanted` distinct classes are found, one by one."""
    found: list[int] = []
    for tries, word in enumerate(random.choice(len(p), 10_000, p=p).tolist(), 1):
        if word not in found:
            found.append(word)
            if len(found) == wanted:
                return found, tries
    raise AssertionError("more draws needed")


@pytest.mark.parametrize("wanted", [2, 4, 5])
def test_distinct_classes_and_tries_are_those_of_drawing_one_by_one(wanted):
    """Order of the classes and number of draws, also where the last ones are not found by
    drawing."""
    weights, sets = [40.0, 20, 0, 5, 1, 0.2], 4000
    sampler = UnigramSampler(weights)
    found = sampler.sample(None, wanted, True, seeded(3), rows=sets)
    random = np.random.default_rng(0)
    one_by_one = [
        definition(np.array(weights) / sum(weights), wanted, random) for _ in range(sets // 4)
    ]
    digits = 6 ** torch.arange(wanted)
    ours = (found.sampled * digits).sum(1).bincount(minlength=6**wanted) / sets
    theirs = (
        (torch.tensor([order for order, _ in one_by_one]) * digits)
        .sum(1)
        .bincount(minlength=6**wanted)
    )
    theirs = theirs * 4 / sets
    deviation = (ours - theirs).abs() / ((ours + theirs) / 2 * (1 / sets + 4 / sets)).clamp_min(
        1e-9
    ).sqrt()
    assert float(deviation.max()) < SURE
    tries = torch.tensor([tries for _, tries in one_by_one]).double()
    ranks = torch.cat([found.num_tries.double(), tries]).sort().values
    cdf = [
        torch.searchsorted(part.double().sort().values, ranks, right=True) / len(part)
        for part in (found.num_tries, tries)
    ]
    kolmogorov = float((cdf[0] - cdf[1]).abs().max())
    assert kolmogorov < 2.3 * (5 / sets) ** 0.5  # exceeded once in 20 000


def test_the_race_counts_all_draws():
    """From one draw on to all V classes: V (1 + 1/2 + ... + 1/V) draws in the mean, the coupon
    collector's number."""
    V, sets = 20, 20_000
    start, missing = torch.full((sets, 1), 7), torch.full((sets,), V - 1)
    classes, more = UniformSampler(V)._race(start, missing, seeded())
    assert torch.equal(
        torch.cat([start, classes], 1).sort(1).values, torch.arange(V).expand(sets, V)
    )
    mean = V * sum(1 / k for k in range(1, V + 1)) - 1
    variance = sum((1 - k / V) / (k / V) ** 2 for k in range(1, V))
    assert abs(float(more.double().mean()) - mean) < SURE * (variance / sets) ** 0.5
    assert float(more.double().var()) == pytest.approx(variance, rel=0.1)


def test_large_poisson_numbers():
    rate = torch.tensor([0.0, 3.0, 1e6, 4e10], dtype=torch.float64)
    drawn = poisson(rate.repeat(10_000, 1), seeded()).double()
    assert bool(((drawn.mean(0) - rate).abs() <= SURE * (rate / 10_000).sqrt()).all())
    torch.testing.assert_close(drawn.var(0), rate, rtol=0.1, atol=0)
    assert int(poisson(torch.tensor([1e300], dtype=torch.float64), seeded())) == 2**62


@pytest.mark.parametrize("wanted", [9990, 10_000])
def test_nearly_all_classes_of_a_steep_distribution(wanted):
    """Drawing them would take 10^14 draws."""
    weights = torch.logspace(0, -12, 10_000, dtype=torch.float64)
    found = UnigramSampler(weights).sample(torch.tensor([0, 9999]), wanted, True, seeded())
    assert len(found.sampled.unique()) == wanted
    assert 1e11 < found.num_tries < 1e18
    assert found.true_expected_count[0] == 1
    # the counts of what is found add up to about as many as were wanted
    p = UnigramSampler(weights).expected_count(torch.arange(10_000), wanted, found.num_tries)
    assert float(p.sum()) == pytest.approx(wanted, rel=2e-3)


@settings(max_examples=examples(30), deadline=None)
@given(st.data())
def test_distinct_property(data):
    weights = data.draw(
        st.lists(st.sampled_from([0.0, 1e-9, 0.5, 1, 3, 1e6]), min_size=1, max_size=30).filter(any)
    )
    sampler = UnigramSampler(weights)
    wanted = data.draw(st.integers(1, sampler.support()))
    rows = data.draw(st.sampled_from([None, 1, 3]))
    found = sampler.sample(None, wanted, True, seeded(data.draw(st.integers(0, 9))), rows=rows)
    assert found.sampled.shape == ((wanted,) if rows is None else (rows, wanted))
    for row, tries in zip(
        found.sampled.view(-1, wanted), torch.as_tensor(found.num_tries).view(-1), strict=True
    ):
        assert len(row.unique()) == wanted <= int(tries)
        assert all(weights[word] > 0 for word in row.tolist())


def test_sets_for_every_row():
    sampler, labels = LogUniformSampler(50), torch.arange(12).view(6, 2)
    found = sampler.sample(labels, 20, True, seeded(), rows=6)
    assert found.sampled.shape == found.sampled_expected_count.shape == (6, 20)
    assert len(set(found.num_tries.tolist())) > 1
    for n in range(6):
        assert len(found.sampled[n].unique()) == 20
        tries = int(found.num_tries[n])
        torch.testing.assert_close(
            found.sampled_expected_count[n], sampler.expected_count(found.sampled[n], 20, tries)
        )
        torch.testing.assert_close(
            found.true_expected_count[n], sampler.expected_count(labels[n], 20, tries)
        )
    repeats = sampler.sample(labels, 20, False, seeded(), rows=6)
    torch.testing.assert_close(repeats.true_expected_count, sampler.probability(labels) * 20)
    assert sampler.sample(None, 3, True, rows=0).sampled.shape == (0, 3)
