"""gensim's classes on this library: parameters, attributes, going on with training, queries,
files."""

import bz2
import pickle

import numpy as np
import pytest

from w2v.compat.gensim import (
    RULE_DEFAULT,
    RULE_DISCARD,
    CallbackAny2Vec,
    KeyedVectors,
    LineSentence,
    PathLineSentences,
    Text8Corpus,
    Word2Vec,
)
from w2v.errors import InputError
from w2v.vectors import load_vectors, save_vectors

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
        model.train(sentences, total_examples=1, epochs=1)
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

    def test_counts_given_and_rules(self, sentences):
        model = Word2Vec(min_count=2, vector_size=4)
        model.build_vocab_from_freq({"a": 5, "b": 2, "c": 1})
        assert model.wv.index_to_key == ["a", "b"]
        rule = lambda word, count, least: RULE_DISCARD if word == "w1" else RULE_DEFAULT  # noqa: E731
        model.build_vocab(sentences, trim_rule=rule)
        assert "w1" not in model.wv and "w2" in model.wv
        few = Word2Vec(min_count=1, max_final_vocab=3)
        few.build_vocab(sentences)
        assert few.wv.index_to_key == ["w1", "w2", "w3"] and few.effective_min_count > 30
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
        with pytest.raises(TypeError, match="generator"):
            Word2Vec(line for line in sentences)
        with pytest.raises(TypeError, match="either sentences or corpus_file"):
            model.build_vocab()

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


WORDS = ["king", "queen", "man", "woman", "paris"]
ROWS = np.array([[1, 0, 2], [1, 2, 2], [3, 0, 0.5], [3, 6, 0.5], [0, 0, -1]], np.float32)


@pytest.fixture
def wv():
    found = KeyedVectors(3)
    found.add_vectors(WORDS, ROWS, {"count": np.array([9, 8, 7, 6, 5])})
    return found


