"""Layers in other processes: two that train together, and one that finds what the compiler of
another has kept."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from tests import forks
from tests.forks import Fork
from tests.losses.references import D, V, make
from w2v.losses import LOSSES

TOGETHER = """
import sys, torch
from torch import distributed, nn
from tests.losses.references import D, make
from w2v.losses import LOSSES
rank, store, place = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.set_num_threads(1)
distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
hidden, target = torch.load(place + "/batch.pt")
for name in LOSSES:
    layer = nn.parallel.DistributedDataParallel(make(name), find_unused_parameters=True)
    layer(hidden[rank::2], target[rank::2]).mean().backward()
    if rank == 0:
        found = {key: value.grad for key, value in layer.module.named_parameters()}
        torch.save(found, f"{place}/{name}.pt")
    if LOSSES[name].sparse:
        layer = nn.parallel.DistributedDataParallel(make(name, sparse=True))
        try:
            layer(hidden[rank::2], target[rank::2])
        except RuntimeError as error:
            assert "sparse=False" in str(error)
        else:
            raise SystemExit(f"{name} took sparse gradients")
distributed.destroy_process_group()
"""

COMPILED = """
import json, sys, torch
from torch import nn
from tests.losses.references import D, make
torch.set_num_threads(1)
torch.manual_seed(5)
hidden, target = torch.randn(9, D), torch.arange(9)
class Model(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.body, self.output = nn.Linear(D, D), make(name).float()
    def forward(self, hidden, target):
        return self.output(self.body(hidden), target)
found = {}
for name in sys.argv[1:]:
    torch._dynamo.reset()
    model = Model(name)
    figures = []
    for run in (model, torch.compile(model)):
        model.zero_grad()
        loss = run(hidden, target).mean()
        loss.backward()
        with torch.no_grad():
            slope = model.body.weight.grad.sum()
            figures.append([loss.item(), run(hidden, target).mean().item(), slope.item()])
    torch.testing.assert_close(torch.tensor(figures[0]), torch.tensor(figures[1]))
    found[name] = figures[1]
print(json.dumps(found))
"""


def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(4)
    hidden = torch.randn(10, D, generator=generator, dtype=torch.float64)
    target = torch.randint(V, (10,), generator=generator)
    torch.save((hidden, target), tmp_path / "batch.pt")
    places = str(tmp_path / "store"), str(tmp_path)
    both = [Fork(str(rank), *places, folder=tmp_path, code=TOGETHER) for rank in range(2)]
    told = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    for name in LOSSES:
        layer, found = make(name), torch.load(tmp_path / f"{name}.pt")
        layer(hidden, target).mean().backward()
        for key, parameter in layer.named_parameters():
            if parameter.grad is None:
                assert found[key] is None or not found[key].any()
            else:
                torch.testing.assert_close(found[key], parameter.grad)


def test_the_compiler_cold_and_warm(tmp_path: Path) -> None:
    """With one loss of each family; tests/soak has them all. The model leaves nothing to a compiler
    of C++, whose ten seconds say nothing about the layers."""
    cold_and_warm(tmp_path, "softmax", "adaptive-softmax", "hsigmoid", "neg")


def cold_and_warm(tmp_path: Path, *names: str) -> None:
    """A process compiles models that end in these losses, another one finds them compiled, and both
    have the figures of the models themselves."""
    kept = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    # neither a pool of compilers nor a trial of the processor's instructions
    kept |= {"TORCHINDUCTOR_COMPILE_THREADS": "1", "TORCHINDUCTOR_VEC_ISA_OK": "1"}
    cold, warm = (
        forks.run(*names, folder=tmp_path, changes=kept, code=COMPILED, timeout=600)
        for _ in range(2)
    )
    assert (cold.returncode, warm.returncode) == (0, 0), cold.stderr + warm.stderr
    first, second = json.loads(cold.stdout), json.loads(warm.stdout)
    assert first == second and tuple(first) == names
