"""Trains gensim's Word2Vec from a text file and writes word2vec's binary format.

    python gensim_train.py '{"corpus": "corpus.txt", "output": "vectors.bin", "dim": 100, ...}'

Prints the seconds between gensim's own callbacks at the beginning and the end of training: it reads
the text once before, to count words, and again in every epoch.
"""

import json
import sys
import time
from typing import Any

from gensim.models import Word2Vec
from gensim.models.callbacks import CallbackAny2Vec


class Clock(CallbackAny2Vec):
    """The time that training takes."""

    def __init__(self) -> None:
        self.start = self.seconds = 0.0

    def on_train_begin(self, model: Any) -> None:
        self.start = time.perf_counter()

    def on_train_end(self, model: Any) -> None:
        self.seconds = time.perf_counter() - self.start


def main() -> None:
    given = json.loads(sys.argv[1])
    clock = Clock()
    model = Word2Vec(
        corpus_file=given["corpus"],
        vector_size=given["dim"],
        window=given["window"],
        min_count=given["min_count"],
        sample=given["sample"],
        sg=int(given["model"] == "skip-gram"),
        negative=given["negatives"],
        hs=given["hs"],
        alpha=given["lr"],
        epochs=given["epochs"],
        workers=given["threads"],
        seed=given["seed"],
        callbacks=[clock],
    )
    model.wv.save_word2vec_format(given["output"], binary=True)
    print(f"training seconds: {clock.seconds:.6f}")


if __name__ == "__main__":
    main()
