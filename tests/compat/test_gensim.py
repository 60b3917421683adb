"""gensim's classes on this library: parameters, attributes, going on with training, corpora."""

import bz2
import lzma
import pickle

import numpy as np
import pytest

from w2v.compat.gensim import (
    RULE_DEFAULT,
    RULE_DISCARD,
    RULE_KEEP,
    CallbackAny2Vec,
    KeyedVectors,
    LineSentence,
    PathLineSentences,
    Text8Corpus,
    Word2Vec,
)
from w2v.errors import InputError

OPTIONS = {"vector_size": 8, "min_count": 1, "workers": 1, "sample": 0, "epochs": 2}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def sentences():
    random = np.random.default_rng(1)
    words = [f"w{i}" for i in range(1, 41) for _ in range(120 // i)]
    random.shuffle(words)
    return [words[start : start + 9] for start in range(0, len(words), 9)]


@pytest.fixture(scope="module")
def model(sentences):
    return Word2Vec(sentences, **OPTIONS)


class TestTraining:
    def test_parameters_and_attributes(self, model, sentences):
        assert (model.vector_size, model.window, model.sg, model.epochs) == (8, 5, 0, 2)
        assert model.corpus_count == len(sentences)
        assert model.corpus_total_words == sum(map(len, sentences))
        assert model.wv.vectors.shape == (40, 8) == model.syn1neg.shape
        assert model.syn1neg.any()
        assert model.wv.index_to_key[0] == "w1" and model.wv.key_to_index["w1"] == 0
        assert model.wv.get_vecattr("w1", "count") == 120
        assert str(model) == "Word2Vec<vocab=40, vector_size=8, alpha=0.025>"
        with pytest.raises(AttributeError):
            model.syn1  # noqa: B018

    def test_what_is_not_supported_is_named(self, sentences):
        for name, value in (("shrink_windows", False), ("null_word", 1), ("sorted_vocab", 0)):
            with pytest.raises(TypeError, match=name):
                Word2Vec(sentences, **{name: value})
        with pytest.raises(TypeError, match="size"):
            Word2Vec(sentences, size=100)
        with pytest.raises(TypeError, match="vectors_lockf"):
            Word2Vec().wv.vectors_lockf = np.ones(1)
        with pytest.raises(ValueError, match="hs=1 or negative"):
            Word2Vec(sentences, hs=0, negative=0)
        with pytest.raises(TypeError, match="strings"):
            Word2Vec([[1, 2], [2, 3]], min_count=1)

    def test_in_one_step_or_in_two(self, model, sentences):
        other = Word2Vec(**OPTIONS)
        other.build_vocab(sentences)
        assert other.wv.vectors.shape == (40, 8)
        trained, read = other.train(sentences, total_examples=other.corpus_count, epochs=2)
        assert trained == read == 2 * model.corpus_total_words
        np.testing.assert_array_equal(other.wv.vectors, model.wv.vectors)

    def test_a_file_of_lines_is_the_same_text(self, model, sentences, tmp_path):
        path = tmp_path / "text"
        path.write_text("".join(" ".join(line) + "\n" for line in sentences))
        for given in ({"corpus_file": str(path)}, {"sentences": LineSentence(str(path))}):
            other = Word2Vec(**given, **OPTIONS)
            assert set(other.wv.index_to_key) == set(model.wv.index_to_key)
            assert other.corpus_total_words == model.corpus_total_words
            assert other.wv.vectors.any()

    @pytest.mark.parametrize("given", [{"hs": 1, "negative": 0}, {"hs": 1, "sg": 1}])
    def test_the_tree(self, sentences, given):
        model = Word2Vec(sentences, **OPTIONS, **given)
        assert model.syn1.shape == (40, 8) and model.syn1[:-1].any() and not model.syn1[-1].any()

    def test_training_goes_on_from_vectors_and_output_rows(self, sentences):
        model = Word2Vec(sentences, **OPTIONS)
        before, output = model.wv.vectors.copy(), model.syn1neg.copy()
        model.train(sentences, total_examples=1, epochs=1, start_alpha=1e-9, end_alpha=1e-12)
        np.testing.assert_allclose(model.wv.vectors, before, atol=1e-6)
        np.testing.assert_allclose(model.syn1neg, output, atol=1e-6)
        assert (model.alpha, model.min_alpha, model.epochs) == (1e-9, 1e-12, 1)
        model.train(sentences, total_examples=1, epochs=1, start_alpha=0.025)
        assert not np.allclose(model.wv.vectors, before, atol=1e-4)

    def test_new_words(self, sentences):
        model = Word2Vec(sentences, **OPTIONS)
        before = {word: model.wv[word].copy() for word in ("w1", "w40")}
        model.build_vocab([["w1", "new", "newer"]] * 3, update=True)
        assert len(model.wv) == 42 and "new" in model.wv
        assert model.wv.get_vecattr("w1", "count") == 123
        for word, row in before.items():
            np.testing.assert_array_equal(model.wv[word], row)
        start = model.wv["new"].copy()
        model.train([["w1", "new", "newer"]] * 50, total_examples=50, epochs=3)
        assert not np.allclose(model.wv["new"], start)

    @pytest.mark.parametrize("given", [{}, {"hs": 1}])
    def test_rows_keep_their_words_when_counts_change(self, given, sentences):
        """As in gensim, an update appends its words, and counts those of all that were known."""
        model = Word2Vec(sentences, **{**OPTIONS, "min_count": 2, **given})
        old, counts = list(model.wv.index_to_key), model.wv.expandos["count"].copy()
        words = old[2:3] + old[-1:] * 50 + ["new"] * 90 + ["newer"] * 2
        model.build_vocab([words], update=True)
        assert model.wv.index_to_key == [*old, "new", "newer"]
        counts[2], counts[-1] = counts[2] + 1, counts[-1] + 50
        assert model.wv.expandos["count"].tolist() == [*counts, 90, 2]
        model.train([words] * 20, total_examples=20, epochs=1)
        before, output = model.wv.vectors.copy(), model.syn1neg.copy()
        model.train(sentences, total_examples=1, epochs=1, start_alpha=1e-9, end_alpha=1e-12)
        np.testing.assert_allclose(model.wv.vectors, before, atol=1e-6)
        np.testing.assert_allclose(model.syn1neg, output, atol=1e-6)
        other = Word2Vec(**OPTIONS)
        other.reset_from(model)
        assert other.wv.index_to_key == model.wv.index_to_key
        assert other.corpus_count == model.corpus_count

    def test_the_order_of_words(self, tmp_path):
        """Of words with the same count, the last one comes first, as in gensim."""
        text = "human interface computer\n\nsurvey user computer system response time\n"
        text += "eps user interface system\nsystem human system eps\nuser response time\ntrees\n"
        text += "graph trees\ngraph minors trees\ngraph minors survey\n"
        ordered = "system graph trees user minors eps time response survey computer interface human"
        (tmp_path / "text").write_text(text)
        lines = [line.split() for line in text.splitlines() if line]
        path = str(tmp_path / "text")
        for given in ({"corpus_file": path}, {"corpus_iterable": lines}):
            model = Word2Vec(min_count=1, vector_size=2)
            model.build_vocab(**given)
            assert model.wv.index_to_key == ordered.split()
            assert (model.corpus_count, model.corpus_total_words) == (9, 29)
        rule = lambda word, n, least: RULE_KEEP if word == "human" else RULE_DEFAULT  # noqa: E731
        for source in (lines, LineSentence(path)):
            few = Word2Vec(min_count=1, vector_size=2, max_vocab_size=4)
            few.build_vocab(source, trim_rule=rule)
            assert few.wv.index_to_key == ["human", "survey", "minors", "graph"]

    def test_counts_given_and_rules(self, sentences):
        model = Word2Vec(min_count=2, vector_size=4)
        model.build_vocab_from_freq({"a": 5, "b": 2, "c": 1})
        assert model.wv.index_to_key == ["a", "b"]
        rule = lambda word, count, least: RULE_DISCARD if word == "w1" else RULE_DEFAULT  # noqa: E731
        model.build_vocab(sentences, trim_rule=rule)
        assert "w1" not in model.wv and "w2" in model.wv
        model.build_vocab([["a", "a", "b"]], trim_rule=lambda word, count, least: None)
        assert model.wv.index_to_key == ["a"]  # a rule without an answer is the default
        few = Word2Vec(min_count=1, max_final_vocab=3)
        few.build_vocab(sentences)
        assert few.wv.index_to_key == ["w1", "w2", "w3"] and few.effective_min_count > 30
        model.build_vocab(sentences, trim_rule=rule)
        few.reset_from(model)
        assert few.wv.key_to_index == model.wv.key_to_index

    def test_words_that_files_could_not_hold(self):
        lines = [["new york", "", "city\n", "of"], ["new york", "city\n", "", "of"]] * 20
        model = Word2Vec(lines, **OPTIONS)
        assert set(model.wv.index_to_key) == {"new york", "", "city\n", "of"}
        fresh = Word2Vec(**OPTIONS)
        fresh.build_vocab(lines)
        assert not np.allclose(fresh.wv["new york"], model.wv["new york"])

    def test_a_text_so_small_that_it_would_be_subsampled_away(self):
        model = Word2Vec([["human", "computer"], ["trees"]], min_count=1, workers=1)
        assert len(model.wv) == 3 and model.syn1neg.any()
        alone = Word2Vec([["human"], ["trees"]], min_count=1, workers=1)
        assert len(alone.wv) == 2, "nothing to learn from, as in gensim no error"

    def test_what_training_needs(self, sentences):
        model = Word2Vec(**OPTIONS)
        with pytest.raises(RuntimeError, match="build the vocabulary"):
            model.train(sentences, total_examples=1, epochs=1)
        with pytest.raises(RuntimeError, match="build the vocabulary"):
            Word2Vec([])
        model.build_vocab(sentences)
        for given in ({}, {"epochs": 1}, {"total_examples": 1}):
            with pytest.raises(ValueError, match="needs epochs="):
                model.train(sentences, **given)
        for once in ((line for line in sentences), iter(sentences), map(list, sentences)):
            with pytest.raises(TypeError, match="only once"):
                Word2Vec(once)
        with pytest.raises(TypeError, match="either sentences or corpus_file"):
            model.build_vocab()
        with pytest.raises(TypeError, match="not a file"):
            model.build_vocab(corpus_file="missing")
        with pytest.raises(ValueError, match="epochs=0"):
            model.train(sentences, total_examples=1, epochs=0)
        with pytest.raises(RuntimeError, match="first build"):
            Word2Vec(**OPTIONS).build_vocab(sentences, update=True)
        with pytest.raises(AttributeError, match="another model"):
            model.load("path")

    def test_callbacks_and_the_loss(self, sentences):
        events = []

        class Watch(CallbackAny2Vec):
            def on_epoch_begin(self, model):
                events.append("begin")

            def on_epoch_end(self, model):
                events.append(model.get_latest_training_loss())

            def on_train_end(self, model):
                events.append("end")

        model = Word2Vec(sentences, **OPTIONS, compute_loss=True, callbacks=[Watch()])
        assert (events[0], events[2], events[-1]) == ("begin", "begin", "end")
        assert len(events) == 5 and 0 <= events[1] <= events[3]
        assert model.get_latest_training_loss() > 0

    def test_predicting_a_word_amid_a_context(self, model):
        found = model.predict_output_word(["w1", "w2", "nobody"], topn=40)
        assert len(found) == 40 and sum(share for _, share in found) == pytest.approx(1)
        assert model.predict_output_word(["nobody"]) is None
        assert model.predict_output_word(["w1"], topn=-2) == []
        loaded = Word2Vec()
        loaded.wv = model.wv.vectors_for_all(model.wv.index_to_key)
        with pytest.raises(RuntimeError):
            loaded.predict_output_word(["w1"])

    def test_saving_and_going_on(self, sentences, model, tmp_path):
        model.save(tmp_path / "word2vec.model")
        loaded = Word2Vec.load(str(tmp_path / "word2vec.model"))
        np.testing.assert_array_equal(loaded.wv.vectors, model.wv.vectors)
        np.testing.assert_array_equal(loaded.syn1neg, model.syn1neg)
        assert (loaded.window, loaded.corpus_count) == (model.window, model.corpus_count)
        loaded.build_vocab([["more", "w1"]] * 5, update=True)
        loaded.train([["more", "w1"]] * 5, total_examples=5, epochs=1)
        assert len(loaded.wv) == 41
        with pytest.raises(AttributeError):
            KeyedVectors.load(tmp_path / "word2vec.model")
        (tmp_path / "pickle").write_bytes(pickle.dumps({"a": 1}))
        with pytest.raises(InputError, match="pickles"):
            Word2Vec.load(tmp_path / "pickle")


class TestSentences:
    def test_lines_of_files(self, tmp_path):
        text = b"a b c\nd e\n\nf\n"
        (tmp_path / "plain").write_bytes(text)
        (tmp_path / "small.bz2").write_bytes(bz2.compress(text))
        expected = [["a", "b", "c"], ["d", "e"], ["f"]]
        (tmp_path / "small.xz").write_bytes(lzma.compress(text))
        for name in ("plain", "small.bz2", "small.xz"):
            assert list(LineSentence(tmp_path / name)) == expected
        with open(tmp_path / "plain", "rb") as file:
            assert list(LineSentence(file)) == expected == list(LineSentence(file))
        assert list(LineSentence(tmp_path / "plain", limit=1)) == expected[:1]
        assert list(LineSentence(tmp_path / "plain", 2))[:2] == [["a", "b"], ["c"]]
        words = list(Text8Corpus(str(tmp_path / "plain"), 2))
        assert words == [["a", "b"], ["c", "d"], ["e", "f"]]
        assert list(PathLineSentences(tmp_path)) == expected * 3
        (tmp_path / "small.xz").write_bytes(lzma.compress(text)[:-9])
        with pytest.raises(InputError, match="truncated"):
            list(LineSentence(tmp_path / "small.xz"))
