"""`make bench`: whole-process time and memory of w2v and of gensim on one corpus, one after the other, same settings.

    python tests/bench/compare.py CORPUS [--epochs 5] [--threads 2] [--losses neg hsigmoid]

Start to vectors on disk, skip-gram, dim 100, window 5, sample 1e-3, min-count 5. gensim reads plain text only
(`corpus_file`), so a compressed corpus is unpacked first, outside the measurement. The first run of w2v compiles its
kernels; it is repeated, and the second time counts as warm.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GENSIM = """
import sys
from gensim.models import Word2Vec
corpus, output, epochs, threads, loss = sys.argv[1:]
model = Word2Vec(corpus_file=corpus, vector_size=100, window=5, min_count=5, sample=1e-3, sg=1,
                 negative=5 * (loss == "neg"), hs=int(loss == "hsigmoid"), epochs=int(epochs), workers=int(threads),
                 seed=1)
model.wv.save_word2vec_format(output, binary=True)
"""


def measure(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Wall-clock seconds and peak memory in MB of a process, which must succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ... failed with exit code {process.returncode}")
    return seconds, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def unpacked(corpus: Path, folder: Path) -> Path:
    """The corpus as plain text."""
    from w2v.corpus.sources import resolve_sources
    from w2v.corpus.streams import read_pieces

    (source,), _ = resolve_sources([str(corpus)])
    plain = folder / "corpus.txt"
    with open(plain, "wb") as file:
        for piece in read_pieces(source, 1 << 22, lambda size: None):
            file.write(piece)
    return plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--losses", nargs="+", choices=("neg", "hsigmoid"), default=["neg"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = unpacked(given.corpus, folder)
        print(f"{'system':<28}{'loss':<10}{'seconds':>9}{'MB':>7}{'faster':>9}")
        for loss in given.losses:
            output = str(folder / "vectors.bin")
            gensim = [sys.executable, "-c", GENSIM, str(plain), output, str(given.epochs), str(given.threads), loss]
            w2v = [sys.executable, "-m", "w2v", "train", str(plain), "--output", output, "--overwrite", "--quiet"]
            w2v += ["--no-cache", "--loss", loss, "--epochs", str(given.epochs), "--threads", str(given.threads)]
            kernels = {"NUMBA_CACHE_DIR": str(folder / f"kernels-{loss}")}
            base = measure(gensim)
            runs = [
                ("gensim", base),
                ("w2v, kernels compiled anew", measure(w2v, kernels)),
                ("w2v", measure(w2v, kernels)),
            ]
            for system, (seconds, memory) in runs:
                print(f"{system:<28}{loss:<10}{seconds:>9.1f}{memory:>7.0f}{base[0] / seconds:>8.1f}x", flush=True)


if __name__ == "__main__":
    main()
