"""The losses as functions with the arguments, shapes and values of the references: code is ported
by its import.

nce_loss, sampled_softmax_loss          TensorFlow
hsigmoid_loss                           Paddle, but for its mistakes: padded slots cost nothing,
labels are checked adaptive_log_softmax_with_loss          PyTorch label_smoothing_cross_entropy,
sparse_softmax_cross_entropy, soft_margin_cross_entropy, am_softmax_loss, l_softmax_loss,
linear_cross_entropy                    like torch.nn.functional.cross_entropy, class axis 1
"""

from w2v.compat.margin import am_softmax_loss, l_softmax_loss, soft_margin_cross_entropy
from w2v.compat.paddle import hsigmoid_loss
from w2v.compat.softmax import (
    label_smoothing_cross_entropy,
    linear_cross_entropy,
    sparse_softmax_cross_entropy,
)
from w2v.compat.tensorflow import nce_loss, sampled_softmax_loss
from w2v.compat.torch import adaptive_log_softmax_with_loss

__all__ = [
    "adaptive_log_softmax_with_loss",
    "am_softmax_loss",
    "hsigmoid_loss",
    "l_softmax_loss",
    "label_smoothing_cross_entropy",
    "linear_cross_entropy",
    "nce_loss",
    "sampled_softmax_loss",
    "soft_margin_cross_entropy",
    "sparse_softmax_cross_entropy",
]
