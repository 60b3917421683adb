"""The whole public face in one program: it runs, and `mypy --strict` accepts it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import torch

import w2v
from w2v.compat.gensim import Word2Vec
from w2v.compat.losses import am_softmax_loss
from w2v.compat.torch import AdaptiveLogSoftmaxWithLoss
from w2v.losses import LOSSES, OutputLayer, Softmax, make_layer

LINES = ["the king of the castle sat on a throne", "a queen of the castle sat on the lawn"] * 40


def watch(event: w2v.Event) -> str | None:
    if event.kind == "epoch":
        loss: float = event["loss"]
        return "stop" if loss < 1e-3 else None
    return None


def word_vectors() -> w2v.WordVectors:
    run: w2v.Run = w2v.train(
        LINES, dim=16, min_count=1, sample=0, loss="hsigmoid", output=Path("run"), callbacks=[watch]
    )
    longer = run.resume(epochs=6, progress=False)
    assert isinstance(longer.path, Path) and longer.summary["epochs"] == 6 and longer.history
    vectors = longer.vectors
    one: np.ndarray = vectors["king"]
    many: np.ndarray = vectors[["king", "queen"]]
    assert "king" in vectors and len(vectors) == len(list(vectors)) and one.shape == many[0].shape
    best: list[tuple[str, float]] = [
        (each.word, each.similarity) for each in vectors.nearest("king - castle + lawn", k=3)
    ]
    word, cosine = vectors.analogy("king", "throne", "queen")[0]
    assert len(best) == 3 and vectors.similarity("king", word) >= -1 and cosine <= 1
    odd: str = vectors.odd_one_out(["king", "queen", "on"])
    texts: np.ndarray = vectors.encode([odd, "the queen"], pooling="sif")
    tensor: torch.Tensor = vectors.to_torch()
    assert texts.shape[1] == tensor.shape[1]
    for name, result in vectors.evaluate().items():
        assert name and result is not None
    for suffix in (".txt", ".bin", ".npy"):
        vectors.save(f"saved{suffix}")
        loaded = w2v.load(f"saved{suffix}")
        assert isinstance(loaded, w2v.WordVectors) and loaded.words == vectors.words
    return vectors


def language_model() -> None:
    run = w2v.train(LINES, model="lm", dim=8, layers=1, epochs=2, batch_size=4, threads=1)
    model: w2v.LanguageModel = run.model
    text: str = model.generate("the king", words=5, temperature=0.8)
    several: list[str] = model.generate("the king", words=5, n=2)
    perplexity: float = model.perplexity(LINES).perplexity
    log_prob: float = model.score(LINES[:2])[0].log_prob
    assert text in (text, *several) and perplexity > 1 > log_prob


def losses() -> None:
    hidden, target = torch.randn(4, 8), torch.tensor([0, 1, 2, 3])
    counts = [50, 40, 30, 20, 10, 9, 8, 7, 6, 5]
    layer: OutputLayer = Softmax(8, counts)
    made: OutputLayer = make_layer("hsigmoid", 8, counts)
    total: torch.Tensor = layer(hidden, target).sum() + made.nll(hidden, target).sum()
    total.backward()  # type: ignore[no-untyped-call]  # PyTorch's own
    print(sorted(LOSSES)[0], AdaptiveLogSoftmaxWithLoss(8, 10, [5])(hidden, target).loss.item())
    assert am_softmax_loss(hidden, torch.randn(10, 8), target).ndim == 0


def errors() -> None:
    try:
        w2v.train("nowhere.txt")
    except w2v.InputError as error:
        assert isinstance(error, ValueError)
    try:
        w2v.load("nowhere")
    except (w2v.InputError, w2v.RunError) as error:
        assert str(error)


def mistakes() -> None:
    """Not called: a type checker finds them."""
    w2v.train(LINES, dims=100)  # type: ignore[call-arg]
    w2v.train(LINES, dim="100")  # type: ignore[arg-type]
    w2v.train(LINES, callbacks=[len])  # type: ignore[list-item]
    w2v.load("vectors.bin").nearest("king")  # type: ignore[union-attr]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        losses()
        word_vectors()
        language_model()
        errors()
        Path("lines.txt").write_text("\n".join(LINES))
        table = w2v.compare(
            "lines.txt", ["neg", "hsigmoid"], dim=8, min_count=1, epochs=1, sample=0
        )
        assert [row.status for row in table.results] == ["done", "done"]
        model = Word2Vec([line.split() for line in LINES], vector_size=8, min_count=1, epochs=1)
        assert len(model.wv) and model.wv.most_similar("king", topn=2)
        os.chdir("/")
