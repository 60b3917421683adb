from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from w2v.errors import InputError
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.settings.language_model import ARCHITECTURES

KINDS = [*((arch, "rotary") for arch in ARCHITECTURES), ("transformer", "learned")]
# tokens that a token influences, itself included
SEEN = {"lstm": 20, "gru": 20, "transformer": 7, "ffnn": 4, "lbl": 4}


def read(model, ids, cuts=()):
    """Hidden rows and the last state of ids [T, B], read in pieces that end at the cuts."""
    state, parts, edges = model.start(ids.shape[1]), [], [0, *cuts, len(ids)]
    for start, stop in pairwise(edges):
        rows, state = model.hidden(ids[start:stop], state)
        parts.append(rows)
    return torch.cat(parts), state


@pytest.mark.parametrize(("arch", "positions"), KINDS)
@torch.no_grad()
def test_a_token_changes_nothing_before_it_and_reaches_as_far_as_the_context(make, arch, positions):
    model = make(arch, positions=positions)
    ids = torch.randint(30, (20, 3), generator=torch.Generator().manual_seed(1))
    other = ids.clone()
    other[5, 1] = (ids[5, 1] + 1) % 30
    changed = (read(model, ids)[0] != read(model, other)[0]).any(2)
    assert not changed[:, [0, 2]].any()
    reach = min(20, 5 + SEEN[arch])
    assert not changed[:5, 1].any()
    assert changed[5:reach, 1].all()
    assert not changed[reach:, 1].any()


