"""w2v: word vectors and small language models with a selectable output layer."""

__version__ = "0.1.0"
