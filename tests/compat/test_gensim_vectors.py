"""gensim's KeyedVectors on this library: attributes, queries, files."""

import numpy as np
import pytest

from w2v.compat.gensim import KeyedVectors
from w2v.vectors import load_vectors, save_vectors

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
        assert wv.most_similar("king", topn=0) == wv.most_similar("king", topn=-1) == []
        asked = ["king", "woman", "man"], ["queen"]
        assert (
            wv.most_similar_cosmul(*asked, topn=-1) == wv.most_similar_cosmul(*asked, topn=0) == []
        )
        units = {key: wv.get_vector(key, norm=True) for key in WORDS}
        for key, unit in units.items():
            found = [each for each in wv.most_similar_cosmul([unit], topn=5) if each[0] != key]
            assert found == wv.most_similar_cosmul(key)
        assert wv.most_similar([["king", 2.0]]) == wv.most_similar([("king", 2.0)])
        with pytest.raises(KeyError, match="not present"):
            wv[ROWS[0]]
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
        with pytest.raises(ValueError, match="similar to 'king'"):
            wv.relative_cosine_similarity("king", "man", topn=0)
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

    def test_rows_that_do_not_fit_their_keys(self, wv):
        for rows in (np.ones((3, 2)), np.ones((2, 4)), np.ones(6)):
            with pytest.raises(ValueError, match=r"2 keys need vectors of the shape \(2, 3\)"):
                wv.add_vectors(["rome", "oslo"], rows)
        assert len(wv) == 5 and wv.add_vectors([], []) is None

    def test_attributes_have_the_type_of_their_first_value(self, wv, tmp_path):
        for attr, first, other in (("n", 1, 2.7), ("x", 0.5, "a"), ("note", "long", 3)):
            wv.set_vecattr("king", attr, first)
            with pytest.raises(TypeError, match=f"{attr!r} holds values"):
                wv.set_vecattr("man", attr, other)
        wv.set_vecattr("man", "note", "longer than the first")
        with pytest.raises(KeyError, match="no attribute 'size'"):
            wv.get_vecattr("man", "size")
        wv.save(tmp_path / "kv")
        for each in (wv, KeyedVectors.load(tmp_path / "kv")):
            assert each.get_vecattr("man", "note") == "longer than the first"
            assert (each.get_vecattr("king", "n"), each.get_vecattr("king", "x")) == (1, 0.5)
        some = wv.vectors_for_all(["man", "kin", "king", "man"], copy_vecattrs=True)
        assert some.index_to_key == ["man", "king"]
        assert some.expandos["note"].tolist() == ["longer than the first", "long"]
        assert len(wv.vectors_for_all(["kin"])) == 0
        wv.add_vectors(["king", "rome"], np.ones((2, 3)), {"n": np.array([7, 8])}, replace=True)
        assert (wv.get_vecattr("king", "n"), wv.get_vecattr("rome", "n")) == (7, 8)

    def test_rows_allocated_before_their_keys(self):
        wv = KeyedVectors(3, 2)
        wv.set_vecattr(0, "count", 5)
        assert [wv.add_vector(key, row) for key, row in zip("abc", ROWS, strict=False)] == [0, 1, 2]
        assert wv.index_to_key == ["a", "b", "c"]
        np.testing.assert_array_equal(wv[["a", "b", "c"]], ROWS[:3])
        wv.add_vectors(7, ROWS[3])  # a number may be a key
        assert wv.get_index(7) == 3 and 7 in wv and wv.index_to_key[3] == 7

    def test_files_are_in_the_order_of_an_attribute(self, wv, tmp_path):
        paths = tmp_path / "v", tmp_path / "counts"
        wv.expandos["count"] = np.array([1, 5, 2, 5, 3])
        wv.save_word2vec_format(*paths, prefix="p_")
        found = KeyedVectors.load_word2vec_format(*paths)
        assert found.index_to_key == ["p_queen", "p_woman", "p_paris", "p_man", "p_king"]
        np.testing.assert_array_equal(found.vectors, ROWS[[1, 3, 4, 2, 0]])
        assert found.expandos["count"].tolist() == [5, 5, 3, 2, 1]

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
        # as if the cosine of each pair with an unknown word were 0
        near = np.array([wv.similarity(a, b) for a, b, _ in pairs[:3]] + [0])
        of_all, ranks, unknown = wv.evaluate_word_pairs(tmp_path / "s", dummy4unknown=True)
        assert unknown == 25
        assert of_all[0] == pytest.approx(np.corrcoef(near, [9, 5, 1, 3])[0, 1])
        order = np.argsort(np.argsort([near, [9, 5, 1, 3]]))
        assert ranks[0] == pytest.approx(np.corrcoef(order)[0, 1])
        (tmp_path / "constant").write_text("".join(f"{a}\t{b}\t5\n" for a, b, _ in pairs))
        assert np.isnan(wv.evaluate_word_pairs(tmp_path / "constant")[:2]).all()
        for wrong, evaluate in (("s", wv.evaluate_word_analogies), ("q", wv.evaluate_word_pairs)):
            with pytest.raises(ValueError):
                evaluate(tmp_path / wrong)

    def test_p_values_are_those_of_the_t_test(self):
        """Figures of scipy.stats.beta(n / 2 - 1, n / 2 - 1, loc=-1, scale=2).sf, twice."""
        from w2v.compat.gensim.keyed_vectors import p_value

        for r, n, expected in (
            (0.3, 4, 0.7),
            (0.2, 3, 0.8718115663020501),
            (0.5, 10, 0.14111328125),
            (-0.13377225238735738, 79, 0.23986133171452131),
            (-0.3, 100, 2.4257334625830294e-3),
            (0.05, 10_000, 5.659045510598694e-7),
            (0.1, 100_000, 1.46422935379011e-220),
        ):
            assert p_value(r, n) == pytest.approx(expected, rel=1e-6)


