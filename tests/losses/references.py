"""What every loss is, written out in float64 for one hidden vector: the reference of the generated
tests, which shares no line with the library."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from w2v.losses import OutputLayer, make_layer
from w2v.sampling.candidates import Sampler

V, D = 23, 6
COUNTS = list(range(3 * V, 0, -3))
NOISE_WORDS = [2, 7, 1, 19, 11]  # what is drawn, always
SHARES = np.arange(V, 0, -1) / (V * (V + 1) / 2)
CUTOFFS = (5, 12)
SETTINGS: dict[str, dict[str, object]] = {
    "label-smoothing": {"smoothing": 0.2},
    "sparse-softmax": {"top_k": 4},
    "am-softmax": {"scale": 5.0, "am_margin": 0.2},
    "l-softmax": {"angular_margin": 3, "annealing": 0.5},
    "sm-softmax": {"sm_margin": 0.7},
    "adaptive-softmax": {"cutoffs": tuple(map(str, CUTOFFS)), "div_value": 2.0, "head_bias": True},
}
Row = np.ndarray


class FixedNoise(Sampler):
    """Draws NOISE_WORDS whatever is asked."""

    def __init__(self) -> None:
        super().__init__(V)

    def probability(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(SHARES).to(ids.device)[ids]

    def draw(self, shape, generator, device):
        return torch.tensor(NOISE_WORDS, device=device).expand(shape)

    def draw_distinct(self, rows, num_sampled, generator, device):
        return self.draw((rows, num_sampled), generator, device), torch.full((rows,), num_sampled)


def make(name: str, **more: object) -> OutputLayer:
    """A layer of random rows in float64, with fixed noise."""
    if name in ("neg", "nce", "sampled-softmax", "hsigmoid+neg"):
        more.setdefault("sampler", FixedNoise())
    if name not in ("am-softmax", "l-softmax", "adaptive-softmax"):
        more.setdefault("bias", True)
    layer = make_layer(name, D, COUNTS, **SETTINGS.get(name, {}), **more).double()
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.7)
    return layer


def total(z: Row) -> float:
    """log of the sum of exp z."""
    return float(z.max() + np.log(np.exp(z - z.max()).sum()))


def softplus(z: float) -> float:
    return math.log1p(math.exp(-abs(z))) + max(z, 0.0)


def moved(z: Row, t: int, score: float) -> float:
    """Cross-entropy with another score for the target."""
    z = z.copy()
    z[t] = score
    return total(z) - score


def large_margin(h: Row, w: Row, m: int, annealing: float) -> float:
    length = np.linalg.norm(h) * np.linalg.norm(w)
    cosine = float(h @ w / length)
    angle = math.acos(cosine)
    k = min(int(angle * m / math.pi), m - 1)
    psi = (-1) ** k * math.cos(m * angle) - 2 * k
    return float(length * (psi + annealing * cosine) / (1 + annealing))


def path_steps(layer, h: Row, t: int) -> float:
    """Hierarchical sigmoid: label = 1 - code, P(label = 1) = sigmoid(z)."""
    weight, bias = array(layer.weight), array(layer.bias)
    nodes, codes = layer.tree.path(t)
    return sum(
        softplus(-(1 - 2 * int(code)) * float(h @ weight[node] + bias[node]))
        for node, code in zip(nodes, codes, strict=True)
    )


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def adaptive_scores(layer, h: Row) -> Row:
    """log P of all classes."""
    head = array(layer.head.weight) @ h + array(layer.head.bias)
    head = head - total(head)
    found = [head[: CUTOFFS[0]]]
    for i, (down, up) in enumerate(layer.tail):
        z = array(up.weight) @ (array(down.weight) @ h)
        found.append(head[CUTOFFS[0] + i] + z - total(z))
    return np.concatenate(found)


def reference(name: str, layer: OutputLayer) -> tuple[Callable, Callable]:
    """(loss(h, t), log P(h) [V]) of a layer that `make` made."""
    noise, k = NOISE_WORDS, len(NOISE_WORDS)
    if name == "hsigmoid+neg":
        words, steps = layer.noise, layer.path
    else:
        words = steps = layer
    weight = array(words.weight)
    bias = 0.0 if words.bias is None else array(words.bias)

    def scores(h: Row) -> Row:
        if name == "am-softmax":
            unit = weight / np.linalg.norm(weight, axis=1, keepdims=True)
            return 5.0 * (unit @ h) / np.linalg.norm(h)
        return weight @ h + bias

    def log_p(h: Row) -> Row:
        if name == "adaptive-softmax":
            return adaptive_scores(layer, h)
        if name.startswith("hsigmoid"):
            return np.array([-path_steps(steps, h, t) for t in range(V)])
        z = scores(h) + (np.log(SHARES) if name == "neg" else 0.0)
        return z - total(z)

    def negative(h: Row, t: int) -> float:
        z = scores(h)
        return softplus(-z[t]) + sum(softplus(z[w]) for w in noise if w != t)

    def loss(h: Row, t: int) -> float:
        if name in ("adaptive-softmax", "hsigmoid"):
            return float(-log_p(h)[t])
        if name == "hsigmoid+neg":
            return float(-log_p(h)[t]) + negative(h, t)
        if name == "neg":
            return negative(h, t)
        z = scores(h)
        if name == "nce":
            z = z - math.log(V) - np.log(k * SHARES)
            return softplus(-z[t]) + sum(softplus(z[w]) for w in noise)
        if name == "sampled-softmax":
            z = z - np.log(k * SHARES)
            return total(np.array([z[t], *(z[w] for w in noise if w != t)])) - z[t]
        if name == "label-smoothing":
            return total(z) - 0.8 * z[t] - 0.2 * z.mean()
        if name == "sparse-softmax":
            kept = {*np.argsort(-z)[:4].tolist(), t}
            return total(z[sorted(kept)]) - z[t]
        if name == "am-softmax":
            return moved(z, t, z[t] - 5.0 * 0.2)
        if name == "l-softmax":
            return moved(z, t, large_margin(h, weight[t], 3, 0.5))
        if name == "sm-softmax":
            return moved(z, t, z[t] - 0.7)
        return total(z) - z[t]

    return loss, log_p
