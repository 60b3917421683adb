"""The settings of `w2v phrases`, which are not part of those of a run."""

from __future__ import annotations

from dataclasses import dataclass

from w2v.settings.declare import setting


@dataclass(frozen=True)
class PhraseSettings:
    """What counts as a phrase, see `w2v.corpus.phrases`."""

    scoring: str = setting(
        "word2phrase", "how word pairs are scored", choices=("word2phrase", "gensim", "npmi")
    )
    threshold: float | None = setting(
        None, "pairs with a higher score are phrases", default_text="100; gensim 10, npmi 0.5"
    )
    passes: int = setting(
        1, "number of passes; the second one finds phrases of phrases", low=1, high=16
    )
    connectors: tuple[str, ...] = setting(
        (),
        "words that may occur inside a phrase (bank of america): a language, or the words",
        metavar="en|de|fr|es|it|pt|nl|A,B,…",
    )
    delimiter: str = setting("_", "joins the words of a phrase", metavar="TEXT")
