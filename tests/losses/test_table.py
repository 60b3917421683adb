"""What the table of losses promises to whoever adds one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import w2v.losses
from w2v.losses.layers import layer_class
from w2v.losses.table import LOSSES

NEW_LOSS = """
from dataclasses import dataclass

from w2v.losses.options import NegOptions
from w2v.losses.table import LOSSES, NOISE, LossEntry


@dataclass(frozen=True)
class PlainOptions(NegOptions):
    def plan(self):
        return None


LOSSES["plain"] = LossEntry("plain", "sampled:Neg", PlainOptions, NOISE)

import w2v

texts = {"corpus": ["a b c d e f"] * 40, "min_count": 1, "dim": 4, "epochs": 1}
run = w2v.train(loss="plain", **texts)
assert run.summary["engine"] == "autograd" and run.summary["predictions"], run.summary
try:
    w2v.train(loss="plain", engine="hogwild", **texts)
except w2v.InputError as error:
    assert "plain" in str(error) and "autograd" in str(error), error
else:
    raise SystemExit("hogwild trained a loss without a kernel")
"""


def test_a_sampled_loss_without_a_kernel_trains_with_autograd(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NEW_LOSS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_layer_and_its_options_are_names_of_the_package() -> None:
    for name, entry in LOSSES.items():
        assert getattr(w2v.losses, layer_class(name).__name__) is layer_class(name)
        assert getattr(w2v.losses, entry.options.__name__) is entry.options
        assert {layer_class(name).__name__, entry.options.__name__} <= set(w2v.losses.__all__)
