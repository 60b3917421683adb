"""The vocabulary of a language model: words or subwords, and the two specials <unk> and <eos>.

Both specials are ordinary rows, sorted by count with the others, so that the losses that rely on
the order (adaptive softmax) or on counts (Huffman's tree, noise) hold for them too. <eos> stands at
every line end. What is not in the vocabulary is read as <unk>. A literal "<unk>" or "<eos>" in the
text is the special.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from w2v.corpus.vocabulary import PackedWords, Vocabulary
from w2v.errors import InputError
from w2v.settings.build import load_config
from w2v.system.files import atomic_file

if TYPE_CHECKING:
    from w2v.corpus.store import TokenStore
    from w2v.lm.subwords import Subwords
    from w2v.settings.config import Config

UNK, EOS = "<unk>", "<eos>"
CHUNK = 1 << 22  # ids translated at a time
IN_MEMORY = 1 << 24  # ids; more go to a temporary file that is memory-mapped


class TokenVocabulary:
    """Tokens with their counts, most frequent first, and how text becomes their ids.

    Attributes:
        vocabulary: the tokens; ids are places in it.
        unk, eos: ids of the specials.
        lowercase: whether words are read in lower case.
        subwords: what cuts words into tokens; None: every word is one.

    Raises:
        InputError: a special is missing.
    """

    def __init__(
        self, vocabulary: Vocabulary, *, lowercase: bool = False, subwords: Subwords | None = None
    ) -> None:
        places = [vocabulary.index(special) for special in (UNK, EOS)]
        for special, place in zip((UNK, EOS), places, strict=True):
            if place is None:
                raise InputError(f"the vocabulary has no {special}: it is not a language model's")
        self.unk, self.eos = (int(place or 0) for place in places)
        self.vocabulary, self.lowercase, self.subwords = vocabulary, lowercase, subwords

    @classmethod
    def of_corpus(cls, store: TokenStore, config: Config) -> TokenVocabulary:
        """The corpus's words that `min_count` and `max_vocab` leave, or subwords trained on all of
        its words.

        Raises:
            InputError: fewer than two words are left, or `subwords` cannot be used.
        """
        from w2v.corpus.selection import select_vocabulary

        corpus = config.corpus
        if config.lm.subwords:
            from w2v.lm.subwords import Subwords

            subwords = Subwords.train(store, config.lm.subwords)
            return cls(subwords.vocabulary(store), lowercase=corpus.lowercase, subwords=subwords)
        chosen = select_vocabulary(store.vocabulary, corpus)
        kept = [(word, int(count)) for word, count in zip(chosen.words, chosen.counts, strict=True)]
        kept = [pair for pair in kept if pair[0] not in (UNK, EOS)]
        left_out = store.n_words - sum(count for _, count in kept)
        ends = store.n_lines
        if (literal := store.vocabulary.index(EOS)) is not None:
            count = int(store.vocabulary.counts[literal])
            left_out, ends = left_out - count, ends + count
        return cls(
            sorted_vocabulary([*kept, (UNK, left_out), (EOS, ends)]), lowercase=corpus.lowercase
        )

    def __len__(self) -> int:
        return len(self.vocabulary)

    @property
    def counts(self) -> np.ndarray:
        """int64 [V], never increasing; a special that does not occur has 1."""
        return self.vocabulary.counts

    def encode(self, line: str) -> np.ndarray:
        """int32 ids of one line, without an <eos>."""
        words = line.replace("\0", " ").split()
        if self.lowercase:
            words = [word.lower() for word in words]
        if self.subwords is not None:
            starts, pieces = self._pieces(words)
            return pieces[: starts[-1]]
        index = self.vocabulary.index
        return np.array(
            [self.unk if (place := index(word)) is None else place for word in words], np.int32
        )

    def table(self, store: TokenStore) -> np.ndarray:
        """int32 [distinct words of the store + 1]: the id of each word of the store, and last
        <eos>, which is where an index of -1, the store's line end, leads. Vocabularies of words
        only."""
        index = self.vocabulary.index
        ids = np.empty(len(store.vocabulary) + 1, np.int32)
        ids[-1] = self.eos
        for place, word in enumerate(store.vocabulary.words):
            known = index(word)
            ids[place] = self.unk if known is None else known
        return ids

    def encode_store(self, store: TokenStore) -> np.ndarray:
        """int32 [tokens + line ends] of a corpus; of a large one in a temporary file,
        memory-mapped.

        The store must have been read with the same `lowercase`.
        """
        if self.subwords is None:
            table = self.table(store)
            total, translate = len(store.ids), lambda ids: table[ids]
        else:
            words = list(store.vocabulary.words)
            starts, pieces = self._pieces(words)
            pieces = np.append(pieces, np.int32(self.eos))  # of -1, the line end
            first, lengths = np.append(starts[:-1], len(pieces) - 1), np.append(np.diff(starts), 1)
            total = int(store.n_lines + (store.vocabulary.counts * lengths[:-1]).sum())

            def translate(ids: np.ndarray) -> np.ndarray:
                each = lengths[ids]
                place = np.arange(each.sum()) - np.repeat(each.cumsum() - each, each)
                return pieces[np.repeat(first[ids], each) + place]

        encoded = _empty(total)
        done = 0
        for start in range(0, len(store.ids), CHUNK):
            part = translate(np.asarray(store.ids[start : start + CHUNK]))
            encoded[done : done + len(part)] = part
            done += len(part)
            store.release(start, start + CHUNK)
        return encoded

    def decode(self, ids: np.ndarray | list[int]) -> str:
        """The text of ids: words with blanks between them, a new line at every <eos>."""
        lines: list[list[int]] = [[]]
        for token in ids:
            if int(token) == self.eos:
                lines.append([])
            else:
                lines[-1].append(int(token))
        words = self.vocabulary.words
        if self.subwords is not None:
            return "\n".join(
                self.subwords.text([words[token] for token in line], UNK) for line in lines
            )
        return "\n".join(" ".join(words[token] for token in line) for line in lines)

    def save(self, folder: Path) -> None:
        """Writes vocab.tsv, and tokenizer.json if there are subwords.

        Raises:
            RunError: a file cannot be written.
        """
        self.vocabulary.save(folder / "vocab.tsv")
        if self.subwords is not None:
            with atomic_file(folder / "tokenizer.json") as file:
                file.write(self.subwords.to_json().encode())

    @classmethod
    def load(cls, run: Path) -> TokenVocabulary:
        """What `save` wrote into a run directory.

        Raises:
            InputError: a file is missing or damaged.
        """
        config = load_config(run / "config.yaml")
        subwords = None
        if config.lm.subwords:
            from w2v.lm.subwords import Subwords

            subwords = Subwords.load(run / "tokenizer.json")
        vocabulary = Vocabulary.load(run / "vocab.tsv")
        return cls(vocabulary, lowercase=config.corpus.lowercase, subwords=subwords)

    def _pieces(self, words: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """(starts [len(words) + 1], ids): the subwords of every word, one after another."""
        assert self.subwords is not None
        cut = self.subwords.cut(words)
        index = self.vocabulary.index
        specials = {UNK: [self.unk], EOS: [self.eos]}
        ids = [
            specials.get(word)
            or [self.unk if (place := index(piece)) is None else place for piece in pieces]
            for word, pieces in zip(words, cut, strict=True)
        ]
        starts = np.concatenate([[0], np.cumsum([len(part) for part in ids], dtype=np.int64)])
        return starts, np.array([token for part in ids for token in part], np.int32)


def sorted_vocabulary(pairs: list[tuple[str, int]]) -> Vocabulary:
    """The vocabulary of (token, count) by count, ties by UTF-8 bytes; a count below 1 becomes 1."""
    pairs = [(word, max(1, count)) for word, count in pairs]
    pairs.sort(key=lambda pair: (-pair[1], pair[0].encode()))
    return Vocabulary(
        PackedWords.pack([word for word, _ in pairs]),
        np.array([count for _, count in pairs], np.int64),
    )


def _empty(size: int) -> np.ndarray:
    """int32 [size], in memory or, if large, in a nameless temporary file."""
    if size <= IN_MEMORY:
        return np.empty(size, np.int32)
    with tempfile.TemporaryFile() as file:  # the map holds it open
        return np.memmap(file, np.int32, "w+", shape=(size,))
