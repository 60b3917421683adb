"""gensim 4's word2vec interface: the code of a tutorial runs with only its imports changed.

    from w2v.compat.gensim import Word2Vec
    model = Word2Vec(sentences, vector_size=100, window=5, min_count=5, workers=4)
    model.wv.most_similar("king")

Differences: models are saved as archives of arrays, never as pickles; the learning rate falls to 0
(see `Word2Vec`); parameters that are not supported raise a TypeError that names them.
"""

from typing import NoReturn

from w2v.compat.gensim.files import LineSentence, PathLineSentences, Text8Corpus
from w2v.compat.gensim.keyed_vectors import KeyedVectors, load_facebook_vectors
from w2v.compat.gensim.word2vec import (
    RULE_DEFAULT,
    RULE_DISCARD,
    RULE_KEEP,
    CallbackAny2Vec,
    Word2Vec,
)

__all__ = [
    "RULE_DEFAULT",
    "RULE_DISCARD",
    "RULE_KEEP",
    "CallbackAny2Vec",
    "KeyedVectors",
    "LineSentence",
    "PathLineSentences",
    "Text8Corpus",
    "Word2Vec",
    "load_facebook_vectors",
]

_ELSEWHERE = {
    "Doc2Vec": "w2v.train(…).vectors.encode(texts) gives texts vectors",
    "FastText": "w2v.train(…, subwords='3-6') gives unknown words vectors, and"
    " load_facebook_vectors reads those of fastText",
    **dict.fromkeys(("Phrases", "Phraser"), "w2v.phrases(sentences) finds phrases"),
}


def __getattr__(name: str) -> NoReturn:
    if name in _ELSEWHERE:  # `from … import` would discard the message of an AttributeError
        raise ImportError(f"gensim's {name} is not available here; {_ELSEWHERE[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
