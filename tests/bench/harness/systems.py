"""The systems that train word vectors: how each is called for the same settings, and what it cannot
do.

    peer = parse_peer("word2vec.c=/opt/word2vec")
    peer.cannot(case) or peer.command(case, corpus, output, seed)

All get the same dimension, window, negatives, subsampling threshold, minimum count, learning rate,
epochs and threads. What has no option of the same meaning everywhere is each system's own: fastText
draws noise words with power 0.5, the others with 0.75.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2v.errors import InputError
from w2v.settings.declare import nearest
from w2v.settings.groups import losses_with

SCRIPTS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Case:
    """What is trained; the names and meanings are those of w2v's settings."""

    model: str
    loss: str
    threads: int
    dim: int
    window: int
    negatives: int
    sample: float
    min_count: int
    lr: float
    epochs: int

    @property
    def noise_words(self) -> int:
        """Noise words per prediction: 0 for losses without."""
        return 0 if self.loss == "hsigmoid" else self.negatives

    @property
    def hs(self) -> int:
        """1 if the loss has hierarchical softmax in it, else 0."""
        return int("hsigmoid" in self.loss)


def w2v_command(
    case: Case, corpus: str, output: str, seed: int, options: Iterable[str] = ()
) -> list[str]:
    """`w2v train` for this case; prints its summary as JSON."""
    values: dict[str, Any] = {
        "model": case.model,
        "loss": case.loss,
        "threads": case.threads,
        "dim": case.dim,
        "window": case.window,
        "sample": case.sample,
        "min-count": case.min_count,
        "lr": case.lr,
        "epochs": case.epochs,
        "seed": seed,
        "output": output,
    }
    if case.loss in losses_with("negatives"):
        values["negatives"] = case.negatives
    named = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    return [
        sys.executable,
        "-m",
        "w2v",
        "train",
        corpus,
        *named,
        "--overwrite",
        "--quiet",
        "--json",
        *options,
    ]


@dataclass(frozen=True)
class Peer:
    """Another system. `program` is its binary, or the Python that can import it."""

    kind: str
    program: str

    def cannot(self, case: Case) -> str | None:
        """Why this system cannot do a case; None if it can."""
        return KINDS[self.kind].cannot(case)

    def command(self, case: Case, corpus: str, output: str, seed: int) -> list[str]:
        """The command line that trains a case from a text file and writes word2vec's binary
        format."""
        return [self.program, *KINDS[self.kind].arguments(case, corpus, output, seed)]


class Kind(ABC):
    """A kind of peer: what it can do, how it is called, where it comes from."""

    losses: tuple[str, ...] = ("neg", "hsigmoid", "hsigmoid+neg")
    models: tuple[str, ...] = ("skip-gram", "cbow")
    module: str | None = None  # of a Python package; None: a binary
    origin: str

    def cannot(self, case: Case) -> str | None:
        """Why it cannot do a case; None if it can."""
        if case.loss not in self.losses:
            return f"has no --loss {case.loss}"
        return None if case.model in self.models else f"has no --model {case.model}"

    @abstractmethod
    def arguments(self, case: Case, corpus: str, output: str, seed: int) -> list[str]:
        """What follows the program's name."""


class Gensim(Kind):
    module = "gensim"
    origin = "pip install gensim"
    script = "gensim_train.py"

    def arguments(self, case: Case, corpus: str, output: str, seed: int) -> list[str]:
        given = {
            "corpus": corpus,
            "output": output,
            "seed": seed,
            "model": case.model,
            "hs": case.hs,
            "negatives": case.noise_words,
            "dim": case.dim,
            "window": case.window,
            "sample": case.sample,
            "min_count": case.min_count,
            "lr": case.lr,
            "epochs": case.epochs,
            "threads": case.threads,
        }
        return [str(SCRIPTS / self.script), json.dumps(given)]


class FastText(Gensim):
    losses = ("neg", "hsigmoid")
    module = "fasttext"
    origin = "pip install fasttext"
    script = "fasttext_train.py"


class Word2VecC(Kind):
    origin = "gcc -O3 -march=native word2vec.c -o word2vec -lm -pthread"

    def arguments(self, case: Case, corpus: str, output: str, seed: int) -> list[str]:
        return [
            *self._shared(case, corpus, output),
            "-cbow",
            str(int(case.model == "cbow")),
            "-hs",
            str(case.hs),
        ]

    @staticmethod
    def _shared(case: Case, corpus: str, output: str) -> list[str]:
        return [
            "-train",
            corpus,
            "-output",
            output,
            "-size",
            str(case.dim),
            "-window",
            str(case.window),
            "-negative",
            str(case.noise_words),
            "-sample",
            str(case.sample),
            "-threads",
            str(case.threads),
            "-iter",
            str(case.epochs),
            "-min-count",
            str(case.min_count),
            "-alpha",
            str(case.lr),
            "-binary",
            "1",
        ]


class PWord2Vec(Word2VecC):
    losses = ("neg",)
    models = ("skip-gram",)
    origin = "github.com/IntelLabs/pWord2Vec"

    def arguments(self, case: Case, corpus: str, output: str, seed: int) -> list[str]:
        # a batch is the context words of one window
        return [*self._shared(case, corpus, output), "-batch-size", str(2 * case.window + 1)]


KINDS: Mapping[str, Kind] = {
    "gensim": Gensim(),
    "fasttext": FastText(),
    "word2vec.c": Word2VecC(),
    "pword2vec": PWord2Vec(),
}


def parse_peer(text: str) -> Peer:
    """The peer that "gensim", "gensim=PYTHON" or "word2vec.c=BINARY" names, which is there.

    Raises:
        InputError: there is no such peer, or it is not where the text says.
    """
    name, given, program = text.partition("=")
    if name not in KINDS:
        guess = nearest(name, KINDS)
        remedy = f"did you mean {guess}?" if guess else f"there are {', '.join(KINDS)}"
        raise InputError(f"--peer {name} is unknown: {remedy}")
    kind = KINDS[name]
    if kind.module is None:
        if not program:
            raise InputError(
                f"--peer {name} needs its program: --peer {name}=PATH (from {kind.origin})"
            )
        return Peer(
            name,
            _program(
                program, f"--peer {text}", f"give the path of the program (from {kind.origin})"
            ),
        )
    if given and not program:
        raise InputError(
            f"--peer {text} names no Python: leave out the =, or give the one that has {name}"
        )
    return Peer(name, python_with(kind.module, program, f"--peer {text}"))


def peers_here() -> list[Peer]:
    """The peers that this Python can import."""
    return [
        Peer(name, sys.executable)
        for name, kind in KINDS.items()
        if kind.module is not None and _imports(sys.executable, kind.module)
    ]


def python_with(module: str, python: str, place: str) -> str:
    """The interpreter `python`, or this one if it is empty, which must have the module.

    Raises:
        InputError: it is no program, or does not have the module.
    """
    found = (
        _program(python, place, f"give the path of a Python that has {module}")
        if python
        else sys.executable
    )
    if not _imports(found, module):
        raise InputError(
            f"{place}: {found} has no module {module}; pip install it there, or name another Python"
        )
    return found


def _program(path: str, place: str, remedy: str) -> str:
    """The absolute path of a program. A link stays as it is: a virtual environment's Python is
    one."""
    found = shutil.which(path)
    if found is None:
        raise InputError(f"{place}: no program {path}; {remedy}")
    return os.path.abspath(found)


def _imports(python: str, module: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
