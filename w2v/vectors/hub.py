"""Vectors as a folder that sentence-transformers and model2vec open, and that the Hugging Face hub
shows: a text's vector is the mean of those of its words.

    model.safetensors    `embeddings` [V + 1, D]; the last row, zeros, is that of unknown words
    tokenizer.json       finds the words of a text as the corpus was read
    config.json, modules.json, config_sentence_transformers.json
    README.md            the model card

To sentence-transformers unknown words count in the mean's length, not in its direction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from w2v.errors import InputError
from w2v.system.json import read_object
from w2v.vectors.content import MANY_WORD_BYTES, MEAN_WORD_BYTES, Part, VectorStream
from w2v.vectors.precision import reduced, restored
from w2v.vectors.tensors import blocks, opened, rows_of

MATRIX, TOKENIZER, TENSOR = "model.safetensors", "tokenizer.json", "embeddings"
UNKNOWN = "[UNK]"
MODULES = [
    {"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}
]
FILES = (
    *(MATRIX, TOKENIZER, "config.json", "modules.json", "config_sentence_transformers.json"),
    "README.md",
)
WORD_BOUNDARIES = r"(?y{w})\X"  # one segment of UAX #29, to the library of tokenizers


class Card(NamedTuple):
    """What is known of vectors beside them: the text of a model card, and how the words of their
    corpus were found."""

    text: str
    lowercase: bool = False
    tokenizer: str = "whitespace"


def write_hub(
    folder: Path, words: Sequence[str], matrix: np.ndarray, dtype: str, card: Card
) -> None:
    """Writes the files into a folder; no word may hold whitespace."""
    from safetensors.numpy import save_file

    rows, _ = reduced(np.asarray(matrix), dtype)
    embeddings = np.concatenate([rows, np.zeros((1, rows.shape[1]), rows.dtype)])
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "normalize": False,
        "embedding_dtype": dtype,
    }
    files: dict[str, Any] = {
        TOKENIZER: _tokenizer(words, card),
        "config.json": config,
        "modules.json": MODULES,
        "config_sentence_transformers.json": {"similarity_fn_name": "cosine"},
    }
    save_file({TENSOR: embeddings}, folder / MATRIX, {"format": "pt"})
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    (folder / "README.md").write_text(card.text, encoding="utf-8", errors="replace")


def _tokenizer(words: Sequence[str], card: Card) -> dict[str, Any]:
    """Returns what tokenizer.json says."""
    unknown, known = UNKNOWN, set(words)
    while unknown in known:
        unknown = f"[{unknown}]"
    if card.tokenizer not in ("whitespace", "words"):
        problem = f"the words are those of {card.tokenizer}, which such a folder cannot hold"
        raise InputError(f"{problem}: write a .parquet or .safetensors file")
    splits: list[dict[str, Any]] = [{"type": "WhitespaceSplit"}]
    if card.tokenizer == "words":
        pattern = {"Regex": WORD_BOUNDARIES}
        split = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
        splits.append(split)
    vocabulary = {word: number for number, word in enumerate([*words, unknown])}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"} if card.lowercase else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": splits},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": unknown},
    }


def is_hub(folder: Path) -> bool:
    """Whether it is such a folder, and not a run's, whose settings stand in YAML."""
    return all((folder / name).is_file() for name in (MATRIX, TOKENIZER, "config.json"))


def read_hub(folder: Path, stream: VectorStream) -> Iterator[Part]:
    """Yields the content of such a folder, whose matrix the stream reads. Raises InputError if it
    holds another model."""
    with opened(folder / MATRIX, stream) as file:
        if TENSOR not in file.keys():  # noqa: SIM118 (no mapping)
            have = ", ".join(sorted(file.keys())[:5])
            raise InputError(
                f"{stream.name} has no tensor `{TENSOR}`, but {have:.200}: it is another model"
            )
        n_rows = rows_of(file, TENSOR, stream)
        words = _words(folder / TOKENIZER, n_rows)
        for part, rows in blocks(file, TENSOR, n_rows):
            kept = [place for place, word in enumerate(words[part]) if word is not None]
            raw = [word for word in words[part] if word is not None]
            rows = rows if len(kept) == len(rows) else rows[kept]
            yield Part(raw, restored(rows, None), None)


def _words(path: Path, n_rows: int) -> list[bytes | None]:
    """Returns the word of each row, None for that of unknown words and those that have none."""
    try:
        limit = MANY_WORD_BYTES // 4 + MEAN_WORD_BYTES * n_rows
        model = read_object(path, limit).get("model")
        model = model if isinstance(model, dict) else {}
        vocabulary = model.get("vocab")
        if not isinstance(vocabulary, dict) or model.get("type", "WordLevel") != "WordLevel":
            raise ValueError("its tokens are parts of words, or none")
        words: list[bytes | None] = [None] * n_rows
        for word, row in vocabulary.items():
            if type(row) is not int or not 0 <= row < n_rows or words[row] is not None:
                raise ValueError("its numbers are not those of rows")
            words[row] = word.encode("utf-8", "surrogatepass")
        unknown = vocabulary.get(model.get("unk_token"))
        if unknown is not None:
            words[unknown] = None
        return words
    except (OSError, ValueError, TypeError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)[:200]
        raise InputError(f"{path} has no words for the rows beside it: {problem}") from None
