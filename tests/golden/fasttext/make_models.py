"""Makes small models with fastText itself, and vectors.npz: python make_models.py; needs pip
install fasttext.

vectors.npz has for each model the words that were asked for, one a line, UTF-8, and their vectors,
NAME.words and NAME.vectors [N, D]; the words of the vocabulary come first.
"""

import random
from pathlib import Path

import fasttext
import numpy as np
from make_ngrams import made_up

HERE = Path(__file__).parent
SMALL = {"dim": 4, "bucket": 100, "minCount": 1, "epoch": 20, "verbose": 0}
SMALL["thread"] = 12  # with 10 or fewer fastText leaves a part of its matrix as the memory was
MODELS = {
    "skipgram": {"model": "skipgram", "minn": 3, "maxn": 6, "ws": 3, "neg": 4, "t": 0.1},
    "cbow": {"model": "cbow", "minn": 1, "maxn": 2, "loss": "hs"},
    "plain": {"model": "skipgram", "minn": 0, "maxn": 0, "bucket": 0},
}
CLASSIFIER = {"minn": 2, "maxn": 3, "wordNgrams": 2, "bucket": 300}


def main() -> None:
    chance, asked = random.Random(5), {}
    words = [made_up(chance) for _ in range(40)] + ["the", "naïve", "x>y", "<", "a", "café"]
    lines = [" ".join(chance.choices(words, k=8)) for _ in range(150)]
    unknown = [made_up(chance) for _ in range(150)] + ["thee", "cafés", "z", "日", "<>", "</s"]
    labelled = [f"__label__{number % 3} {line}" for number, line in enumerate(lines)]
    for name, text in (("text", lines), ("labelled", labelled)):
        (HERE / name).write_text("\n".join(text) + "\n", encoding="utf-8")
    models = {
        name: fasttext.train_unsupervised(str(HERE / "text"), **{**SMALL, **settings})
        for name, settings in MODELS.items()
    }
    models["classifier"] = fasttext.train_supervised(
        str(HERE / "labelled"), **{**SMALL, **CLASSIFIER}
    )
    for name, model in models.items():
        known = [word for word in model.words if not word.startswith("__label__")]
        chosen = known + ([] if name == "plain" else [w for w in unknown if w not in known])
        asked[f"{name}.words"] = np.frombuffer("\n".join(chosen).encode(), np.uint8)
        asked[f"{name}.vectors"] = np.array([model.get_word_vector(word) for word in chosen])
        model.save_model(str(HERE / f"{name}.bin"))
    models["classifier"].quantize(str(HERE / "labelled"))
    models["classifier"].save_model(str(HERE / "classifier.ftz"))
    np.savez_compressed(HERE / "vectors.npz", **asked)
    for name in ("text", "labelled"):
        (HERE / name).unlink()


if __name__ == "__main__":
    main()
