"""Trains fastText without subwords from a text file and writes word2vec's binary format.

    python fasttext_train.py '{"corpus": "corpus.txt", "output": "vectors.bin", "dim": 100, ...}'

fastText prints its progress itself. Its own `sample` and `loss` bear other names.
"""

import json
import sys

import fasttext
import numpy as np


def main() -> None:
    given = json.loads(sys.argv[1])
    model = fasttext.train_unsupervised(
        given["corpus"],
        model={"skip-gram": "skipgram", "cbow": "cbow"}[given["model"]],
        dim=given["dim"],
        ws=given["window"],
        epoch=given["epochs"],
        minCount=given["min_count"],
        minn=0,
        maxn=0,
        bucket=0,
        neg=given["negatives"],
        loss="hs" if given["hs"] else "ns",
        t=given["sample"],
        thread=given["threads"],
        lr=given["lr"],
        verbose=2,
    )
    words = model.get_words(on_unicode_error="replace")
    rows = np.asarray(model.get_input_matrix(), np.float32)[: len(words)]
    with open(given["output"], "wb") as file:
        file.write(f"{len(words)} {given['dim']}\n".encode())
        for word, row in zip(words, rows):  # noqa: B905 - the peer's Python may be older than 3.10
            file.write(word.encode() + b" " + row.tobytes() + b"\n")


if __name__ == "__main__":
    main()
