"""Word vectors in memory and on disk: word2vec text and binary, GloVe text, .npy, run directories.

vectors = load_vectors("wiki-skip-gram-neg")       # or vectors.bin, glove.txt.gz, …
vectors.index("paris"), vectors.matrix[3]
save_vectors("wiki.bin", vectors.words, vectors.matrix)
"""

from w2v.vectors.loading import load_vectors
from w2v.vectors.saving import FORMATS, check_format, save_vectors, write_vectors
from w2v.vectors.word_vectors import WordVectors

__all__ = [
    "FORMATS",
    "WordVectors",
    "check_format",
    "load_vectors",
    "save_vectors",
    "write_vectors",
]
