"""How many words of the text make one step of the autograd engine."""

from __future__ import annotations

from w2v.settings.config import Config

STEPS = 256  # of a run, at least, where the batch size is ours to choose
SMALLEST_BATCH = 64
# With sgd all predictions of a batch move a row by the sum of what each alone would: large batches
# diverge.
SGD_BATCH, LARGE_BATCH = 256, 16384


def batch_words(config: Config, length: int) -> int:
    """Returns the words of the text per step: as given, else what suits the optimizer, the window
    and a stream of that length."""
    if config.training.batch_size:
        return config.training.batch_size
    words = SGD_BATCH if config.training.optimizer == "sgd" else LARGE_BATCH
    if config.model.model != "cbow":
        # for wide windows fewer words: they make as many predictions
        words = max(1, min(words, words * 6 // (config.model.window + 1)))
    return max(SMALLEST_BATCH, min(words, length * config.training.epochs // STEPS))
