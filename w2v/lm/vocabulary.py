"""The vocabulary of a language model: words or subwords, and the two specials <unk> and <eos>.

Both specials are ordinary rows, sorted by count like the others, so that losses that rely on order
or counts work unchanged. <eos> marks every line end, words outside the vocabulary are read as
<unk>, and a literal "<unk>" or "<eos>" in the text is read as the special token. The token by which
a tokenizer file replaces what it does not know is <unk>, too.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from w2v.corpus.reading import cutter_of
from w2v.corpus.selection import listed_vocabulary, select_vocabulary
from w2v.corpus.vocabulary import PackedWords, Vocabulary
from w2v.corpus.words import split_words
from w2v.errors import InputError
from w2v.lm.subwords import Subwords

if TYPE_CHECKING:
    from w2v.corpus.store import TokenStore
    from w2v.settings.config import Config
    from w2v.settings.groups import CorpusSettings

UNK, EOS = "<unk>", "<eos>"
CHUNK = 1 << 22  # ids translated at a time
IN_MEMORY = 1 << 24  # ids; larger texts go to a memory-mapped temporary file


class TokenVocabulary:
    """Tokens with their counts, most frequent first; translates text into token ids. Raises
    InputError if a special is missing.

    vocabulary: the tokens; a token's id is its position. unk, eos: ids of the specials. settings:
    how the corpus was read; None: the defaults. subwords: splits words into tokens; None: every
    word is a token. unknown: how many tokens of the corpus are <unk>.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        settings: CorpusSettings | None = None,
        subwords: Subwords | None = None,
        unknown: int = 0,
    ) -> None:
        self.vocabulary, self.settings, self.subwords = vocabulary, settings, subwords
        self.unknown = unknown
        self.unk, self.eos = self._special(UNK), self._special(EOS)

    @classmethod
    def of_corpus(cls, store: TokenStore, config: Config) -> TokenVocabulary:
        """Returns the corpus's words that `min_count` and `max_vocab` leave, or subwords trained on
        all of its words. Raises InputError if no word is left or `subwords` is too small, and
        RunError if the package for subwords is not installed."""
        words, subwords = store.vocabulary, None
        if config.model.pieces:
            subwords = Subwords.train(words, config.model.pieces)
            counts = Counter(dict.fromkeys([*subwords.pieces(), UNK], 0))
            pieces = subwords.cut(words.words)
        else:
            words = _words_for_tokens(_known(words, config.corpus), config.corpus)
            counts = Counter({UNK: store.n_words - int(words.counts.sum())})
            pieces = [[word] for word in words.words]
            if EOS not in words and (literal := store.vocabulary.index(EOS)) is not None:
                count = int(store.vocabulary.counts[literal])
                counts[UNK] -= count
                counts[EOS] += count
        counts[EOS] += store.n_lines
        for word, parts, count in zip(words.words, pieces, words.counts.tolist(), strict=True):
            for part in [word] if word in (UNK, EOS) else parts:
                counts[part] += count
        # The count of a special is at least 1; ties are sorted by UTF-8 bytes.
        ranked = sorted(counts.items(), key=lambda pair: (-max(1, pair[1]), pair[0].encode()))
        packed = PackedWords.pack([word for word, _ in ranked])
        vocabulary = Vocabulary(packed, np.array([max(1, count) for _, count in ranked], np.int64))
        return cls(vocabulary, settings=config.corpus, subwords=subwords, unknown=counts[UNK])

    @classmethod
    def load(cls, run: Path, config: Config) -> TokenVocabulary:
        """Loads the vocabulary of a run directory with this configuration. Raises InputError if a
        file is missing or damaged."""
        subwords = Subwords.load(run / "tokenizer.json") if config.model.pieces else None
        vocabulary = Vocabulary.load(run / "vocab.tsv")
        return cls(vocabulary, settings=config.corpus, subwords=subwords)

    def __len__(self) -> int:
        return len(self.vocabulary)

    @property
    def counts(self) -> np.ndarray:
        """int64 [V], in descending order; that of a special is at least 1."""
        return self.vocabulary.counts

    def encode(self, line: str) -> np.ndarray:
        """Returns int32 ids of one line, without an <eos>."""
        return self.ids(split_words(line, self.settings))

    def ids(self, words: list[str]) -> np.ndarray:
        """Returns int32 ids of words."""
        if self.subwords is not None:
            return self._pieces(words)[1]
        return np.array([self._id(word) for word in words], np.int32)

    def table(self, store: TokenStore) -> np.ndarray:
        """Returns int32 [distinct words of the store + 1]: the token id of each word of the store,
        then <eos>, so that index -1, the line end in the store, gives <eos>. Only for vocabularies
        of words."""
        return np.array([*map(self._id, store.vocabulary.words), self.eos], np.int32)

    def encode_store(self, store: TokenStore) -> np.ndarray:
        """Returns the tokens int32 [tokens + line ends] of a corpus read with the same settings;
        those of a large corpus are memory-mapped from a temporary file."""
        if self.subwords is None:
            table = self.table(store)
            total, translate = len(store.ids), lambda ids: table[ids]
        else:
            starts, pieces = self._pieces(list(store.vocabulary.words))
            pieces = np.append(pieces, np.int32(self.eos))  # for -1, the line end
            first, lengths = np.append(starts[:-1], len(pieces) - 1), np.append(np.diff(starts), 1)
            total = int(store.n_lines + (store.vocabulary.counts * lengths[:-1]).sum())

            def translate(ids: np.ndarray) -> np.ndarray:
                counts = lengths[ids]
                offset = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
                return pieces[np.repeat(first[ids], counts) + offset]  # type: ignore[no-any-return]

        encoded = _empty(total)
        done = 0
        for start in range(0, len(store.ids), CHUNK):
            part = translate(np.asarray(store.ids[start : start + CHUNK]))  # type: ignore[no-untyped-call]
            encoded[done : done + len(part)] = part
            done += len(part)
            store.release(start, start + CHUNK)
        return encoded

    def decode(self, ids: np.ndarray | list[int]) -> str:
        """Returns the text of ids: words separated by spaces, a new line at every <eos>."""
        lines: list[list[str]] = [[]]
        for token in ids:
            if token == self.eos:
                lines.append([])
            else:
                lines[-1].append(self.vocabulary.words[token])
        if self.subwords is not None:
            return "\n".join(self.subwords.text(line, UNK) for line in lines)
        return "\n".join(map(" ".join, lines))

    def _special(self, token: str) -> int:
        index = self.vocabulary.index(token)
        if index is None:
            raise InputError(f"the vocabulary has no {token}: it is not that of a language model")
        return index

    def _id(self, token: str) -> int:
        index = self.vocabulary.index(token)
        return self.unk if index is None else index

    def _pieces(self, words: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns (starts [len(words) + 1], ids): the subwords of all words, concatenated."""
        assert self.subwords is not None
        cut = zip(words, self.subwords.cut(words), strict=True)
        parts = [[word] if word in (UNK, EOS) else pieces for word, pieces in cut]
        starts = np.concatenate([[0], np.cumsum(list(map(len, parts)), dtype=np.int64)])
        return starts, np.array([self._id(piece) for part in parts for piece in part], np.int32)


def _empty(size: int) -> np.ndarray:
    """Returns an int32 array [size], in memory or, if large, in a nameless temporary file."""
    if size <= IN_MEMORY:
        return np.empty(size, np.int32)
    with tempfile.TemporaryFile() as file:  # the memory map keeps it open
        return np.memmap(file, np.int32, "w+", shape=(size,))


def _known(text: Vocabulary, settings: CorpusSettings) -> Vocabulary:
    """Returns the words without the token for what a tokenizer file does not know, unless the words
    are listed."""
    cutter = cutter_of(settings) if settings.vocab is None else None
    if cutter is None or cutter.unknown is None or (at := text.index(cutter.unknown)) is None:
        return text
    words = [word for word in text.words if word != cutter.unknown]
    return Vocabulary(words, np.delete(text.counts, at))


def _words_for_tokens(text: Vocabulary, settings: CorpusSettings) -> Vocabulary:
    """Returns the words that become tokens, with their counts in the text."""
    if settings.vocab is None:
        return select_vocabulary(text, settings)
    listed, _ = listed_vocabulary(settings.vocab, text)
    counts = dict(zip(text.words, text.counts.tolist(), strict=True))
    ranked = sorted(listed.words, key=lambda word: -counts.get(word, 0))
    return Vocabulary(ranked, np.array([counts.get(word, 0) for word in ranked], np.int64))