@pytest.mark.parametrize(("arch", "positions"), KINDS)
@torch.no_grad()
def test_a_text_read_in_pieces_gives_the_rows_of_the_text_read_at_once(make, arch, positions):
    model = make(arch, positions=positions)
    ids = torch.randint(30, (20, 2), generator=torch.Generator().manual_seed(2))
    whole, end = read(model, ids)
    pieces, after = read(model, ids, cuts=(1, 2, 3, 11, 18))
    assert whole.shape == (20, 2, model.dim_hidden)
    torch.testing.assert_close(pieces, whole, rtol=1e-5, atol=1e-6)
    for one, other in zip(after, end, strict=True):
        assert one.shape[1] == 2
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_transformer_attention_is_the_softmax_of_scaled_products_in_the_window(make):
    """One block against the definition, with learned scores by distance."""
    model = make("transformer", positions="learned", layers=1, heads=3, hidden=12)
    body, block = model.body, model.body.blocks[0]
    ids = torch.randint(30, (9, 1), generator=torch.Generator().manual_seed(2))
    x = body.widen(model.input(ids))[:, 0]
    made = block.attend_in(block.attend_norm(x)).view(9, 3, 3, 4)
    seen = torch.zeros(9, 3, 4)
    for head in range(3):
        for t in range(9):
            window = range(max(0, t - 3), t + 1)
            score = torch.stack(
                [
                    made[t, 0, head] @ made[s, 1, head] / 2 + body.distance_scores[head, t - s]
                    for s in window
                ]
            )
            weights = score.softmax(0)
            seen[t, head] = sum(w * made[s, 2, head] for w, s in zip(weights, window, strict=True))
    x = x + block.attend_out(seen.reshape(9, 12))
    x = x + block.shrink(torch.nn.functional.gelu(block.widen(block.widen_norm(x))))
    torch.testing.assert_close(read(model, ids)[0][:, 0], body.norm(x), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_rotary_scores_depend_on_the_distance_alone():
    from w2v.lm.bodies.transformer import Transformer, turned

    given = {"corpus": ("x",), "model": "lm", "arch": "transformer", "heads": 2, "dim": 8}
    body = Transformer(build_config(given).lm, 8)
    query, key = torch.randn(2, 1, 2, 1, 4)
    turns = body.turns(30, query)
    scores = {}
    for first, second in ((3, 1), (20, 18), (29, 27), (3, 3), (7, 2)):
        at = [tuple(part[place : place + 1] for part in turns) for place in (first, second)]
        scores[first, second] = (turned(query, at[0]) * turned(key, at[1])).sum(3)
    torch.testing.assert_close(scores[3, 1], scores[20, 18])
    torch.testing.assert_close(scores[3, 1], scores[29, 27])
    torch.testing.assert_close(scores[3, 3], (query * key).sum(3))
    assert (scores[3, 1] - scores[7, 2]).abs().max() > 1e-4


@torch.no_grad()
def test_feed_forward_and_log_bilinear_are_their_formulas(make):
    ids = torch.randint(30, (6, 1), generator=torch.Generator().manual_seed(2))
    ffnn, lbl = make("ffnn", context=3), make("lbl", context=3)
    for t in range(6):
        for model in (ffnn, lbl):
            words = [
                model.input.weight[ids[s, 0]] if s >= 0 else torch.zeros(8)
                for s in (t - 2, t - 1, t)
            ]
            window, row = torch.cat(words), read(model, ids)[0][t, 0]
            if model is lbl:
                expected = model.body.combine.bias + sum(
                    model.body.combine.weight[:, 8 * c : 8 * c + 8] @ word
                    for c, word in enumerate(words)
                )
            else:
                first, second = model.body.layers
                expected = torch.tanh(second(torch.tanh(first.weight @ window + first.bias)))
            torch.testing.assert_close(row, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("arch", ["lstm", "ffnn"])
def test_every_parameter_gets_a_finite_gradient(make, arch, loss):
    model = make(arch, loss, spread=0.0).train()
    ids = torch.randint(30, (12, 5), generator=torch.Generator().manual_seed(4))
    rows, _ = model.hidden(ids[:-1], model.start(5))
    model.output(rows.flatten(0, 1), ids[1:].flatten()).sum().backward()
    for name, parameter in model.named_parameters():
        gradient = parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad
        assert gradient.isfinite().all(), name
        assert (gradient != 0).any(), name


@pytest.mark.parametrize("loss", [name for name, entry in LOSSES.items() if entry.tied])
@pytest.mark.parametrize("hidden", [8, 12])
def test_tied_rows_are_the_embeddings_themselves(make, loss, hidden):
    model = make("lstm", loss, tied=True, hidden=hidden)
    assert model.output.weight is model.input.weight
    assert model.dim_hidden == 8
    assert ("projection.weight" in dict(model.named_parameters())) == (hidden == 12)
    rows, _ = model.hidden(torch.tensor([[1], [2]]), model.start(1))
    before = model.output.log_prob(rows[1])
    with torch.no_grad():
        model.input.weight[3] += 1.0
    assert (model.output.log_prob(rows[1]) != before).any()


def test_hsigmoid_cannot_be_tied(make):
    with pytest.raises(InputError, match="cannot be the embeddings"):
        make("lstm", "hsigmoid", tied=True)


@pytest.mark.parametrize(
    "loss",
    ["softmax", "label-smoothing", "sparse-softmax", "nce", "neg", "sampled-softmax", "hsigmoid"],
)
@torch.no_grad()
def test_a_model_with_output_biases_starts_as_the_unigram_distribution(make, loss):
    layer = make("lstm", loss, spread=0.0).output
    probabilities = layer.log_prob(torch.zeros(1, 12)).exp()[0]
    counts = torch.arange(30, 0, -1)
    torch.testing.assert_close(probabilities, counts / counts.sum(), rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_an_adaptive_softmax_starts_with_the_shares_of_frequent_words_and_of_clusters(make):
    probabilities = (
        make("lstm", "adaptive-softmax", spread=0.0).output.log_prob(torch.zeros(1, 12)).exp()[0]
    )
    shares = torch.arange(30, 0, -1) / 465  # 30 + 29 + ... + 1
    torch.testing.assert_close(probabilities[:10], shares[:10], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        probabilities[10:], shares[10:].mean().expand(20), rtol=1e-4, atol=1e-6
    )


@torch.no_grad()
def test_starting_values_are_those_of_the_example(make):
    model = make("lstm", spread=0.0)
    for rows in (model.input.weight, model.output.weight):
        assert 0.09 < rows.abs().max() <= 0.1
        assert abs(rows.mean()) < 0.02


@pytest.mark.parametrize("arch", ["lstm", "gru"])
def test_variational_dropout_drops_the_same_numbers_everywhere(make, arch):
    model = make(arch, variational=True, dropout=0.5, layers=1).train()
    ones = torch.ones(40, 3, 12)
    dropped = model.body.drop(ones)
    assert (dropped == dropped[0]).all()
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert (dropped[0, 0] != dropped[0, 1]).any()
    ordinary = make(arch, dropout=0.5, layers=1).train().body.drop(ones)
    assert (ordinary != ordinary[0]).any()
    torch.testing.assert_close(model.eval().body.drop(ones), ones)


@torch.no_grad()
def test_evaluation_has_no_dropout(make):
    for arch in ARCHITECTURES:
        model = make(arch, dropout=0.5)
        ids = torch.zeros(5, 1, dtype=torch.int64)
        assert torch.equal(read(model, ids)[0], read(model, ids)[0])
        model.train()
        assert not torch.equal(read(model, ids)[0], read(model, ids)[0])
