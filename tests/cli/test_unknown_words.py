"""Words outside the vocabulary, of a run with n-grams, with every verb that asks for vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from w2v.corpus.ngrams import Ngrams
from w2v.vectors import load_vectors

from .conftest import WORDS, Run

BUCKETS, DIM = 40, 5


@pytest.fixture
def run(tmp_path: Path) -> str:
    """A run directory as training writes it."""
    folder, rng = tmp_path / "run", np.random.default_rng(4)
    folder.mkdir()
    np.save(folder / "vectors.npy", rng.standard_normal((len(WORDS), DIM)).astype(np.float32))
    np.save(folder / "ngrams.npy", rng.standard_normal((BUCKETS, DIM)).astype(np.float32))
    lines = "".join(f"{word}\t{9 - place}\n" for place, word in enumerate(WORDS))
    (folder / "vocab.tsv").write_text(lines, encoding="utf-8")
    text = f"corpus: c.txt\nmodel: skip-gram\nsubwords: 3-4\nbuckets: {BUCKETS}\ndim: {DIM}\n"
    (folder / "config.yaml").write_text(text)
    return "run"


def made(folder: Path, word: str) -> np.ndarray:
    """The mean of its n-grams' rows."""
    _, ids = Ngrams(3, 4, BUCKETS).ids([word])
    return np.load(folder / "run/ngrams.npy")[ids].astype(np.float64).mean(axis=0)


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def test_nothing_is_read_before_it_is_asked_for(w2v: Run, run: str, tmp_path: Path) -> None:
    vectors = load_vectors(tmp_path / run)
    assert vectors.ngrams is not None and isinstance(vectors.ngrams.rows, np.memmap)
    known = w2v("nearest", run, "king", "-k", "2")
    assert (known.returncode, known.stderr) == (0, "")  # nothing to tell of known words
    facts = json.loads(w2v("info", run, "--json").stdout)
    assert facts["ngrams"] == {"shortest": 3, "longest": 4, "buckets": BUCKETS}


def test_words(w2v: Run, run: str, tmp_path: Path) -> None:
    done = w2v("vectors", run, "kings", "king", "kings", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert np.allclose(found[0]["vector"], made(tmp_path, "kings"), atol=1e-6)
    assert np.array_equal(np.float32(found[1]["vector"]), load_vectors(tmp_path / run)["king"])
    (note,) = done.stderr.splitlines()  # once
    assert note.startswith("note: ") and "kings" in note and "n-grams" in note
    done = w2v("similarity", run, "kings", "queens")
    expected = cosine(made(tmp_path, "kings"), made(tmp_path, "queens"))
    assert float(done.stdout.split("\t")[2]) == pytest.approx(expected, abs=1e-5)
    done = w2v("nearest", run, "-k", "1", "-", stdin="kings\nking\nqueens - king\n")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 3
    (note,) = done.stderr.splitlines()
    assert "2 words" in note
    assert w2v("odd-one-out", run, "kings", "queens", "paris").returncode == 0


def test_a_word_without_ngrams_is_unknown_as_ever(w2v: Run, run: str) -> None:
    done = w2v("nearest", run, "</s>")
    assert done.returncode == 2 and "not in the vocabulary" in done.stderr


def test_texts(w2v: Run, run: str, tmp_path: Path) -> None:
    done = w2v("embed", run, "--json", stdin="kings king\nking\n")
    rows = [json.loads(line)["vector"] for line in done.stdout.splitlines()]
    king = load_vectors(tmp_path / run)["king"]
    assert np.allclose(rows[0], (made(tmp_path, "kings") + king) / 2, atol=1e-6)
    assert "kings" in done.stderr and len(done.stderr.splitlines()) == 1
    assert w2v("embed", run, "--quiet", stdin="kings\n").stderr == ""


def test_similarity_sets_cover_them_unless_told_otherwise(
    w2v: Run, run: str, tmp_path: Path
) -> None:
    pairs = "king\tman\t9\nking\tqueen\t7\nkings\tman\t5\nparisian\tberliner\t2\nthe\t</s>\t1\n"
    questions = "king man queen woman\nkings man queen woman\n"
    (tmp_path / "pairs").write_text(pairs)
    (tmp_path / "questions").write_text(questions)
    done = w2v("eval", run, "pairs", "--json")
    (result,) = json.loads(done.stdout)["similarity"].values()
    assert (result["covered"], result["oov"], result["total"]) == (4, 2, 5)
    (note,) = done.stderr.splitlines()
    assert "2 of 4 pairs" in note and "--no-oov" in note
    done = w2v("eval", run, "pairs", "--json", "--no-oov")
    (result,) = json.loads(done.stdout)["similarity"].values()
    assert (result["covered"], result["oov"]) == (2, 0)
    (warning,) = done.stderr.splitlines()  # that this is less than half
    assert warning.startswith("warning: ")
    done = w2v("eval", run, "questions", "--json")
    (result,) = json.loads(done.stdout)["analogies"].values()
    assert (result["covered"], result["total"]) == (1, 2)  # the answer is one of the known words


def test_export(w2v: Run, run: str, tmp_path: Path) -> None:
    done = w2v("export", run, "-o", "v.bin", "--format", "fasttext")
    assert (done.returncode, done.stdout, done.stderr) == (0, "v.bin\n", "")
    of_run = w2v("vectors", run, *WORDS, "kings", "--json").stdout.splitlines()
    of_file = w2v("vectors", "v.bin", *WORDS, "kings", "--json").stdout.splitlines()
    for a, b in zip(of_run, of_file, strict=True):
        assert np.allclose(json.loads(a)["vector"], json.loads(b)["vector"], atol=1e-6)
    done = w2v("export", run, "-o", "v.txt")
    assert done.returncode == 0 and "n-grams" in done.stderr and len(done.stderr.splitlines()) == 1
    assert len((tmp_path / "v.txt").read_text().splitlines()) == len(WORDS) + 1
    done = w2v("export", "v.bin", "-o", "w.bin")  # without --format it is word2vec's
    assert (tmp_path / "w.bin").read_bytes().startswith(f"{len(WORDS)} {DIM}\n".encode())
    done = w2v("export", run, "-o", "v.bin.gz", "--format", "fasttext")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_models_of_fasttext(w2v: Run, tmp_path: Path) -> None:
    golden = Path(__file__).parents[1] / "golden" / "fasttext"
    done = w2v("nearest", str(golden / "skipgram.bin"), "cafés", "-k", "1")
    assert done.returncode == 0 and done.stdout.startswith("cafés\t")
    (tmp_path / "cut.bin").write_bytes((golden / "cbow.bin").read_bytes()[:-1])
    for name, said in ((str(golden / "classifier.ftz"), "quantised"), ("cut.bin", "damaged")):
        done = w2v("info", name)
        assert (done.returncode, done.stdout) == (2, "") and said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_rows_that_do_not_belong_to_the_run(w2v: Run, run: str, tmp_path: Path) -> None:
    for shape in ((BUCKETS - 1, DIM), (BUCKETS, DIM + 1)):
        np.save(tmp_path / run / "ngrams.npy", np.ones(shape, np.float32))
        done = w2v("nearest", run, "king")
        assert done.returncode == 2 and "ngrams.npy" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    config = tmp_path / run / "config.yaml"
    config.write_text(config.read_text().replace("subwords: 3-4\n", ""))
    assert "--subwords" in w2v("nearest", run, "king").stderr
    (tmp_path / run / "ngrams.npy").write_bytes(b"\x93NUMPY\x01")
    assert w2v("nearest", run, "king").returncode == 2
