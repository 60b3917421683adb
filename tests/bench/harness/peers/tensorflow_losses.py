"""TensorFlow's sampled losses, forward and backward in a tf.function, for `serve`. Gradients are
IndexedSlices."""

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

Step = Callable[[], float]

threads = int(os.environ["OMP_NUM_THREADS"])
tf.config.threading.set_intra_op_parallelism_threads(threads)
tf.config.threading.set_inter_op_parallelism_threads(threads)


def building(function: Callable[..., Any]) -> Callable[[dict[str, Any], dict[str, Any]], Step]:
    """A builder of steps with TensorFlow's `function`, its sampler and its treatment of accidental
    hits."""

    def build(case: dict[str, Any], given: dict[str, Any]) -> Step:
        weight, bias = tf.Variable(given["weight"]), tf.Variable(given["bias"])
        hidden = tf.Variable(given["hidden"])
        labels = tf.constant(given["labels"][:, None])

        @tf.function
        def both() -> tuple[Any, list[Any]]:
            with tf.GradientTape() as tape:
                losses = function(
                    weights=weight,
                    biases=bias,
                    labels=labels,
                    inputs=hidden,
                    num_sampled=case["samples"],
                    num_classes=case["vocabulary"],
                )
                loss = tf.reduce_mean(losses)
            return loss, tape.gradient(loss, [hidden, weight, bias])

        def step() -> float:
            loss, gradients = both()
            if not isinstance(gradients[1], tf.IndexedSlices):
                raise TypeError(
                    f"the gradient of weights is {type(gradients[1]).__name__}, not IndexedSlices"
                )
            return float(loss)

        return step

    return build


BUILDERS = {
    "nce_loss": building(tf.nn.nce_loss),
    "sampled_softmax_loss": building(tf.nn.sampled_softmax_loss),
}