class TestPartsOfTheRows:
    """Methods that rank some of the rows, or rows without a direction."""

    def test_rows_from_a_start_to_an_end(self, wv):
        cosine = ROWS @ ROWS[0] / np.linalg.norm(ROWS, axis=1) / np.linalg.norm(ROWS[0])
        some = wv.most_similar("king", topn=2, clip_start=2, clip_end=4)
        assert some == [(WORDS[i], pytest.approx(cosine[i], rel=1e-5)) for i in (2, 3)]
        assert wv.most_similar("queen", clip_start=1, clip_end=2) == []
        np.testing.assert_allclose(
            wv.most_similar("king", topn=None, clip_start=3), cosine[3:], rtol=1e-5
        )
        assert wv.most_similar("king", restrict_vocab=0) == wv.most_similar("king")
        asked = ["king", "woman"], ["man"]
        of_all = dict(wv.most_similar_cosmul(*asked))
        (first,) = wv.most_similar_cosmul(*asked, restrict_vocab=3)
        assert first == ("queen", pytest.approx(of_all["queen"], rel=1e-5))

    def test_rows_of_zeros(self, wv):
        """Two vectors have the cosine 0 if one is zeros, and no such row displaces another."""
        wv.add_vectors(["none", "nil"], np.zeros((2, 3)))
        assert wv.similarity("king", "none") == wv.similarity("nil", "none") == 0
        assert wv.distance("king", "none") == 1 and wv.n_similarity(["none"], ["king", "man"]) == 0
        for best in (wv.most_similar, wv.most_similar_cosmul):
            ranked = [key for key, _ in best("king", topn=4)]
            assert sorted(ranked) == sorted(WORDS[1:])
            assert [key for key, _ in best("king", topn=6)][4:] == ["none", "nil"]

    def test_in_the_order_of_the_counts(self, wv):
        wv.set_vecattr("woman", "count", 10)
        wv.set_vecattr("king", "count", 6)
        wv.set_vecattr("paris", "count", 6)
        before = wv.most_similar("king")
        wv.sort_by_descending_frequency()
        assert wv.index_to_key == ["woman", "queen", "man", "paris", "king"]
        np.testing.assert_array_equal(wv.vectors, ROWS[[3, 1, 2, 4, 0]])
        assert wv.get_index("king") == 4 and wv.get_vecattr("woman", "count") == 10
        assert sorted(wv.most_similar("king")) == sorted(before)

    def test_a_new_vector_and_its_index(self, wv):
        assert wv.add_vector("oslo", np.ones(3)) == 5 and wv.add_vector("king", np.ones(3)) == 0
        np.testing.assert_array_equal(wv.word_vec("king"), ROWS[0])
