"""PyTorch's compiler on a model with each of the losses, cold and from what it has kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.losses.test_processes import cold_and_warm
from w2v.losses import LOSSES


@pytest.mark.soak
def test_cold_and_warm_with_every_loss(tmp_path: Path) -> None:
    cold_and_warm(tmp_path, *LOSSES)
