"""Methods take gensim's parameters by the same names and in the same order."""

import inspect

import numpy as np
import pytest

from w2v.compat.gensim import KeyedVectors, LineSentence, PathLineSentences, Text8Corpus, Word2Vec

RANKED = "topn restrict_vocab"
FILE = "encoding unicode_errors limit datatype no_header"
QUERY = "positive negative topn clip_start clip_end restrict_vocab indexer"
ANALOGIES = "restrict_vocab case_insensitive dummy4unknown"
PARAMETERS = {
    KeyedVectors: {
        "__init__": "vector_size count dtype mapfile_path",
        "get_index": "key default",
        "get_vector": "key norm",
        "get_vecattr": "key attr",
        "set_vecattr": "key attr val",
        "get_mean_vector": "keys weights pre_normalize post_normalize ignore_missing",
        "add_vector": "key vector",
        "add_vectors": "keys weights extras replace",
        "most_similar": QUERY,
        "most_similar_cosmul": f"positive negative {RANKED}",
        "similar_by_key": f"key {RANKED}",
        "similar_by_word": f"word {RANKED}",
        "similar_by_vector": f"vector {RANKED}",
        "similarity": "w1 w2",
        "n_similarity": "ws1 ws2",
        "distances": "word_or_vector other_words",
        "closer_than": "key1 key2",
        "words_closer_than": "word1 word2",
        "rank_by_centrality": "words use_norm",
        "most_similar_to_given": "key1 keys_list",
        "relative_cosine_similarity": "wa wb topn",
        "vectors_for_all": "keys allow_inference copy_vecattrs",
        "evaluate_word_analogies": f"analogies {ANALOGIES} similarity_function",
        "evaluate_word_pairs": f"pairs delimiter encoding {ANALOGIES}",
        "load_word2vec_format": f"fname fvocab binary {FILE}",
        "save_word2vec_format": "fname fvocab binary total_vec write_header prefix append"
        " sort_attr",
    },
    Word2Vec: {
        "build_vocab": "corpus_iterable corpus_file update progress_per keep_raw_vocab trim_rule",
        "build_vocab_from_freq": "word_freq keep_raw_vocab corpus_count trim_rule update",
        "train": "corpus_iterable corpus_file total_examples total_words epochs start_alpha"
        " end_alpha word_count queue_factor report_delay compute_loss callbacks",
        "predict_output_word": "context_words_list topn",
        "init_sims": "replace",
    },
    LineSentence: {"__init__": "source max_sentence_length limit"},
    PathLineSentences: {"__init__": "source max_sentence_length limit"},
    Text8Corpus: {"__init__": "fname max_sentence_length"},
}


@pytest.mark.parametrize(
    ("cls", "method"), [(cls, name) for cls, methods in PARAMETERS.items() for name in methods]
)
def test_parameters(cls, method):
    names = [name for name in inspect.signature(getattr(cls, method)).parameters if name != "self"]
    assert names == PARAMETERS[cls][method].split()


def test_values_that_are_not_supported_are_named(tmp_path):
    vectors = KeyedVectors(2)
    vectors.add_vectors(["a", "b"], np.eye(2))
    for name, value in (("append", True), ("total_vec", 5), ("sort_attr", "size")):
        with pytest.raises((TypeError, ValueError), match=name if name != "sort_attr" else "size"):
            vectors.save_word2vec_format(tmp_path / "v", tmp_path / "counts", **{name: value})
    with pytest.raises(TypeError, match="binary file without a header"):
        vectors.save_word2vec_format(tmp_path / "v", binary=True, write_header=False)
    with pytest.raises(TypeError, match="indexer"):
        vectors.most_similar("a", indexer=object())
    vectors.save_word2vec_format(tmp_path / "v")
    with pytest.raises(TypeError, match="latin-1"):
        KeyedVectors.load_word2vec_format(tmp_path / "v", encoding="latin-1")
    assert len(KeyedVectors.load_word2vec_format(tmp_path / "v", encoding="UTF-8", limit=0)) == 2
