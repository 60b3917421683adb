"""The README's table of what `make gpu` has measured; "not measured" where it has not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from w2v.cli.output import human_count

NONE = "not measured"
ROWS = (  # heading, (what stands before it, name of the figure)
    ("kernel, skip-gram `neg`, dim 100", (("", "kernel: neg skip-gram, dim 100"),)),
    ("… dim 300", (("", "kernel: neg skip-gram, dim 300"),)),
    ("kernel, skip-gram `hsigmoid`, dim 100", (("", "kernel: hsigmoid skip-gram, dim 100"),)),
    (
        "five epochs, end to end",
        (
            ("", "five epochs: GPU, dim 100"),
            ("CPU", "five epochs: CPU, dim 100"),
            ("autograd", "five epochs: autograd on the GPU, dim 100"),
        ),
    ),
    (
        "loss of one epoch",
        (("", "an epoch: GPU"), ("CPU", "an epoch: CPU"), ("undamped", "an epoch: GPU, undamped")),
    ),
    (
        "LM layer, V = 250 k, `softmax`",
        (("", "layer: softmax"), ("PyTorch's", "layer: linear_cross_entropy of PyTorch")),
    ),
    ("… `adaptive-softmax`", (("", "layer: adaptive-softmax"),)),
    ("… `sampled-softmax`, 1024", (("", "layer: sampled-softmax"),)),
)


def table(results: Mapping[str, Any] | None) -> str:
    """Markdown; without results the table that says so."""
    figures = {each["name"]: each for each in (results or {}).get("figures", [])}
    gpu = (results or {}).get("machine", {}).get("gpu", "GPU")
    lines = [f"| {gpu} | |", "|---|---:|"]
    for heading, wanted in ROWS:
        parts = [
            f"{before} {_figure(figures[name])}".strip()
            for before, name in wanted
            if "value" in figures.get(name, {})
        ]
        others = f" ({'; '.join(parts[1:])})" if parts[1:] else ""
        lines.append(f"| {heading} | {parts[0] if parts else NONE}{others} |")
    return "\n".join(lines) + "\n"


def _figure(figure: Mapping[str, Any]) -> str:
    """310 M words/s; 0.57 M tokens/s, 1.2 GB; 2.412 nats, analogies 14.1 %."""
    if figure["unit"] == "nats":
        scores = [
            f"{name} {100 * score:.1f} %" for name, score in figure["scores"].items() if score
        ]
        return ", ".join([f"{figure['value']:.3f} nats", *scores[:1]])
    found = f"{human_count(figure['value'])} {figure['unit']}"
    if figure.get("peak_bytes"):
        found += f", {figure['peak_bytes'] / 1e9:.1f} GB"
    return found
