"""Folders with the tokens of a tokenizer.json, opened by sentence-transformers and model2vec."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vectors.tokens import LINES, MODELS, token_run
from w2v.vectors import load_vectors

pytestmark = pytest.mark.ecosystem


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("library", ["sentence_transformers", "model2vec"])
def test_texts_point_the_same_way(tmp_path, monkeypatch, kind, library):
    module = pytest.importorskip(library)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    run = load_vectors(token_run(tmp_path, kind))
    run.save(tmp_path / "hub", "sentence-transformers")
    if library == "model2vec":
        model = module.StaticModel.from_pretrained(str(tmp_path / "hub"))
    else:
        model = module.SentenceTransformer(str(tmp_path / "hub"), device="cpu")
    for ours, theirs in zip(run.encode(LINES), model.encode(LINES), strict=True):
        cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
        assert cosine == pytest.approx(1, abs=1e-5)
