"""Windows are the same on every device, and however the ids are copied to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from w2v.words.windows import WindowReader

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("held", [False, True], ids=["fetched", "held"])
@pytest.mark.parametrize("max_sentence", [0, 50])
def test_windows_of_the_device_are_those_of_the_cpu(
    max_sentence: int, held: bool, device: str
) -> None:
    ids = np.random.default_rng(1).integers(-1, 3000, 100_000).astype(np.int32)
    ids.flags.writeable = False
    given = ids, np.full(2500, 2**31, np.uint32), 5, max_sentence
    here, there = WindowReader(*given), WindowReader(*given, torch.device(device))
    if held:
        there.hold(4 * len(ids))
    for start, stop in ((0, 40_000), (40_000, 70_001), (70_001, 100_000)):
        expected, found = (each.read(start, stop, 3, 2**63 + 4) for each in (here, there))
        assert found.words.device.type == device and 0 < found.trained < stop - start
        for name, value in vars(expected).items():
            other = getattr(found, name)
            same = torch.equal(value, other.cpu()) if torch.is_tensor(value) else value == other
            assert same, name


def test_reading_does_not_wait(device: str) -> None:
    ids = np.random.default_rng(1).integers(-1, 3000, 100_000).astype(np.int32)
    reader = WindowReader(ids, np.full(2500, 2**31, np.uint32), 5, 0, torch.device(device))
    reader.hold(4 * len(ids))
    if device == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        found = reader.begin(20_000, 60_000, 3, 4)
    finally:
        if device == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    assert found.numbers.tolist()[2] == reader.read(20_000, 60_000, 3, 4).trained
