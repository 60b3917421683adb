"""A run that diverges ends with an error and leaves no meaningless vectors behind."""

from pathlib import Path

import numpy as np
import pytest

import w2v


def test_a_loss_of_few_rows_tells_scores_beyond_its_bound(tmp_path: Path) -> None:
    """The residuals are bounded, so that nothing becomes infinite; the loss is not bounded."""
    random = np.random.default_rng(1)
    words = np.array([f"w{i}" for i in range(1000)])
    share = 1 / np.arange(2, 1002)
    lines = [" ".join(random.choice(words, 12, p=share / share.sum())) for _ in range(2000)]
    settings = {"loss": "sampled-softmax", "dim": 16, "epochs": 1, "threads": 1, "min_count": 1}
    with pytest.raises(w2v.RunError, match=r"diverged.*`lr`"):
        w2v.train(lines, **settings, lr=1.5, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert np.abs(w2v.train(lines, **settings, lr=0.05).vectors.matrix).max() < 10
