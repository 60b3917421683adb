"""Vectors as a folder that sentence-transformers and model2vec open, and that the Hugging Face hub
shows: a text's vector is the mean of those of its words.

    model.safetensors    `embeddings` [V + 1, D]; the last row, zeros, is that of unknown words
    tokenizer.json       splits at whitespace, in lower case if the corpus was read so
    config.json, modules.json, config_sentence_transformers.json
    README.md            the model card

Unknown words count in the mean's length, not in its direction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from w2v.errors import InputError
from w2v.system.files import atomic_directory
from w2v.vectors.precision import reduced

UNKNOWN = "[UNK]"
MODULES = [
    {"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}
]


def write_hub(
    folder: Path,
    words: Sequence[str],
    matrix: np.ndarray,
    card: str,
    *,
    lowercase: bool = False,
    dtype: str = "float32",
) -> None:
    """Writes the folder, which must not exist; `card` is the text of its README.md. Raises
    InputError if a word is split at whitespace, as the readers would split it."""
    if split := next((word for word in words if word.split() != [word]), None):
        raise InputError(
            f"the word {split!r} holds whitespace, at which texts are split; remove it"
        )
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
        "tokenizer.json": _tokenizer(words, lowercase),
        "config.json": config,
        "modules.json": MODULES,
        "config_sentence_transformers.json": {"similarity_fn_name": "cosine"},
    }
    with atomic_directory(folder) as place:
        save_file({"embeddings": embeddings}, place / "model.safetensors", {"format": "pt"})
        for name, content in files.items():
            (place / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        (place / "README.md").write_text(card, encoding="utf-8")


def _tokenizer(words: Sequence[str], lowercase: bool) -> dict[str, Any]:
    """Returns what tokenizer.json says."""
    unknown = UNKNOWN
    known = set(words)
    while unknown in known:
        unknown = f"[{unknown}]"
    vocabulary = {word: number for number, word in enumerate([*words, unknown])}
    special = {
        "id": len(words),
        "content": unknown,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [special],
        "normalizer": {"type": "Lowercase"} if lowercase else None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": unknown},
    }


def model_card(
    name: str, size: tuple[int, int], settings: Mapping[str, Any], scores: Sequence[tuple[str, str]]
) -> str:
    """Returns the text of a model card: vocabulary and dimensions, settings, scores (what was
    asked, the result), and how each library opens the folder."""
    settings_rows = "\n".join(f"| `{key}` | {value} |" for key, value in settings.items())
    score_rows = "\n".join(f"| {asked} | {result} |" for asked, result in scores)
    parts = [
        "---\nlibrary_name: model2vec\ntags: [sentence-transformers, word2vec, static-embeddings]\n---",
        f"# {name}",
        f"Word vectors: {size[0]:,} words, {size[1]} dimensions, trained with w2v.",
        "```python\nfrom sentence_transformers import SentenceTransformer\n\n"
        'SentenceTransformer("PATH").encode(["a text"])\n```',
        '```python\nfrom model2vec import StaticModel\n\nStaticModel.from_pretrained("PATH")'
        '.encode(["a text"])\n```',
    ]
    if score_rows:
        parts.append(f"## Scores\n\n| set | result |\n|---|---|\n{score_rows}")
    if settings_rows:
        parts.append(f"## Settings\n\n| setting | value |\n|---|---|\n{settings_rows}")
    return "\n\n".join(parts) + "\n"
