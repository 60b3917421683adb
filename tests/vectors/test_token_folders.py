"""Folders for sentence-transformers of runs whose words are the tokens of a tokenizer.json: they
hold that tokenizer, and a text has the same vector everywhere."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from w2v.errors import InputError
from w2v.vectors import load_vectors

tokenizers = pytest.importorskip("tokenizers")
from tests.vectors.tokens import LINES, MODELS, token_run  # noqa: E402

TEXTS = [*LINES, "The KINGS, zzz", "日本"]
FORMAT = "sentence-transformers"


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("lowercase", [False, True])
def test_a_text_has_the_same_vector(tmp_path, kind, lowercase):
    run = load_vectors(token_run(tmp_path, kind, lowercase))
    run.save(tmp_path / "hub", FORMAT)
    matrix = load_file(tmp_path / "hub/model.safetensors")["embeddings"]
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "hub/tokenizer.json"))
    assert tokenizer.get_vocab_size() == len(matrix)
    for word in run.words:
        assert np.array_equal(matrix[tokenizer.token_to_id(word)], run[word])
    (tmp_path / "tokens.json").unlink()  # the folder needs no other file
    found = load_vectors(tmp_path / "hub")
    assert set(found.words) == set(run.words)
    (tmp_path / "again").mkdir()
    found.save(tmp_path / "again/hub", FORMAT)
    again = load_vectors(tmp_path / "again/hub")
    with pytest.warns(UserWarning, match="are zeros"):
        rows = found.encode(TEXTS)
    for text, row in zip(TEXTS, rows, strict=True):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        known = [each for each in matrix[ids] if each.any()]
        mean = np.mean(known, axis=0) if known else np.zeros(5)
        assert np.allclose(row, mean, atol=1e-6)
    assert np.array_equal(again.encode(LINES), rows[: len(LINES)])


def test_another_file_in_its_place(tmp_path):
    run = load_vectors(token_run(tmp_path, "BPE"))
    (tmp_path / "other").mkdir()
    token_run(tmp_path / "other", "WordLevel")
    shutil.copy(tmp_path / "other/tokens.json", tmp_path / "tokens.json")
    with pytest.raises(InputError, match=r"tokens\.json has no token"):
        run.save(tmp_path / "hub", FORMAT)
    assert not (tmp_path / "hub").exists()
