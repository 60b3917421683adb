"""What ranks train together is what one process trains."""

from __future__ import annotations

from pathlib import Path

from tests import ranks

HERE = Path(__file__).parent


def test_two_ranks_learn_what_one_process_learns():
    for end in ranks.run(2, HERE / "check_lm.py"):
        assert end.status == 0, end.err


def test_rows_on_two_ranks_are_as_good_as_whole_layers():
    for end in ranks.run(2, HERE / "check_shards.py"):
        assert end.status == 0, end.err
