"""Runs whose words are the tokens of a tokenizer.json, without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

LINES = ["the king rules the country", "the queen sings in the morning", "[MASK] a song of it"]
MODELS = {
    "BPE": (models.BPE(unk_token="[UNK]"), trainers.BpeTrainer),
    "WordPiece": (models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer),
    "WordLevel": (models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer),
    "Unigram": (models.Unigram(), trainers.UnigramTrainer),
}


def token_run(folder: Path, kind: str, lowercase: bool = False) -> Path:
    """A run with the vectors of every second token, in an order of its own; one of them is no token
    of the model, but an added one."""
    model, trainer = MODELS[kind]
    unknown = {"unk_token": "[UNK]"} if kind == "Unigram" else {}
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trained = trainer(vocab_size=60, special_tokens=["[UNK]", "[PAD]"], **unknown)
    tokenizer.train_from_iterator(LINES, trained)
    tokenizer.add_special_tokens(["[MASK]", "[X]"])
    tokenizer.save(str(folder / "tokens.json"))
    random = np.random.default_rng(3)
    words = sorted(set(tokenizer.get_vocab()) - {"[UNK]", "[PAD]", "[X]", "[MASK]"})
    words = ["[MASK]", *random.permutation(words)[: len(words) // 2]]
    run = folder / "run"
    run.mkdir()
    np.save(run / "vectors.npy", random.standard_normal((len(words), 5)).astype(np.float32))
    lines = [f"{word}\t{99 - place}\n" for place, word in enumerate(words)]
    (run / "vocab.tsv").write_text("".join(lines))
    settings = f"corpus: c.txt\nmodel: skip-gram\nlowercase: {str(lowercase).lower()}\n"
    (run / "config.yaml").write_text(f"{settings}tokenizer: {folder / 'tokens.json'}\n")
    return run
