"""The table of output layers. Every loss is: which output rows are scored for a target x a link function on the scores.

Reading this table imports neither torch nor NumPy. Adding a loss = its module, its options, one entry here, its tests.
"""

from __future__ import annotations

from dataclasses import dataclass

from w2v.losses.options import HsigmoidOptions, NceOptions, NegOptions


@dataclass(frozen=True)
class LossEntry:
    """One output layer. Formulas: h is the hidden vector, w_i the output row of i, t the target, s = sigmoid."""

    name: str
    options: type  # the dataclass of the loss's own settings
    rows: str  # which output rows are scored
    link: str
    formula: str
    probabilities: str  # what log P(w | h) is computed from
    paper: str
    engines: tuple[str, ...]


_NEG = LossEntry(
    name="neg",
    options=NegOptions,
    rows="t and k noise words",
    link="logistic",
    formula="-log s(h.w_t) - sum_k log s(-h.w_k)",
    probabilities="softmax of score + log q(w)",
    paper="Mikolov et al. 2013, arXiv:1310.4546",
    engines=("hogwild",),
)
_NCE = LossEntry(
    name="nce",
    options=NceOptions,
    rows="t and k noise words",
    link="logistic",
    formula="-log s(z_t) - sum_k log s(-z_k), z_i = h.w_i + b_i - log Z - log(k q(i))",
    probabilities="softmax of the scores",
    paper="Gutmann and Hyvarinen 2010; Mnih and Teh 2012, arXiv:1206.6426",
    engines=("hogwild",),
)
_HSIGMOID = LossEntry(
    name="hsigmoid",
    options=HsigmoidOptions,
    rows="inner nodes on t's path in the Huffman tree",
    link="logistic per node",
    formula="-sum_n log s(+-h.w_n) over the nodes n of t's path",
    probabilities="exact",
    paper="Morin and Bengio 2005; Mikolov et al. 2013, arXiv:1301.3781",
    engines=("hogwild",),
)

LOSSES: dict[str, LossEntry] = {entry.name: entry for entry in (_NEG, _NCE, _HSIGMOID)}
