from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import w2v
from w2v.corpus import Vocabulary, read_corpus
from w2v.errors import InputError, RunError
from w2v.lm.vocabulary import TokenVocabulary
from w2v.settings.build import build_config

TEXT = "The cat sat\n\nthe dog <unk> sat <eos> down\nthe cat ran away\n"


@pytest.fixture
def opened(tmp_path: Path):
    """opened(text, …settings): (store, vocabulary, config)."""

    def call(text: str = TEXT, **settings: str):
        file = tmp_path / "text.txt"
        file.write_text(text, encoding="utf-8")
        config = build_config({"corpus": (str(file),), "model": "lm", **settings})
        store = read_corpus((str(file),), config.corpus, use_cache=False)
        return store, TokenVocabulary.of_corpus(store, config), config

    return call


def test_specials_are_rows_with_their_counts_in_order(opened):
    _, vocabulary, _ = opened()
    rows = dict(zip(vocabulary.vocabulary.words, vocabulary.counts.tolist(), strict=True))
    assert rows == {
        "<eos>": 5,
        "the": 2,
        "cat": 2,
        "sat": 2,
        "The": 1,
        "dog": 1,
        "down": 1,
        "ran": 1,
        "away": 1,
        "<unk>": 1,
    }
    assert list(vocabulary.vocabulary.words)[:4] == ["<eos>", "cat", "sat", "the"]
    assert (np.diff(vocabulary.counts) <= 0).all()
    assert vocabulary.vocabulary.words[vocabulary.unk] == "<unk>"
    assert vocabulary.vocabulary.words[vocabulary.eos] == "<eos>"


def test_rare_words_are_counted_and_read_as_unk(opened):
    store, vocabulary, _ = opened(min_count="2")
    rows = dict(zip(vocabulary.vocabulary.words, vocabulary.counts.tolist(), strict=True))
    assert rows == {"<unk>": 6, "<eos>": 5, "the": 2, "cat": 2, "sat": 2}
    ids = vocabulary.encode_store(store)
    assert np.bincount(ids).tolist() == vocabulary.counts.tolist()
    assert (
        vocabulary.decode(ids)
        == "<unk> cat sat\n\nthe <unk> <unk> sat\n<unk>\nthe cat <unk> <unk>\n"
    )


def test_a_corpus_is_encoded_line_by_line_with_an_eos_each(opened):
    store, vocabulary, _ = opened(lowercase="true")
    by_line = [np.append(vocabulary.encode(line), vocabulary.eos) for line in TEXT.splitlines()]
    assert vocabulary.encode_store(store).tolist() == np.concatenate(by_line).tolist()
    assert vocabulary.encode_store(store).dtype == np.int32
    table = vocabulary.table(store)
    assert table[np.asarray(store.ids)].tolist() == np.concatenate(by_line).tolist()
    assert vocabulary.decode(vocabulary.encode("the CAT flew")) == "the cat <unk>"


def test_another_text_is_encoded_with_the_same_ids(opened, tmp_path):
    _, vocabulary, config = opened()
    other = tmp_path / "other.txt"
    other.write_text("ran ran the zebra\n")
    with read_corpus((str(other),), config.corpus, use_cache=False) as store:
        ids = vocabulary.encode_store(store)
    assert vocabulary.decode(ids) == "ran ran the <unk>\n"


def test_large_corpora_are_encoded_into_a_file(opened, monkeypatch):
    import w2v.lm.vocabulary as module

    store, vocabulary, _ = opened()
    expected = vocabulary.encode_store(store)
    monkeypatch.setattr(module, "IN_MEMORY", 3)
    monkeypatch.setattr(module, "CHUNK", 4)
    mapped = vocabulary.encode_store(store)
    assert isinstance(mapped, np.memmap)
    assert mapped.tolist() == expected.tolist()


def test_vocabularies_survive_saving(opened, tmp_path):
    _, vocabulary, config = opened(min_count="2", lowercase="true")
    vocabulary.vocabulary.save(tmp_path / "vocab.tsv")
    again = TokenVocabulary.load(tmp_path, config)
    assert (again.unk, again.eos) == (vocabulary.unk, vocabulary.eos)
    assert again.encode("The zebra").tolist() == vocabulary.encode("the zebra").tolist()


def test_a_vocabulary_without_specials_is_refused():
    with pytest.raises(InputError, match="no <unk>"):
        TokenVocabulary(Vocabulary(["a", "<eos>"], np.array([2, 1])))


def test_subwords_cover_every_byte_and_survive_saving(opened, tmp_path):
    pytest.importorskip("tokenizers")
    text = "banana bandana\ncan <unk> naïve\n\nban ananas\n" * 30
    store, vocabulary, config = opened(text, subwords="275")
    assert len(vocabulary) == 275
    ids = vocabulary.encode_store(store)
    assert vocabulary.decode(ids) == text
    counts = np.bincount(ids, minlength=275)
    assert (np.maximum(counts, 1) == vocabulary.counts).all()
    assert vocabulary.counts[vocabulary.eos] == 120
    assert len(vocabulary.encode("banana")) < 4
    assert vocabulary.decode(vocabulary.encode("bünana <unk> 語")) == "bünana <unk> 語"
    by_line = [np.append(vocabulary.encode(line), vocabulary.eos) for line in text.splitlines()]
    assert ids.tolist() == np.concatenate(by_line).tolist()

    vocabulary.vocabulary.save(tmp_path / "vocab.tsv")
    (tmp_path / "tokenizer.json").write_text(vocabulary.subwords.to_json(), encoding="utf-8")
    again = TokenVocabulary.load(tmp_path, config)
    assert (
        again.encode("a new naïve band").tolist() == vocabulary.encode("a new naïve band").tolist()
    )
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match=r"tokenizer\.json is damaged"):
        TokenVocabulary.load(tmp_path, config)


def test_subwords_below_the_bytes_are_refused(opened):
    pytest.importorskip("tokenizers")
    with pytest.raises(InputError, match="`subwords` 100 is below 258"):
        opened(subwords="100")


def test_without_the_library_the_remedy_is_named(opened, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RunError, match="pip install"):
        opened(subwords="300")


def test_words_of_a_tokenizer_file_are_known_as_they_are(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    by_bytes = tokenizers.pre_tokenizers.ByteLevel
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = by_bytes()
    alphabet = by_bytes.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=270, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.save(str(tmp_path / "tokens.json"))
    given = {"tokenizer": str(tmp_path / "tokens.json"), "dim": 4, "bptt": 5, "batch_size": 2}
    model = w2v.train(TEXT.split("\n"), model="lm", epochs=1, progress=False, **given).model
    assert any(token.startswith("Ġ") for token in model.tokens)
    assert model.unknown_words(TEXT.split("\n")[0]) == []


def test_subwords_leave_out_no_word_of_the_text() -> None:
    settings = {"model": "lm", "subwords": 260, "dim": 8, "layers": 1, "bptt": 4, "batch_size": 2}
    settings |= {"epochs": 1, "threads": 1, "progress": False}
    plain = w2v.train(TEXT.splitlines(), **settings)
    for given in ({"min_count": 50}, {"max_vocab": 1}):
        with pytest.warns(UserWarning, match=f"`{next(iter(given))}` is not used") as told:
            run = w2v.train(TEXT.splitlines(), **settings, **given)
        assert not any("are left out" in str(each.message) for each in told)
        assert np.array_equal(run.vectors.matrix, plain.vectors.matrix)
