from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from w2v.lm.columns import Columns, Source


def test_columns_stand_side_by_side_and_inputs_are_the_tokens_before():
    columns = Columns(Source(np.arange(10, 19, dtype=np.int32), None, 99), 2)
    inputs, targets = columns.read(0, 4)
    assert targets.tolist() == [[10, 14], [11, 15], [12, 16], [13, 17]]
    assert inputs.tolist() == [[99, 13], [10, 14], [11, 15], [12, 16]]
    assert inputs.dtype == targets.dtype == torch.int64


@pytest.mark.parametrize("cuts", [(1,), (2, 3), (1, 2, 3)])
def test_segments_are_the_parts_of_the_whole(cuts):
    columns = Columns(Source(np.arange(9, dtype=np.int32), None, 99), 2)
    edges = [0, *cuts, 4]
    parts = [columns.read(start, stop) for start, stop in pairwise(edges)]
    for place in (0, 1):
        assert torch.equal(torch.cat([part[place] for part in parts]), columns.read(0, 4)[place])


def test_a_table_leads_from_stored_ids_to_tokens():
    table = np.array([7, 5, 6, 0], np.int32)  # the last one for line ends
    inputs, targets = Columns(Source(np.array([0, 1, -1, 2, -1, 1], np.int32), table, 0), 1).read(
        0, 6
    )
    assert targets[:, 0].tolist() == [7, 5, 0, 6, 0, 5]
    assert inputs[:, 0].tolist() == [0, 7, 5, 0, 6, 0]


def test_blocks_hold_whole_steps_and_cover_all_rows():
    ids = np.zeros(20 * 1000 + 7, np.int32)
    bounds = Columns(Source(ids, None, 0), 20).bounds(35, 2)
    assert bounds[0] == 0
    assert bounds[-1] == 20 * 1000
    assert (bounds % 20 == 0).all()
    assert (bounds[:-1] // 20 % 70 == 0).all()
    assert (np.diff(bounds)[:-1] >= 2048).all()


def test_finished_rows_are_released_in_every_column():
    released = []
    source = Source(np.zeros(30, np.int32), None, 0, lambda *span: released.append(span))
    columns = Columns(source, 3)
    columns.release(2, 5)
    assert released == [(2, 5), (12, 15), (22, 25)]


def test_two_tokens_for_every_column_are_needed():
    with pytest.raises(
        ValueError, match="5 tokens including line ends, and `batch_size` 3 needs 6"
    ):
        Columns(Source(np.zeros(5, np.int32), None, 0), 3)
