"""What ranks train together is what one process trains."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("what", ["lm", "words_together", "shards"])
def test_two_ranks_compute_what_one_process_computes(ranks, what):
    for end in ranks(2, script=str(HERE / f"check_{what}.py")):
        assert end.status == 0, end.err
