"""What w2v writes, opened by the tools that it is for; each is skipped where it is not installed.
`make test-ecosystem` installs them all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from w2v.vectors import WordVectors, load_vectors

pytestmark = pytest.mark.ecosystem

WORDS = ["the", "naïve", "日本", "don't", "#1", "köln", "a|b", "queen"]
MATRIX = np.random.default_rng(5).standard_normal((8, 6)).astype(np.float32)
COUNTS = np.arange(80, 0, -10)
TABLES = ["parquet", "arrow"]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks a hub."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")


@pytest.fixture
def vectors() -> WordVectors:
    return WordVectors(WORDS, MATRIX, COUNTS)


def saved(vectors: WordVectors, folder: Path, name: str, *options: str) -> str:
    vectors.save(folder / name, *options)
    return str(folder / name)


# --------------------------------------------------------------------------------------------------
# Tables


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_duckdb(vectors: WordVectors, tmp_path: Path, dtype: str) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = saved(vectors, tmp_path, "v.parquet", None, dtype)
    kept = load_vectors(path).matrix
    scale = "scale" if dtype == "int8" else "1"
    numbers = f"list_transform(vector, lambda x: x::float * {scale})"
    query = f"select word, count, {numbers} from '{path}'"
    words, counts, rows = zip(*duckdb.sql(query).fetchall(), strict=True)
    assert list(words) == WORDS and list(counts) == COUNTS.tolist()
    assert np.array_equal(np.array(rows, np.float32), kept)
    if dtype == "float32":
        query = f"""select b.word from '{path}' a, '{path}' b where a.word = 'queen' and a != b
            order by list_cosine_similarity(a.vector, b.vector) desc limit 3"""
        nearest = [word for (word,) in duckdb.sql(query).fetchall()]
        assert nearest == [each.word for each in vectors.nearest("queen", 3)]


@pytest.mark.parametrize("kind", TABLES)
def test_polars(vectors: WordVectors, tmp_path: Path, kind: str) -> None:
    polars = pytest.importorskip("polars")
    path = saved(vectors, tmp_path, f"v.{kind}")
    frame = polars.read_parquet(path) if kind == "parquet" else polars.read_ipc(path)
    assert frame["word"].to_list() == WORDS and frame["count"].to_list() == COUNTS.tolist()
    assert np.array_equal(np.array(frame["vector"].to_list(), np.float32), MATRIX)
    again = tmp_path / f"again.{kind}"
    for form in (frame, frame.with_columns(polars.col("vector").arr.to_list())):
        for codec in ("zstd", "lz4", "uncompressed"):
            write = form.write_parquet if kind == "parquet" else form.write_ipc
            write(again, compression=codec)
            back = load_vectors(again)
            assert back.words == WORDS and back.counts.tolist() == COUNTS.tolist()
            assert np.array_equal(back.matrix, MATRIX)


@pytest.mark.parametrize("kind", TABLES)
def test_pandas(vectors: WordVectors, tmp_path: Path, kind: str) -> None:
    pandas = pytest.importorskip("pandas")
    path = saved(vectors, tmp_path, f"v.{kind}")
    frame = pandas.read_parquet(path) if kind == "parquet" else pandas.read_feather(path)
    assert list(frame["word"]) == WORDS and list(frame["count"]) == COUNTS.tolist()
    assert np.array_equal(np.stack(frame["vector"]), MATRIX)
    again = tmp_path / f"again.{kind}"
    wide = vectors.to_pandas()
    wide.columns = wide.columns.astype(str)
    wide = wide.reset_index(names="word")
    for form in (frame, wide):
        (form.to_parquet if kind == "parquet" else form.to_feather)(again)
        back = load_vectors(again)
        assert back.words == WORDS and np.array_equal(back.matrix, MATRIX)


@pytest.mark.parametrize("kind", TABLES)
def test_datasets(vectors: WordVectors, tmp_path: Path, kind: str) -> None:
    datasets = pytest.importorskip("datasets")
    path = saved(vectors, tmp_path, f"v.{kind}")
    found = datasets.load_dataset(
        kind, data_files=path, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert found["word"][:] == WORDS
    assert np.array_equal(np.array(found["vector"][:], np.float32), MATRIX)
    found.save_to_disk(tmp_path / "disk")
    (file,) = (tmp_path / "disk").glob("*.arrow")
    back = load_vectors(file)
    assert back.words == WORDS and np.array_equal(back.matrix, MATRIX)


def test_safetensors(vectors: WordVectors, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    tensors = load_file(saved(vectors, tmp_path, "v.safetensors"))
    assert np.array_equal(tensors["vectors"].numpy(), MATRIX)
    assert bytes(tensors["words"].tolist()).decode().split("\n")[:-1] == WORDS
    assert tensors["counts"].tolist() == COUNTS.tolist()


# --------------------------------------------------------------------------------------------------
# Libraries of word vectors


@pytest.mark.parametrize("name", ["v.txt", "v.txt.gz", "v.txt.bz2", "v.bin", "v.bin.gz"])
def test_gensim(vectors: WordVectors, tmp_path: Path, name: str) -> None:
    models = pytest.importorskip("gensim.models")
    path = saved(vectors, tmp_path, name)
    found = models.KeyedVectors.load_word2vec_format(path, binary=".bin" in name)
    assert found.index_to_key == WORDS and np.array_equal(found.vectors, MATRIX)
    found.save_word2vec_format(path, binary=".bin" in name)
    back = load_vectors(path)
    assert back.words == WORDS and np.array_equal(back.matrix, MATRIX)


def test_gensim_in_memory(vectors: WordVectors) -> None:
    pytest.importorskip("gensim")
    found = vectors.to_gensim()
    assert found.index_to_key == WORDS and np.array_equal(found.vectors, MATRIX)
    assert found.get_vecattr("queen", "count") == 10
    nearest = [word for word, _ in found.most_similar("queen", topn=3)]
    assert nearest == [each.word for each in vectors.nearest("queen", 3)]


def test_spacy(vectors: WordVectors, tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    path = saved(vectors, tmp_path, "v.txt.gz")
    command = [sys.executable, "-m", "spacy", "init", "vectors", "de", path, str(tmp_path / "nlp")]
    subprocess.run(command, check=True, env=dict(os.environ))
    nlp = spacy.load(tmp_path / "nlp")
    for word, row in zip(WORDS, MATRIX, strict=True):
        assert np.array_equal(nlp.vocab[word].vector, row)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_model2vec(vectors: WordVectors, tmp_path: Path, dtype: str) -> None:
    model2vec = pytest.importorskip("model2vec")
    path = saved(vectors, tmp_path, "hub", "sentence-transformers", dtype)
    model = model2vec.StaticModel.from_pretrained(path)
    means(model.encode, vectors, dtype)
    assert model.embedding.dtype == dtype
    model.save_pretrained(tmp_path / "again")
    back = load_vectors(tmp_path / "again")
    assert back.words == WORDS and np.array_equal(back.matrix, load_vectors(path).matrix)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_sentence_transformers(vectors: WordVectors, tmp_path: Path, dtype: str) -> None:
    library = pytest.importorskip("sentence_transformers")
    path = saved(vectors, tmp_path, "hub", "sentence-transformers", dtype)
    model = library.SentenceTransformer(path, device="cpu")
    assert model.encode("the").shape == (6,)
    means(model.encode, vectors, dtype)
    found = model.similarity(model.encode(["queen"]), model.encode(WORDS)).numpy()[0]
    assert abs(found[4] - vectors.similarity("queen", "#1")) < 1e-2


def means(encode, vectors: WordVectors, dtype: str) -> None:
    """A text's vector has the direction of the mean of its words', known ones."""
    texts = ["queen", "the queen", "  köln\ta|b unheard\n日本 ", "don't don't queen"]
    found = np.asarray(encode(texts), np.float64)
    wanted = vectors.encode(texts).astype(np.float64)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    cosines = (found * wanted).sum(axis=1) / lengths
    assert (cosines > 1 - (1e-6 if dtype == "float32" else 1e-4)).all()
    assert np.allclose(found[:2], wanted[:2], atol=1e-6 if dtype == "float32" else 2e-3)
    assert not np.asarray(encode(["unheard of"])).any()


@pytest.mark.parametrize("library", ["model2vec", "sentence_transformers"])
def test_texts_are_split_as_the_corpus_was(tmp_path: Path, library: str) -> None:
    module = pytest.importorskip(library)
    pytest.importorskip("regex")
    run = tmp_path / "run"
    run.mkdir()
    np.save(run / "vectors.npy", MATRIX)
    words = ["well", "known", "don't", "3.14", "日", "本", "カタカナ", "köln"]
    (run / "vocab.tsv").write_text("".join(f"{word}\t1\n" for word in words))
    (run / "config.yaml").write_text("corpus: c.txt\ntokenizer: words\nlowercase: true\n")
    run_vectors = load_vectors(run)
    path = saved(run_vectors, tmp_path, "hub", "sentence-transformers")
    texts = ["Well-Known", "(don't 3.14!)", "日本カタカナ, KÖLN."]
    if library == "model2vec":
        encode = module.StaticModel.from_pretrained(path).encode
    else:
        encode = module.SentenceTransformer(path, device="cpu").encode
    found, wanted = encode(texts), run_vectors.encode(texts)
    cosines = (found * wanted).sum(1) / np.linalg.norm(found, axis=1)
    assert np.allclose(cosines / np.linalg.norm(wanted, axis=1), 1, atol=1e-6)
    assert json.loads(Path(path, "modules.json").read_text())[0]["path"] == "."


def test_the_hub_reads_the_model_card(vectors: WordVectors, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    path = saved(vectors, tmp_path, "hub", "sentence-transformers")
    card = hub.ModelCard.load(Path(path, "README.md"))
    assert card.data.library_name == "model2vec" and "word2vec" in card.data.tags
