"""Word boundaries: what the words are, in chunks of every size, in corpora and in queries."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import w2v
from tests.corpus.conftest import lines_of
from tests.examples import examples
from tests.several import several
from w2v.corpus.words import split_words
from w2v.errors import InputError
from w2v.settings.groups import CorpusSettings

pytest.importorskip("regex")

WORDS = CorpusSettings(tokenizer="words")
# what joins and what separates, in several scripts, and characters that go with the one before
ALPHABET = "ab1é .,'’:·_-\"«\n\t\u3000。！妄想カーひ한국א\u0301\u200d\u00ad👍🇩½\ufeff\x85"
PROPERTY = settings(
    max_examples=examples(50),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

CASES = {
    "»König,« sagte der König.": "König sagte der König",
    "don't can’t l'été": "don't can’t l'été",
    "3.14 and 1,000 (e.g. U.S.A.)": "3.14 and 1,000 e.g U.S.A",
    "well-known x_1 a/b": "well known x_1 a b",
    "ok 👍🏽 👨‍👩‍👧 -- * * *": "ok",
    "《妄想女友》是2015年": "妄 想 女 友 是 2015 年",
    "지미 카터(, 1924년 10월": "지미 카터 1924년 10월",
    "カタカナとひら": "カタカナ と ひ ら",
    "naïve e\u0301te\u0301 नमस्ते": "naïve e\u0301te\u0301 नमस्ते",
    "some words \ufeffa\0b\ufeffc": "some words a b\ufeffc",
}


@pytest.mark.parametrize("text", CASES)
def test_what_words_are(text, tmp_path, read):
    words = CASES[text].split()
    assert split_words(text, WORDS) == words
    (tmp_path / "a.txt").write_text(text)
    for chunk_bytes in (1, 5, 1000):
        store = read(tmp_path / "a.txt", tokenizer="words", chunk_bytes=chunk_bytes)
        assert lines_of(store) == [words]


@PROPERTY
@given(
    text=st.text(alphabet=st.one_of(st.sampled_from(ALPHABET), st.characters(codec="utf-8"))),
    chunk_bytes=st.integers(1, 64),
    lowercase=st.booleans(),
)
def test_corpora_have_the_words_that_queries_have(text, chunk_bytes, lowercase, tmp_path, read):
    text = "word and word\n" * (1 + len(text)) + text.replace("\0", "")
    (tmp_path / "corpus.txt").write_bytes(text.encode())
    options = {"tokenizer": "words", "lowercase": lowercase}
    store = read(tmp_path / "corpus.txt", chunk_bytes=chunk_bytes, **options)
    lines = (text if text.endswith("\n") else text + "\n").split("\n")[:-1]
    assert lines_of(store) == [split_words(line, CorpusSettings(**options)) for line in lines]


def test_a_line_of_chinese_without_any_blank_is_cut_at_its_stops(tmp_path, read):
    text = "妄想女友是日劇。真的嗎？" * 100_000
    (tmp_path / "zh.txt").write_text(text)
    store = read(tmp_path / "zh.txt", tokenizer="words", chunk_bytes=100_000)
    assert (store.n_lines, store.n_words) == (1, 1_000_000)
    assert set(store.vocabulary.counts.tolist()) == {100_000}
    with pytest.raises(InputError, match="no whitespace in 1 MiB"):
        read(tmp_path / "zh.txt", chunk_bytes=100_000)


def test_the_default_is_what_it_was(tmp_path, read, check):
    text = "»König,« sagte\n妄想女友。 don't -- 👍\n"
    (tmp_path / "a.txt").write_text(text)
    check(read(tmp_path / "a.txt"), text)
    assert split_words(text, None) == split_words(text, CorpusSettings()) == text.split()


def test_lists_of_tokens_stay_as_they_are(tmp_path):
    from w2v.corpus import read_memory

    tokens = [["well-known,", "(a", "b c"], ["x."]]
    assert lines_of(read_memory(tokens, WORDS)) == tokens


def test_without_the_library_one_line_says_what_to_install(tmp_path):
    (tmp_path / "a.txt").write_text("some words, and more")
    command = ["vocab", "a.txt", "--no-cache", "-q"]
    commands = [[*command, "--min-count", "1"], [*command, "--tokenizer", "words"]]
    done, failed = several("import sys; sys.modules['regex'] = None", commands, tmp_path)
    assert (done.returncode, failed.returncode) == (0, 1)
    assert failed.stderr.count("\n") == 1 and "pip install regex" in failed.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> w2v.api.Run:
    folder = tmp_path_factory.mktemp("words")
    (folder / "a.txt").write_text("»Der König,« sagte sie, »ist da.«\nDer König ist's!\n" * 20)
    given = {"tokenizer": "words", "lowercase": True, "dim": 4, "epochs": 1, "min_count": 1}
    return w2v.train(folder / "a.txt", output=folder / "run", threads=1, **given)


def test_texts_are_encoded_as_the_run_read_its_text(run):
    vectors = w2v.load(run.path)
    assert "könig" in vectors and "ist's" in vectors and "könig," not in vectors
    expected = vectors.encode([["der", "könig", "ist", "da"]])[0]
    assert vectors.encode("(Der KÖNIG) -- ist da!").tolist() == expected.tolist()
    assert run.vectors.encode(["Der König, ist da."])[0].tolist() == expected.tolist()
    vectors.save(run.path.parent / "v.txt")
    with pytest.warns(UserWarning, match="1 of 1 texts"):
        assert not w2v.load(run.path.parent / "v.txt").encode(["König,"]).any()


def test_config_yaml_keeps_how_the_text_was_read(run, tmp_path):
    text = (run.path / "config.yaml").read_text()
    assert "tokenizer: words\n" in text and "sentences: line\n" in text
    again = w2v.train(config=run.path / "config.yaml", output=tmp_path / "again")
    assert list(again.vectors.words) == list(run.vectors.words)


def test_language_models_read_queries_as_their_text(tmp_path):
    (tmp_path / "a.txt").write_text("»Der König,« sagte sie.\n" * 20)
    options = {"model": "lm", "dim": 4, "hidden": 4, "layers": 1, "epochs": 1, "threads": 1}
    model = w2v.train(tmp_path / "a.txt", tokenizer="words", batch_size=2, **options).model
    (score,) = model.score(["«Der König?» sagte (sie)!"])
    assert score.tokens == ["Der", "König", "sagte", "sie", "<eos>"] and score.oov == 0
    (tmp_path / "b.txt").write_text("Der König: sagte -- sie?\n")
    measured = model.perplexity(tmp_path / "b.txt")
    assert (measured.tokens, measured.oov) == (5, 0)
    assert measured.nats == pytest.approx(-score.log_prob, rel=1e-5)
    assert model.unknown_words("Der Bär, sagte") == ["Bär"]
