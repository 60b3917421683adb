"""Word vectors in memory and on disk: word2vec text and binary, GloVe text, .npy, run directories,
tables, tensors, and folders for other libraries.

vectors = load_vectors("wiki-skip-gram-neg")       # or vectors.bin, glove.txt.gz, …
vectors.index("paris"), vectors.matrix[3]
save_vectors("wiki.bin", vectors.words, vectors.matrix)
"""

from w2v.vectors.hub import is_hub
from w2v.vectors.loading import load_vectors
from w2v.vectors.precision import DTYPES
from w2v.vectors.saving import (
    FOLDERS,
    FORMATS,
    KINDS,
    check_format,
    check_output,
    check_words,
    file_suffix,
    named_format,
    save_vectors,
    write_vectors,
)
from w2v.vectors.word_vectors import WordVectors

__all__ = [
    "DTYPES",
    "FOLDERS",
    "FORMATS",
    "KINDS",
    "WordVectors",
    "check_format",
    "check_output",
    "check_words",
    "file_suffix",
    "is_hub",
    "load_vectors",
    "named_format",
    "save_vectors",
    "write_vectors",
]
