"""Paddle's hierarchical sigmoid, forward and backward, for `serve`: with and without is_sparse."""

from collections.abc import Callable
from typing import Any

import paddle
import paddle.nn.functional as F

Step = Callable[[], float]

paddle.set_device("cpu")


def building(is_sparse: bool) -> Callable[[dict[str, Any], dict[str, Any]], Step]:
    """A builder of steps over Paddle's default tree."""

    def build(case: dict[str, Any], given: dict[str, Any]) -> Step:
        rows = case["vocabulary"] - 1
        hidden = paddle.to_tensor(given["hidden"], stop_gradient=False)
        weight = paddle.to_tensor(given["weight"][:rows], stop_gradient=False)
        bias = paddle.to_tensor(given["bias"][:rows, None], stop_gradient=False)
        labels = paddle.to_tensor(given["labels"][:, None])

        def step() -> float:
            for parameter in (hidden, weight, bias):
                parameter.clear_gradient(False)
            loss = F.hsigmoid_loss(
                hidden, labels, case["vocabulary"], weight, bias, is_sparse=is_sparse
            ).mean()
            loss.backward()
            return float(loss)

        return step

    return build


BUILDERS = {
    "hsigmoid_loss(is_sparse=True)": building(True),
    "hsigmoid_loss(is_sparse=False)": building(False),
}