class TestKeyedVectors:
    def test_looking_up(self, wv):
        np.testing.assert_array_equal(wv["king"], ROWS[0])
        np.testing.assert_array_equal(wv[["queen", 0]], ROWS[[1, 0]])
        assert "king" in wv and "kin" not in wv and 4 in wv and 5 not in wv
        assert np.linalg.norm(wv.get_vector("woman", norm=True)) == pytest.approx(1)
        for look_up in (wv.get_vector, wv.most_similar, wv.get_index, wv.distances):
            with pytest.raises(KeyError):
                look_up("kin")
        with pytest.raises(ValueError, match="read-only"):
            wv["king"][0] = 3

    def test_neighbours(self, wv):
        found = wv.most_similar(positive=["king", "woman"], negative=["man"], topn=1)
        assert found[0][0] == "queen"
        assert wv.most_similar("king", "man") == wv.most_similar(["king"], ["man"])
        assert wv.most_similar([("king", 2.0)])[0][0] == "queen"
        assert wv.similar_by_vector(ROWS[0], topn=1)[0] == ("king", pytest.approx(1, abs=1e-6))
        assert wv.similar_by_word("king") == wv.most_similar("king")
        assert {word for word, _ in wv.most_similar("king", restrict_vocab=2)} == {"queen"}
        assert wv.most_similar("king", topn=None).shape == (5,)
        assert wv.most_similar("king", topn=0) == []
        assert wv.most_similar_cosmul(["king", "woman"], "man", topn=1)[0][0] == "queen"
        assert wv.doesnt_match(["king", "queen", "paris"]) == "paris"
        assert wv.most_similar_to_given("king", ["paris", "queen"]) == "queen"

    def test_similarities_and_distances(self, wv):
        cosine = ROWS[0] @ ROWS[2] / np.linalg.norm(ROWS[0]) / np.linalg.norm(ROWS[2])
        assert wv.similarity("king", "man") == pytest.approx(cosine)
        assert wv.distance("king", "king") == 0
        assert wv.n_similarity(["king"], ["man"]) == wv.similarity("king", "man")
        np.testing.assert_allclose(wv.distances("king", ["man"]), [1 - cosine], rtol=1e-5)
        assert wv.rank("king", "queen") == 1 and wv.closer_than("king", "paris")[0] == "queen"
        with pytest.raises(ZeroDivisionError):
            wv.n_similarity(["king"], [])
        near = sum(x for _, x in wv.most_similar("king", topn=2))
        relative = wv.relative_cosine_similarity("king", "man", topn=2)
        assert relative == pytest.approx(cosine / near)
        for nothing in (
            lambda: wv.doesnt_match(["kin"]),
            lambda: wv.most_similar_cosmul([], "king"),
        ):
            with pytest.raises(ValueError, match="cannot"):
                nothing()
        wv.init_sims(replace=True)
        np.testing.assert_allclose(np.linalg.norm(wv.vectors, axis=1), 1, rtol=1e-6)
        assert wv.similarity("king", "man") == pytest.approx(cosine)
        assert str(wv) == "KeyedVectors<vector_size=3, 5 keys>"

    def test_means(self, wv):
        mean = wv.get_mean_vector(["king", "kin", "man"], [1, 5, 3], pre_normalize=False)
        np.testing.assert_allclose(mean, (ROWS[0] + 3 * ROWS[2]) / 4)
        with pytest.raises(KeyError):
            wv.get_mean_vector(["kin"], ignore_missing=False)
        for keys, weights in (([], None), (["king"], [1, 2])):
            with pytest.raises(ValueError):
                wv.get_mean_vector(keys, weights)

    def test_adding_and_changing(self, wv):
        wv["rome"] = np.ones(3)
        wv.add_vectors(["king", "oslo"], np.full((2, 3), 2.0))
        assert len(wv) == 7 and wv["king"][1] == 0 and wv["oslo"][1] == 2
        assert wv.get_vecattr("king", "count") == 9 and wv.get_vecattr("oslo", "count") == 0
        wv[["king", "bonn"]] = np.full((2, 3), 4.0)
        assert wv["king"].tolist() == wv["bonn"].tolist() == [4, 4, 4]
        wv.set_vecattr("bonn", "size", 3)
        assert wv.get_vecattr("bonn", "size") == 3
        np.testing.assert_allclose(np.linalg.norm(wv.get_normed_vectors(), axis=1), 1, rtol=1e-6)
        wv.vectors[0] = [1, 0, 0]
        wv.fill_norms(force=True)
        assert wv.norms[0] == 1

    @pytest.mark.parametrize("binary", [False, True])
    def test_word2vec_files(self, wv, tmp_path, binary):
        wv.save_word2vec_format(tmp_path / "v", tmp_path / "vocab", binary=binary)
        found = KeyedVectors.load_word2vec_format(tmp_path / "v", tmp_path / "vocab", binary)
        assert found.index_to_key == WORDS and found.get_vecattr("man", "count") == 7
        np.testing.assert_array_equal(found.vectors, ROWS)
        assert load_vectors(tmp_path / "v").words == WORDS
        assert len(KeyedVectors.load_word2vec_format(tmp_path / "v", limit=2)) == 2
        half = KeyedVectors.load_word2vec_format(tmp_path / "v", datatype=np.float16)
        assert half.vectors.dtype == np.float16
        wv.save(tmp_path / "kv")
        again = KeyedVectors.load(tmp_path / "kv", mmap="r")
        assert again.key_to_index == wv.key_to_index and again.get_vecattr("man", "count") == 7

    def test_runs_of_the_command_line_are_read(self, tmp_path):
        (tmp_path / "run").mkdir()
        save_vectors(tmp_path / "run" / "vectors.npy", WORDS, ROWS)
        (tmp_path / "run" / "vectors.vocab.tsv").rename(tmp_path / "run" / "vocab.tsv")
        assert KeyedVectors.load_word2vec_format(tmp_path / "run").index_to_key == WORDS

    def test_evaluation(self, wv, tmp_path):
        (tmp_path / "q").write_text(
            ": royal\nman king woman queen\nman king woman paris\n: none\na b c d\n"
        )
        score, sections = wv.evaluate_word_analogies(tmp_path / "q")
        assert score == 0.5
        assert sections[0]["correct"] == [("MAN", "KING", "WOMAN", "QUEEN")]
        assert [each["section"] for each in sections] == ["royal", "none", "Total accuracy"]
        score, _ = wv.evaluate_word_analogies(tmp_path / "q", dummy4unknown=True)
        assert score == pytest.approx(1 / 3)
        pairs = [("king", "queen", 9), ("king", "man", 5), ("queen", "paris", 1), ("a", "b", 3)]
        (tmp_path / "s").write_text("".join(f"{a}\t{b}\t{c}\n" for a, b, c in pairs))
        pearson, spearman, unknown = wv.evaluate_word_pairs(tmp_path / "s")
        assert spearman[0] == pytest.approx(1) and spearman[1] == pytest.approx(0, abs=1e-3)
        assert 0.9 < pearson[0] < 1 and 0 < pearson[1] < 0.3
        assert unknown == 25
        for wrong, evaluate in (("s", wv.evaluate_word_analogies), ("q", wv.evaluate_word_pairs)):
            with pytest.raises(ValueError):
                evaluate(tmp_path / wrong)

    def test_p_values_are_those_of_the_t_test(self):
        """Figures of scipy.stats.pearsonr."""
        from w2v.compat.gensim.keyed_vectors import p_value

        for r, n, expected in ((0.5, 10, 0.141111), (-0.3, 100, 2.42546e-3), (0.2, 3, 0.871811)):
            assert p_value(r, n) == pytest.approx(expected, rel=1e-3)


class TestSentences:
    def test_lines_of_files(self, tmp_path):
        text = b"a b c\nd e\n\nf\n"
        (tmp_path / "plain").write_bytes(text)
        (tmp_path / "small.bz2").write_bytes(bz2.compress(text))
        expected = [["a", "b", "c"], ["d", "e"], ["f"]]
        for name in ("plain", "small.bz2"):
            assert list(LineSentence(tmp_path / name)) == expected
        with open(tmp_path / "plain", "rb") as file:
            assert list(LineSentence(file)) == expected == list(LineSentence(file))
        assert list(LineSentence(tmp_path / "plain", limit=1)) == expected[:1]
        assert list(LineSentence(tmp_path / "plain", 2))[:2] == [["a", "b"], ["c"]]
        assert list(Text8Corpus(str(tmp_path / "plain"), 2))[1] == ["c"]
        assert list(PathLineSentences(tmp_path)) == expected * 2
