"""A trained language model as a Python object: scores texts and generates text.

model = w2v.load("lm-run")
model.perplexity("valid.txt").perplexity, model.score(["the cat sat"])[0].log_prob
model.generate("the king of", words=20, temperature=0.8)
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast, overload

import numpy as np

from w2v.corpus import TokenStore, is_in_memory, read_corpus, read_memory
from w2v.corpus.words import split_words
from w2v.errors import InputError, RunError, shown
from w2v.lm import perplexity as scoring
from w2v.lm.generation import Sampling, generate
from w2v.lm.model import Network
from w2v.lm.perplexity import Progress, TextScore, TokenStream, bounded_exp
from w2v.lm.vocabulary import UNK, TokenVocabulary
from w2v.settings.build import build_config
from w2v.settings.config import IN_MEMORY, Config
from w2v.settings.groups import CorpusSettings
from w2v.system import arguments
from w2v.system.arguments import asks, number, optional
from w2v.vectors.word_vectors import WordVectors

Name = str | os.PathLike[str]
AT_LEAST_ONE, SEED = number(1, whole=True), number(0, whole=True, high=2**62)


def _line(name: str, value: Any) -> str:
    """Returns a line without its line end. Raises InputError if it is not a single line."""
    line = arguments.text(name, value).removesuffix("\n")
    if "\n" in line:
        problem = f"`{name}` {shown(value)} is more than one line"
        raise InputError(f"{problem}: give each on its own, or the whole text as one string")
    return line


@dataclass(frozen=True)
class LineScore:
    """The score that a language model gives a line."""

    tokens: list[str]  # the line's words and a final <eos>, as the model reads them
    log_probs: np.ndarray  # float64, log P of each token in nats
    oov: int  # number of tokens that are <unk>

    @property
    def log_prob(self) -> float:
        """log P(line), in nats."""
        return float(self.log_probs.sum())

    @property
    def perplexity(self) -> float:
        """exp(-log P / tokens); infinity on overflow."""
        return bounded_exp(-self.log_prob / len(self.tokens))

    @property
    def oov_log_prob(self) -> float:
        """The part of log P(line) that is of <unk>, in nats."""
        return float(self.log_probs[[token == UNK for token in self.tokens]].sum())


class LanguageModel:
    """Predicts the next token of a text. `network` is the PyTorch module, `vocabulary` turns text
    into tokens, `config` is what it was trained with, `source` the path it was loaded from."""

    def __init__(
        self, network: Network, vocabulary: TokenVocabulary, config: Config, source: str
    ) -> None:
        self.network, self.vocabulary = network.eval(), vocabulary
        self.config, self.source = config, source
        self.warnings: tuple[str, ...] = ()  # about the files

    def __repr__(self) -> str:
        kind = f"{self.config.lm.arch}, {len(self.vocabulary):,} tokens x {self.config.model.dim}"
        return f"LanguageModel({kind}, loss {self.config.training.loss}, from {self.source})"

    @cached_property
    def tokens(self) -> list[str]:
        """All tokens, most frequent first, including <unk> and <eos>."""
        return list(self.vocabulary.vocabulary.words)

    @property
    def vectors(self) -> WordVectors:
        """The input embeddings, with the tokens as words."""
        matrix = self.network.input.weight.detach().cpu().numpy()
        vectors = WordVectors(self.tokens, matrix, self.vocabulary.counts, self.source)
        vectors.run = Path(self.source)
        return vectors

    @asks(column=optional(arguments.text))
    def perplexity(
        self,
        text: object,
        *,
        column: str | None = None,
        encoding: str = "utf-8",
        encoding_errors: str = "replace",
    ) -> TextScore:
        """Returns the score of a text read as one stream. Its `perplexity` is exp(nats / tokens),
        as is `float(score)`.

        Every token is scored once, given all before it. Each line end is a token, <eos>, and one
        <eos> precedes the first token. A word that the model does not know is scored as <unk>.

        Args:
            text: a file, folder or glob, "-" for standard input, or a list of these, read in order;
                or the text itself, in any form that a model can be trained on, such as an iterable
                of lines.
            column: the text column of a table or of .jsonl, .csv and .parquet files; None: "text".
            encoding: the encoding of the text, independent of that of the training text.
            encoding_errors: how to treat bytes that are invalid in it: "replace" or "strict".

        Raises:
            InputError: the text cannot be read, or the model knows no word of it.
            RunError: the model gives NaN or infinity.
        """
        settings = self.corpus_settings(column, encoding, encoding_errors)
        if is_in_memory(text):
            name, store = "the text", read_memory(text, settings)
        else:
            names = [text] if isinstance(text, (str, os.PathLike)) else cast("list[Name]", text)
            paths = [os.fspath(path) for path in names]
            name, store = " ".join(paths), read_corpus(paths, settings, use_cache=False)
        for warning in store.warnings:
            arguments.warn(warning)
        with store:
            return self.score_store(store, name)

    def score_store(
        self, store: TokenStore, name: str, progress: Progress | None = None
    ) -> TextScore:
        """As `perplexity`, for a text that was read with `corpus_settings`; messages call it
        `name`. `progress` is called with the tokens scored so far and in all."""
        eos, unk = self.vocabulary.eos, self.vocabulary.unk
        ids = self.vocabulary.encode_store(store)
        if not scoring.has_known_word(ids, eos, unk):
            case = " (in lower case)" if self.config.corpus.lowercase else ""
            remedy = f"give a text in the language and with the tokens it was trained on{case}"
            raise InputError(f"{self.source} knows no word of {name}: {remedy}")
        words = store.n_words + store.n_lines
        return scoring.score_ids(self.network, ids, eos, unk, words=words, progress=progress)

    def corpus_settings(
        self, column: str | None, encoding: str, encoding_errors: str
    ) -> CorpusSettings:
        """Returns the settings with which a text must be read to be scored."""
        chosen = {"encoding": encoding, "encoding_errors": encoding_errors}
        checked = build_config({"corpus": (IN_MEMORY,), **chosen}).corpus
        values: Any = {name: getattr(checked, name) for name in chosen}
        return replace(self.config.corpus, column=column, **values)

    def stream(self) -> TokenStream:
        """Returns an empty stream, whose text `score` continues."""
        return TokenStream(self.network, self.vocabulary.eos)

    @asks(stream=arguments.optional(arguments.kind(TokenStream, "stream")))
    def score(self, lines: Iterable[str], *, stream: TokenStream | None = None) -> list[LineScore]:
        """Returns the scores of lines; a single string is split at its line ends, as a text file
        is. Each line is scored as the first of a text, after an <eos>; with a `stream`, the lines
        continue the stream's text. Raises InputError for a line with a line end inside, and
        RunError if the model gives NaN or infinity."""
        if isinstance(lines, str):
            lines = lines.removesuffix("\n").split("\n") if lines else []
        else:
            lines = [_line("lines", line) for line in arguments.items("lines", lines)]
        eos, unk = self.vocabulary.eos, self.vocabulary.unk
        encoded = [self.vocabulary.encode(line) for line in lines]
        if stream is None:
            nll = scoring.score_lines(self.network, encoded, eos)
        else:
            nll = scoring.continue_lines(stream, encoded, eos)
        scores = []
        for ids, line in zip(encoded, nll, strict=True):
            total = float(line.sum())
            if not math.isfinite(total):
                why = "the model's parameters are damaged; train it again"
                raise RunError(f"a line's log-probability is {-total}: {why}")
            tokens = [self.tokens[token] for token in (*ids, eos)]
            scores.append(LineScore(tokens, -line, int(np.count_nonzero(ids == unk))))
        return scores

    @overload
    def generate(
        self,
        prompt: str = ...,
        words: int = ...,
        *,
        temperature: float = ...,
        top_k: int | None = ...,
        top_p: float | None = ...,
        seed: int = ...,
    ) -> str: ...

    @overload
    def generate(
        self,
        prompt: str = ...,
        words: int = ...,
        *,
        temperature: float = ...,
        top_k: int | None = ...,
        top_p: float | None = ...,
        seed: int = ...,
        n: int,
    ) -> list[str]: ...

    @asks(
        prompt=arguments.text,
        words=AT_LEAST_ONE,
        n=optional(AT_LEAST_ONE),
        seed=SEED,
        temperature=number(0),
    )
    def generate(
        self,
        prompt: str = "",
        words: int = 50,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 1,
        n: int | None = None,
    ) -> str | list[str]:
        """Returns a text that begins with the prompt or, with `n`, a list of n texts. <unk> is
        never generated.

        Args:
            prompt: the start of the text; words that the model does not know are read as <unk>.
            words: how many words and line ends to add; for a model of subwords, how many tokens.
            temperature, top_k, top_p: see `Sampling`.
            seed: seed of the random numbers; text i uses seed + i.

        Raises:
            InputError: a number is out of range.
            RunError: a parameter of the model is NaN or infinite.
        """
        sampling = Sampling(temperature, top_k, top_p, self.vocabulary.unk)
        seeds = range(seed, seed + (1 if n is None else n))
        texts = ["".join(self.generate_lines(prompt, words, sampling, seed=s)) for s in seeds]
        return texts[0] if n is None else texts

    def generate_lines(
        self, prompt: str, words: int, how: Sampling, *, seed: int, progress: Progress | None = None
    ) -> Iterator[str]:
        """Yields the text of `generate` line by line, each as soon as it is complete, with its line
        end."""
        eos, line = self.vocabulary.eos, self.prompt_ids(prompt)
        tokens = generate(self.network, list(line), eos, how, seed=seed)
        for done, token in zip(range(1, words + 1), tokens, strict=False):
            if progress is not None:
                progress(done, words)
            if token == eos:
                yield self.vocabulary.decode(line) + "\n"
                line = []
            else:
                line.append(token)
        yield self.vocabulary.decode(line)

    def prompt_ids(self, prompt: str) -> list[int]:
        """Returns the tokens of a prompt, with an <eos> between its lines."""
        lines = [self.vocabulary.encode(line) for line in prompt.split("\n")]
        return [token for line in lines for token in (self.vocabulary.eos, *line.tolist())][1:]

    @asks(text=arguments.text)
    def unknown_words(self, text: str) -> list[str]:
        """Returns the words of a text that the model does not know, each once."""
        words = dict.fromkeys(split_words(text, self.vocabulary.settings))
        return [word for word in words if self.vocabulary.unk in self.vocabulary.ids([word])]
