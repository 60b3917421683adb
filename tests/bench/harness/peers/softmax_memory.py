"""Prints by how many bytes the peak memory grows while the full softmax does forward and backward,
as JSON.

    python softmax_memory.py '{"n": 4096, "dim": 256, "vocabulary": 250000, "threads": 2}'

Growth is measured from what hidden, weight and labels take once they are there, so it includes the
gradients. Linux.
"""

import json
import re
import sys
from pathlib import Path

import torch

from w2v.losses.layers import make_layer


def resident(which: str) -> int:
    """Bytes of this process's memory: VmRSS now, VmHWM the peak since the program began."""
    found = re.search(rf"^{which}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status has no {which}")
    return int(found[1]) * 1024


def main() -> None:
    case = json.loads(sys.argv[1])
    torch.set_num_threads(case["threads"])
    torch.manual_seed(1)
    # a small one first: code and thread pools are loaded
    for n, dim, vocabulary in ((8, 8, 64), (case["n"], case["dim"], case["vocabulary"])):
        hidden = torch.empty(n, dim).uniform_(-0.5, 0.5).requires_grad_()
        weight = torch.nn.Parameter(torch.empty(vocabulary, dim).uniform_(-0.1, 0.1))
        labels = torch.arange(n) % vocabulary
        layer = make_layer("softmax", dim, torch.ones(vocabulary, dtype=torch.long), weight=weight)
        before = resident("VmRSS")
        layer(hidden, labels).mean().backward()
    print(json.dumps({"growth": max(0, resident("VmHWM") - before), "logits": 4 * n * vocabulary}))


if __name__ == "__main__":
    main()
